"""`harness ab` as a user types it."""

import json
import sys
from pathlib import Path

import pytest

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


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--set", "thread=1"], "did you mean 'threads'"),
        (["--set", "threads"], "NAME=VALUE"),
        (["--set", "threads=zero"], "threads"),
        (["--set", "batches=1,2"], "same number"),
        (["--base-python", "none/python"], "interpreter"),
        (["none.yaml"], "none.yaml"),
        (["--fail-on", "slow"], "did you mean 'slower'"),
    ],
)
def test_wrong_use_is_one_message(folder: Path, arguments: list[str], words: str) -> None:
    found = run(folder, "ab", "a.yaml", *arguments, "--force")
    assert found.returncode == 2 and words in found.stderr and "Traceback" not in found.stderr
