"""Damaged stores and records: never a traceback, never a silently changed number, and what is whole stays readable."""

import random
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.errors import StoreError, UsageError
from harness.results import reportfile
from harness.results.record import Record
from harness.store.recovery import check, recover
from harness.store.runs import Store
from tests.reliability import plans
from tests.reliability.test_outputs import room


def observations(record: Record) -> set[str]:
    """All observations of a record, as text: what must never change."""
    return {o.model_dump_json() for m in record.measurements for o in m.observations}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a run that is finished, one that was interrupted, and one that was imported."""
    path = tmp_path_factory.mktemp("store") / "store.sqlite"
    with Store(path) as store:
        for name in ("finished", "interrupted"):
            made = plans.header(name, plans.rounds(3))
            store.begin(made)
            for task in made.plan.tasks:
                if task.kind == "ceilings":
                    store.keep(name, task, None, plans.ceiling(task.round))
                else:
                    for w in task.workloads:
                        store.keep(name, task, w, plans.observation(task.round, w.batch))
        store.finish(plans.record("finished"))
        store.add(plans.record("imported"))
    return path


def use(path: Path, right: set[str]) -> int:
    """Do with a store what the commands do. Only StoreError may come, and only right observations. Counts the runs
    that could be read."""
    read, problem = 0, str(path)
    try:
        with Store(path, write=False, busy_s=0) as store:
            for listed in store.runs():
                try:
                    found = observations(store.load(listed.record_id))
                    read += 1
                except StoreError:
                    continue
                assert found <= right, "a number changed and nobody noticed"
    except StoreError as error:
        problem = str(error)
    assert str(path) in problem
    return read


def damaged_copies(whole: Path, folder: Path, cuts: int, flips: int) -> Iterator[Path]:
    """Copies of a store, cut at evenly spaced bytes, and with random bits flipped."""
    content, chance = whole.read_bytes(), random.Random(7)
    for index in range(cuts):
        path = folder / f"cut-{index}.sqlite"
        path.write_bytes(content[: len(content) * index // cuts])
        yield path
        path.unlink(missing_ok=True)
    for index in range(flips):
        path, bad = folder / f"flip-{index}.sqlite", bytearray(content)
        for _ in range(chance.choice((1, 1, 1, 8, 64))):
            bad[chance.randrange(len(bad))] ^= 1 << chance.randrange(8)
        path.write_bytes(bad)
        yield path
        path.unlink(missing_ok=True)


def survive(whole: Path, folder: Path, cuts: int, flips: int) -> None:
    with Store(whole, write=False) as store:
        right = set().union(*(observations(store.load(run.record_id)) for run in store.runs()))
    for path in damaged_copies(whole, folder, cuts, flips):
        before = use(path, right)
        report = check(path)
        recovery, problem = None, ""
        try:
            recovery = recover(path)
        except StoreError as error:
            problem = str(error)
        if recovery is None:
            assert str(path) in problem
            continue
        assert Path(recovery.damaged_copy).is_file()
        Path(recovery.damaged_copy).unlink()
        assert check(path).ok, "a recovered store is whole"
        after = use(path, right)
        assert after >= before or not report.ok, "recovering a whole store lost a run"


def test_a_whole_store_is_found_whole(whole: Path) -> None:
    report = check(whole)
    assert report.ok and dict(report.whole) == {"run": 3, "observation": 24, "document": 2, "assessment": 0}


def test_damaged_stores_are_survived(whole: Path, tmp_path: Path) -> None:
    survive(whole, tmp_path, cuts=12, flips=30)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_many_damaged_stores_are_survived(whole: Path, tmp_path: Path) -> None:
    survive(whole, tmp_path, cuts=400, flips=800)


def test_one_damaged_observation_costs_no_other(whole: Path, tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    shutil.copy(whole, path)
    with sqlite3.connect(path) as raw:
        raw.execute(
            "UPDATE observation SET body=replace(body, '0.0104', '0.0004') WHERE record_id='interrupted' AND id=14"
        )
    raw.close()
    with Store(path, write=False) as store:
        record = store.load("interrupted")
        assert len(store.done("interrupted")) == 11
    assert sum(len(m.observations) for m in record.measurements) == 8
    assert any("1 damaged row" in note for note in record.notes)
    assert [d.where for d in check(path).damage] == ["observation row 14"]
    recovery = recover(path)
    assert not recovery.report.ok and check(path).ok


def test_a_damaged_record_is_put_together_again_from_its_observations(whole: Path, tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    shutil.copy(whole, path)
    with sqlite3.connect(path) as raw:
        raw.execute("UPDATE document SET body=replace(body, '0.0104', '0.0004')")
    raw.close()
    with Store(path, write=False) as store:
        assert observations(store.load("finished")) == observations(plans.record("finished"))
        with pytest.raises(StoreError, match="damaged"):
            store.load("imported")
        assert [run.record_id for run in store.runs() if run.problem is not None] == ["imported"]


def test_a_recovery_without_room_leaves_all_as_it_was(whole: Path, tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    shutil.copy(whole, path)
    for limit_bytes in range(0, whole.stat().st_size - 4096, 12_288):
        with room(limit_bytes), pytest.raises(StoreError, match=str(path)):
            recover(path)
        assert list(tmp_path.iterdir()) == [path] and path.read_bytes() == whole.read_bytes()


def test_who_writes_to_a_store_that_is_recovered_meanwhile_is_told(whole: Path, tmp_path: Path) -> None:
    """Else what is acknowledged would go into the file that was put aside."""
    path = tmp_path / "store.sqlite"
    shutil.copy(whole, path)
    task = plans.task(9)
    with Store(path) as writer:
        recovery = recover(path)
        with pytest.raises(StoreError, match=str(path)):
            writer.keep("interrupted", task, task.workloads[0], plans.observation(9))
    assert check(path).ok and check(recovery.damaged_copy).ok
    again = recover(path)
    assert again.damaged_copy != recovery.damaged_copy, "one damaged store was put in the place of another"


def exported() -> bytes:
    return reportfile.document(plans.record(), None).encode()


def read(raw: bytes, folder: Path) -> Record:
    path = folder / "record.json"
    path.write_bytes(raw)
    record, _ = reportfile.load(path)
    assert record is not None
    return record


def test_an_exported_record_comes_back_the_same(tmp_path: Path) -> None:
    assert read(exported(), tmp_path) == plans.record()


def cut_everywhere(folder: Path, step: int) -> None:
    text = exported()
    for length in range(0, len(text.rstrip()) - 1, step):
        with pytest.raises(UsageError, match=r"record\.json"):
            read(text[:length], folder)


def test_a_cut_record_is_refused(tmp_path: Path) -> None:
    cut_everywhere(tmp_path, step=97)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_record_cut_at_every_byte_is_refused(tmp_path: Path) -> None:
    cut_everywhere(tmp_path, step=1)


def flip_bits(folder: Path, count: int) -> None:
    text, chance, right = exported(), random.Random(3), plans.record()
    for _ in range(count):
        bad = bytearray(text)
        bad[chance.randrange(len(bad))] ^= 1 << chance.randrange(8)
        found, problem = right, "record.json"
        try:
            found = read(bytes(bad), folder)
        except UsageError as error:
            problem = str(error)
        assert found == right and "record.json" in problem


def test_a_record_with_a_flipped_bit_is_refused_or_unchanged(tmp_path: Path) -> None:
    flip_bits(tmp_path, 200)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_records_with_flipped_bits_are_refused_or_unchanged(tmp_path: Path) -> None:
    flip_bits(tmp_path, 2000)
