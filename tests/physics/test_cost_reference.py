"""What a step costs beside its work: launches, which no ceiling counts."""

import pytest

from harness.catalog.chips import chip
from harness.catalog.models import released
from harness.roofline.ceiling import ceiling
from harness.roofline.deployment import Deployment
from harness.roofline.overheads import launch_s

FULL = Deployment(precision="int8", batch=96, context_tokens=4096, chips=160, mtp_drafts=1, mtp_acceptance=0.7)


def test_launches_count_at_small_batches_and_vanish_at_large_ones() -> None:
    spec, package = released("deepseek-r1").spec, chip("ascend-910c")
    shares = []
    for batch in (1.0, 8.0, 96.0):
        found = ceiling(spec, package, FULL.model_copy(update={"batch": batch}), "decode")
        shares.append(found.launch_s / (found.compute_s + found.memory_s + found.launch_s))
        assert found.rate_tok_s * max(found.compute_s, found.memory_s, found.link_s or 0.0) == pytest.approx(
            batch * 1.7
        )  # no ceiling counts it
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > 0.2 > 0.1 > shares[2]


def test_launches_by_hand() -> None:
    """DeepSeek-R1: 61 layers of 9 attention kernels, 58 of 8 and 3 of 4; two exchanges in each of 58."""
    alone = 0.7e-3 + (61 * 9 + 58 * 8 + 3 * 4) * 3e-6
    spec = released("deepseek-r1").spec
    assert launch_s(spec, exchanges=False) == pytest.approx(alone)
    assert launch_s(spec, exchanges=True) == pytest.approx(alone + 58 * 2 * 10e-6)
