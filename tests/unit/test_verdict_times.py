"""Times: how a stated time is meant, and claims of a time per output token or to the first."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.catalog.rates import rates
from harness.claims import Hedge, StatedConditions, Throughput
from harness.results.assessment import Verdict
from harness.verdict.knowledge import knowledge_of
from harness.verdict.throughput import _with_batch
from harness.verdict.tracing import trace
from harness.vocabulary import TimeBound
from tests.sheets import R1_DECODE, judged, one, sheet

IDENTITY = "It breaks an identity"
READING = {"model": "deepseek-r1", "chip": "h200", "chips": 16, "precision": "fp8", "prompt_tokens": 4096.0}


def decode(rate_tok_s: float, bound: TimeBound | None, apart: bool | None = None) -> Verdict:
    """96 sequences at 70 ms: 1,371 tok/s."""
    stated = {"tpot_s": 0.070, "tpot_bound": bound, "tpot_independent": apart}
    return judged(one("throughput", rate_tok_s=rate_tok_s, conditions={**R1_DECODE, **stated}))


@pytest.mark.parametrize(
    ("bound", "rate_tok_s", "broken"),
    [
        (None, 1943, True), ("exactly", 1943, True), ("at least", 1943, True), ("at most", 1943, False),
        (None, 1371, False), ("about", 1490, False), ("about", 1943, True), ("exactly", 1490, True),
    ],
)  # fmt: skip
def test_an_identity_refutes_only_in_the_direction_that_the_time_allows(
    bound: TimeBound | None, rate_tok_s: float, broken: bool
) -> None:
    assert decode(rate_tok_s, bound).reason.startswith(IDENTITY) == broken


@pytest.mark.parametrize(("bound", "broken"), [("exactly", True), ("at most", True), ("at least", False)])
def test_of_two_statements_a_time_at_most_still_bounds_the_least_rate(bound: TimeBound, broken: bool) -> None:
    assert decode(1000, bound, apart=True).reason.startswith(IDENTITY) == broken


def test_a_bound_fills_in_no_batch() -> None:
    stated = {**{k: v for k, v in R1_DECODE.items() if k != "batch"}, "tpot_s": 0.05}
    value = StatedConditions.model_validate(stated)
    assert _with_batch(value, 1920).batch == pytest.approx(96)
    objective = StatedConditions.model_validate({**stated, "tpot_bound": "at most"})
    assert _with_batch(objective, 1920).batch is None


def test_a_bound_without_its_time_is_refused() -> None:
    with pytest.raises(ValueError, match="give 'tpot_s' as well"):
        StatedConditions(tpot_bound="at most")


def test_a_traced_claim_takes_the_time_with_its_bound_or_keeps_its_own() -> None:
    row = next(r for r in rates() if r.id == "xdeepserve-dec")
    assert row.conditions.tpot_bound == "at most"

    def traced(**conditions: object) -> StatedConditions:
        of = {"chip": row.chip, "model": row.model, "phase": row.phase, **conditions}
        (claim,) = sheet(one("throughput", rate_tok_s=row.rate_tok_s, conditions=of)).claims
        assert isinstance(claim, Throughput)
        found = trace(claim, row.rate_tok_s, (), knowledge_of())
        assert found is not None
        return found.conditions

    assert (traced().tpot_s, traced().tpot_bound) == (0.05, "at most")
    assert (traced(tpot_s=0.04).tpot_s, traced(tpot_s=0.04).tpot_bound) == (0.04, None)


def first_token(duration_s: float, hedge: Hedge = "exactly", **changes: object) -> Verdict:
    claim = one("latency", figure="ttft", duration_s=duration_s, hedge=hedge, conditions={**READING, **changes})
    return judged(claim)


def test_the_time_to_the_first_token_has_a_range() -> None:
    """4,096 tokens at 2 x 37 B operations are 0.30 POP: 9.6 ms for 16 H200 at 1.98 POP/s each."""
    assert first_token(0.005).outcome == "refuted"
    usual = first_token(1.6)
    assert usual.outcome == "consistent" and usual.interval is not None and usual.interval.holds(1.6)
    waiting = first_token(160)
    assert waiting.outcome == "undecided" and "the rest would be waiting" in waiting.reason
    assert any("waiting" in m for m in waiting.missing)
    assert first_token(160, "up to").outcome == "consistent"
    assert first_token(0.005, "at least").outcome == "consistent"
    assert first_token(0.005, cache_hits_counted=True).outcome == "undecided"


@settings(max_examples=6, deadline=None)
@given(prompt=st.floats(200, 1e5), chips=st.integers(16, 300), batch=st.floats(1, 500))
def test_no_open_condition_refutes_a_time(prompt: float, chips: int, batch: float) -> None:
    """What is refuted with less said stays refuted with more; the floor can only rise."""
    order = {"precision": "fp8", "prompt_tokens": prompt, "context_tokens": prompt, "chips": chips, "batch": batch}
    for figure in ("ttft", "tpot"):
        floor = 0.0
        said: dict[str, object] = {"model": "deepseek-r1", "chip": "h200"}
        for name, value in order.items():
            said = {**said, name: value}
            found = judged(one("latency", figure=figure, duration_s=1.0, conditions=said))
            least = next(e.value for e in found.evidence if e.quantity.startswith("least possible"))
            assert least is not None and least >= floor * (1 - 1e-9), (figure, name)
            floor = least


def test_a_short_time_that_only_guesses_rule_out_is_not_refuted() -> None:
    """Chips, batch and drafts open: no published system is so fast, and no bound says that none could be."""
    where: dict[str, object] = {"model": "deepseek-r1", "chip": "h200"}
    found = judged(one("latency", figure="tpot", duration_s=0.001, conditions=where))
    assert found.outcome == "implausible"
