"""What the operating system says of this process and of the host's processors: resident size, processor time, steal.

Reads /proc where there is one; what cannot be read is None. Knows nothing of models or timing.
"""

import ctypes
import os
import resource
import signal
import sys
import time
from pathlib import Path

from harness.frozen import Frozen

_PR_SET_PDEATHSIG = 1
"""linux/prctl.h: the signal a process gets when the thread that started it ends."""


class Usage(Frozen):
    """Processor time since some fixed past, or between two moments (`since`)."""

    own_s: float
    busy_s: float | None = None
    steal_s: float | None = None

    @property
    def foreign_s(self) -> float | None:
        """Processor time of all others on the host. The kernel counts `busy_s` in ticks, so small values are rough."""
        return None if self.busy_s is None else max(0.0, self.busy_s - self.own_s)

    def since(self, earlier: "Usage") -> "Usage":
        def difference(now: float | None, then: float | None) -> float | None:
            return None if now is None or then is None else max(0.0, now - then)

        return Usage(
            own_s=self.own_s - earlier.own_s,
            busy_s=difference(self.busy_s, earlier.busy_s),
            steal_s=difference(self.steal_s, earlier.steal_s),
        )


def usage(stat: Path = Path("/proc/stat")) -> Usage:
    """Processor time of this process (all threads) and of the whole host so far."""
    own_s = time.process_time()
    try:
        fields = stat.read_text(encoding="ascii").split("\n", 1)[0].split()
    except OSError:
        return Usage(own_s=own_s)
    # proc(5): cpu user nice system idle iowait irq softirq steal guest guest_nice; guest is inside user already
    if len(fields) < 9 or fields[0] != "cpu":
        return Usage(own_s=own_s)
    tick_s = 1 / os.sysconf("SC_CLK_TCK")
    user, nice, system, _idle, _iowait, irq, softirq, steal = (int(f) for f in fields[1:9])
    return Usage(own_s=own_s, busy_s=(user + nice + system + irq + softirq) * tick_s, steal_s=steal * tick_s)


def peak_rss_bytes(status: Path = Path("/proc/self/status")) -> int | None:
    """The largest resident size of this process so far.

    From VmHWM where there is one: getrusage's ru_maxrss survives exec, so in a child it is at least the size that the
    parent had when it started the child.
    """
    try:
        for line in status.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return (peak if sys.platform == "darwin" else peak * 1024) or None


def die_with_parent() -> None:
    """Ask the kernel to kill this process when its parent dies, however it dies. Only Linux can; elsewhere a process
    notices at its next answer that nobody reads it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
