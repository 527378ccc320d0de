"""What makes timings on this host noisy, and what could be done about it. Reads /proc and /sys; changes nothing.

Two looks some seconds apart, with a fixed piece of work timed between them by the caller. Files are read below `root`,
so that a test can describe a host that is not there. What cannot be read is unknown, never fine.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import psutil

from harness.measure.host.description import ROOT, allowed_cpus, cpu_quota, describe, memory, usage
from harness.stats import median
from harness.units import binary, number, percent
from harness.vocabulary import Frozen

State = Literal["fine", "note", "noisy", "unknown"]
FEW_PROCESSORS = 2
BUSY_SHARE = 0.05
"""Processors' worth of time of one other process from which it is named."""
FOREIGN_SHARE, STEAL_SHARE, REFERENCE_SPREAD, PRESSURE = 0.10, 0.01, 0.10, 1.0
"""As in record.validity; pressure: percent of the last minute in which something waited (kernel documentation, PSI)."""


class Sign(Frozen):
    """One thing that was looked at. `advice` is empty where nothing needs doing."""

    name: str
    state: State
    found: str
    advice: str = ""


class Look(Frozen):
    """Counters at one moment: all in seconds of processor time since some fixed past."""

    steal_s: float
    others: tuple[tuple[int, str, float], ...]
    foreign_s: float | None = None
    """Of all others, those included that have ended since: what `others` cannot show."""


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
        foreign_s=None if now.busy_s is None else now.busy_s - now.own_s,
    )


def signs(
    before: Look, after: Look, elapsed_s: float, reference_kernel_s: Sequence[float], root: Path = ROOT
) -> tuple[Sign, ...]:
    """Everything that was looked at, in a fixed order. `reference_kernel_s`: durations of the fixed work between the
    looks."""
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
    spread = (
        median([abs(x - middle) for x in reference_kernel_s]) * 1.4826 / middle
    )  # as a standard deviation, were it normal
    return Sign(
        name="reference kernel",
        state="noisy" if spread > REFERENCE_SPREAD else "fine",
        found=f"{len(reference_kernel_s)} runs of the same work spread by {percent(spread)}, the slowest took "
        f"{number(max(reference_kernel_s) / min(reference_kernel_s))} times the fastest",
        advice="end other work, or measure on a quieter host" if spread > REFERENCE_SPREAD else "",
    )


def _others(before: Look, after: Look, elapsed_s: float) -> Sign:
    earlier = {pid: used for pid, _, used in before.others}
    shares = [(max(0.0, used - earlier.get(pid, used)) / elapsed_s, name, pid) for pid, name, used in after.others]
    total, busy = sum(s for s, _, _ in shares), sorted((s for s in shares if s[0] >= BUSY_SHARE), reverse=True)
    if before.foreign_s is not None and after.foreign_s is not None:
        total = max(total, (after.foreign_s - before.foreign_s) / elapsed_s)
    named = ", ".join(f"{name} ({pid}) {percent(share)}" for share, name, pid in busy[:5])
    return Sign(
        name="other processes",
        state="noisy" if total > FOREIGN_SHARE else "fine",
        found=f"used {percent(total)} of a processor{': ' + named if named else ''}",
        advice="end them, or wait until they have ended" if total > FOREIGN_SHARE else "",
    )


def _steal(steal_s: float, elapsed_s: float) -> Sign:
    share = steal_s / elapsed_s
    return Sign(
        name="steal",
        state="noisy" if share > STEAL_SHARE else "fine",
        found=f"the hypervisor took {percent(share)} of a processor (many hypervisors do not report it)",
        advice="use a host with dedicated processors" if share > STEAL_SHARE else "",
    )


def _virtual(root: Path) -> Sign:
    virtual = describe(root).virtual
    if not virtual:
        return Sign(name="virtual machine", state="unknown" if virtual is None else "fine", found=_said(virtual))
    return Sign(
        name="virtual machine",
        state="note",
        found="yes: neighbours that cannot be seen share caches and memory bandwidth",
        advice="compare side by side with harness ab, never between sessions",
    )


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
    found = {_text(folder / f"cpu{n}/cpufreq/scaling_governor") for n in allowed_cpus()} - {None}
    if not found:
        return Sign(name="frequency governor", state="unknown", found="not shown to this system")
    slow = found != {"performance"}
    return Sign(
        name="frequency governor",
        state="note" if slow else "fine",
        found=", ".join(sorted(str(g) for g in found)),
        advice="cpupower frequency-set -g performance (needs root)" if slow else "",
    )


def _threads(root: Path) -> Sign:
    active = _text(root / "sys/devices/system/cpu/smt/active")
    if active is None:
        return Sign(name="hardware threads", state="unknown", found="not shown to this system")
    return Sign(
        name="hardware threads",
        state="note" if active == "1" else "fine",
        found="two of a core share its units" if active == "1" else "one a core",
        advice="use no more threads than cores (harness does by default)" if active == "1" else "",
    )


def _quota(root: Path) -> Sign:
    quota = cpu_quota(root)
    short = quota is not None and quota < len(allowed_cpus())
    return Sign(
        name="processor limit",
        state="note" if short else "fine",
        found="none" if quota is None else f"{number(quota)} processors' worth of time",
        advice="a container that uses more is halted in mid-step: use fewer threads" if short else "",
    )


def _memory(root: Path) -> Sign:
    total, free = memory(root)
    short = free < 0.1 * total
    return Sign(
        name="memory",
        state="noisy" if short else "fine",
        found=f"{binary(free)} of {binary(total)} free",
        advice="close other programs" if short else "",
    )


def _swap() -> Sign:
    used = int(psutil.swap_memory().used)
    return Sign(
        name="swap",
        state="note" if used else "fine",
        found=f"{binary(used)} used" if used else "none used",
        advice="free memory: what is swapped out comes back during a measurement" if used else "",
    )


def _pressure(root: Path, kind: str) -> Sign:
    """Share of the last minute in which some task waited (`some avg60` of pressure stall information)."""
    first = (_text(root / "proc/pressure" / kind) or "").split("\n")[0]
    value = next((f.removeprefix("avg60=") for f in first.split() if f.startswith("avg60=")), None)
    if value is None:
        return Sign(name=f"{kind} pressure", state="unknown", found="not reported by this kernel")
    waited = float(value)
    high = waited > PRESSURE
    return Sign(
        name=f"{kind} pressure",
        state=("noisy" if kind == "memory" else "note") if high else "fine",
        found=f"some task waited for {number(waited)} % of the last minute",
        advice="fewer programs at once" if high else "",
    )


def _said(virtual: bool | None) -> str:
    return "not known" if virtual is None else "no"


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return None
