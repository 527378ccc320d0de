"""Rates: bounds, identities, artefacts, the usual range, and what a source leaves out."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.claims import Source
from harness.stats import Interval
from harness.verdict.finding import CEILING_SLACK
from harness.verdict.throughput import _allowed
from harness.vocabulary import TimeBound
from tests.sheets import R1_DECODE, judged, one

SEVERITY = {"refuted": 3, "implausible": 2, "undecided": 1, "consistent": 1, "supported": 1}
PREFILL = {
    "phase": "prefill", "model": "deepseek-r1", "chip": "ascend-910c", "per": "package", "chips": 16, "batch": 4.0,
    "prompt_tokens": 4096.0, "precision": "int8",
}  # fmt: skip
OWN = Source(title="paper", catalogued_as=("cloudmatrix384",))


def rate(value: float, conditions: dict[str, object] = R1_DECODE, **changes: object) -> dict[str, object]:
    return one("throughput", rate_tok_s=value, conditions={**conditions, **changes})


def interval(found: Interval | None) -> Interval:
    assert found is not None
    return found


def test_the_paper_is_no_evidence_for_itself() -> None:
    found = judged(rate(1943), source=OWN)
    assert found.outcome == "consistent"
    assert not any(e.stance == "supports" for e in found.evidence)


def test_another_source_may_rest_on_the_paper_at_matched_conditions() -> None:
    found = judged(rate(1943), source=Source(title="press", derived_from=("cloudmatrix384",)))
    assert found.outcome == "supported"
    assert "1,943" in found.reason


def test_a_misquotation_of_the_repeated_source_is_refuted() -> None:
    found = judged(rate(2300), source=Source(title="press", derived_from=("cloudmatrix384",)))
    assert found.outcome == "refuted"
    assert "more than 5 % away" in found.reason


def test_above_the_ceiling_is_refuted_and_says_what_binds() -> None:
    """Golden: the overlap ceiling of R1 on a 910C at these conditions is 6,018 tok/s, bound by compute."""
    found = judged(rate(8 * 1943), source=OWN)
    assert found.outcome == "refuted"
    assert found.binding == "compute"
    top = next(e for e in found.evidence if e.quantity.startswith("most generous ceiling"))
    assert top.stance == "contradicts" and top.basis == "modelled"
    assert top.value is not None and 6018 <= top.value < 6018 * 1.2


def test_a_ceiling_never_supports() -> None:
    for value in (100, 1500, 3000):
        found = judged(rate(value), source=OWN)
        assert found.outcome != "supported"
        assert all(e.stance != "supports" for e in found.evidence if e.basis == "modelled")


@settings(max_examples=25, deadline=None)
@given(st.floats(100, 60_000), st.floats(1.0, 8.0))
def test_severity_never_falls_as_the_claim_grows(value: float, factor: float) -> None:
    lower, higher = judged(rate(value), source=OWN), judged(rate(value * factor), source=OWN)
    assert SEVERITY[higher.outcome] >= SEVERITY[lower.outcome]


def test_units_do_not_matter() -> None:
    package = judged(rate(1943), source=OWN)
    for per, packages, value in (("die", None, 1943 / 2), ("node", 8, 8 * 1943), ("system", 384, 384 * 1943)):
        other = judged(rate(value, per=per, packages_per_unit=packages), source=OWN)
        assert other.outcome == package.outcome
        scale = value / 1943
        assert interval(other.interval).high == pytest.approx(interval(package.interval).high * scale)


def test_more_than_batch_over_time_breaks_an_identity() -> None:
    found = judged(rate(2 * 1943, tpot_s=0.0494), source=OWN)
    assert found.outcome == "refuted" and "identity" in found.reason


def test_less_than_batch_over_time_breaks_it_only_where_they_are_independent() -> None:
    """A batch that counts waiting sequences gives less; the borrowed rows of the paper's table 3 are 6 and 9 % less."""
    low = rate(1700, tpot_s=0.0494, tpot_independent=True)
    assert judged(low, source=OWN).outcome == "refuted"
    assert judged(rate(1700, tpot_s=0.0494), source=OWN).outcome != "refuted"


@pytest.mark.parametrize("off", [0.98, 1.0, 1.02])
def test_rounding_breaks_no_identity(off: float) -> None:
    found = judged(rate(1943 * off, tpot_s=0.0494, tpot_independent=True), source=OWN)
    assert "identity" not in found.reason


def test_unsupported_arithmetic_is_refuted() -> None:
    found = judged(rate(1000, precision="fp8"))
    assert found.outcome == "refuted" and "fp8" in found.reason


def test_four_bit_weights_need_no_four_bit_arithmetic() -> None:
    found = judged(rate(1000, chip="h100-sxm", chips=72, precision="fp4"))
    assert found.outcome != "refuted"


def test_a_model_that_does_not_fit_is_refuted() -> None:
    found = judged(rate(100, chips=1, batch=1.0), source=OWN)
    assert found.outcome == "refuted" and "memory" in found.reason and found.binding == "capacity"


def test_missing_conditions_are_gone_through_and_named() -> None:
    found = judged(
        one(
            "throughput",
            rate_tok_s=1000,
            conditions={"phase": "decode", "chip": "h200", "per": "package", "model": "kimi-k2"},
        )
    )
    assert {"batch", "context length", "precision", "chips of the group"} <= set(found.missing)
    assert "missing-condition" in found.flags
    assert found.stability is not None and 0 < found.stability <= 1
    assert found.also is not None or found.stability >= 0.9
    assert found.largest_uncertainty is not None


