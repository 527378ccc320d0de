"""The project's own benchmarks: a small sparse model and its dense counterparts, prefill and decode.

`pytest tests/benchmarks --benchmark-json=FILE` writes rates that `harness compare` and other tools read.
"""

import numpy as np
import pytest

from harness.pytest_plugin import ModelBenchmark, TimedCase, case

CASES = (
    case("moe-tiny", "prefill", tokens=64),
    case("moe-tiny", "decode", batch=1),
    case("moe-tiny", "decode", batch=8),
    case("moe-tiny:equal-total", "decode", batch=1),
    case("moe-tiny:equal-active", "decode", batch=1),
)


@pytest.mark.parametrize("which", CASES, ids=str)
def test_rate(harness_benchmark: ModelBenchmark, which: TimedCase) -> None:
    logits = harness_benchmark(which, rounds=20)
    assert logits.shape == (which.workload.batch, which.variant.spec.vocab_size)
    assert np.isfinite(logits).all() and np.ptp(logits) > 0
