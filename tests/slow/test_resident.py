"""What a loaded model holds, by the operating system's account, in a process of its own as measuring processes are."""

import subprocess
import sys

import pytest

from harness.catalog.models import preset
from harness.model.tensors import stored_bytes
from harness.vocabulary import Phase, RunPrecision

pytestmark = pytest.mark.slow

PROGRAM = """
import sys
import harness.measure.worker
from harness.measure.host.description import rss_bytes
from harness.catalog.models import preset
from harness.runtime.engine import Engine
engine = Engine.load(preset("moe-1b"), sys.argv[1], threads=2, seed=0, first=sys.argv[2])
print(rss_bytes())
"""

MOST: tuple[tuple[RunPrecision, Phase, float], ...] = (
    ("int4", "prefill", 1.3),
    ("int4", "decode", 1.3),
    ("int8", "prefill", 1.3),
    ("int8", "decode", 1.3),
    ("fp32", "prefill", 1.5),
    ("fp32", "decode", 1.5),
)
"""Resident over stored bytes, most that is allowed."""


@pytest.mark.parametrize(("precision", "phase", "most"), MOST)
def test_a_loaded_model_takes_little_more_than_its_weights(precision: RunPrecision, phase: Phase, most: float) -> None:
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM, precision, phase], capture_output=True, text=True, check=True, timeout=300
    )
    assert int(run.stdout) < most * stored_bytes(preset("moe-1b"), precision)
