"""What this host is (processor, usable cores, cache, memory, versions) and how it is at one moment: processor time,
frequency, memory stall (PSI).

A container's limits count: cores are those that this process may use, memory is what its control group allows. Files
are read below `root`, so that a test can use a fixture host. What cannot be read is None.
"""

import os
import platform
import re
import sys
import time
from collections.abc import Collection, Iterator
from pathlib import Path

import psutil

from harness.files.installed import installed_version
from harness.results.record import Host
from harness.vocabulary import Frozen

ROOT = Path("/")

PACKAGES = ("harness", "numpy", "onnx", "onnxruntime", "pydantic", "scipy")
"""What the figures depend on."""

INSTRUCTION_SETS = (
    # x86, as /proc/cpuinfo spells them: what matrix kernels choose by
    *("sse4_2", "avx", "f16c", "fma", "avx2", "avx_vnni", "avx512f", "avx512bw", "avx512_vnni", "avx512_bf16"),
    *("avx512_fp16", "amx_tile", "amx_int8", "amx_bf16"),
    # Arm
    *("asimd", "asimddp", "fphp", "sve", "sve2", "i8mm", "bf16", "sme"),
)


def describe(root: Path = ROOT) -> Host:
    """This host as a record keeps it."""
    cpus = allowed_cpus()
    info = _cpuinfo(root)
    flags = info.get("flags", info.get("Features", "")).split()
    memory_bytes, available_bytes = memory(root)
    return Host(
        cpu=_model_name(info, root),
        architecture=platform.machine(),
        cores=usable_cores(root),
        last_level_cache_bytes=last_level_cache_bytes(cpus, root),
        memory_bytes=memory_bytes,
        available_bytes=available_bytes,
        instruction_sets=tuple(name for name in INSTRUCTION_SETS if name in flags),
        system=platform.system(),
        kernel=platform.release() or None,
        virtual=("hypervisor" in flags) if flags and "flags" in info else None,
        frequency_hz=_frequency_hz(info),
        load_1min=os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        timer_resolution_s=timer_resolution_s(),
        python=platform.python_version(),
        packages=tuple((name, found) for name in PACKAGES if (found := installed_version(name)) is not None),
    )


def allowed_cpus() -> tuple[int, ...]:
    """Numbers of the logical processors that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return tuple(sorted(os.sched_getaffinity(0)))
    return tuple(range(os.cpu_count() or 1))


def usable_cores(root: Path = ROOT) -> int:
    """Physical cores that this process may use at once: hardware threads of one core count once, and a control group's
    share of processor time counts as so many whole processors."""
    cpus = allowed_cpus()
    siblings = {_read(root, f"sys/devices/system/cpu/cpu{n}/topology/thread_siblings_list") or str(n) for n in cpus}
    physical = len(siblings)
    if not (root / "sys/devices/system/cpu").is_dir():
        physical = psutil.cpu_count(logical=False) or len(cpus)
    quota = cpu_quota(root)
    return max(1, physical if quota is None else min(physical, int(quota)))


def cpu_quota(root: Path = ROOT) -> float | None:
    """Processors' worth of time that the control group may use, the tightest on the way up; None without a limit."""
    quotas = []
    for folder in _cgroup_folders(root, "cpu"):
        limit, period = (_read(folder, "cpu.max") or "max 100000").split()[:2]
        if limit == "max":
            limit = _read(folder, "cpu.cfs_quota_us") or "-1"
            period = _read(folder, "cpu.cfs_period_us") or "100000"
        if int(limit) > 0:
            quotas.append(int(limit) / int(period))
    return min(quotas, default=None)


