"""The bound that refutes holds whatever a source leaves out: giving a condition never raises it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.catalog.chips import Chip, chip, chips
from harness.catalog.models import released, released_names
from harness.roofline.bound import highest
from harness.roofline.ceiling import footprint, runs
from harness.roofline.deployment import Deployment
from harness.roofline.practice import draws
from harness.roofline.projection import project
from harness.vocabulary import PRECISIONS, RatePhase

PHASES: tuple[RatePhase, ...] = ("prefill", "decode", "output_all", "total_all")
NEAR = 1e-9
FIELDS = {
    "precision": st.sampled_from(PRECISIONS),
    "batch": st.floats(1e-3, 1e5),
    "context_tokens": st.floats(1, 1e6),
    "prompt_tokens": st.floats(1, 1e6),
    "output_tokens": st.floats(1, 1e6),
    "chips": st.one_of(st.integers(1, 1000), st.integers(1, 100_000)),
    "mtp_drafts": st.integers(0, 16),
    "mtp_acceptance": st.floats(0, 1),
    "kv_bytes": st.sampled_from([0.5, 1.0, 656 / 576, 2.0, 4.0]),
    "attention_precision": st.sampled_from(["bf16", "fp8"]),
}


@st.composite
def shrunk_or_grown(draw: st.DrawFn) -> Chip:
    """A catalogued chip with other amounts of everything."""
    made = draw(st.sampled_from(chips()))
    by = st.floats(1e-3, 10)

    def scaled(name: str) -> object:
        factor = draw(by)
        return tuple(f.model_copy(update={"value": f.value * factor}) for f in getattr(made, name))

    names = ("memory_bytes", "bandwidth_bytes_s", "link_bytes_s", "scale_out_bytes_s")
    return made.model_copy(update={name: scaled(name) for name in names})


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    model=st.sampled_from(released_names()),
    made=st.one_of(st.sampled_from(chips()), shrunk_or_grown()),
    phase=st.sampled_from(PHASES),
    values=st.fixed_dictionaries(FIELDS),
    order=st.permutations(sorted(FIELDS)),
    first=st.integers(0, len(FIELDS)),
)
def test_giving_a_condition_never_raises_the_bound(
    model: str, made: Chip, phase: RatePhase, values: dict[str, object], order: list[str], first: int
) -> None:
    spec = released(model).spec
    values["mtp_acceptance"] *= values["mtp_drafts"]  # type: ignore[operator]
    if not runs(made, values["precision"]) or made.supports("fp8") is not True:  # type: ignore[arg-type]
        order = [name for name in order if name not in ("precision", "attention_precision")]
    found = Deployment()
    for name in order[:first]:
        found = found.model_copy(update={name: values[name]})
    before = highest(spec, made, found, phase)
    for name in order[first : first + 2]:
        found = found.model_copy(update={name: values[name]})
        after = highest(spec, made, found, phase)
        assert after.rate_tok_s <= before.rate_tok_s * (1 + NEAR), (name, found)
        assert before.fits is not False or after.fits is False
        before = after


def test_v4_flash_in_four_bits_takes_more_than_an_h200() -> None:
    """155.4 GB: embeddings, head and compressors in 16 bits, attention in 8 beside experts in 4 with their scales."""
    spec, made = released("deepseek-v4-flash").spec, chip("h200")
    held = footprint(spec, made, Deployment(precision="fp4", chips=1))
    assert held.least == pytest.approx(155.4e9, rel=0.002)
    assert highest(spec, made, Deployment(precision="fp4", chips=1), "decode").fits is False
    assert project(spec, made, Deployment(precision="fp4", chips=1), "decode").fits is False
    assert highest(spec, made, Deployment(precision="fp4", chips=2), "decode").fits is True


def test_a_group_of_open_size_grows_until_the_model_fits() -> None:
    """A model of 47 GB on packages of 20 MB: no disclosed group holds it."""
    spec, large = released("mixtral-8x7b").spec, chip("h200")
    small = large.model_copy(
        update={"memory_bytes": tuple(f.model_copy(update={"value": 2e7}) for f in large.memory_bytes)}
    )
    found = draws(spec, small, Deployment(precision="fp8", context_tokens=2048), "decode", 8)
    assert min(d.chips or 0 for d in found) > 47e9 / 2e7
    assert highest(spec, small, Deployment(precision="fp8", chips=320), "decode").fits is False


def test_small_packages_hold_a_model_together() -> None:
    """Mixtral in INT8 on 576 packages of 230 MB: a copy of all non-expert weights on each would not fit."""
    spec, large = released("mixtral-8x7b").spec, chip("h200")
    small = large.model_copy(
        update={"memory_bytes": tuple(f.model_copy(update={"value": 2.3e8}) for f in large.memory_bytes)}
    )
    one_user = Deployment(precision="fp8", chips=576, batch=1 / 576, context_tokens=2048)
    assert highest(spec, small, one_user, "decode").fits is True
