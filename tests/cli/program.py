"""The installed program, started as a user types it."""

import contextlib
import io
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.cli.main import main

ROOT = Path(__file__).parent.parent.parent
CONFIGS = ROOT / "configs"
SEEDS = ROOT / "seeds"


@dataclass(frozen=True)
class Result:
    """What a command came to."""

    code: int
    out: str
    err: str


def mind_interrupts() -> None:
    """For `preexec_fn`: the program reacts to Ctrl-C even where the tests themselves run in the background."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def environment_of(cwd: Path) -> dict[str, str]:
    """Warnings are errors, and the lock that keeps runs apart is this test session's own."""
    return {**os.environ, "PYTHONWARNINGS": "error", "TMPDIR": str(cwd.parent)}


def harness(*arguments: str | Path, cwd: Path, timeout_s: float = 60) -> Result:
    """Run `harness` in `cwd`."""
    program = Path(sys.executable).with_name("harness")
    done = subprocess.run(
        [str(program), *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        timeout=timeout_s,
        check=False,
        stdin=subprocess.DEVNULL,
        env=environment_of(cwd),
    )
    return Result(done.returncode, done.stdout.decode(), done.stderr.decode())


def ended(*arguments: str | Path) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of the same entry in this process and folder: where a start for each would cost more
    than what is tested."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments])
    assert isinstance(caught.value.code, int)
    return caught.value.code, out.getvalue(), err.getvalue()


def here(*arguments: str | Path, cwd: Path) -> Result:
    """As `harness`, by the same entry in this process, within `cwd`: for what ends before anything is measured."""
    with contextlib.chdir(cwd):
        return Result(*ended(*arguments))


CONFIG = """\
harness: 1
name: tiny
measure:
  models: [moe-tiny]
  phases: [decode]
  batches: [1]
  prompt_tokens: 8
  decode_tokens: 4
  repetitions: 2
  step_time_s: 0.02
"""
