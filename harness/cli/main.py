"""The edge of the program: one place where every error becomes a message and an exit code."""

import contextlib
import io
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.errors import INTERRUPTED, HarnessError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_DEBUG = "HARNESS_DEBUG"


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its code (see `harness --help`)."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    _open_streams()
    code = _guarded(arguments)
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _quiet_stdout()
    except StdoutError as error:
        code = _unwritten(error)
    raise SystemExit(code)


class StdoutError(OSError):
    """Stdout leads to a file on a full disk, or one that fails. (A reader that has gone is a BrokenPipeError.)"""


class _Stdout(io.FileIO):
    """The process's stdout, with errors that can be told from those of other files."""

    def write(self, data: "ReadableBuffer") -> int:
        try:
            return super().write(data) or 0
        except BrokenPipeError:
            raise
        except OSError as error:
            raise StdoutError(error.errno, error.strerror) from None


def _open_streams() -> None:
    """Have all three streams: one that was closed leads nowhere, else its number would be given to the next file that
    is opened. A character that the terminal's encoding lacks is written as its number."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(number)
    found = sys.stdout or open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - for the life of the process
    sys.stderr = sys.stderr or open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    console = sys.platform == "win32" and found.isatty()  # takes UTF-16, which Python's own stream knows how to write
    if isinstance(found, io.TextIOWrapper) and found.fileno() == 1 and not console:
        errors = "backslashreplace" if found.errors == "strict" else found.errors
        buffer = io.BufferedWriter(_Stdout(1, "w", closefd=False))
        found = io.TextIOWrapper(buffer, found.encoding, errors, line_buffering=found.line_buffering)
    sys.stdout = found


def _guarded(arguments: list[str]) -> int:
    """The edge of the program: every error ends here, as one message and an exit code."""
    try:
        return _dispatch(arguments)
    except HarnessError as error:
        _say(str(error))
        return error.exit_code
    except BrokenPipeError:
        _quiet_stdout()
        return 0
    except KeyboardInterrupt:
        _say("interrupted")
        return INTERRUPTED
    except StdoutError as error:
        return _unwritten(error)
    except MemoryError:
        _say("out of memory; close other programs or choose a smaller model")
        return 5
    except Exception as error:  # the one place where everything ends
        if os.environ.get(_DEBUG):
            raise
        kind = type(error).__name__
        _say(f"internal error: {kind}: {error}; this is a defect: please report it with the output under {_DEBUG}=1")
        return 1


def _unwritten(error: StdoutError) -> int:
    """The results could not be printed: say where, and where they are kept."""
    try:
        where = os.readlink("/proc/self/fd/1")
    except OSError:
        where = "stdout"
    _say(
        f"{where}: the results could not be written there ({error.strerror or error}), expected room for them; "
        "what was measured is in the store: harness show prints it again"
    )
    _quiet_stdout()
    return 2


def _dispatch(arguments: list[str]) -> int:
    from typer.exceptions import TyperException
    from typer.main import get_command

    from harness.cli.app import app, with_bare_options

    command = get_command(app)
    try:
        code = command.main(with_bare_options(arguments), prog_name="harness", standalone_mode=False)
    except TyperException as error:
        message = error.format_message()
        if message:  # empty where the help was printed instead
            _say(f"{message[0].lower()}{message[1:].rstrip('.')}; see harness --help")
        return 2
    except SystemExit:  # the parser ends so, and only so, when whoever reads stdout has gone: `harness list | head`
        _quiet_stdout()
        return 0
    return int(code or 0)


def _say(message: str) -> None:
    """One message on stderr. Names in it may come from untrusted files: nothing in it may drive a terminal."""
    safe = "\n".join(
        "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in line) for line in message.split("\n")
    )
    encoding = sys.stderr.encoding or "utf-8"
    with contextlib.suppress(OSError):  # the disk behind it is full: the exit code says it all
        sys.stderr.write(safe.encode(encoding, "backslashreplace").decode(encoding) + "\n")
        sys.stderr.flush()


def _quiet_stdout() -> None:
    """Python flushes stdout once more at exit: let that go nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
