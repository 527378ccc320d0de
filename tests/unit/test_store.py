"""The store: what it keeps and gives back, whom it refuses, and what a write that fails leaves behind."""

import os
import resource
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from harness.errors import StoreError
from harness.results.record import Record
from harness.store.file import APPLICATION_ID, SCHEMA, StoreFile
from harness.store.recovery import check, recover
from harness.store.runs import Store
from tests.reliability import plans, saver

ROOT = Path(__file__).parents[2]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "deep" / "store.sqlite") as opened:
        yield opened


def filled(store: Store, record_id: str, rounds: int = 2, label: str | None = None) -> Record:
    """A run of which everything was measured but that was not finished; what it should be read as."""
    made = plans.header(record_id, plans.rounds(rounds)).model_copy(update={"label": label})
    store.begin(made)
    for task in made.plan.tasks:
        if task.kind == "ceilings":
            store.keep(record_id, task, None, plans.ceiling(task.round))
        for w in task.workloads:
            store.keep(record_id, task, w, plans.observation(task.round, w.batch))
    expected = plans.record(record_id, rounds)
    return expected.model_copy(update={"state": "running", "label": label})


def test_what_was_kept_comes_back_before_and_after_the_end(store: Store) -> None:
    running = filled(store, "run-1")
    assert store.load("run-1") == running
    complete = running.model_copy(update={"state": "complete"})
    store.finish(complete)
    assert store.load("run-1") == complete
    assert store.runs()[0].state == "complete"


def test_a_later_observation_of_a_case_wins(store: Store) -> None:
    made = plans.header("run-1", plans.plan(plans.task(batches=(1,))))
    store.begin(made)
    task = made.plan.tasks[0]
    failed = plans.observation().model_copy(update={"durations_s": (), "error": "hung"})
    store.keep("run-1", task, task.workloads[0], failed)
    assert store.done("run-1") and not store.done("run-1", retry_failed=True)
    store.keep("run-1", task, task.workloads[0], plans.observation())
    assert store.load("run-1").measurements[0].observations == (plans.observation(),)
    assert store.runs()[0].observations == 1


def test_a_resumed_run_forgets_the_record_it_was_finished_with(store: Store) -> None:
    running = filled(store, "run-1")
    store.finish(running.model_copy(update={"state": "interrupted"}))
    store.reopen("run-1")
    assert store.load("run-1").state == "running" and store.header("run-1").plan == plans.rounds(2)


def test_names_that_mean_a_run(store: Store) -> None:
    for record_id, label in (("20260101-a", "nightly"), ("20260102-b", "nightly"), ("20270103-c", None)):
        filled(store, record_id, rounds=1, label=label)
    assert store.resolve("latest") == "20270103-c"
    assert store.resolve("20270103-c") == store.resolve("2027") == "20270103-c"
    assert store.resolve("nightly") == "20260102-b"
    with pytest.raises(StoreError, match="begins 2 runs"):
        store.resolve("2026")
    with pytest.raises(StoreError, match="unknown run '20270103-d'; did you mean '20270103-c'"):
        store.resolve("20270103-d")


def test_the_latest_run_is_the_last_begun_even_where_the_clock_was_set_back(store: Store) -> None:
    noon = plans.header("any", plans.rounds(1)).created
    for name, hours in (("first", 0), ("second", 5), ("set-back", -30), ("still-behind", -20), ("ahead-again", 6)):
        store.begin(plans.header(name, plans.rounds(1)).model_copy(update={"created": noon + timedelta(hours=hours)}))
    elsewhere = plans.record("imported", 1)
    store.add(elsewhere.model_copy(update={"created": noon + timedelta(hours=1)}))
    assert [run.record_id for run in store.runs()] == [
        *("first", "imported", "second", "set-back", "still-behind", "ahead-again")
    ]
    assert store.resolve("latest") == "ahead-again"
    store.reopen("set-back")
    assert store.resolve("latest") == "ahead-again", "going on with a run does not make it younger"


