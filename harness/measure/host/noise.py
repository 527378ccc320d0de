"""What makes timings on this host noisy, and what could be done about it. Reads /proc and /sys; changes nothing.

Counters are read twice, some seconds apart, with the reference kernel timed between them by the caller. Files are read
below `root`, so that a test can use a fixture host. What cannot be read is unknown, never fine.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import psutil

from harness.measure.host.description import ROOT, allowed_cpus, cpu_quota, describe, memory, read_text, usage
from harness.stats import median
from harness.units import binary, number, percent
from harness.vocabulary import Frozen

State = Literal["fine", "note", "noisy", "unknown"]
FEW_PROCESSORS = 2
BUSY_SHARE = 0.05
"""Processors' worth of time of one other process from which it is named."""
OTHER_SHARE, STEAL_SHARE, REFERENCE_SPREAD, PRESSURE = 0.10, 0.01, 0.10, 1.0
"""As in results.rules; pressure: percent of the last minute in which something waited (kernel documentation, PSI)."""


class Sign(Frozen):
    """One thing that was checked. `advice` is empty where nothing needs doing."""

    name: str
    state: State
    found: str
    advice: str = ""


class Look(Frozen):
    """Counters at one moment: all in seconds of processor time since some fixed past."""

    steal_s: float
    others: tuple[tuple[int, str, float], ...]
    other_s: float | None = None
    """Of all others, those included that have ended since: what `others` cannot show."""


def _sign(name: str, found: str, *, bad: bool, advice: str = "", state: State = "noisy") -> Sign:
    """In `state` and with `advice` where it is bad, else fine."""
    return Sign(name=name, state=state if bad else "fine", found=found, advice=advice if bad else "")


def look() -> Look:
    """This moment's counters of the whole host and of each process that may be read, this one left out."""
    found = []
    for process in psutil.process_iter(["pid", "name", "cpu_times"]):
        times = process.info["cpu_times"]
        if times is not None and process.pid != psutil.Process().pid:
            found.append((process.pid, str(process.info["name"]), float(times.user + times.system)))
    now = usage()
    return Look(
        steal_s=float(getattr(psutil.cpu_times(), "steal", 0.0)),
        others=tuple(found),
        other_s=None if now.busy_s is None else now.busy_s - now.own_s,
    )


def signs(
    before: Look, after: Look, elapsed_s: float, reference_kernel_s: Sequence[float], root: Path = ROOT
) -> tuple[Sign, ...]:
    """Everything that was checked, in a fixed order. `reference_kernel_s`: its durations between the two readings."""
    return (
        _reference(reference_kernel_s),
        _others(before, after, elapsed_s),
        _steal(after.steal_s - before.steal_s, elapsed_s),
        _virtual(root),
        _processors(len(allowed_cpus())),
        _governor(root),
        _threads(root),
        _quota(root),
        _memory(root),
        _swap(),
        _pressure(root, "memory"),
        _pressure(root, "cpu"),
    )


def _reference(reference_kernel_s: Sequence[float]) -> Sign:
    middle = median(reference_kernel_s)
    # 1.4826: as a standard deviation, were it normal
    spread = median([abs(x - middle) for x in reference_kernel_s]) * 1.4826 / middle
    return _sign(
        "reference kernel",
        f"{len(reference_kernel_s)} runs of the same work spread by {percent(spread)}, the slowest took "
        f"{number(max(reference_kernel_s) / min(reference_kernel_s))} times the fastest",
        bad=spread > REFERENCE_SPREAD,
        advice="end other work, or measure on a quieter host",
    )


def _others(before: Look, after: Look, elapsed_s: float) -> Sign:
    earlier = {pid: used for pid, _, used in before.others}
    shares = [(max(0.0, used - earlier.get(pid, used)) / elapsed_s, name, pid) for pid, name, used in after.others]
    total, busy = sum(s for s, _, _ in shares), sorted((s for s in shares if s[0] >= BUSY_SHARE), reverse=True)
    if before.other_s is not None and after.other_s is not None:
        total = max(total, (after.other_s - before.other_s) / elapsed_s)
    named = ", ".join(f"{name} ({pid}) {percent(share)}" for share, name, pid in busy[:5])
    found = f"used {percent(total)} of a processor{': ' + named if named else ''}"
    return _sign("other processes", found, bad=total > OTHER_SHARE, advice="end them, or wait until they have ended")


