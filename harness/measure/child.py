"""One child process from start to end: its limits, a channel to it, the end of its output, and its certain end.

The parent sleeps in the kernel while it waits: a thread of its own waits for the child's end, and the channel and that
thread's signal are waited for together.
"""

import contextlib
import os
import selectors
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Self

GRACE_S = 2.0
"""How long a child may take to end after SIGTERM before SIGKILL. A child holds nothing that needs saving."""

MAX_MESSAGE_BYTES = 64 << 20
"""A line longer than this is nonsense: the longest real one holds a million durations, about 25 MB."""

MAX_OUTPUT_BYTES = 64 << 20
"""What a child may write to one file; its output goes to an unnamed file that must not fill the disk."""

_TAIL_BYTES = 4000
_TAIL_LINES = 3


class Child:
    """A child process in a process group of its own. Use as a context manager: nothing of the group outlives it,
    save a grandchild that left the group on purpose."""

    def __init__(
        self, command: Sequence[str], *, request: bytes, environment: Mapping[str, str], memory_bytes: int | None = None
    ):
        """Start `command` with `--channel N` appended and `request` on its stdin. Raises OSError if it cannot start."""
        self._ours, theirs = socket.socketpair()
        self._death, death_writer = os.pipe()
        self._output: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by __exit__
        self._pending = b""
        self.ending: str | None = None
        """How it ended, in words that fit a table."""
        try:
            with theirs, tempfile.TemporaryFile() as stdin:
                stdin.write(request)
                stdin.seek(0)
                self._process = subprocess.Popen(
                    [*command, "--channel", str(theirs.fileno())],
                    stdin=stdin,
                    stdout=self._output,
                    stderr=self._output,
                    pass_fds=(theirs.fileno(),),
                    env=dict(environment),
                    start_new_session=True,
                )
        except OSError:
            os.close(death_writer)
            self._close_files()
            raise
        _limit(self._process.pid, memory_bytes)
        self._watch = threading.Thread(target=_await_death, args=(self._process, death_writer), daemon=True)
        self._watch.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end_group()
        self._close_files()

    def await_message(self, timeout_s: float) -> None:
        """Sleep until the child has something to say, has ended, or `timeout_s` are over. Takes and answers nothing:
        a child waits at its first message until `messages` acknowledges it."""
        deadline = time.monotonic() + timeout_s
        with self._selector() as selector:
            while b"\n" not in self._pending:
                ready = {key.fd for key, _ in selector.select(max(0.0, deadline - time.monotonic()))}
                if not ready or self._death in ready or not self._receive():
                    return

    def messages(self, timeout_s: float) -> Iterator[bytes]:
        """Lines from the child as they come, until it has ended or was waited for `timeout_s`; `ending` says which.

        A line counts as acknowledged, and the child goes on, when the caller asks for the next one. What the caller
        does in between is not the child's time.
        """
        left_s, listening = timeout_s, True
        with self._selector() as selector:
            while True:
                begun = time.monotonic()
                ready = {key.fd for key, _ in selector.select(0.0 if b"\n" in self._pending else max(0.0, left_s))}
                left_s -= time.monotonic() - begun
                if not ready and b"\n" not in self._pending:
                    self.ending = f"took over {timeout_s:g} s and was ended{self._tail()}"
                    return
                open_still = self._receive()
                while b"\n" in self._pending:
                    line, self._pending = self._pending.split(b"\n", 1)
                    yield line
                    self._acknowledge()
                if len(self._pending) > MAX_MESSAGE_BYTES:
                    self.ending = f"answered a line of over {MAX_MESSAGE_BYTES} bytes"
                    return
                if self._death in ready:
                    self.ending = self._ended()
                    return
                if listening and not open_still:
                    selector.unregister(self._ours)
                    listening = False

    def _selector(self) -> selectors.BaseSelector:
        """Waits for a message and for the child's end."""
        self._ours.setblocking(False)
        selector = selectors.DefaultSelector()
        selector.register(self._ours, selectors.EVENT_READ)
        selector.register(self._death, selectors.EVENT_READ)
        return selector

    def _receive(self) -> bool:
        """Take all that has arrived; False when the child has closed its side."""
        while True:
            try:
                arrived = self._ours.recv(1 << 16)
            except BlockingIOError:
                return True
            except OSError:
                return False
            if not arrived:
                return False
            self._pending += arrived
            if len(self._pending) > MAX_MESSAGE_BYTES:
                return True

    def _acknowledge(self) -> None:
        with contextlib.suppress(OSError):  # it has died: the death is seen at the next wait
            self._ours.send(b"k")

    def _ended(self) -> str:
        code = self._process.wait()
        if code >= 0:
            return f"ended {f'with exit code {code}' if code else 'without a result'}{self._tail()}"
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"signal {-code}"
        hint = " (the kernel does that when memory runs out)" if -code == signal.SIGKILL else ""
        return f"killed by {name}{hint}{self._tail()}"

    def _tail(self) -> str:
        """The last lines that the child printed, on one line."""
        size = self._output.seek(0, os.SEEK_END)
        self._output.seek(max(0, size - _TAIL_BYTES))
        lines = [line.strip() for line in self._output.read().decode(errors="replace").splitlines() if line.strip()]
        return "; last output: " + " | ".join(lines[-_TAIL_LINES:])[-600:] if lines else ""

    def _end_group(self) -> None:
        """End the child and all of its group: politely if it still runs, then for certain."""
        if self._watch.is_alive():
            self._signal(signal.SIGTERM)
            self._watch.join(GRACE_S)
        self._signal(signal.SIGKILL)
        self._watch.join()
        self._process.wait()

    def _signal(self, number: signal.Signals) -> None:
        # nobody of the group may be left (macOS says PermissionError for a dead leader)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)

    def _close_files(self) -> None:
        self._ours.close()
        self._output.close()
        os.close(self._death)


def _await_death(process: "subprocess.Popen[bytes]", writer: int) -> None:
    """Sleep until `process` has ended, then wake whoever waits on the other end of `writer`.

    Where it can, it leaves the dead child unreaped, so that its number, and with it its group's, is not given to
    another process before the group has been ended.
    """
    if hasattr(os, "waitid"):
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    else:
        process.wait()
    os.close(writer)


def _limit(pid: int, memory_bytes: int | None) -> None:
    """Bound a child's memory, file sizes and core dumps, and make it the first to go when memory runs out.

    Memory is bounded by RLIMIT_DATA, which counts writable private memory; RLIMIT_AS would also count the address
    space that thread pools reserve and never touch. Only Linux can limit another process; elsewhere nothing is bounded.
    """
    try:
        import resource
    except ImportError:  # no Unix
        return
    if not hasattr(resource, "prlimit"):
        return
    try:
        resource.prlimit(pid, resource.RLIMIT_CORE, (0, 0))
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (MAX_OUTPUT_BYTES, MAX_OUTPUT_BYTES))
        if memory_bytes is not None:
            resource.prlimit(pid, resource.RLIMIT_DATA, (memory_bytes, memory_bytes))
        with open(f"/proc/{pid}/oom_score_adj", "w", encoding="ascii") as score:
            score.write("500")
    except (OSError, ValueError):
        pass  # it has ended already, or its limit is lower than ours