def memory(root: Path = ROOT) -> tuple[int, int]:
    """Bytes of memory that this process may use at most, and that are free now, within its control group's limit."""
    system = psutil.virtual_memory()
    total, available = int(system.total), int(system.available)
    for folder in _cgroup_folders(root, "memory"):
        limit = _read(folder, "memory.max") or _read(folder, "memory.limit_in_bytes") or "max"
        used = _read(folder, "memory.current") or _read(folder, "memory.usage_in_bytes") or "0"
        # version 1 writes "no limit" as a number near 2^63
        if limit != "max" and int(limit) < total:
            total = int(limit)
            available = min(available, max(0, total - int(used) + _reclaimable(folder)))
    return total, available


def _reclaimable(folder: Path) -> int:
    """File pages that the kernel gives back before it refuses memory: they count as used, and are not."""
    for line in (_read(folder, "memory.stat") or "").splitlines():
        name, _, value = line.partition(" ")
        if name in ("inactive_file", "total_inactive_file"):
            return int(value)
    return 0


def last_level_cache_bytes(cpus: tuple[int, ...], root: Path = ROOT) -> int | None:
    """Bytes of last-level cache that `cpus` reach together: shared caches count once, separate ones add up."""
    found: dict[tuple[int, str], int] = {}
    for cpu in cpus:
        for index in sorted((root / f"sys/devices/system/cpu/cpu{cpu}/cache").glob("index*")):
            level, size, kind = (_read(index, name) for name in ("level", "size", "type"))
            shared = _read(index, "shared_cpu_list") or str(cpu)
            if level is not None and size is not None and kind != "Instruction":
                found[(int(level), shared)] = _size(size)
    if found:
        last = max(level for level, _ in found)
        return sum(size for (level, _), size in found.items() if level == last)
    return _cache_from_cpuinfo() if root == ROOT else None


def _cache_from_cpuinfo() -> int | None:
    """Slow (it may take a second), so only where /sys does not say."""
    from cpuinfo import get_cpu_info

    info = get_cpu_info()
    size = info.get("l3_cache_size") or info.get("l2_cache_size")
    return int(size) if isinstance(size, int) and size > 0 else None


def timer_resolution_s(samples: int = 1000) -> float | None:
    """The smallest step of the clock that was seen, which includes the cost of reading it twice."""
    steps = []
    for _ in range(samples):
        before = time.perf_counter_ns()
        steps.append(time.perf_counter_ns() - before)
    smallest = min((step for step in steps if step > 0), default=None)
    return None if smallest is None else max(smallest / 1e9, time.get_clock_info("perf_counter").resolution)


class Usage(Frozen):
    """Processor time since some fixed past, or between two moments (`since`)."""

    own_s: float
    busy_s: float | None = None
    steal_s: float | None = None

    @property
    def other_s(self) -> float | None:
        """CPU time of other processes. The kernel counts `busy_s` in ticks, so small values are rough."""
        return None if self.busy_s is None else max(0.0, self.busy_s - self.own_s)

    def since(self, earlier: "Usage") -> "Usage":
        return Usage(
            own_s=self.own_s - earlier.own_s,
            busy_s=difference(self.busy_s, earlier.busy_s),
            steal_s=difference(self.steal_s, earlier.steal_s),
        )


def difference(now: float | None, then: float | None) -> float | None:
    """What a counter of seconds went up by; None where it could not be read both times."""
    return None if now is None or then is None else max(0.0, now - then)


def usage(stat: Path = Path("/proc/stat")) -> Usage:
    """Processor time of this process (all threads) and of the whole host so far."""
    own_s = time.process_time()
    fields = (read_text(stat) or "").split("\n", 1)[0].split()
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
    known = _status_bytes(status, "VmHWM:")
    if known is not None:
        return known
    try:
        import resource
    except ImportError:  # no Unix
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return (peak if sys.platform == "darwin" else peak * 1024) or None


def rss_bytes(status: Path = Path("/proc/self/status")) -> int | None:
    """The resident size of this process now, or None where the system does not tell."""
    return _status_bytes(status, "VmRSS:")


def _status_bytes(status: Path, name: str) -> int | None:
    """A size of proc_pid_status(5), which counts in KiB."""
    lines = (read_text(status) or "").splitlines()
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(name)), None)


