"""One set of habits for every command: formats, files, quiet, groups in the help, completion, width and colour."""

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command

from harness.cli.app import GROUPS, TAKES_JSON, app
from tests.cli.program import environment_of, harness

SHEET = "v4-pro-on-gb300"
COMMANDS = get_command(app).commands  # type: ignore[attr-defined]


def options(name: str) -> set[str]:
    return {option for parameter in COMMANDS[name].params for option in parameter.opts}


@pytest.mark.parametrize("name", TAKES_JSON)
def test_every_command_that_prints_a_result_takes_the_same_options(name: str) -> None:
    assert {"--json", "--format", "--quiet"} <= options(name)
    assert "-q" in options(name)  # of `bench` it is the precision, as in llama-bench


def test_the_help_groups_the_commands_and_cuts_no_summary(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "harness", "--help"]
    environment = {**environment_of(tmp_path), "COLUMNS": "80"}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=30, check=True
    )
    lines = done.stdout.splitlines()
    places = [lines.index(f"{title}:") for title in GROUPS]
    assert places == sorted(places)
    summaries = lines[places[0] :]
    assert max(map(len, lines)) <= 80
    assert not [line for line in summaries if line.endswith("...")]
    for names in GROUPS.values():
        assert all(any(line.split()[:1] == [name] for line in summaries) for name in names)
    assert not any(line.split()[:1] == ["controls"] for line in summaries)
    assert "mixture-of-experts" in lines[2]


def test_an_old_name_answers_with_the_new_one(tmp_path: Path) -> None:
    result = harness("controls", "--json", cwd=tmp_path)
    assert result.code == 0 and json.loads(result.out)["kind"] == "self-test"
    assert result.err == "harness controls is called harness self-test now\n"


def test_a_result_goes_to_stdout_and_files_are_named_on_stderr(tmp_path: Path) -> None:
    printed = harness("judge", SHEET, "--json", "-", cwd=tmp_path)
    assert json.loads(printed.out)["verdicts"] and printed.err == ""
    files = ("--json", "a.json", "--html", "a.html", "--markdown", "a.md")
    written = harness("judge", SHEET, *files, cwd=tmp_path)
    assert written.err.splitlines() == ["wrote a.json", "wrote a.html", "wrote a.md"]
    assert (tmp_path / "a.json").read_text() == printed.out
    quiet = harness("judge", SHEET, *files, "-q", cwd=tmp_path)
    assert quiet.err == "" and "claims:" in quiet.out


@pytest.mark.parametrize(
    ("command", "file", "message"),
    [
        ("run", "sheet", "is a sheet, expected a config; harness judge {path} takes it"),
        ("judge", "config", "is a config, expected a claim sheet; harness run {path} takes it"),
        ("judge", "catalog", "is a catalog, expected a claim sheet; give it with --catalog {path}"),
    ],
)
def test_a_file_of_another_kind_is_named_for_what_it_is(tmp_path: Path, command: str, file: str, message: str) -> None:
    texts = {
        "sheet": "sheet: 1\nid: a\nclaims: []\n",
        "config": "harness: 1\nname: a\nsheet: a.yaml\n",
        "catalog": "sources: {}\nchips: {}\n",
    }
    (tmp_path / "f.yaml").write_text(texts[file])
    result = harness(command, "f.yaml", cwd=tmp_path)
    assert result.code == 2
    assert result.err == f"f.yaml: {message.format(path='f.yaml')}\n"


def test_what_comes_along_is_listed_and_found_by_name(tmp_path: Path) -> None:
    listed = harness("init", "--list", cwd=tmp_path).out
    assert "quick" in listed and SHEET in listed
    assert harness("run", "quick", "--dry-run", cwd=tmp_path).code == 0
    wrong = harness("judge", "v4-pro-on-gb30", cwd=tmp_path)
    assert wrong.code == 2 and f"did you mean '{SHEET}'" in wrong.err


def test_the_shell_completes_commands(tmp_path: Path) -> None:
    asked = {"_HARNESS_COMPLETE": "complete_bash", "COMP_WORDS": "harness self", "COMP_CWORD": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "harness"],
        cwd=tmp_path,
        env={**environment_of(tmp_path), **asked},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.stdout.split() == ["self-test"]


def on_a_terminal(tmp_path: Path, *arguments: str, columns: int, **variables: str) -> str:
    """What a terminal of that many columns is sent."""
    parent, child = pty.openpty()
    environment = {k: v for k, v in environment_of(tmp_path).items() if k not in ("NO_COLOR", "COLUMNS", "TERM")}
    environment |= {"COLUMNS": str(columns), "TERM": "xterm-256color", **variables}
    process = subprocess.Popen(
        [sys.executable, "-m", "harness", *arguments], cwd=tmp_path, env=environment, stdout=child, stderr=child
    )
    os.close(child)
    sent = b""
    try:
        while part := os.read(parent, 65536):
            sent += part
    except OSError:  # Linux says so when the other end is closed
        pass
    os.close(parent)
    assert process.wait(timeout=30) == 0
    return sent.decode().replace("\r\n", "\n")


def test_outcomes_are_coloured_on_a_terminal_and_nowhere_else(tmp_path: Path) -> None:
    coloured = on_a_terminal(tmp_path, "judge", SHEET, columns=100)
    plain = harness("judge", SHEET, cwd=tmp_path).out
    assert "\x1b[" in coloured and "\x1b" not in plain
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == plain
    assert on_a_terminal(tmp_path, "judge", SHEET, columns=100, NO_COLOR="1") == plain


@pytest.mark.parametrize("columns", [40, 80, 132])
def test_text_fits_the_terminal_from_80_columns_up(tmp_path: Path, columns: int) -> None:
    sent = on_a_terminal(tmp_path, "judge", "deepseek-v4-ascend", "--details", columns=columns, NO_COLOR="1")
    longest = max(len(line) for line in sent.splitlines() if "http" not in line)
    assert longest <= max(80, columns)
    assert columns < 132 or longest > 100
