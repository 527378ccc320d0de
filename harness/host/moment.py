"""How this host is at one moment: how fast its processors run, and how long tasks have waited for memory. Changes
nothing, and takes well under a millisecond; what the host hides is None.

Knows no process and no history: two readings are subtracted by whoever took both. Files are read below `root`, so that
a test can describe a host that is not there.
"""

import contextlib
import re
from collections.abc import Collection
from pathlib import Path

_CPUINFO = re.compile(r"^(processor|cpu MHz)\s*:\s*([0-9.]+)\s*$", re.MULTILINE)
_STALLED = re.compile(r"^some .*\btotal=([0-9]+)", re.MULTILINE)


def frequency_hz(cpus: Collection[int], root: Path = Path("/")) -> float | None:
    """The mean frequency of `cpus`: as the frequency driver reports it, or as /proc/cpuinfo does. None where neither
    tells. A virtual machine often shows a nominal figure that never moves."""
    folder = root / "sys/devices/system/cpu"
    found = [hz for cpu in cpus if (hz := _khz(folder / f"cpu{cpu}/cpufreq/scaling_cur_freq")) is not None]
    if not found:
        found = [hz for cpu, hz in _listed(root / "proc/cpuinfo").items() if cpu in cpus]
    return sum(found) / len(found) if found else None


def memory_wait_s(root: Path = Path("/")) -> float | None:
    """Seconds since start-up in which at least one task of the host waited for memory: reclaim, swap, refaults.

    The line `some` of pressure stall information, in microseconds (kernel documentation, accounting/psi). None on
    kernels without it.
    """
    try:
        stalled = _STALLED.search((root / "proc/pressure/memory").read_text(encoding="ascii", errors="replace"))
    except OSError:  # the file is there and refuses to be read where the kernel was started with psi=0
        return None
    return int(stalled[1]) / 1e6 if stalled else None


def _khz(path: Path) -> float | None:
    """Hertz from a file that holds kilohertz; a driver that does not know writes 0 or '<unknown>'."""
    with contextlib.suppress(OSError, ValueError):
        return int(path.read_text(encoding="ascii", errors="replace")) * 1e3 or None
    return None


def _listed(path: Path) -> dict[int, float]:
    """Hertz of each processor that /proc/cpuinfo gives megahertz for."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    found, cpu = {}, 0
    for name, value in _CPUINFO.findall(text):
        if name == "processor":
            cpu = int(value)
        elif float(value) > 0:
            found[cpu] = float(value) * 1e6
    return found
