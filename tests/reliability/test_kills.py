"""What the store acknowledged is there after a kill, however often and wherever it falls."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from harness.store.recovery import check
from harness.store.runs import Store
from tests.reliability import plans, saver

ROOT = Path(__file__).parents[2]


def started(*arguments: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", "tests.reliability.saver", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
    )


def killed_after(path: Path, acknowledgements: int, delay_s: float) -> tuple[set[str], bool]:
    """Run or resume until so many observations are acknowledged, then kill -9 after `delay_s`. Returns the keys that
    were acknowledged, and whether the run had ended before."""
    process = started("run", str(path))
    assert process.stdout is not None and process.stderr is not None
    seen: list[bytes] = []
    while len(seen) < acknowledgements and (line := process.stdout.readline()):
        seen.append(line)
    time.sleep(delay_s)
    process.send_signal(signal.SIGKILL)
    rest, errors = process.communicate()
    seen += [line for line in rest.splitlines(keepends=True) if line.endswith(b"\n")]
    assert process.returncode in (0, -signal.SIGKILL), errors.decode()
    return {line.decode().strip() for line in seen}, process.returncode == 0


def shape_of(path: Path) -> list[tuple[str, int, str, int]]:
    """A finished record without what a clock wrote."""
    with Store(path, write=False) as store:
        found = store.load(saver.RUN)
    assert found.state == "complete"
    return [(m.model, m.batch, m.precision, len(m.good)) for m in found.measurements]


def kills(path: Path, count: int, seed: int) -> int:
    """Kill runs at random points until `count` kills have fallen. Returns the number of runs that came to an end."""
    chance, fallen, ended = random.Random(seed), 0, 0
    acknowledged: set[str] = set()
    while fallen < count:
        seen, finished = killed_after(path, chance.randrange(4), chance.random() * 0.05)
        assert not acknowledged & seen, "a finished case was measured again"
        acknowledged |= seen
        if path.is_file():
            with sqlite3.connect(path) as raw:
                rows = raw.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
            raw.close()
            if rows:
                with Store(path, write=False) as store:
                    kept = {case for case, one in store.kept(saver.RUN) if one is not None}
                assert acknowledged <= kept, "an acknowledged observation was lost"
                assert len(kept - acknowledged) <= fallen + 1, "more than one observation fell into one kill"
        if finished:
            assert check(path).ok
            assert shape_of(path) == uninterrupted()
            ended += 1
            acknowledged.clear()
            path.unlink()
        else:
            fallen += 1
    assert not [p.pid for p in psutil.process_iter(["cmdline"]) if str(path) in (p.info["cmdline"] or [])]
    return ended


def uninterrupted() -> list[tuple[str, int, str, int]]:
    made = plans.record(count=saver.ROUNDS)
    return [(m.model, m.batch, m.precision, len(m.good)) for m in made.measurements]


def test_kills_at_random_points_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    kills(path, 8, seed=1)
    process = started("run", str(path))
    _, errors = process.communicate()
    assert process.returncode == 0, errors.decode()
    assert shape_of(path) == uninterrupted()


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_three_hundred_kills_lose_nothing(tmp_path: Path) -> None:
    assert kills(tmp_path / "store.sqlite", 300, seed=2) >= 10


def saved_by_many(path: Path, writers: int, count: int) -> None:
    processes = [started("save", str(path), str(i), str(count)) for i in range(writers)]
    acknowledged: list[str] = []
    for process in processes:
        output, errors = process.communicate()
        assert process.returncode == 0, errors.decode()
        acknowledged += output.decode().splitlines()
    assert len(set(acknowledged)) == writers * count
    with Store(path, write=False) as store:
        runs = store.runs()
        assert [run.observations for run in runs] == [count] * writers
    assert check(path).ok


def test_several_writers_lose_nothing(tmp_path: Path) -> None:
    saved_by_many(tmp_path / "store.sqlite", writers=4, count=15)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_eight_writers_of_two_hundred_saves_lose_nothing(tmp_path: Path) -> None:
    saved_by_many(tmp_path / "store.sqlite", writers=8, count=200)


def test_the_worker_dies_with_a_killed_parent(tmp_path: Path) -> None:
    """Else it would go on measuring beside the resumed run."""
    zoo = str(Path(__file__).parent / "zoo.py")
    program = (
        "import sys; from harness.measure import sweep; from tests.reliability import plans\n"
        "worker = sweep.Worker((sys.executable, sys.argv[1], 'sleeps'))\n"
        "sweep.run(plans.plan(plans.task(batches=(7,))), sink=print, worker=worker)"
    )
    parent = subprocess.Popen([sys.executable, "-c", program, zoo, str(tmp_path)], cwd=ROOT)
    try:
        deadline = time.monotonic() + 30
        workers: list[psutil.Process] = []
        while not workers and time.monotonic() < deadline:
            time.sleep(0.05)
            workers = [c for c in psutil.Process(parent.pid).children() if "--channel" in c.cmdline()]
        time.sleep(0.8)  # it has reached its main by now
        assert workers
    finally:
        parent.kill()
        parent.wait()
    gone, alive = psutil.wait_procs(workers, timeout=10)
    assert gone and not alive