def test_an_imported_record_is_listed_and_loaded_but_not_resumed(store: Store) -> None:
    store.add(plans.record("elsewhere"))
    assert store.load("elsewhere") == plans.record("elsewhere") and store.runs()[0].name == "small"
    with pytest.raises(StoreError, match="imported"):
        store.header("elsewhere")
    with pytest.raises(StoreError, match="already"):
        store.add(plans.record("elsewhere"))


def test_a_run_is_begun_once_and_finished_only_if_begun(store: Store) -> None:
    store.begin(plans.header("run-1"))
    with pytest.raises(StoreError, match="already"):
        store.begin(plans.header("run-1"))
    with pytest.raises(StoreError, match="holds no run named run-2"):
        store.finish(plans.record("run-2"))
    with pytest.raises(StoreError, match="unknown run 'run-3'"):
        store.load("run-3")


def test_durability_is_as_documented(store: Store) -> None:
    connection = store._file.connection
    assert connection.execute("PRAGMA synchronous").fetchone() == (3,), "3 is EXTRA"
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)


def test_reading_makes_no_file_and_says_what_would(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no store here yet"):
        Store(tmp_path / "none.sqlite", write=False)
    assert not list(tmp_path.iterdir())
    (tmp_path / "empty.sqlite").touch()
    with pytest.raises(StoreError, match="nothing in this store yet"):
        Store(tmp_path / "empty.sqlite", write=False)


def test_a_reader_cannot_write(store: Store) -> None:
    with Store(store.path, write=False) as reader, pytest.raises(StoreError, match=str(store.path)):
        reader.begin(plans.header("run-1"))


def test_a_newer_store_is_refused_and_left_alone(store: Store) -> None:
    store._file.connection.execute(f"PRAGMA user_version={SCHEMA + 1}")
    before = store.path.read_bytes()
    for write in (True, False):
        with pytest.raises(StoreError, match=r"newer harness.*pip install --upgrade"):
            Store(store.path, write=write)
    assert store.path.read_bytes() == before


def test_another_programs_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "theirs.sqlite"
    with sqlite3.connect(path) as theirs:
        theirs.execute("CREATE TABLE run (x)")
    theirs.close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match="another program"):
        Store(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"no database at all" * 100, b"SQLite format 3\x00" + b"\xff" * 4096])
def test_what_is_no_database_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "store.sqlite"
    path.write_bytes(content)
    with pytest.raises(StoreError, match=str(path)):
        Store(path)
    with pytest.raises(StoreError, match="left as it is"):
        recover(path)
    assert path.read_bytes() == content and not check(path).ok
    assert list(tmp_path.iterdir()) == [path]


STEPS = {SCHEMA: "ALTER TABLE run ADD COLUMN branch TEXT; CREATE INDEX by_branch ON run (branch)"}


def migrated(path: Path, *, write: bool = True) -> StoreFile:
    return StoreFile(path, write=write, migrations=STEPS, schema=SCHEMA + 1)


def test_an_older_store_is_migrated_with_a_backup(store: Store) -> None:
    old = filled(store, "run-1")
    store._file.close()
    new = migrated(store.path)
    assert new.connection.execute("SELECT record_id, branch FROM run").fetchall() == [("run-1", None)]
    assert new.connection.execute("PRAGMA user_version").fetchone() == (SCHEMA + 1,)
    new.close()
    assert new.backup is not None
    with Store(new.backup, write=False) as backup:
        assert backup.load("run-1") == old


def test_reading_an_older_store_leaves_it_as_it_was(store: Store) -> None:
    filled(store, "run-1")
    store._file.close()
    before = store.path.read_bytes()
    read = migrated(store.path, write=False)
    assert read.connection.execute("SELECT record_id, branch FROM run").fetchall() == [("run-1", None)]
    read.close()
    assert store.path.read_bytes() == before and not list(store.path.parent.glob("*.backup*"))


