"""`harness tunnel`: cases here beside the workloads of a sheet, from rough and from measured ceilings."""

import datetime as dt
import json
from pathlib import Path

import pytest

from harness.measure.host import description
from harness.results import reportfile
from harness.store.runs import Store
from tests.cli.program import Result, here
from tests.factories import MATMUL_FLOP_S, READ_BYTES_S, record

SHEET = "cloudmatrix384-paper"
MODEL = ("--model", "moe-article-s")


def tunnel(cwd: Path, *arguments: str | Path) -> Result:
    return here("tunnel", "--sheet", SHEET, *MODEL, *arguments, cwd=cwd)


def test_groups_stand_side_by_side_with_what_is_left_apart(tmp_path: Path) -> None:
    result = tunnel(tmp_path, "--dry-run")
    assert result.code == 0, result.err
    assert "rough rates" in result.out, "no run is stored, and the report says what stands in"
    found = json.loads(tunnel(tmp_path, "--dry-run", "--json").out)
    figures = {f["id"]: f for f in found["figures"]}
    (decode,) = figures["decode-50ms"]["workloads"]
    assert decode["there"]["balance"] == pytest.approx(1.40, abs=0.01)
    assert figures["prefill-ideal"]["workloads"][0]["there"]["balance"] == pytest.approx(44, rel=0.01)
    assert decode["here"]["active"] == pytest.approx(0.0368, rel=0.01)
    for name, group in decode["there"].items():
        apart = {u["group"] for u in decode["unmatched"]}
        if name not in ("attention", "cache"):  # shares are compared with a floor
            assert (name in apart) == (not 1 / 1.1 <= decode["here"][name] / group <= 1.1)
    both = [w["chip"] for w in figures["ahead-of-h100-prefill"]["workloads"]]
    assert both == ["ascend-910c", "h100-sxm"], "conditions left open are those of the published pair"
    ratio = figures["prefill-ideal-over-decode-50ms"]
    assert ratio["reported"] == pytest.approx(3.44, abs=0.01) and len(ratio["workloads"]) == 2
    assert ratio["distance"] >= max(w["distance"] for w in ratio["workloads"])


def test_a_record_gives_the_ceilings(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(reportfile.document(record(), None))
    found = json.loads(tunnel(tmp_path, "--dry-run", "--record", "run.json", "--json").out)["host"]
    assert found["read_bytes_s"] == pytest.approx(READ_BYTES_S, rel=0.05)
    assert found["int8_flop_s"] == pytest.approx(MATMUL_FLOP_S, rel=0.05)
    assert "measured in run" in found["source"] and "a quarter" in found["source"]


def test_the_latest_run_of_this_very_host_gives_them_by_itself(tmp_path: Path) -> None:
    place = tmp_path / "store.sqlite"
    mine = record().model_copy(update={"host": description.describe(), "record_id": "here"})
    later = record().model_copy(update={"record_id": "elsewhere", "created": mine.created + dt.timedelta(days=1)})
    with Store(place) as store:
        store.add(mine)
        store.add(later)
    found = here("tunnel", "--sheet", "v4-pro-on-gb300", *MODEL, "--dry-run", "--store", place, "--json", cwd=tmp_path)
    assert "measured in run here" in json.loads(found.out)["host"]["source"]


def test_an_open_figure_is_named_with_what_is_open(tmp_path: Path) -> None:
    result = here("tunnel", "--sheet", "v4-pro-on-gb300", *MODEL, "--dry-run", cwd=tmp_path)
    assert result.code == 0 and "one phase (it mixes both)" in result.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "expected --dry-run"),
        (("--dry-run", "--model", "moe-articel"), "moe-article"),
        (("--dry-run", "--budget", "1"), "give a larger --budget"),
        (("--dry-run", "--record", "no-such-run.json"), "no-such-run.json"),
    ],
)
def test_wrong_use_is_one_message(tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    result = tunnel(tmp_path, *arguments)
    assert result.code in (2, 5) and words in result.err and "Traceback" not in result.err
    assert result.out == ""
