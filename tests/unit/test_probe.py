"""The host's ceilings: the kernels compute what they claim, the best run counts, and memory is not exhausted for it."""

import numpy as np
import pytest

from harness.errors import UnfitHostError
from harness.measure.host.ceilings import KERNELS, STREAM_KERNELS, Kernel, best_s, graph_of, stream_bytes_of, weights_of
from harness.runtime.session import open_session
from tests.clock import ScriptedClock

SHAPE = (3, 512, 64)


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda k: f"{k.precision}-{k.title}")
def test_each_kernel_multiplies_every_weight(kernel: Kernel) -> None:
    """With constant inputs each output is K times the input times the weight: one that skipped work would differ."""
    m, k, n = SHAPE
    weights = weights_of(kernel, SHAPE)
    session = open_session(graph_of(kernel, SHAPE), weights, 1)
    out = np.zeros((m, n), np.float32)
    session.bind_input("x", np.full((m, k), 0.5, np.float32))
    session.bind_output("y", out)
    session.run()
    if kernel.operator == "MatMul":
        weight = [0.5]
    elif kernel.operator == "DynamicQuantizeMatMul":
        weight = [127 * 0.01]  # the largest: sums of two saturate where a kernel has 16 bits for them
    elif kernel.bits == 8:
        weight = [(0x53 - 128) * 0.01]
    else:
        weight = [(0x3 - 8) * 0.01, (0x5 - 8) * 0.01]  # low and high half of 0x53 in turn, zero point 8
    expected = k * 0.5 * sum(weight) / len(weight)
    assert np.allclose(out, expected, rtol=0.01)


def test_what_the_runtime_refuses_is_one_line_of_ours() -> None:
    """Loading a graph whose weights do not fit it, and running with an input unbound."""
    kernel = KERNELS[0]
    with pytest.raises(UnfitHostError, match="could not load the model"):
        open_session(graph_of(kernel, SHAPE), weights_of(kernel, (3, 512, 32)), 1)
    session = open_session(graph_of(kernel, SHAPE), weights_of(kernel, SHAPE), 1)
    session.bind_output("y")
    with pytest.raises(UnfitHostError, match="could not run the model") as caught:
        session.run()
    assert "\n" not in str(caught.value)


def test_a_stored_weight_has_as_many_bits_as_its_kernel_says() -> None:
    for kernel in KERNELS:
        _, k, n = SHAPE
        assert weights_of(kernel, SHAPE)["weight"].nbytes * 8 == k * n * kernel.bits


def test_reading_is_tried_at_every_size_of_weight() -> None:
    assert {kernel.bits for kernel in STREAM_KERNELS} == {kernel.bits for kernel in KERNELS}


def test_the_best_run_counts_and_the_first_does_not() -> None:
    clock = ScriptedClock()
    step = clock.step_of(1, 30_000_000, 20_000_000, 25_000_000)
    assert best_s(step, time_s=0.06, clock=clock) == 0.02
    slow = ScriptedClock()
    assert best_s(slow.step_of(9_000_000_000), time_s=0.06, clock=slow) == 9.0


def test_reading_goes_far_beyond_the_cache_but_not_beyond_memory() -> None:
    gib = 1 << 30
    assert stream_bytes_of(32 << 20, 16 * gib) == 128 << 20
    assert stream_bytes_of(None, 16 * gib) == 128 << 20
    assert stream_bytes_of(768 << 20, 512 * gib) == 2 * gib
    with pytest.raises(UnfitHostError, match=r"128 MiB to read.*free some memory"):
        stream_bytes_of(64 << 20, gib)