def _steal(steal_s: float, elapsed_s: float) -> Sign:
    share = steal_s / elapsed_s
    found = f"the hypervisor took {percent(share)} of a processor (many hypervisors do not report it)"
    return _sign("steal", found, bad=share > STEAL_SHARE, advice="use a host with dedicated processors")


def _virtual(root: Path) -> Sign:
    virtual = describe(root).virtual
    if virtual is None:
        return Sign(name="virtual machine", state="unknown", found="not known")
    found = "yes: neighbours that cannot be seen share caches and memory bandwidth" if virtual else "no"
    advice = "compare side by side with harness ab, never between sessions"
    return _sign("virtual machine", found, bad=virtual, advice=advice, state="note")


def _processors(count: int) -> Sign:
    """Whatever else runs halts one of a step's threads, and the others wait for it. Measured on two processors: what
    neighbouring processes of one code differ by, 3 % on one thread and 7.5 % on two (docs/explanation/alarms.md)."""
    few = count <= FEW_PROCESSORS
    return Sign(
        name="processors",
        state="note" if few else "fine",
        found=f"{count} usable" + (": a model that uses all of them is halted by whatever else runs" if few else ""),
        advice="compare on one thread: `threads: 1` under measure" if few and count > 1 else "",
    )


def _governor(root: Path) -> Sign:
    folder = root / "sys/devices/system/cpu"
    found = {read_text(folder / f"cpu{n}/cpufreq/scaling_governor") for n in allowed_cpus()} - {None}
    if not found:
        return Sign(name="frequency governor", state="unknown", found="not shown to this system")
    names, advice = ", ".join(sorted(map(str, found))), "cpupower frequency-set -g performance (needs root)"
    return _sign("frequency governor", names, bad=found != {"performance"}, advice=advice, state="note")


def _threads(root: Path) -> Sign:
    active = read_text(root / "sys/devices/system/cpu/smt/active")
    if active is None:
        return Sign(name="hardware threads", state="unknown", found="not shown to this system")
    found = "two of a core share its units" if active == "1" else "one a core"
    advice = "use no more threads than cores (harness does by default)"
    return _sign("hardware threads", found, bad=active == "1", advice=advice, state="note")


def _quota(root: Path) -> Sign:
    quota = cpu_quota(root)
    found = "none" if quota is None else f"{number(quota)} processors' worth of time"
    short = quota is not None and quota < len(allowed_cpus())
    advice = "a container that uses more is halted in mid-step: use fewer threads"
    return _sign("processor limit", found, bad=short, advice=advice, state="note")


def _memory(root: Path) -> Sign:
    total, free = memory(root)
    found = f"{binary(free)} of {binary(total)} free"
    return _sign("memory", found, bad=free < 0.1 * total, advice="close other programs")


def _swap() -> Sign:
    used = int(psutil.swap_memory().used)
    found = f"{binary(used)} used" if used else "none used"
    advice = "free memory: what is swapped out comes back during a measurement"
    return _sign("swap", found, bad=used > 0, advice=advice, state="note")


def _pressure(root: Path, kind: str) -> Sign:
    """Share of the last minute in which some task waited (`some avg60` of pressure stall information)."""
    first = (read_text(root / "proc/pressure" / kind) or "").split("\n")[0]
    value = next((f.removeprefix("avg60=") for f in first.split() if f.startswith("avg60=")), None)
    if value is None:
        return Sign(name=f"{kind} pressure", state="unknown", found="not reported by this kernel")
    found = f"some task waited for {number(float(value))} % of the last minute"
    state: State = "noisy" if kind == "memory" else "note"
    return _sign(f"{kind} pressure", found, bad=float(value) > PRESSURE, advice="fewer programs at once", state=state)
