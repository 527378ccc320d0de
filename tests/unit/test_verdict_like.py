"""What is set beside what: equal precision, one model, names that are known, and tables that agree with the verdict."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.results.assessment import Assessment, Scaled
from harness.verdict.finding import CEILING_SLACK
from harness.verdict.judge import assess
from harness.verdict.knowledge import knowledge_of
from harness.verdict.sets import inconsistent_sets
from tests.sheets import R1_DECODE, judged, one, sheet


@pytest.mark.parametrize(
    ("ratio", "precision", "outcome"),
    [(30.0, "fp4", "implausible"), (30.0, "fp8", "implausible"), (30.0, None, "undecided"), (3.0, "fp8", "undecided"),
     (300.0, None, "implausible")],
)  # fmt: skip
def test_like_conditions_are_of_equal_precision(ratio: float, precision: str | None, outcome: str) -> None:
    """GB200 over H100: 2.5 times the peak of 8 bits; 10 PFLOPS of FP4 stand beside 0.99 of BF16."""
    conditions: dict[str, object] = {"precision": precision} if precision else {}
    found = judged(one("chip_ratio", ratio=ratio, chip="gb200", reference="h100-sxm", conditions=conditions))
    assert found.outcome == outcome, found.reason
    assert ("unlike number formats" in found.reason) == (ratio == 30 and precision is None)


def test_a_ratio_of_at_least_little_is_not_excessive() -> None:
    claim = one("chip_ratio", ratio=0.001, chip="ascend-910c", reference="h100-sxm")
    assert judged(claim).outcome == "implausible"
    assert judged({**claim, "hedge": "at least"}).outcome != "implausible"


@pytest.mark.parametrize(
    "claim",
    [
        one("chip_ratio", ratio=0.9, chip="ascend-910c", reference="h100-sxm", conditions={"model": "deepsek-r1"}),
        one("chip_ratio", ratio=0.9, chip="ascend-910c", reference="h100-sxn"),
        one("cost_ratio", ratio=0.9, chip="ascend-910c", reference="h100-sxm", conditions={"model": "deepsek-r1"}),
        one("throughput", rate_tok_s=1943.0, conditions={**R1_DECODE, "model": "deepsek-r1"}),
        one("throughput", rate_tok_s=1943.0, conditions={**R1_DECODE, "chip": "ascend-910d"}),
        one("latency", figure="tpot", duration_s=0.05, conditions={"model": "deepsek-r1", "chip": "h200"}),
        one("capacity", conditions={"model": "deepsek-r1", "chip": "h200"}),
        one("efficiency", figure="tok_per_joule", value=1.0, conditions={"chip": "h2000", "model": "deepseek-r1"}),
        one("cost", usd_per_mtok=0.3, usd_per_hour=2.0, rate_tok_s=1850.0, conditions={"chip": "h2000"}),
        one("architecture", figure="total_parameters", value=6.71e11, conditions={"model": "deepsek-r1"}),
        one("model_ratio", figure="kv_bytes", ratio=1.0, model="deepsek-r1", reference="kimi-k2"),
    ],
)
def test_a_mistyped_name_is_met_with_one_message_that_names_the_nearest(claim: dict[str, object]) -> None:
    found = judged(claim)
    hints = re.findall("did you mean '([^']+)'", found.reason)
    assert len(hints) == 1 and hints[0] in ("deepseek-r1", "h100-sxm", "ascend-910c", "h200", "h20"), found.reason
    priced = found.kind in ("cost", "cost_ratio")  # what does not rest on the name is judged without it
    assert priced or found.outcome in ("undecided", "out of reach")


def row(found: Assessment, name: str) -> Scaled | None:
    return next((s for s in found.scaled if s.id == name), None)


def size(model: str, figure: str, value: float) -> dict[str, object]:
    return one("architecture", figure=figure, value=value, conditions={"model": model})


def test_one_model_s_figures_are_not_divided_by_another_s() -> None:
    """K2 activates 32 billion, R1 37 billion of 671 billion parameters."""
    rate = one("throughput", rate_tok_s=1943.0, conditions=R1_DECODE)
    k2, total = size("kimi-k2", "active_parameters", 3.2e10), size("deepseek-r1", "total_parameters", 6.71e11)
    apart = assess(sheet(k2, total, rate))
    assert row(apart, "active-over-total") is None
    work = row(apart, "c2-per-active-work")
    assert work is not None and work.reported == pytest.approx(2 * 37e9 * 1943, rel=0.03)
    own = assess(sheet(size("deepseek-r1", "active_parameters", 3.7e10), total), record=None)
    share = row(own, "active-over-total")
    assert share is not None and share.reported == pytest.approx(37 / 671)
    unnamed = one("architecture", figure="active_parameters", value=3.7e10)
    assert row(assess(sheet(unnamed, total, subject="deepseek-r1")), "active-over-total") is not None


def test_phases_of_two_models_and_ratios_of_another_model_are_not_joined() -> None:
    decode = one("throughput", rate_tok_s=1943.0, conditions={**R1_DECODE, "model": None})
    reading = {"phase": "prefill", "model": "kimi-k2", "chip": "ascend-910c", "per": "package", "precision": "int8"}
    prefill = one("throughput", rate_tok_s=4000.0, conditions={**reading, "prompt_tokens": 4096.0, "chips": 32})
    assert row(assess(sheet(prefill, decode, subject="deepseek-r1")), "c0-over-c1") is None
    ratio = one("chip_ratio", ratio=0.3, chip="ascend-910c", reference="h100-sxm", conditions={"model": "kimi-k2"})
    of_r1 = {**ratio, "conditions": None}
    rate = one("throughput", rate_tok_s=1943.0, conditions=R1_DECODE)
    other = sheet(rate, {**ratio})
    assert row(assess(other), "c1-implies-decode") is None
    assert not any("c0" in e.quantity for e in assess(other).verdicts[1].evidence)
    assert inconsistent_sets(other, knowledge_of()) == ()
    same = sheet(rate, {**of_r1, "conditions": {}})
    assert row(assess(same), "c1-implies-decode") is not None
    assert inconsistent_sets(same, knowledge_of()) != ()


CHIPS = ("ascend-910c", "h100-sxm", "h200", "gb200", "mi300x", "gb10", "groq-lpu")
MODELS = ("deepseek-r1", "deepseek-v4", "mixtral-8x7b", "gpt-oss-120b", "llama-3.1-70b", "qwen3-30b-a3b")


@st.composite
def stated(draw: st.DrawFn) -> dict[str, object]:
    """Conditions of a rate, some of them left out."""
    whole: dict[str, st.SearchStrategy[object]] = {
        "per": st.sampled_from(["package", "die"]),
        "precision": st.sampled_from(["bf16", "fp8", "int8", "fp4"]),
        "batch": st.floats(0.5, 500),
        "context_tokens": st.floats(100, 50_000),
        "prompt_tokens": st.floats(100, 50_000),
        "chips": st.integers(1, 400),
        "mtp_drafts": st.just(0),
    }
    given = {n: draw(s) for n, s in whole.items() if draw(st.integers(0, 3))}
    if "prompt_tokens" in given:  # a context holds the prompt
        given.pop("context_tokens", None)
    phase = draw(st.sampled_from(["prefill", "decode"]))
    return {**given, "phase": phase, "chip": draw(st.sampled_from(CHIPS)), "model": draw(st.sampled_from(MODELS))}


@settings(max_examples=15, deadline=None)
@given(conditions=stated(), rate=st.floats(0, 6))
def test_no_table_is_above_a_ceiling_that_the_verdict_does_not_refute_by(
    conditions: dict[str, object], rate: float
) -> None:
    found = assess(sheet(one("throughput", rate_tok_s=10.0**rate, conditions=conditions)))
    (verdict,) = found.verdicts
    shares = [s.ceiling_fraction for s in found.scaled if s.ceiling_fraction is not None]
    notes = re.findall(r"the claim is ([\d.,]+) of it", " ".join(e.note or "" for e in verdict.evidence))
    shares += [float(n.replace(",", "")) / 1.01 for n in notes]  # printed to two digits
    if max(shares, default=0.0) > CEILING_SLACK * 1.05:
        assert verdict.outcome == "refuted", (max(shares), verdict.reason)
    above = re.search(r"a batch above ([\d.,]+); ([\d.,]+) would do", verdict.reason)
    assert above is None or above[1] != above[2]
