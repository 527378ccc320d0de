"""Two revisions of this very program, really installed side by side: a slower one is called so, a broken one refused.

The second revision spends a quarter more time in each step, by work inside the step.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.measure import build, environment
from harness.measure.environment import Environment, own_requirements
from harness.measure.repository import Repository
from tests.unit.test_revision import git

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

ROOT = Path(__file__).parent.parent.parent
CONFIG = """harness: 1
name: environments
measure:
  models: [moe-tiny]
  phases: [decode]
  batches: [1]
  prompt_tokens: 32
  decode_tokens: 16
  threads: 1
  step_time_s: 0.1
"""
SLOWER = """

_fast_step = DecodeRunner.step


def _slow_step(self: DecodeRunner) -> None:
    start = time.perf_counter()
    _fast_step(self)
    until = time.perf_counter() + 0.25 * (time.perf_counter() - start)
    while time.perf_counter() < until:
        pass


DecodeRunner.step = _slow_step
"""


def ab(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = (sys.executable, "-m", "harness", "ab", "config.yaml", "--force", "--format", "json", *arguments)
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600, check=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of this program: main as it is, and a branch with a slower step."""
    folder = tmp_path_factory.mktemp("repository")
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "harness", folder / "harness", ignore=ignored)
    for name in ("seeds", "configs"):
        shutil.copytree(ROOT / name, folder / name)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder / name)
    (folder / ".gitignore").write_text("__pycache__/\n")
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "as it is")
    git(folder, "checkout", "-q", "-b", "slower")
    runner = folder / "harness" / "runtime" / "runner.py"
    runner.write_text(runner.read_text().replace("\nimport ", "\nimport time\nimport ", 1) + SLOWER)
    (folder / "config.yaml").write_text(CONFIG)
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "slower")
    return folder


def python_of(folder: Path, revision: str) -> Path:
    repository = Repository(folder)
    return build.built(repository, repository.resolve(revision), folder / ".harness" / "environments")


def test_a_slower_revision_is_called_slower_and_found_again(folder: Path) -> None:
    found = ab(folder, "--head", "HEAD", "--fail-on", "slower:5%", "--junit", "out/ab.xml")
    assert found.returncode == 3, found.stderr
    body = json.loads(found.stdout)
    (row,), (table,) = body["rows"], body["tables"]
    assert row["decision"] == "slower" and 0.6 < row["ratio"]["point"] < 0.95
    assert "merge base with main" in table["a_name"] and "HEAD" in table["b_name"]
    assert any("pairs of fresh processes" in note for note in table["notes"])
    versions = {d["name"]: (d["a"], d["b"]) for d in table["differences"] if d["kind"] == "version"}
    assert set(versions) == {"commit"}, "both sides have the same packages but for the program itself"
    assert 'failures="1"' in (folder / "out" / "ab.xml").read_text()
    assert len(git(folder, "worktree", "list").splitlines()) == 1
    assert "environments" not in git(folder, "status", "--porcelain", "--untracked-files=all")
    assert found.stderr.count("building an environment") == 2
    again = ab(folder, "--base", "main", "--head", "slower", "--budget", "1")
    assert "building" not in again.stderr and json.loads(again.stdout)["tables"][0]["b_name"].startswith("head ")


def test_two_environments_that_are_named(folder: Path) -> None:
    pythons = [str(python_of(folder, revision)) for revision in ("main", "slower")]
    found = ab(folder, "--base-python", pythons[1], "--head-python", pythons[0], "--fail-on", "slower")
    assert found.returncode == 0, found.stderr
    (row,) = json.loads(found.stdout)["rows"]
    assert row["decision"] == "faster"


def test_a_harness_too_far_away_is_refused(folder: Path) -> None:
    python = python_of(folder, "slower")
    lives: Environment = environment.ask(python, ["numpy"])
    assert lives.terms is not None and dict(lives.packages)["numpy"] in " ".join(own_requirements())
    (protocol,) = python.parent.parent.glob("lib/python*/site-packages/harness/measure/protocol.py")
    text = protocol.read_text()
    try:
        protocol.write_text(re.sub(r"\nVERSION = \d+\n", "\nVERSION = 99\n", text))
        found = ab(folder, "--head-python", str(python))
        assert found.returncode == 2 and "speaks version 99" in found.stderr and "Traceback" not in found.stderr
        protocol.write_text("this is no Python\n")
        with pytest.raises(UsageError, match="its harness cannot be imported"):
            environment.ask(python, ["numpy"])
    finally:
        protocol.write_text(text)


def test_a_config_that_the_head_lacks_and_a_revision_that_cannot_be_installed(folder: Path) -> None:
    lacking = ab(folder, "--base", "slower", "--head", "main")
    assert lacking.returncode == 2 and "no such file in" in lacking.stderr and "the head" in lacking.stderr
    broken = folder / "broken_backend.py"
    broken.write_text("raise RuntimeError('this backend is broken')\n")
    project = folder / "pyproject.toml"
    text = project.read_text()
    try:
        wrong = text.replace(
            'requires = ["hatchling>=1.27"]\nbuild-backend = "hatchling.build"',
            'requires = []\nbuild-backend = "broken_backend"\nbackend-path = ["."]',
        )
        assert wrong != text
        project.write_text(wrong)
        failed = ab(folder, "--head", ".")
    finally:
        project.write_text(text)
        broken.unlink()
    assert failed.returncode == 2 and "cannot be installed" in failed.stderr
    assert "this backend is broken" in failed.stderr
    assert len(git(folder, "worktree", "list").splitlines()) == 1
    kept = sorted(os.listdir(folder / ".harness" / "environments"))
    assert sum(name.endswith(".log") for name in kept) == 1 and "lock" in kept
