"""The host at one moment: what the kernel shows is read, what it hides is unknown and never 0."""

from pathlib import Path

import pytest

from harness.measure.host.description import current_frequency_hz, memory_stall_s
from tests.unit.test_host import tree

CPUINFO = "".join(
    f"processor\t: {n}\ncpu MHz\t\t: {mhz}\nflags\t: fpu\n\n" for n, mhz in enumerate((2000.5, 3000.5, 1))
)
PRESSURE = "some avg10=0.00 avg60=0.12 avg300=0.00 total=2500000\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=7\n"


def driver(cpu: int, text: str) -> dict[str, str]:
    return {f"sys/devices/system/cpu/cpu{cpu}/cpufreq/scaling_cur_freq": text}


def test_the_driver_is_believed_before_the_list(tmp_path: Path) -> None:
    root = tree(tmp_path, {"proc/cpuinfo": CPUINFO, **driver(0, "1500000\n"), **driver(1, "2500000\n")})
    assert current_frequency_hz((0, 1), root) == 2e9
    assert current_frequency_hz((1,), root) == 2.5e9


@pytest.mark.parametrize("text", ["0\n", "<unknown>\n", "", "\xff"])
def test_a_driver_that_does_not_know_is_no_source(tmp_path: Path, text: str) -> None:
    assert current_frequency_hz((0, 1), tree(tmp_path, {"proc/cpuinfo": CPUINFO, **driver(0, text)})) == 2500.5e6


@pytest.mark.parametrize("files", [{}, {"proc/cpuinfo": "processor : 0\nBogoMIPS : 48\n"}, {"proc/cpuinfo": CPUINFO}])
def test_a_frequency_that_nobody_tells_is_unknown(tmp_path: Path, files: dict[str, str]) -> None:
    assert current_frequency_hz((7,), tree(tmp_path, files)) is None


def test_waits_for_memory_are_those_of_any_task(tmp_path: Path) -> None:
    assert memory_stall_s(tree(tmp_path, {"proc/pressure/memory": PRESSURE})) == 2.5


@pytest.mark.parametrize("files", [{}, {"proc/pressure/memory": ""}, {"proc/pressure/memory": "some total=x"}])
def test_waits_that_the_kernel_hides_are_unknown(tmp_path: Path, files: dict[str, str]) -> None:
    assert memory_stall_s(tree(tmp_path, files)) is None