def test_a_rate_beyond_every_scenario_is_refuted_whatever_is_missing() -> None:
    found = judged(one("throughput", rate_tok_s=1e9, conditions={"chip": "h200", "model": "kimi-k2"}))
    assert found.outcome == "refuted" and found.stability == 1.0


def test_the_same_question_has_the_same_answer() -> None:
    claim = one("throughput", rate_tok_s=2500, conditions={"chip": "h100-sxm", "model": "deepseek-r1"})
    assert judged(claim) == judged(claim)


def test_adding_a_condition_never_widens_the_interval() -> None:
    """Over a missing condition the interval is the union of what each value would give."""
    open_ = {k: v for k, v in PREFILL.items() if k != "prompt_tokens"}
    wide, narrow = judged(rate(7000, open_), source=OWN), judged(rate(7000, PREFILL), source=OWN)
    assert interval(wide.interval).low <= interval(narrow.interval).low * 1.001
    assert interval(wide.interval).high >= interval(narrow.interval).high * 0.999


def test_a_number_of_another_model_is_flagged() -> None:
    found = judged(rate(6688, PREFILL, model="kimi-k2"), subject="kimi-k2")
    assert "model-mismatch" in found.flags
    assert "DeepSeek-R1" in found.reason


def test_a_figure_of_one_model_in_a_source_about_another_is_flagged() -> None:
    found = judged(rate(3000, R1_DECODE), subject="deepseek-v4")
    assert "model-mismatch" in found.flags


def test_total_told_as_output_is_a_unit_trap() -> None:
    """V4-Pro on GB300: 11,200 tok/s counts input and output; the vendor's best output rate is 1,618."""
    given = {"phase": "output_all", "model": "deepseek-v4-pro", "chip": "gb300", "per": "package", "precision": "fp4"}
    found = judged(rate(11_200, {**given, "prompt_tokens": 8192.0, "output_tokens": 1024.0}))
    assert "unit-trap" in found.flags
    assert found.outcome == "implausible"  # batch, group and drafts are open: no bound is broken


def test_an_unknown_chip_or_model_is_out_of_reach_and_the_nearest_is_named() -> None:
    assert "ascend-910c" in judged(rate(1, chip="ascend-910x")).reason
    found = judged(rate(1, model="deepseek-r9"))
    assert found.outcome == "out of reach" and "deepseek-r1" in found.reason


def test_the_article_s_slack_is_used() -> None:
    top = next(e for e in judged(rate(5000), source=OWN).evidence if e.quantity.startswith("most generous"))
    assert top.value is not None
    assert judged(rate(top.value * CEILING_SLACK * 1.001), source=OWN).outcome == "refuted"
    assert judged(rate(top.value * CEILING_SLACK * 0.999), source=OWN).outcome != "refuted"


@pytest.mark.parametrize(
    ("tpot_bound", "expected"), [(None, False), ("exactly", False), ("at most", True), ("at least", False)]
)
def test_a_latency_objective_breaks_no_identity(tpot_bound: TimeBound | None, expected: bool) -> None:
    assert _allowed(2.0, tpot_bound or "exactly", "exactly", apart=False) is expected


def test_a_lower_bound_of_the_time_or_of_the_rate_says_nothing_of_the_least() -> None:
    assert not _allowed(0.5, "exactly", "exactly", apart=True)
    assert _allowed(0.5, "at least", "exactly", apart=True)
    assert not _allowed(0.5, "at most", "exactly", apart=True)


def test_all_tokens_have_an_identity_too() -> None:
    """8 sequences at 43.5 ms make 184 output tokens a second, with eight times as many of input 1,655."""
    given = {
        "phase": "total_all", "model": "deepseek-r1", "chip": "b200", "per": "package", "prompt_tokens": 8192.0,
        "output_tokens": 1024.0, "precision": "fp8", "batch": 8.0, "tpot_s": 0.0435, "chips": 8,
    }  # fmt: skip
    found = judged(rate(5857, given))
    assert found.outcome == "refuted" and "1,655" in found.reason
    assert "identity" not in judged(rate(1600, given)).reason
    assert "identity" not in judged(rate(5857, {k: v for k, v in given.items() if k != "output_tokens"})).reason


@pytest.mark.parametrize("batch", [None, 32.0])
def test_a_batch_that_is_given_never_makes_a_rate_possible(batch: float | None) -> None:
    """R1 in BF16 on 16 packages fits with every weight kept once; a published baseline is 40.5 tok/s."""
    given = {
        "phase": "output_all", "model": "deepseek-r1", "chip": "ascend-910c", "per": "package", "chips": 16,
        "prompt_tokens": 3500.0, "output_tokens": 512.0, "precision": "bf16", "batch": batch,
    }  # fmt: skip
    assert judged(rate(600, given)).outcome != "refuted"
    assert judged(rate(60_000, given)).outcome == "refuted"


def test_hedges_bear_on_rates() -> None:
    middle = judged(rate(1500), source=OWN)
    low, high = interval(middle.interval).low, interval(middle.interval).high
    assert judged(rate(low / 4), source=OWN).outcome == "undecided"
    assert judged({**rate(low / 4), "hedge": "at least"}, source=OWN).outcome == "consistent"
    assert judged({**rate(high * 20), "hedge": "at least"}, source=OWN).outcome == "refuted"
    assert judged({**rate(high * 20), "hedge": "up to"}, source=OWN).outcome == "refuted"
    assert judged({**rate(low * 0.95), "hedge": "about"}, source=OWN).outcome == "consistent"
