"""The JSON document holds all that is shown, fits its schema, round-trips, and is refused in words when damaged."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from harness.errors import UsageError
from harness.files import output
from harness.report import text
from harness.report.order import build
from harness.results import reportfile
from harness.results.record import SCHEMA
from tests import factories

RECORD = factories.record()
ASSESSMENT = factories.assessment()
DOCUMENT = reportfile.document(RECORD, ASSESSMENT)


@pytest.mark.parametrize(
    ("record", "assessment"), [(RECORD, ASSESSMENT), (RECORD, None), (None, factories.assessment(None)), (None, None)]
)
def test_what_is_written_is_read_back(record: Any, assessment: Any) -> None:
    assert reportfile.load(reportfile.document(record, assessment)) == (record, assessment)


def test_a_file_is_read_like_its_text(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text(DOCUMENT, encoding="utf-8")
    assert reportfile.load(path) == (RECORD, ASSESSMENT)


def test_writing_is_deterministic() -> None:
    assert reportfile.document(*reportfile.load(DOCUMENT)) == DOCUMENT


def test_all_that_is_shown_can_be_made_from_the_document() -> None:
    for details in (False, True):
        shown = text.render(build(RECORD, ASSESSMENT), details=details)
        assert text.render(build(*reportfile.load(DOCUMENT)), details=details) == shown


def test_derived_figures_stand_in_the_document_for_readers_of_other_programs() -> None:
    data = json.loads(DOCUMENT)
    assert data["schema"] == SCHEMA
    assert data["record_id"] == RECORD.record_id
    assert data["host_fingerprint"] == RECORD.host.fingerprint
    first = data["measurements"][0]
    assert set(first["rate_tok_s"]) == {"point", "low", "high", "level", "n"}
    assert len(first["samples_s"]) == first["rate_tok_s"]["n"]
    assert len(data["cases"]) == len(data["measurements"])
    assert data["cases"][0]["ceiling_fraction"] == pytest.approx(
        first["rate_tok_s"]["point"] / data["cases"][0]["ceiling_tok_s"]
    )
    assert {g["counterpart"] for g in data["gains"]} == {"equal-total", "equal-active"}
    assert {"id", "outcome", "flags", "interval", "missing", "evidence"} <= set(data["verdicts"][0])
    assert {"quantity", "basis", "source"} <= set(data["verdicts"][0]["evidence"][0])
    assert data["inconsistent_sets"] == [list(s.claims) for s in ASSESSMENT.inconsistent_sets] != []
    assert data["inconsistencies"][0]["explanation"] and data["scaled"]


def test_derived_figures_are_made_anew_on_the_way_in() -> None:
    data = json.loads(DOCUMENT)
    data["measurements"][0]["rate_tok_s"]["point"] = 1e9
    data["cases"], data["gains"], data["host_fingerprint"] = [], [], "other"
    assert reportfile.load(output.with_checksum(json.dumps(data))) == (RECORD, ASSESSMENT)


def test_any_changed_value_is_noticed_and_no_change_of_form() -> None:
    data = json.loads(DOCUMENT)
    reordered = {key: data[key] for key in reversed(data)}
    assert reportfile.load(json.dumps(reordered, ensure_ascii=True)) == (RECORD, ASSESSMENT)
    for change in (
        lambda d: d["measurements"][0]["observations"][0].update(tokens_per_step=7_777_777),
        lambda d: d["measurements"][0]["rate_tok_s"].update(point=1e9),
        lambda d: d["verdicts"][0].update(reason="other"),
        lambda d: d["cases"].pop(),
        lambda d: d.update(checksum="sha256:" + "0" * 64),
    ):
        with pytest.raises(UsageError, match="checksum does not match"):
            reportfile.load(edited(change))
    with pytest.raises(UsageError, match="has no 'checksum'"):
        reportfile.load(edited(lambda d: d.pop("checksum")))


def test_the_document_fits_its_published_schema() -> None:
    schema = json.loads(reportfile.schema())
    jsonschema.Draft202012Validator.check_schema(schema)
    for pair in ((RECORD, ASSESSMENT), (None, None)):
        jsonschema.validate(json.loads(reportfile.document(*pair)), schema)


def edited(change: Callable[[dict[str, Any]], object]) -> str:
    data = json.loads(DOCUMENT)
    change(data)
    return json.dumps(data)


def changed(change: Callable[[dict[str, Any]], object]) -> str:
    """As another program might write it, with a right checksum: the types must notice what does not fit."""
    return output.with_checksum(edited(change))


@pytest.mark.parametrize(
    ("damaged", "said"),
    [
        ("", "report:1:1: not JSON"),
        (DOCUMENT[: len(DOCUMENT) // 2], "cut short"),
        ("[1, 2]", "not a harness report"),
        ("{}", "expected an object with 'schema'"),
        ('{"schema": NaN}', "holds NaN"),
        ('{"schema": 1, "schema": 1}', "'schema' stands twice"),
        ("[" * 100_000, "nested too deeply"),
        (changed(lambda d: d.update(schema=4)), "schema 4, expected at most 3"),
        (changed(lambda d: d.update(schema=True)), "schema true, expected at most 3"),
        (changed(lambda d: d.update(schema=0)), "schema 0, expected at most 3"),
        (changed(lambda d: d.update(suprise=1)), "suprise"),
        (changed(lambda d: d["measurements"][0].update(batch="four")), "measurements.0.batch"),
        (changed(lambda d: d["measurements"][0].pop("model")), "measurements.0.model"),
        (changed(lambda d: d.update(measurements="none")), "measurements"),
        (changed(lambda d: d["measurements"].append(3)), "measurements.26"),
        (changed(lambda d: d["verdicts"][0].update(outcome="proven")), "verdicts.0.outcome"),
        (changed(lambda d: d.update(host=None)), "a run has a record_id and a host"),
        (changed(lambda d: [m.pop("batch") for m in d["measurements"]]), "and 16 more"),
        (edited(lambda d: d["sheet"].update(title="\ud800")), "checksum does not match"),
        (edited(lambda d: d.update(schema=4)), "install that one or a newer one"),
        (DOCUMENT.replace('"schema": 3', '"schema": 3, "x": 1e999'), "holds 1e999"),
        (changed(lambda d: d["sheet"].update({"\x1b[31m": 1})), "sheet"),
    ],
)
def test_damage_is_named(damaged: str, said: str) -> None:
    with pytest.raises(UsageError) as error:
        reportfile.load(damaged)
    assert said in str(error.value)
    assert "\x1b" not in str(error.value)
    assert "Write the file again" in str(error.value)


@pytest.mark.parametrize("seed", range(60))
def test_no_cut_or_flipped_byte_escapes_as_another_error(seed: int) -> None:
    cut = seed * len(DOCUMENT) // 60
    for damaged in (DOCUMENT[:cut], DOCUMENT[:cut] + "}" + DOCUMENT[cut + 1 :]):
        try:
            reportfile.load(damaged)
        except UsageError:
            continue


def test_unreadable_files_are_usage_errors(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "zero.json").symlink_to("/dev/zero")
    (tmp_path / "latin.json").write_bytes(b'{"schema": "\xff"}')
    for path, said in (
        (tmp_path / "none.json", "No such file"),
        (tmp_path, "directory"),
        (tmp_path / "pipe.json", "not a regular file"),
        (tmp_path / "zero.json", "not a regular file"),
        (tmp_path / "latin.json", "not UTF-8"),
    ):
        with pytest.raises(UsageError, match=said):
            reportfile.load(path)


def test_a_figure_that_is_no_number_cannot_be_written() -> None:
    with pytest.raises(ValueError, match="finite"):
        factories.verdict(claimed=float("nan"))


def test_what_people_publish_holds_no_folder_of_this_machine() -> None:
    """The words of a config stay; folders of absolute paths go, those of relative ones and addresses do not."""
    text = (
        "sheet: /home/me/work/s.yaml\ncatalog: [../c.yaml, C:\\Users\\me\\d.yaml]  # see https://a.example/b/c.html\n"
    )
    record = factories.record().model_copy(update={"config_text": text})
    published = json.loads(reportfile.document(record, None))["run"]["config_text"]
    assert published == "sheet: s.yaml\ncatalog: [../c.yaml, d.yaml]  # see https://a.example/b/c.html\n"
    assert json.loads(reportfile.document(record, None, whole=True))["run"]["config_text"] == text
