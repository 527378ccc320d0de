"""Products of integers on this processor."""

import platform
from pathlib import Path

import pytest

from harness.runtime.session import exact_byte

CPUINFO = Path("/proc/cpuinfo")


@pytest.mark.skipif(platform.machine() != "x86_64" or not CPUINFO.exists(), reason="reads Linux's flags of an x86-64")
def test_processors_with_vnni_take_signed_codes_and_others_do_not() -> None:
    flags = set(next(line for line in CPUINFO.read_text().splitlines() if line.startswith("flags")).split())
    assert (exact_byte() == "int8") == bool(flags & {"avx512_vnni", "avx_vnni"} or "avx2" not in flags)
