"""A revision of harness installed in an environment of its own, kept by commit so that the next comparison finds it.

Uses uv where it is installed, else the standard library's venv with pip. Both sides of a comparison get the packages of
the environment that runs this, so that what differs is the revision; where a revision asks for others, it gets those.
"""

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

from harness.errors import UsageError
from harness.files.installed import NAME, NAMES
from harness.measure.environment import own_requirements
from harness.measure.lock import check_system, take_lock
from harness.measure.repository import Repository, Revision

KEPT = 4
"""Built environments that are kept: about 0.6 GB each with pip; uv shares the files among them."""

_TIMEOUT_S = 1800.0
_TAIL_LINES = 4
_FRAMES = ("note:", "hint:", "×", "│", "╰─>", "error: subprocess-exited", "[end of output]")
"""How pip frames the output of a build, which is left out of messages."""

_DONE = "harness-built.json"
_CONFLICTS = ("ResolutionImpossible", "conflicting dependencies", "No solution found", "No matching distribution")
"""In the output of pip and uv where the versions asked for do not fit the revision's own requirements."""


def built(
    repository: Repository, revision: Revision, cache: Path, *, say: Callable[[str], None] = lambda _: None
) -> Path:
    """The interpreter of an environment with `revision` installed, from `cache` or built now.

    Raises UsageError: the revision is of another project, or it cannot be installed (with the installer's last lines).
    UnfitHostError: this system lacks what measuring needs.
    """
    check_system()
    _check_project(repository, revision)
    constraints = own_requirements()
    basis = json.dumps([revision.commit, sys.version, sys.executable, constraints])
    folder = cache.absolute() / f"{revision.commit[:12]}-{hashlib.sha256(basis.encode()).hexdigest()[:12]}"
    interpreter = folder / "bin" / "python"
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        (cache / ".gitignore").write_text("*\n")  # a store inside the working tree must not become part of it
        with (cache / "lock").open("w") as lock:  # one builder at a time; the lock is gone when its holder is
            take_lock(lock.fileno(), wait=True)
            if (folder / _DONE).is_file():
                os.utime(folder / _DONE)
                return interpreter
            say(f"building an environment of {revision.description}: a minute or more, once for each commit")
            with repository.checked_out(revision) as tree:
                _build(folder, tree, revision, constraints)
            _forget_old(cache)
    except OSError as error:
        raise UsageError(f"{folder}: the environment could not be kept ({error}); name another --store") from None
    return interpreter


def _check_project(repository: Repository, revision: Revision) -> None:
    text = repository.text(revision, Path("pyproject.toml"))
    name = None
    if text is not None:
        with contextlib.suppress(tomllib.TOMLDecodeError, AttributeError):
            name = tomllib.loads(text).get("project", {}).get("name")
    if name not in NAMES:
        found = "has no readable pyproject.toml" if name is None else f"is of the project '{name}'"
        raise UsageError(
            f"{revision.description} of {repository.top} {found}: revisions of {NAME} are compared; to compare another "
            "package's versions, name two environments with --base-python and --head-python"
        )


def _build(folder: Path, tree: Path, revision: Revision, constraints: tuple[str, ...]) -> None:
    """A whole environment at `folder`, or none."""
    shutil.rmtree(folder, ignore_errors=True)
    log = folder.with_suffix(".log")
    try:
        _call(_make_command(folder), log, f"no environment could be made for {revision.description}")
        limits = folder / "constraints.txt"
        limits.write_text("\n".join(constraints) + "\n")
        wrong = f"{revision.description} cannot be installed"
        try:
            _call(_install_command(folder, tree, "--constraint", str(limits)), log, wrong)
        except UsageError:
            if not any(words in log.read_text(errors="replace") for words in _CONFLICTS):
                raise
            _call(_install_command(folder, tree), log, wrong)
        (folder / _DONE).write_text(json.dumps({"commit": revision.commit, "asked": revision.asked}) + "\n")
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    log.unlink(missing_ok=True)


def _make_command(folder: Path) -> tuple[str, ...]:
    uv = shutil.which("uv")
    if uv is not None:
        return (uv, "venv", "--quiet", "--python", sys.executable, str(folder))
    return (sys.executable, "-m", "venv", str(folder))


def _install_command(folder: Path, tree: Path, *options: str) -> tuple[str, ...]:
    python = str(folder / "bin" / "python")
    uv = shutil.which("uv")
    if uv is not None:
        return (uv, "pip", "install", "--compile-bytecode", "--python", python, *options, str(tree))
    return (python, "-P", "-m", "pip", "install", "--disable-pip-version-check", "--no-input", *options, str(tree))


def _call(command: tuple[str, ...], log: Path, wrong: str) -> None:
    """Run an installer, its output in `log`. Raises UsageError with the last lines of it."""
    with log.open("ab") as output:
        try:
            code = subprocess.run(
                command, stdout=output, stderr=output, stdin=subprocess.DEVNULL, timeout=_TIMEOUT_S, check=False
            ).returncode
        except subprocess.TimeoutExpired:
            raise UsageError(f"{wrong}: it took over {_TIMEOUT_S:g} s; its whole output is in {log}") from None
    if code:
        lines = [line.strip() for line in log.read_text(errors="replace").splitlines()]
        tail = [line for line in lines if line and not line.startswith(_FRAMES)][-_TAIL_LINES:]
        raise UsageError("\n  ".join([f"{wrong} (exit code {code}; the whole output is in {log}):", *tail]))


def _forget_old(cache: Path) -> None:
    """Remove all but the environments used last."""
    marks = sorted(cache.glob(f"*/{_DONE}"), key=lambda mark: mark.stat().st_mtime, reverse=True)
    for mark in marks[KEPT:]:
        shutil.rmtree(mark.parent, ignore_errors=True)
