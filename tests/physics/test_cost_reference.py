"""The reference point of a usual range: what it counts besides the ceilings, and that mixed phases are made of their
parts."""

import pytest

from harness.catalog.chips import chip
from harness.catalog.models import released
from harness.roofline.achieved import reference_tok_s
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


@pytest.mark.parametrize("model", ["deepseek-r1", "llama-3.1-70b"])
@pytest.mark.parametrize("lengths", [(128.0, 4096.0), (4096.0, 4096.0), (32768.0, 128.0)])
def test_a_mixed_reference_point_is_made_of_its_parts(model: str, lengths: tuple[float, float]) -> None:
    """A token over all packages takes what it takes in decode, and the prompt's share of it in prefill."""
    prompt, output = lengths
    spec, package = released(model).spec, chip("h100-sxm")
    given = FULL.model_copy(
        update={"precision": "fp8", "prompt_tokens": prompt, "output_tokens": output, "context_tokens": None}
    )
    alone = given.model_copy(update={"batch": None})
    parts = ceiling(spec, package, given, "decode"), ceiling(spec, package, alone, "prefill")
    decode, prefill = (reference_tok_s(part, 0.5) for part in parts)
    expected = 1 / (1 / decode + prompt / output / prefill)
    assert reference_tok_s(ceiling(spec, package, given, "output_all"), 0.5) == pytest.approx(expected)
    total = reference_tok_s(ceiling(spec, package, given, "total_all"), 0.5)
    assert total == pytest.approx(expected * (1 + prompt / output))
