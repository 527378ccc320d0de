"""The lock that keeps two runs on one host from spoiling each other's timing, and what measuring needs of a system.

A file lock of the operating system: it is gone when its holder is, however that ended. One file for the whole host, so
that runs of different users and stores notice each other; a container with its own /tmp does not see the host's.
"""

import contextlib
import os
import platform
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

from harness.errors import UnfitHostError

try:
    import fcntl
except ImportError:  # no Unix
    fcntl = None  # type: ignore[assignment]

PATH = Path(tempfile.gettempdir()) / "harness-run.lock"

Policy = Literal["refuse", "wait", "force"]


def check_system() -> None:
    """Raise UnfitHostError, naming what this system lacks, where nothing can be measured on it."""
    needs = {
        "file locks (fcntl)": fcntl is not None,
        "process groups (os.killpg)": hasattr(os, "killpg"),
        "sockets that a child inherits": os.name == "posix",
    }
    if not all(needs.values()):
        raise UnfitHostError(
            f"measuring needs {' and '.join(need for need, met in needs.items() if not met)}, which this system "
            f"({platform.system() or 'unknown'}) lacks; judging, projecting and comparing work here: measure on Linux "
            "or macOS (on Windows, in its subsystem for Linux) with --json FILE, and judge the file here with --record "
            "FILE"
        )


def take_lock(descriptor: int, *, wait: bool) -> bool:
    """Lock an open file for this process alone, until it is closed. Whether it was had: always, after a wait."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    return True


@contextlib.contextmanager
def run_lock(
    doing: str,
    policy: Policy = "refuse",
    *,
    path: Path = PATH,
    waiting: Callable[[str], None] = lambda _: None,
) -> Iterator[bool]:
    """Hold the host's lock for one run. Yields whether this run has the host to itself.

    Another run holds it: 'refuse' raises UnfitHostError naming that run, 'wait' calls `waiting` with its description
    and sleeps until it ends, 'force' goes on without the lock (the caller must say so beside the figures).
    Raises UnfitHostError too where this system lacks what measuring needs.
    """
    check_system()
    descriptor = _opened(path)
    try:
        alone = take_lock(descriptor, wait=False)
        if not alone and policy == "wait":
            waiting(_holder(descriptor))
            alone = take_lock(descriptor, wait=True)
        if not alone and policy == "refuse":
            raise UnfitHostError(
                f"another run measures on this host ({_holder(descriptor)}), and both would be timed wrongly; "
                "wait for it with --wait, or measure anyway with --force"
            )
        if alone:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"process {os.getpid()}: {doing}"[:200].encode(), 0)
        yield alone
    finally:
        os.close(descriptor)


def _opened(path: Path) -> int:
    """The lock file, opened; made for everyone if it is not there. Never through a symbolic link."""
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        try:
            descriptor = os.open(path, flags)
        except FileNotFoundError:
            descriptor = os.open(path, flags | os.O_CREAT, 0o666)
            with contextlib.suppress(PermissionError):
                os.fchmod(descriptor, 0o666)
    except OSError as error:
        raise UnfitHostError(
            f"{path}: could not open the lock that keeps runs apart: {error}; remove the file or mend its permissions"
        ) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise UnfitHostError(f"{path}: is no regular file, so it cannot keep runs apart; remove it")
    return descriptor


def _holder(descriptor: int) -> str:
    text = os.pread(descriptor, 200, 0).decode(errors="replace")
    return "".join(c for c in text if c.isprintable()) or "of which nothing is known"
