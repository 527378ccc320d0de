"""What a call does besides computing: files opened for writing, connections, time and memory. By Python's audit events.

An audit hook cannot be taken away again, so there is one for the whole process, silent unless a `Watch` is open.
"""

import os
import resource
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CHANGES = (
    "os.remove",
    "os.rename",
    "os.rmdir",
    "os.mkdir",
    "os.link",
    "os.symlink",
    "shutil.rmtree",
    "sqlite3.connect",
)
_NETWORK = ("socket.connect", "socket.bind", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto")


class Watch:
    """Collects, while it is open, what must not happen in `seen`, and what the call took."""

    def __init__(self, allowed: Path | None = None):
        """Writing below `allowed` is allowed."""
        self.allowed = allowed
        self.seen: list[str] = []
        self.duration_s = 0.0
        self.grown_bytes = 0

    def __enter__(self) -> Self:
        self._begin_s, self._begin_bytes = time.monotonic(), _peak_bytes()
        _watching.append(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        _watching.remove(self)
        self.duration_s = time.monotonic() - self._begin_s
        self.grown_bytes = _peak_bytes() - self._begin_bytes

    def note(self, event: str, arguments: tuple[object, ...]) -> None:
        if event in _NETWORK:
            self.seen.append(f"{event} {arguments!r}")
        elif event in _CHANGES or (event == "open" and isinstance(arguments[2], int) and arguments[2] & _WRITING):
            self._touched(event, arguments[0])

    def _touched(self, event: str, path: object) -> None:
        name = os.fsdecode(path) if isinstance(path, str | bytes | os.PathLike) else repr(path)
        if "__pycache__" in name or name == os.devnull:  # Python's own, when something is imported for the first time
            return
        if self.allowed is None or not Path(name).absolute().is_relative_to(self.allowed.absolute()):
            self.seen.append(f"{event} {name}")


_watching: list[Watch] = []


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _heard(event: str, arguments: tuple[object, ...]) -> None:
    for watch in _watching:
        watch.note(event, arguments)


sys.addaudithook(_heard)
