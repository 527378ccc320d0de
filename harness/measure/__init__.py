"""Carrying out a plan: the sweep over its tasks, one child process each, and the lock that keeps two sweeps apart.

Its names are imported when they are used: a measuring process is of this package too, needs none of them, and is
started anew for each observation.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.measure.lock import run_lock
    from harness.measure.sweep import Bounds, Outcome, Progress, Sink, label, run, worker_command, worker_environment

__all__ = [
    "Bounds",
    "Outcome",
    "Progress",
    "Sink",
    "label",
    "run",
    "run_lock",
    "worker_command",
    "worker_environment",
]


def __getattr__(name: str) -> Any:
    """PEP 562."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = "harness.measure.lock" if name == "run_lock" else "harness.measure.sweep"
    return getattr(importlib.import_module(home), name)
