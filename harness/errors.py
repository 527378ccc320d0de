"""What can go wrong because of the user or the host: a small tree under one base class.

Each error carries the exit code that the command line ends with; everything else that escapes is a defect of ours
(exit code 1). A message says what happened, what was expected, and what to do next.
"""

import difflib
from collections.abc import Iterable

INTERRUPTED = 130  # 128 + SIGINT, as shells report it


class HarnessError(Exception):
    """Base of every error that is reported as one message, without a traceback."""

    exit_code = 1


class UsageError(HarnessError):
    """A config, sheet, catalog, option or path that cannot be used as given."""

    exit_code = 2


class UnfitHostError(HarnessError):
    """This host cannot run what was asked, or its measurements are not valid."""

    exit_code = 5


class StoreError(HarnessError):
    """The store cannot be used as asked. Nothing that was kept before is lost by it."""

    exit_code = 2


class PlanError(UsageError):
    """A config that is well formed and cannot be carried out. `location` is the place in the config at fault."""

    def __init__(self, message: str, *location: str | int) -> None:
        super().__init__(message)
        self.location = location


class StoppedError(HarnessError):
    """Ctrl-C: what was measured is kept, and the message says how to go on. `result` is what there is of it."""

    exit_code = INTERRUPTED

    def __init__(self, message: str, result: object = None) -> None:
        super().__init__(message)
        self.result = result


class WorkerError(HarnessError):
    """A measuring process died, hung or answered with nonsense; the case is recorded as failed."""

    exit_code = 5


def unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """One line naming an unknown `kind`, its nearest known name and the known names."""
    names = sorted(known)
    longer = [known_name for known_name in names if known_name.startswith(name)] if name else []
    near = longer or difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"; did you mean '{near[0]}'?" if near else ""
    return f"unknown {kind} '{name}'{hint} (known: {', '.join(names)})"
