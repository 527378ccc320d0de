"""Workflows and the action are what GitHub accepts, are safe by a linter's rules, and run commands that exist.

Each script is run by bash with the programs that it calls replaced by one that writes down how it was called; the real
command line then parses what was written down.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from typer.main import get_command

from harness.cli.app import app, with_bare_options

ROOT = Path(__file__).parent.parent.parent
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
ACTIONS = sorted((ROOT / ".github" / "actions").glob("*/action.yml"))
NOTE = """#!/bin/sh
for word in "$@"; do printf '%s\\0' "$word"; done >> "$CALLS"
printf '\\n' >> "$CALLS"
while [ $# -gt 0 ]; do
  case "$1" in --markdown|--json|--junit|--html) mkdir -p "$(dirname "$2")"; echo written > "$2";; esac
  shift
done
exit "$CODE"
"""
KNOWN_PROGRAMS = ("python", "gh")
"""Called beside `harness`: to install it, and to comment."""


def program(name: str) -> str:
    return str(Path(sys.executable).with_name(name))


def read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = YAML(typ="safe", pure=True).load(path.read_text())
    return found


def steps(path: Path) -> list[dict[str, Any]]:
    body = read(path)
    if "runs" in body:
        return list(body["runs"]["steps"])
    return [step for job in body["jobs"].values() for step in job["steps"]]


def environment(step: dict[str, Any], body: dict[str, Any]) -> dict[str, str]:
    """The step's variables: an input's default, or a word in place of what GitHub knows."""
    found = {}
    for name, value in step.get("env", {}).items():
        asked = str(value).removeprefix("${{").removesuffix("}}").strip()
        default = body.get("inputs", {}).get(asked.removeprefix("inputs."), {}).get("default")
        found[name] = str(default) if default is not None else "word"
    return found


def calls_of(step: dict[str, Any], body: dict[str, Any], folder: Path, code: int = 0) -> tuple[int, list[list[str]]]:
    """Run one step's script. Returns its exit code, and how `harness` was called."""
    programs = folder / "bin"
    programs.mkdir(parents=True, exist_ok=True)
    for name in ("harness", *KNOWN_PROGRAMS):
        (programs / name).write_text(NOTE if name == "harness" else "#!/bin/sh\nexit 0\n")
        (programs / name).chmod(0o755)
    calls = folder / "calls"
    calls.write_text("")
    (folder / "out").mkdir(exist_ok=True)
    github = {name: str(folder / name) for name in ("GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT")}
    done = subprocess.run(
        ("bash", "-eo", "pipefail", "-c", step["run"]),
        cwd=folder,
        env={
            "PATH": os.pathsep.join((str(programs), "/usr/bin", "/bin")),
            **environment(step, body),
            **github,
            "CALLS": str(calls),
            "CODE": str(code),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert "not found" not in done.stderr, done.stderr
    return done.returncode, [line.split("\0")[:-1] for line in calls.read_text().splitlines()]


def parses(arguments: list[str]) -> None:
    """Raise the command line's own error for arguments that it would refuse."""
    name, *rest = with_bare_options(arguments)
    group = get_command(app)
    with group.make_context("harness", [name], resilient_parsing=True) as context:
        command = group.get_command(context, name)  # type: ignore[attr-defined]
        assert command is not None, f"harness has no command {name}"
        command.make_context(name, rest, parent=context)


@pytest.mark.parametrize(
    ("schema", "paths"), [("github-workflows", WORKFLOWS), ("github-actions", ACTIONS)], ids=["workflows", "actions"]
)
def test_github_accepts_the_files(schema: str, paths: list[Path]) -> None:
    assert paths
    command = (program("check-jsonschema"), "--builtin-schema", f"vendor.{schema}", *map(str, paths))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_security_linter_finds_nothing_of_weight() -> None:
    command = (program("zizmor"), "--offline", "--no-progress", "--min-severity", "medium", str(ROOT / ".github"))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(shutil.which("actionlint") is None, reason="actionlint is no Python package: used where installed")
def test_actionlint_finds_nothing() -> None:
    done = subprocess.run(("actionlint", *map(str, WORKFLOWS)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", [*WORKFLOWS, *ACTIONS], ids=lambda p: p.parent.name + "/" + p.name)
def test_every_command_is_one_of_the_program(path: Path, tmp_path: Path) -> None:
    body = read(path)
    found = []
    for step in steps(path):
        if "run" in step:
            assert "${{" not in step["run"], "values reach a script by its environment, never as text of the script"
            code, calls = calls_of(step, body, tmp_path)
            assert code == 0
            found += calls
    for arguments in found:
        parses(arguments)
    uses_action = any(step.get("uses", "").startswith("./") for step in steps(path))
    assert found or uses_action


def test_the_documented_commands_are_those_of_the_program() -> None:
    """Blocks of the guide to CI, lines joined. Each step of the nightly workflow is there to be done by hand."""
    page = ROOT / "docs" / "how-to" / "watch-performance-in-ci.md"
    blocks = re.findall(r"```(?:sh|yaml)\n(.*?)```", page.read_text(), re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    commands = [line.split("harness ", 1)[1] for line in lines if re.match(r"\s*(- )?harness ", line)]
    found = [shlex.split(command.split(" > ")[0], comments=True) for command in commands]
    for arguments in found:
        parses(arguments)
    names = [" ".join(arguments) for arguments in found]
    for known in ("ab configs/ab.yaml --head .", "export latest --format bencher", "calibrate --budget", "history"):
        assert any(name.startswith(known) for name in names), known


def test_local_actions_exist_and_get_inputs_that_they_have() -> None:
    used = [step for path in WORKFLOWS for step in steps(path) if step.get("uses", "").startswith("./")]
    assert used
    for step in used:
        inputs = read(ROOT / step["uses"] / "action.yml")["inputs"]
        assert set(step["with"]) <= set(inputs)
        assert (ROOT / step["with"]["config"]).is_file()


def test_the_part_of_the_suite_that_windows_runs_is_there() -> None:
    """Where nothing can be measured; elsewhere the list is empty, which means the whole suite."""
    (part,) = read(ROOT / ".github" / "workflows" / "tests.yml")["jobs"]["suite"]["strategy"]["matrix"]["include"]
    names = [word for word in part["tests"].split() if not word.startswith("-")]
    assert part["system"].startswith("windows") and len(names) > 5
    for name in names:
        assert list(ROOT.glob(name)), name


def test_the_action_reports_first_and_then_fails(tmp_path: Path) -> None:
    (path,) = ACTIONS
    (step,) = steps(path)
    code, calls = calls_of(step, read(path), tmp_path, code=3)
    assert code == 3 and len(calls) == 1 and "--base" not in calls[0]
    assert (tmp_path / "GITHUB_STEP_SUMMARY").read_text() == "written\n"
    assert (tmp_path / "GITHUB_OUTPUT").read_text() == "code=3\n"
    assert json.dumps(calls[0]).count("out/ab.") == 4


def test_a_command_that_does_not_exist_is_noticed() -> None:
    from typer.exceptions import TyperException

    for wrong in (["ab", "c.yaml", "--haed", "x"], ["ab", "c.yaml", "--budget", "soon"]):
        with pytest.raises(TyperException):
            parses(wrong)
    with pytest.raises(AssertionError, match="no command abc"):
        parses(["abc"])
