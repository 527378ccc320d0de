"""`harness run` and `harness run --resume` with the real worker and a real model, killed at random points."""

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from harness.store.recovery import check
from harness.store.runs import Store
from tests.cli.program import CONFIG, environment_of, harness

STORE = Path(".harness") / "store.sqlite"


def killed(folder: Path, arguments: tuple[str, ...], after_s: float) -> bool:
    """Start the program and kill it, and nothing else, with SIGKILL after `after_s`. Whether it had ended before."""
    program = Path(sys.executable).with_name("harness")
    process = subprocess.Popen(
        [str(program), *arguments, "--wait", "--quiet"],
        cwd=folder,
        env=environment_of(folder),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        _, errors = process.communicate(timeout=after_s)
    except subprocess.TimeoutExpired:
        workers = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        _, alive = psutil.wait_procs(workers, timeout=10)
        assert not alive, "a worker outlives its killed parent and measures beside the next run"
        return False
    assert process.returncode == 0, errors.decode()
    return True


def kept(folder: Path) -> dict[str, str]:
    """What the store holds of its newest run: observations by case and round, as text."""
    path = folder / STORE
    if not path.exists():
        return {}
    with sqlite3.connect(path) as raw:
        tables = raw.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
        runs = raw.execute("SELECT count(*) FROM run").fetchone()[0] if tables else 0
    raw.close()
    if not runs:
        return {}
    with Store(path, write=False) as store:
        found = store.kept(store.resolve("latest"))
    assert all(one is not None for _, one in found), "a kill damaged an observation"
    return {case: one.model_dump_json() for case, one in found if one is not None}


def shape(folder: Path) -> list[tuple[object, ...]]:
    """A report without what a clock wrote."""
    shown = harness("show", "--format", "json", cwd=folder)
    report = json.loads(shown.out)
    assert report["run"]["state"] == "complete"
    return [
        (m["model"], m["phase"], m["batch"], m["precision"], m["error"], [o["round"] for o in m["observations"]])
        for m in report["measurements"]
    ]


def survives(folder: Path, count: int, repetitions: int, seed: int) -> None:
    """`count` kills of one run, each going on where the last fell; a run that ends early is begun anew."""
    config = CONFIG.replace("repetitions: 2", f"repetitions: {repetitions}").replace("[decode]", "[decode, prefill]")
    whole = folder / "uninterrupted"
    for place in (folder, whole):
        place.mkdir(exist_ok=True)
        (place / "a.yaml").write_text(config)
    assert killed(whole, ("run", "a.yaml"), 300)
    chance, fallen, ended = random.Random(seed), 0, 0
    before: dict[str, str] = {}
    while fallen < count or not ended:
        arguments = ("run", "--resume") if before else ("run", "a.yaml")
        after_s = chance.uniform(0.2, 4.0) if fallen < count else 300.0
        finished = killed(folder, arguments, after_s)
        now = kept(folder)
        assert before.items() <= now.items(), "an observation was lost, or measured again"
        before = now
        if finished:
            assert shape(folder) == shape(whole)
            assert check(folder / STORE).ok
            ended, before = ended + 1, {}
        else:
            fallen += 1
    left = {path.name for path in (folder / STORE).parent.iterdir()} - {STORE.name, f"{STORE.name}-journal"}
    assert not left


@pytest.mark.slow
def test_a_killed_run_goes_on_where_it_stopped(tmp_path: Path) -> None:
    survives(tmp_path, count=1, repetitions=2, seed=5)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_kills_of_a_real_run_lose_nothing(tmp_path: Path) -> None:
    survives(tmp_path, count=int(os.environ.get("HARNESS_KILLS", "25")), repetitions=6, seed=6)
