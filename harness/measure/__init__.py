"""Carrying out a plan: the sweep over its tasks, one child process each, and the lock that keeps two sweeps apart."""

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