def _cgroup_folders(root: Path, controller: str) -> Iterator[Path]:
    """The folders of this process's control group and of all above it, versions 1 and 2."""
    for line in (_read(root, "proc/self/cgroup") or "").splitlines():
        number, controllers, path = [*line.split(":", 2), "", "", ""][:3]
        if number == "0" and not controllers:
            top = root / "sys/fs/cgroup"
        elif controller in controllers.split(","):
            top = root / "sys/fs/cgroup" / controller
        else:
            continue
        parts = [part for part in path.split("/") if part not in ("", "..")]
        for depth in range(len(parts), -1, -1):
            folder = top.joinpath(*parts[:depth])
            if folder.is_dir():
                yield folder


def _cpuinfo(root: Path) -> dict[str, str]:
    """Fields of the first processor in /proc/cpuinfo."""
    first = (_read(root, "proc/cpuinfo") or "").split("\n\n")[0]
    pairs = (line.partition(":") for line in first.splitlines())
    return {key.strip(): value.strip() for key, colon, value in pairs if colon}


def _model_name(info: dict[str, str], root: Path) -> str | None:
    if name := info.get("model name"):
        return name
    if root != ROOT:
        return None
    from cpuinfo import get_cpu_info

    brand = get_cpu_info().get("brand_raw")
    return brand if isinstance(brand, str) and brand else platform.processor() or None


def _frequency_hz(info: dict[str, str]) -> float | None:
    """The frequency that the processor reports now; on virtual machines often a nominal one."""
    try:
        return float(info["cpu MHz"]) * 1e6
    except (KeyError, ValueError):
        return None


def _size(text: str) -> int:
    """Bytes of a size as the kernel writes it: 32768K."""
    factor = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}.get(text[-1:], 1)
    return int(text.rstrip("KMG")) * factor


def _read(folder: Path, name: str) -> str | None:
    return read_text(folder / name)


def read_text(path: Path) -> str | None:
    """A file of the kernel's, None where it is not there or may not be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return None


_CPUINFO = re.compile(r"^(processor|cpu MHz)\s*:\s*([0-9.]+)\s*$", re.MULTILINE)
_STALLED = re.compile(r"^some .*\btotal=([0-9]+)", re.MULTILINE)


def current_frequency_hz(cpus: Collection[int], root: Path = Path("/")) -> float | None:
    """The mean frequency of `cpus`: as the frequency driver reports it, or as /proc/cpuinfo does. None where neither
    tells. A virtual machine often shows a nominal figure that never moves."""
    folder = root / "sys/devices/system/cpu"
    found = [hz for cpu in cpus if (hz := _khz(folder / f"cpu{cpu}/cpufreq/scaling_cur_freq")) is not None]
    if not found:
        found = [hz for cpu, hz in _listed(root / "proc/cpuinfo").items() if cpu in cpus]
    return sum(found) / len(found) if found else None


def memory_stall_s(root: Path = Path("/")) -> float | None:
    """Seconds since start-up in which at least one task of the host waited for memory: reclaim, swap, refaults.

    The line `some` of pressure stall information, in microseconds (kernel documentation, accounting/psi). None on
    kernels without it.
    """
    stalled = _STALLED.search(_read(root, "proc/pressure/memory") or "")
    return int(stalled[1]) / 1e6 if stalled else None


def _khz(path: Path) -> float | None:
    """Hertz from a file that holds kilohertz; a driver that does not know writes 0 or '<unknown>'."""
    text = read_text(path) or ""
    return int(text) * 1e3 or None if text.isascii() and text.isdigit() else None


def _listed(path: Path) -> dict[int, float]:
    """Hertz of each processor that /proc/cpuinfo gives megahertz for."""
    found, cpu = {}, 0
    for name, value in _CPUINFO.findall(read_text(path) or ""):
        if name == "processor":
            cpu = int(value)
        elif float(value) > 0:
            found[cpu] = float(value) * 1e6
    return found