def test_a_backup_never_takes_the_place_of_another(store: Store) -> None:
    filled(store, "run-1")
    store._file.close()
    older = store.path.read_bytes()
    for count in (1, 2):
        store.path.write_bytes(older)
        migrated(store.path).close()
        backups = list(store.path.parent.glob("*.backup*"))
        assert len(backups) == count and all(check(path).ok for path in backups)


def test_a_migration_that_fails_changes_nothing(store: Store) -> None:
    filled(store, "run-1")
    store._file.close()
    steps = {SCHEMA: "ALTER TABLE run ADD COLUMN branch TEXT; SELECT no_such_function()"}
    with pytest.raises(StoreError, match="no_such_function"):
        StoreFile(store.path, migrations=steps, schema=SCHEMA + 1)
    with Store(store.path) as again:
        assert len(again.runs()) == 1


def test_every_new_store_bears_its_mark_and_version(store: Store) -> None:
    header = store.path.read_bytes()[:100]
    assert int.from_bytes(header[60:64], "big") == SCHEMA and int.from_bytes(header[68:72], "big") == APPLICATION_ID


def test_a_second_writer_waits_and_then_says_why(store: Store) -> None:
    store._file.connection.execute("BEGIN IMMEDIATE")
    with Store(store.path, busy_s=0.05) as second, pytest.raises(StoreError, match="Another process is writing"):
        second.begin(plans.header("run-1"))
    store._file.connection.execute("ROLLBACK")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    with pytest.raises(StoreError, match=str(tmp_path)):
        Store(tmp_path / "store.sqlite")


def test_a_path_that_cannot_be_a_store_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=str(tmp_path)):
        Store(tmp_path / "file" / "store.sqlite")
    with pytest.raises(StoreError, match=str(tmp_path)):
        Store(tmp_path)


def limited_save(path: Path, limit_bytes: int, count: int) -> "subprocess.CompletedProcess[str]":
    """Save in a process that may write no file beyond `limit_bytes`: the write that would fails as on a full disk."""
    return subprocess.run(
        [sys.executable, "-m", "tests.reliability.saver", "save", str(path), "full", str(count)],
        cwd=ROOT,
        text=True,
        capture_output=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes)),
    )


def fail_at(store: Store, limits_bytes: range) -> None:
    """At whichever write the room runs out, the old run is whole, what was acknowledged is there, and the message names
    the store."""
    old = filled(store, "old")
    for number, limit_bytes in enumerate(limits_bytes):
        path = store.path.with_name(f"limited-{number}.sqlite")
        path.write_bytes(store.path.read_bytes())
        ended = limited_save(path, limit_bytes, 400)
        assert ended.returncode == 1 and str(path) in ended.stderr and "Traceback" not in ended.stderr
        with Store(path) as after:
            assert after.load("old") == old
            kept = {one.observation.round for _, one in after.kept("run-full") if one and one.observation}
        acknowledged = {int(line.split()[1]) for line in ended.stdout.splitlines()}
        assert kept == acknowledged
        assert check(path).ok


def test_a_write_that_fails_leaves_what_was_there(store: Store) -> None:
    fail_at(store, range(40_000, 200_000, 53_000))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_any_write_that_fails_leaves_what_was_there(store: Store) -> None:
    fail_at(store, range(36_000, 300_000, 4_096))


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small file system")
def test_a_full_disk_leaves_what_was_there(tmp_path: Path) -> None:
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(tmp_path)], check=False)
    if mounted.returncode:
        pytest.skip("mounting is not allowed here")
    try:
        path = tmp_path / "store.sqlite"
        with Store(path) as store:
            old = filled(store, "old")
        ended = subprocess.run(
            [sys.executable, "-m", "tests.reliability.saver", "save", str(path), "full", "400"],
            cwd=ROOT,
            text=True,
            capture_output=True,
            check=False,
        )
        assert ended.returncode == 1 and "Free some space" in ended.stderr and str(path) in ended.stderr
        with Store(path, write=False) as after:
            assert after.load("old") == old
            assert len(after.kept("run-full")) == len(ended.stdout.splitlines())
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_the_saver_names_what_it_saves() -> None:
    assert plans.header().record_id == saver.RUN
