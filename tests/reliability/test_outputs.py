"""What a command writes besides the store, where writing fails: the old file stays whole, the message says which."""

import contextlib
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.files.output import Target, write_target
from harness.results import reportfile
from tests.cli.program import SEEDS, ended, environment_of, harness
from tests.reliability import plans

OLD = "the old file, whole\n"
PROGRAM = Path(sys.executable).with_name("harness")


@contextlib.contextmanager
def room(limit_bytes: int) -> Iterator[None]:
    """While it lasts, no file of this process may grow beyond the limit: a write past it fails as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("limit_bytes", [0, 1, 4095, 4096, *range(8192, 70_000, 8192)])
def test_a_write_that_fails_anywhere_leaves_the_old_file(tmp_path: Path, limit_bytes: int) -> None:
    path = tmp_path / "out.txt"
    path.write_text(OLD)
    with room(limit_bytes), pytest.raises(UsageError, match=str(path)):
        write_target(Target(path, "--html"), "x" * 70_000)
    assert path.read_text() == OLD
    assert list(tmp_path.iterdir()) == [path], "half a file was left behind"
    write_target(Target(path, "--html"), "x" * 70_000)
    assert path.stat().st_size == 70_000


COMMANDS: dict[str, tuple[str | Path, ...]] = {
    "show --json": ("show", "r.json", "--json"),
    "show --html": ("show", "r.json", "--html"),
    "show --markdown": ("show", "r.json", "--markdown"),
    "judge --json": ("judge", SEEDS / "deepseek-v4-ascend.yaml", "--json"),
    "compare --junit": ("compare", "r.json", "r.json", "--junit"),
    "compare --html": ("compare", "r.json", "r.json", "--html"),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_that_writes_says_which_file_it_could_not(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("r.json").write_text(reportfile.document(plans.record(), None))
    Path("out").write_text(OLD)
    with room(64):
        code, _, err = ended(*COMMANDS[command], "out")
    assert code == 2 and "out: " in err and "File too large" in err
    assert Path("out").read_text() == OLD
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "r.json"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no device that is always full")
def test_results_that_stdout_cannot_take_are_an_error() -> None:
    for arguments in (("init",), ("--version",)):
        with open("/dev/full", "w", encoding="utf-8") as full:
            done = subprocess.run([PROGRAM, *arguments], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
        assert done.returncode == 2
        assert done.stderr.startswith("/dev/full: the results could not be written there (No space left on device)")
        assert done.stderr.count("\n") == 1


def test_closed_streams_are_no_traceback_and_their_numbers_go_to_no_file(tmp_path: Path) -> None:
    """A store that is opened as file 1 would be written into by whatever is printed."""
    (tmp_path / "r.json").write_text(reportfile.document(plans.record(), None))
    command = f"'{PROGRAM}' store import r.json >&- 2>&- <&-"
    done = subprocess.run(command, shell=True, cwd=tmp_path, env=environment_of(tmp_path), check=False)  # noqa: S602
    assert done.returncode == 0
    checked = harness("store", "check", cwd=tmp_path)
    assert checked.code == 0 and "1 of run" in checked.out


def test_a_character_that_the_encoding_lacks_is_no_error(tmp_path: Path) -> None:
    environment = {**environment_of(tmp_path), "PYTHONIOENCODING": "latin-1"}
    command: list[str | Path] = [PROGRAM, "judge", SEEDS / "deepseek-v4-ascend.yaml", "--format", "markdown"]
    done = subprocess.run(command, env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert b"\\u2013" in done.stdout
