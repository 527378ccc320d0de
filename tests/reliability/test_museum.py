"""Files of every version that was ever written are read for ever, as what they were.

A new version adds its files here and never touches the old ones.
"""

import shutil
from pathlib import Path

import pytest

from harness.results import reportfile
from harness.results.assemble import remaining
from harness.results.record import SCHEMA as REPORT_SCHEMA
from harness.results.record import Record
from harness.store.file import SCHEMA
from harness.store.recovery import check
from harness.store.runs import Store
from tests.reliability import plans

MUSEUM = Path(__file__).parent / "museum"


def measured(record: Record) -> list[tuple[object, ...]]:
    """What a version may not change: every cell's key and raw observations."""
    return [
        (m.model, m.phase, m.batch, m.precision, m.threads, tuple(o.durations_s for o in m.observations))
        for m in record.measurements
    ]


def version_of(store: Path) -> int:
    """As SQLite's file format has it: user_version, at byte 60."""
    return int.from_bytes(store.read_bytes()[60:64], "big")


@pytest.mark.parametrize("path", sorted(MUSEUM.glob("store-v*.sqlite")), ids=lambda p: p.stem)
def test_a_store_of_each_version_is_read_written_and_resumed(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / path.name
    shutil.copy(path, copy)
    assert check(copy).ok
    with Store(copy, write=False) as reader:
        assert measured(reader.load("finished")) == measured(plans.record(count=3))
    assert copy.read_bytes() == path.read_bytes(), "reading an older store changed it"
    expected = measured(plans.record(count=3))
    with Store(copy) as store:
        assert [(r.record_id, r.state) for r in store.runs()] == [("finished", "complete"), ("interrupted", "running")]
        assert measured(store.load("finished")) == measured(store.load("interrupted")) == expected
        made = store.header("interrupted")
        done = store.done("interrupted")
        assert len(done) == 12 and not [task for task in made.plan.tasks if remaining(task, done)]
        store.begin(made.model_copy(update={"record_id": "new"}))
        assert (store.backup is None) == (version_of(path) == SCHEMA)
    assert check(copy).ok
    for backup in tmp_path.glob("*.backup"):
        assert check(backup).ok and version_of(backup) == version_of(path)


@pytest.mark.parametrize("path", sorted(MUSEUM.glob("report-v*.json")), ids=lambda p: p.stem)
def test_a_report_of_each_version_is_read(path: Path) -> None:
    record, _ = reportfile.load(path)
    assert record is not None and measured(record) == measured(plans.record(count=3))


def test_what_an_older_version_did_not_keep_is_unknown() -> None:
    """And what the newer one keeps comes back."""
    for version, known in ((1, None), (2, 2.5e9)):
        record, _ = reportfile.load(MUSEUM / f"report-v{version}.json")
        with Store(MUSEUM / f"store-v{version}.sqlite", write=False) as store:
            records = (record, store.load("finished"), store.load("interrupted"))
        seen = {o.frequency_hz for one in records if one for m in one.measurements for o in m.observations}
        assert seen == {known}


def test_every_version_that_is_known_has_its_fixtures() -> None:
    stores = {f"store-v{version}.sqlite" for version in range(1, SCHEMA + 1)}
    reports = {f"report-v{version}.json" for version in range(1, REPORT_SCHEMA + 1)}
    assert stores | reports == {path.name for path in MUSEUM.iterdir()}
