"""What measuring needs of the operating system. Where it is missing, that is said before anything is measured."""

import os
import platform

from harness.errors import UnfitHostError


def check() -> None:
    """Raise UnfitHostError, naming what this system lacks, where nothing can be measured on it."""
    lacks = missing()
    if lacks:
        raise UnfitHostError(
            f"measuring needs {' and '.join(lacks)}, which this system ({platform.system() or 'unknown'}) lacks; "
            "judging, projecting and comparing work here: measure on Linux or macOS (on Windows, in its subsystem for "
            "Linux) with --json FILE, and judge the file here with --record FILE"
        )


def missing() -> tuple[str, ...]:
    """The needs that are not met, in words."""
    needs = (
        ("file locks (fcntl)", _locks()),
        ("process groups (os.killpg)", hasattr(os, "killpg")),
        ("sockets that a child inherits", os.name == "posix"),
    )
    return tuple(words for words, met in needs if not met)


def _locks() -> bool:
    try:
        import fcntl  # noqa: F401
    except ImportError:
        return False
    return True


def take_lock(descriptor: int, *, wait: bool) -> bool:
    """Lock an open file for this process alone, until it is closed. Whether it was had: always, after a wait."""
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    return True
