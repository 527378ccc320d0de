"""`harness ab` as a user types it."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.program import mind_interrupts
from tests.cli.test_cli_compare import run

CONFIG = """harness: 1
name: ab
measure:
  models: [moe-tiny]
  phases: [decode]
  batches: [1]
  prompt_tokens: 8
  decode_tokens: 8
  threads: 1
  step_time_s: 0.02
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.yaml").write_text(CONFIG)
    return tmp_path


@pytest.mark.slow
def test_two_settings_in_turn(folder: Path) -> None:
    arguments = ("ab", "a.yaml", "--set", "prompt_tokens=16", "--budget", "4", "--format", "json", "--force")
    found = run(folder, *arguments, "--head-python", sys.executable)
    assert found.returncode == 0, found.stderr
    (row,) = json.loads(found.stdout)["rows"]
    assert "prompt_tokens" not in row["key"] and row["key"]["phase"] == "decode"
    assert row["way"] == "interleaved" and row["ratio"]["n"] >= 1
    assert "pairs" in found.stderr
    assert len(json.loads(run(folder, "list", "--json").stdout)) == 2


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_an_end_in_the_middle_costs_one_pair(folder: Path, how: signal.Signals) -> None:
    """What was measured before is in the store, and can be compared."""
    command = (sys.executable, "-m", "harness", "ab", "a.yaml", "--set", "prompt_tokens=16", "--force")
    with subprocess.Popen(
        command,
        cwd=folder,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=mind_interrupts,  # noqa: PLW1509
    ) as running:
        assert running.stderr is not None
        while "3 of" not in running.stderr.readline():
            assert running.poll() is None
        running.send_signal(how)
        _, said = running.communicate(timeout=60)
    runs = json.loads(run(folder, "list", "--json").stdout)
    assert {r["state"] for r in runs} == {"running" if how == signal.SIGKILL else "interrupted"}
    assert all(r["observations"] >= 3 for r in runs)
    if how == signal.SIGINT:
        assert running.returncode == 130 and "compare it with: harness compare" in said
    names = sorted((r["record_id"] for r in runs), key=lambda name: name.endswith("new"))
    compared = run(folder, "compare", *names, "--ignore", "prompt_tokens", "--format", "json")
    (row,) = json.loads(compared.stdout)["rows"]
    assert row["way"] == "interleaved" and row["ratio"]["n"] >= 3


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--set", "thread=1"], "did you mean 'threads'"),
        (["--set", "threads"], "NAME=VALUE"),
        (["--set", "threads=zero"], "threads"),
        (["--set", "batches=1,2"], "same number"),
        (["--base-python", "none/python"], "interpreter"),
        (["--base", "HEAD", "--base-python", "python"], "expected one of both"),
        (["--head", "HEAD"], "no working tree of a git repository"),
        (["a.yaml", "--base", "HEAD"], "two configs of two revisions"),
        (["none.yaml"], "none.yaml"),
        (["--fail-on", "slow"], "did you mean 'slower'"),
    ],
)
def test_wrong_use_is_one_message(folder: Path, arguments: list[str], words: str) -> None:
    found = run(folder, "ab", "a.yaml", *arguments, "--force")
    assert found.returncode == 2 and words in found.stderr and "Traceback" not in found.stderr
