"""`harness compare` and `harness export` as a user types them."""

import datetime as dt
import json
import subprocess
import sys
from pathlib import Path

import pytest

from harness.results import reportfile
from harness.results.record import Record
from harness.store.runs import Store
from tests import factories


def run(folder: Path, *arguments: str, timeout_s: float = 60) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "harness", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=timeout_s, check=False)


def timed(record: Record, *, first: int, rate: float = 1.0, rounds: int = 10, day: int = 0) -> Record:
    """`record` with every case measured once in each of ten rounds, in ABBA order with another such record of a day."""

    def start(i: int) -> dt.datetime:
        place = first if i % 2 == 0 else 1 - first
        return factories.BEGUN + dt.timedelta(days=day, minutes=2 * i + place)

    measurements = []
    for m in record.measurements:
        base = m.good[0]
        durations = [(base.median_s or 1.0) / rate * (1 + 0.001 * (i % 3)) for i in range(rounds)]
        made = tuple(
            base.model_copy(update={"round": i, "durations_s": (d,), "started": start(i)})
            for i, d in enumerate(durations)
        )
        measurements.append(m.model_copy(update={"observations": made}))
    return record.model_copy(update={"measurements": tuple(measurements)})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    record = factories.record(batches=(1, 4))
    good = tuple(m for m in record.measurements if m.good and not m.invalid)
    record = record.model_copy(update={"measurements": good})
    for name, made in (
        ("old.json", timed(record, first=0)),
        ("new.json", timed(record, first=1)),
        ("slow.json", timed(record, first=1, rate=0.85)),
    ):
        (tmp_path / name).write_text(reportfile.document(made, None))
    elsewhere = record.host.model_copy(update={"cpu": "Another CPU"})
    moved = timed(record, first=1).model_copy(update={"host": elsewhere})
    (tmp_path / "elsewhere.json").write_text(reportfile.document(moved, None))
    return tmp_path


def test_a_slow_down_measured_side_by_side_stops_the_build(folder: Path) -> None:
    found = run(folder, "compare", "old.json", "slow.json", "--format", "json", "--fail-on", "slower:5%")
    assert found.returncode == 3, found.stderr
    rows = json.loads(found.stdout)["rows"]
    assert rows and {r["decision"] for r in rows} == {"slower"} and {r["way"] for r in rows} == {"interleaved"}
    assert all(r["ratio"]["point"] == pytest.approx(0.85, rel=0.002) for r in rows)


def test_the_same_code_passes(folder: Path) -> None:
    found = run(folder, "compare", "old.json", "new.json", "--fail-on", "slower")
    assert found.returncode == 0, found.stderr
    assert " same" in found.stdout and "slower," in found.stdout


def test_other_hosts_are_refused_row_by_row(folder: Path) -> None:
    found = run(folder, "compare", "old.json", "elsewhere.json", "--fail-on", "slower")
    assert found.returncode == 5
    assert "Another CPU" in found.stdout and "not comparable" in found.stdout
    assert run(folder, "compare", "old.json", "elsewhere.json", "--across-hosts").returncode == 0


@pytest.mark.parametrize("form", ["text", "markdown", "csv", "json"])
def test_three_tables_in_every_format(folder: Path, form: str) -> None:
    found = run(folder, "compare", "old.json", "new.json", "slow.json", "--format", form)
    assert found.returncode == 0 and found.stdout and not found.stderr


def test_files_are_written_and_thresholds_read(folder: Path) -> None:
    (folder / "harness.toml").write_text("[compare]\nmargin = 0.4\n")
    found = run(
        folder, "compare", "old.json", "slow.json", "--fail-on", "slower", "--junit", "j.xml", "--html", "p.html"
    )
    assert found.returncode == 0, found.stderr
    assert "<testsuites" in (folder / "j.xml").read_text() and "<html" in (folder / "p.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["old.json"], "at least two"),
        (["old.json", "nothing.json"], "no such file"),
        (["old.json", "nothing"], "no store"),
        (["old.json", "new.json", "--fail-on", "slow"], "did you mean 'slower'"),
        (["old.json", "new.json", "--junit", "old.json"], "overwrite"),
        (["old.json", "new.json", "--thresholds", "none.toml"], "none.toml"),
        (["old.json", "cut.json"], "cut.json"),
        (["old.json", "."], "no such file"),
        (["old.json", "folder.json"], "is a folder"),
        (["old.json", "new.json", "--ignore", "treads"], "did you mean 'threads'"),
        (["old.json", "new.json", "--drift", "7"], "drift"),
    ],
)
def test_wrong_use_is_one_message(folder: Path, arguments: list[str], words: str) -> None:
    (folder / "cut.json").write_text((folder / "old.json").read_text()[:1000])
    (folder / "folder.json").mkdir()
    found = run(folder, "compare", *arguments)
    assert found.returncode == 2
    assert words in found.stderr and "Traceback" not in found.stderr and not found.stdout


@pytest.mark.parametrize("form", ["github-bigger", "bencher", "csv"])
def test_export(folder: Path, form: str) -> None:
    found = run(folder, "export", "old.json", "--format", form)
    assert found.returncode == 0 and "model" in found.stdout, found.stderr
    if form != "csv":
        json.loads(found.stdout)


@pytest.fixture
def stored(folder: Path) -> Path:
    """Ten stored runs of the same cases; the later five are at two thirds of the speed."""
    record = factories.record(batches=(1, 4))
    good = tuple(m for m in record.measurements if m.good and not m.invalid)
    (folder / ".harness").mkdir()
    with Store(folder / ".harness" / "store.sqlite") as store:
        for day in range(10):
            made = timed(
                record.model_copy(update={"measurements": good}), first=0, rate=1.0 if day < 5 else 0.67, day=day
            )
            when = factories.BEGUN + dt.timedelta(days=day)
            store.add(
                made.model_copy(update={"record_id": f"2026-04-1{day}-aaaa", "created": when, "label": f"day{day}"})
            )
    return folder


def test_stored_runs_are_tables_too(stored: Path) -> None:
    assert run(stored, "compare", "baseline", "day9").returncode == 2
    assert run(stored, "baseline", "set", "day0").returncode == 0
    assert run(stored, "baseline", "show").stdout.strip() == "2026-04-10-aaaa"
    found = run(stored, "compare", "baseline", "day9", "--drift", "0.02", "--fail-on", "slower", "--format", "json")
    assert found.returncode == 3, found.stderr
    assert {r["a_name"] for r in json.loads(found.stdout)["rows"]} == {"2026-04-10-aaaa"}
    assert run(stored, "compare", "baseline", "day0", "--fail-on", "slower").returncode == 5
    mixed = run(stored, "compare", "day0", "new.json", "--format", "json")
    assert mixed.returncode == 0 and json.loads(mixed.stdout)["rows"]


def test_history_finds_when_it_changed(stored: Path) -> None:
    found = run(stored, "history", "--where", "phase=decode", "--format", "json")
    assert found.returncode == 0, found.stderr
    data = json.loads(found.stdout)
    assert data["series"] and all(s["key"]["phase"] == "decode" and len(s["points"]) == 10 for s in data["series"])
    assert run(stored, "history").stdout.count("█") > 0
    assert run(stored, "history", "--where", "phase=none").returncode == 2
    assert run(stored, "history", "--where", "phase").returncode == 2
    if data["changes"] is not None:
        assert {c["since"] for c in data["changes"]} == {"2026-04-15-aaaa"}
