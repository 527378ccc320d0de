"""A host is described as its files say; a container's limits count; what cannot be read is None."""

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from harness.measure.host import description
from harness.measure.host.description import Usage


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return root


def cache(cpu: int, index: int, level: int, size: str, shared: str, kind: str = "Unified") -> dict[str, str]:
    folder = f"sys/devices/system/cpu/cpu{cpu}/cache/index{index}/"
    return {
        folder + name: text + "\n"
        for name, text in {"level": str(level), "size": size, "type": kind, "shared_cpu_list": shared}.items()
    }


def test_this_host_is_described() -> None:
    here = description.describe()
    assert 1 <= here.cores <= (os.cpu_count() or 1)
    assert 0 < here.available_bytes <= here.memory_bytes <= psutil.virtual_memory().total
    assert here.timer_resolution_s is not None and 0 < here.timer_resolution_s < 1e-3
    assert dict(here.packages)["numpy"]
    assert here.fingerprint == description.describe().fingerprint


def test_shared_caches_count_once_and_separate_ones_add_up(tmp_path: Path) -> None:
    files: dict[str, str] = {}
    for cpu, cluster in ((0, "0-1"), (1, "0-1"), (2, "2-3"), (3, "2-3")):
        files |= cache(cpu, 0, 1, "32K", str(cpu), "Data") | cache(cpu, 1, 1, "64K", str(cpu), "Instruction")
        files |= cache(cpu, 3, 3, "32768K", cluster)
    root = tree(tmp_path, files)
    assert description.last_level_cache_bytes((0, 1, 2, 3), root) == 64 << 20
    assert description.last_level_cache_bytes((0,), root) == 32 << 20
    assert description.last_level_cache_bytes((7,), root) is None


def test_a_second_level_is_the_last_where_there_is_no_third(tmp_path: Path) -> None:
    root = tree(tmp_path, cache(0, 0, 1, "32K", "0", "Data") | cache(0, 1, 2, "2M", "0"))
    assert description.last_level_cache_bytes((0,), root) == 2 << 20


def test_hardware_threads_of_a_core_count_once(tmp_path: Path) -> None:
    cpus = description.allowed_cpus()
    shared = ",".join(map(str, cpus))
    files = {f"sys/devices/system/cpu/cpu{n}/topology/thread_siblings_list": shared + "\n" for n in cpus}
    assert description.usable_cores(tree(tmp_path, files)) == 1


@pytest.mark.parametrize(
    ("files", "quota"),
    [
        ({}, None),
        ({"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/cpu.max": "max 100000\n"}, None),
        ({"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/cpu.max": "150000 100000\n"}, 1.5),
        (
            {
                "proc/self/cgroup": "0::/a/b\n",
                "sys/fs/cgroup/a/cpu.max": "100000 100000\n",
                "sys/fs/cgroup/a/b/cpu.max": "400000 100000\n",
            },
            1.0,
        ),
        (
            {
                "proc/self/cgroup": "4:cpu,cpuacct:/c\n",
                "sys/fs/cgroup/cpu/c/cpu.cfs_quota_us": "50000\n",
                "sys/fs/cgroup/cpu/c/cpu.cfs_period_us": "100000\n",
            },
            0.5,
        ),
        ({"proc/self/cgroup": "0::/../../a\n", "sys/fs/cgroup/cpu.max": "300000 100000\n"}, 3.0),
    ],
)
def test_a_groups_share_of_processor_time_is_found(tmp_path: Path, files: dict[str, str], quota: float | None) -> None:
    assert description.cpu_quota(tree(tmp_path, files)) == quota


def test_half_a_processor_is_still_one_core(tmp_path: Path) -> None:
    files = {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "50000 100000\n"}
    assert description.usable_cores(tree(tmp_path, files)) == 1


@pytest.mark.parametrize(
    ("group", "folder", "limit", "used"),
    [
        ("0::/job\n", "job", "memory.max", "memory.current"),
        ("7:memory:/job\n", "memory/job", "memory.limit_in_bytes", "memory.usage_in_bytes"),
    ],
)
def test_a_groups_memory_limit_counts(tmp_path: Path, group: str, folder: str, limit: str, used: str) -> None:
    base = f"sys/fs/cgroup/{folder}/"
    root = tree(
        tmp_path,
        {
            "proc/self/cgroup": group,
            base + limit: f"{64 << 20}\n",
            base + used: f"{50 << 20}\n",
            base + "memory.stat": f"anon 1\ninactive_file {10 << 20}\n",
        },
    )
    assert description.memory(root) == (64 << 20, 24 << 20), "file pages that can be given back are free"


@pytest.mark.parametrize("limit", ["max", str((1 << 63) - 4096)])
def test_no_limit_is_the_systems_memory(tmp_path: Path, limit: str) -> None:
    root = tree(tmp_path, {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": limit + "\n"})
    assert description.memory(root)[0] == psutil.virtual_memory().total


def test_a_host_without_such_files_has_unknowns(tmp_path: Path) -> None:
    bare = description.describe(tmp_path)
    assert (bare.cpu, bare.last_level_cache_bytes, bare.virtual, bare.frequency_hz) == (None, None, None, None)
    assert bare.instruction_sets == () and bare.cores >= 1


def test_names_and_flags_come_from_the_processors_own_list(tmp_path: Path) -> None:
    info = "model name\t: Example 9000\ncpu MHz\t\t: 2500.5\nflags\t\t: fpu avx2 fma amx_int8 hypervisor\n\n"
    found = description.describe(tree(tmp_path, {"proc/cpuinfo": info * 2}))
    assert found.cpu == "Example 9000" and found.virtual is True and found.frequency_hz == 2.5005e9
    assert found.instruction_sets == ("fma", "avx2", "amx_int8")


def test_processor_time_of_others_is_what_is_left(tmp_path: Path) -> None:
    tick = os.sysconf("SC_CLK_TCK")
    stat = tree(tmp_path, {"stat": f"cpu {2 * tick} 0 {tick} 99 5 0 {tick} {3 * tick} 0 0\ncpu0 1\n"}) / "stat"
    seen = description.usage(stat)
    assert (seen.busy_s, seen.steal_s) == (4.0, 3.0)
    between = Usage(own_s=2.0, busy_s=5.0, steal_s=3.0).since(Usage(own_s=0.5, busy_s=1.0, steal_s=3.0))
    assert between == Usage(own_s=1.5, busy_s=4.0, steal_s=0.0) and between.other_s == 2.5
    assert description.usage(tmp_path / "none").other_s is None


def test_peak_memory_is_this_processs_and_not_its_parents() -> None:
    """getrusage would say at least what the parent held when it started the child."""
    held = bytearray(400 << 20)
    program = "from harness.measure.host.description import peak_rss_bytes; print(peak_rss_bytes())"
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert 5 << 20 < int(out) < len(held)
