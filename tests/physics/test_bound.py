"""The bound that refutes holds whatever a source leaves out: giving a condition never raises it."""

from hypothesis import given, settings
from hypothesis import strategies as st

from harness.catalog.chips import Chip, chips
from harness.catalog.models import released, released_names
from harness.roofline.bound import highest
from harness.roofline.ceiling import runs
from harness.roofline.deployment import Deployment
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
