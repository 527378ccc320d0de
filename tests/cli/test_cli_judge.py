"""`harness judge`: its JSON as other programs read it, exit codes, records from files, and a catalog of one's own."""

import json
from pathlib import Path
from typing import Any

import pytest

from harness.results import reportfile
from tests import factories
from tests.cli.program import SEEDS, harness, here

ARTICLE = SEEDS / "deepseek-v4-ascend.yaml"

SHEET = """\
sheet: 1
id: mine
source: {title: A page}
claims:
  - id: rate
    kind: throughput
    place: line 1
    statement: A chip decodes so many tokens a second.
    rate_tok_s: RATE
    conditions: {phase: decode, model: MODEL, chip: CHIP, per: package, chips: 160, batch: 96, context_tokens: 4096,
      precision: int8, mtp_drafts: 1, mtp_acceptance: 0.7}
"""


def sheet(folder: Path, rate: float, model: str = "deepseek-r1", chip: str = "ascend-910c") -> Path:
    path = folder / "mine.yaml"
    path.write_text(SHEET.replace("RATE", str(rate)).replace("MODEL", model).replace("CHIP", chip))
    return path


def document(folder: Path, *arguments: str | Path) -> dict[str, Any]:
    result = here("judge", *arguments, cwd=folder)
    assert result.code == 0, result.err
    found: dict[str, Any] = json.loads(result.out)
    return found


def test_verdicts_as_other_programs_read_them(tmp_path: Path) -> None:
    found = json.loads(harness("judge", ARTICLE, "--json", cwd=tmp_path).out)
    ids = {v["id"] for v in found["verdicts"]}
    for verdict in found["verdicts"]:
        assert {"id", "outcome", "flags", "interval", "stability", "evidence"} <= set(verdict)
        for evidence in verdict["evidence"]:
            assert evidence["basis"] in ("measured", "modelled", "published") and evidence["source"]
    sets = found["inconsistent_sets"]
    assert all(isinstance(claims, list) and set(claims) <= ids for claims in sets)
    assert ["cloudmatrix-prefill", "inference-60-percent"] in [sorted(claims) for claims in sets]
    assert [s["claims"] for s in found["inconsistencies"]] == sets


def test_json_is_printed_or_written(tmp_path: Path) -> None:
    printed = here("judge", "--json", ARTICLE, cwd=tmp_path).out
    assert printed == here("judge", ARTICLE, "--format", "json", cwd=tmp_path).out
    beside = here("judge", ARTICLE, "--json", "out.json", cwd=tmp_path)
    assert "SUPPORTED" in beside.out and beside.err == "wrote out.json\n"
    assert (tmp_path / "out.json").read_text() == printed


@pytest.mark.parametrize(("rate", "code"), [(1943.0, 0), (20000.0, 3), (3500.0, 4)])
def test_strict_exit_codes(tmp_path: Path, rate: float, code: int) -> None:
    """The published rate; one above every ceiling; one between the 90 % band's end and the 99 % band's."""
    path = sheet(tmp_path, rate)
    assert here("judge", path, cwd=tmp_path).code == 0
    assert here("judge", path, "--strict", cwd=tmp_path).code == code


def test_a_record_from_a_file(tmp_path: Path) -> None:
    """A design claim is judged by the file's measurements."""
    record = factories.record()
    (tmp_path / "run.json").write_text(reportfile.document(record, None))
    found = document(tmp_path, ARTICLE, "--record", "run.json", "--json")
    assert found["record_id"] == record.record_id
    assert any(e["basis"] == "measured" for v in found["verdicts"] for e in v["evidence"])
    (tmp_path / "verdicts.json").write_text(here("judge", ARTICLE, "--json", cwd=tmp_path).out)
    refused = here("judge", ARTICLE, "--record", "verdicts.json", cwd=tmp_path)
    assert refused.code == 2 and "holds verdicts and no measurements" in refused.err
    assert here("judge", ARTICLE, "--record", "none.json", cwd=tmp_path).code == 2


OWN = """\
sources:
  mine: {title: My datasheet, date: "2026-05", grade: B, how_seen: read}
chips:
  my-chip:
    title: My chip
    vendor: Me
    peaks:
      bf16: {dense: [{value: 1.0e14, source: mine}]}
      int8: {dense: [{value: 2.0e14, source: mine}]}
    memory_bytes: [{value: 1.0e11, source: mine}]
    bandwidth_bytes_s: [{value: 1.0e12, source: mine}]
    link_bytes_s: [{value: 4.0e11, source: mine}]
"""


def test_a_chip_of_ones_own(tmp_path: Path) -> None:
    path = sheet(tmp_path, 1943.0, chip="my-chip")
    [unknown] = document(tmp_path, path, "--json")["verdicts"]
    assert unknown["outcome"] == "out of reach" and "unknown chip 'my-chip'" in unknown["reason"]
    (tmp_path / "own.yaml").write_text(OWN)
    [known] = document(tmp_path, path, "--catalog", "own.yaml", "--json")["verdicts"]
    assert known["outcome"] == "refuted" and known["binding"] in ("compute", "memory")
    (tmp_path / "own.yaml").write_text(OWN.replace("vendor: Me\n", "vendor: Me\n    colour: red\n"))
    refused = here("judge", path, "--catalog", "own.yaml", cwd=tmp_path)
    assert refused.code == 2 and "own.yaml:7:5: " in refused.err
