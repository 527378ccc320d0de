"""The edge of the program: one place where every error becomes a message and an exit code."""

import os
import sys
from collections.abc import Sequence

from harness.errors import INTERRUPTED, HarnessError

_DEBUG = "HARNESS_DEBUG"


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its code (see `harness --help`)."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    code = _guarded(arguments)
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _quiet_stdout()
    raise SystemExit(code)


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
    except MemoryError:
        _say("out of memory; close other programs or choose a smaller model")
        return 5
    except Exception as error:  # the one place where everything ends
        if os.environ.get(_DEBUG):
            raise
        kind = type(error).__name__
        _say(f"internal error: {kind}: {error}; this is a defect: please report it with the output under {_DEBUG}=1")
        return 1


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
    """One message on stderr. Names in it may come from strangers: nothing in it may drive a terminal."""
    safe = "\n".join(
        "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in line) for line in message.split("\n")
    )
    encoding = sys.stderr.encoding or "utf-8"
    sys.stderr.write(safe.encode(encoding, "backslashreplace").decode(encoding) + "\n")


def _quiet_stdout() -> None:
    """Python flushes stdout once more at exit: let that go nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
