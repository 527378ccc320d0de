"""Design claims against measured ratios: sides, straddling, and what the verdict depends on."""

import pytest

from harness.results.assessment import Verdict
from harness.results.record import Measurement, Record
from tests import factories
from tests.sheets import judged, one


def record(gains: dict[tuple[str, str, int], float], rounds: int = 5) -> Record:
    """A record whose sparse rates are `gain` times those of the counterparts, with the usual spread between
    processes."""
    cases: list[Measurement] = []
    for (counterpart, phase, batch), gain in gains.items():
        base = {"prefill": 4000.0, "decode": 300.0}[phase]
        names = {c.model + c.phase + str(c.batch) for c in cases}
        for model, rate in (("m", base), (f"m:{counterpart}", base / gain)):
            if model + phase + str(batch) not in names:
                cases.append(factories.measurement(model, phase, batch, rate_tok_s=rate, rounds=rounds))  # type: ignore[arg-type]
    return factories.record().model_copy(update={"measurements": tuple(cases)})


def compute(found: Record | None) -> Verdict:
    return judged(one("design", test="sparse_compute"), subject="deepseek-v4", record=found)


def latency(
    found: Record | None, *, compared_with: str | None = None, conditions: dict[str, object] | None = None
) -> Verdict:
    return judged(
        one("design", test="sparse_latency", omitted=("batch",), compared_with=compared_with, conditions=conditions),
        subject="deepseek-v4",
        record=found,
    )


@pytest.mark.parametrize(
    ("gain", "outcome"), [(8.0, "supported"), (2.2, "supported"), (1.5, "undecided"), (1.0, "refuted")]
)
def test_compute_is_low_where_prefill_gains_clearly(gain: float, outcome: str) -> None:
    found = compute(record({("equal-total", "prefill", 1): gain}))
    assert found.outcome == outcome
    assert any(e.basis == "measured" for e in found.evidence)


def test_without_a_record_a_modelled_ratio_is_no_support() -> None:
    found = compute(None)
    assert found.outcome == "consistent"
    assert {e.basis for e in found.evidence} == {"modelled"}


def test_latency_depends_on_batch_and_comparison() -> None:
    cases = {("equal-total", "decode", 1): 9.0, ("equal-active", "decode", 1): 0.9, ("equal-active", "decode", 32): 0.2}
    found = latency(record(cases))
    assert found.outcome == "undecided"
    assert found.also == "supported"
    assert "missing-condition" in found.flags and "batch" in found.missing
    assert "batch 32 against equal-active" in found.reason


@pytest.mark.parametrize(("batch", "outcome"), [(1, "supported"), (32, "refuted")])
def test_latency_is_settled_once_the_source_says_what_it_means(batch: int, outcome: str) -> None:
    cases = {("equal-active", "decode", 1): 0.9, ("equal-active", "decode", 32): 0.2}
    found = latency(record(cases), compared_with="equal_active", conditions={"batch": float(batch)})
    assert found.outcome == outcome


def test_latency_without_a_record_is_undecided_with_the_experts_activated_shown() -> None:
    found = latency(None)
    assert found.outcome == "undecided"
    assert {e.stance for e in found.evidence} == {"allows", "contradicts"}


def test_a_case_that_breaks_a_rule_is_no_evidence() -> None:
    good = record({("equal-total", "prefill", 1): 8.0})
    spoiled = tuple(m.model_copy(update={"invalid": ("drifted",)}) for m in good.measurements)
    found = compute(good.model_copy(update={"measurements": spoiled}))
    assert not any(e.basis == "measured" for e in found.evidence)
    assert found.outcome == "consistent"


def test_one_round_cannot_decide() -> None:
    assert compute(record({("equal-total", "prefill", 1): 8.0}, rounds=1)).outcome == "undecided"


def test_only_like_cases_are_paired() -> None:
    good = record({("equal-total", "prefill", 1): 8.0})
    sparse, dense = good.measurements
    other = dense.model_copy(update={"prompt_tokens": 256})
    found = compute(good.model_copy(update={"measurements": (sparse, other)}))
    assert not any(e.basis == "measured" for e in found.evidence)


def test_wider_spread_moves_a_verdict_only_towards_undecided() -> None:
    narrow = record({("equal-total", "prefill", 1): 1.8})
    sparse, dense = narrow.measurements
    rounds = tuple(
        o.model_copy(update={"durations_s": tuple(d * (3.0 if o.round % 2 else 0.3) for d in o.durations_s)})
        for o in sparse.observations
    )
    wide = narrow.model_copy(update={"measurements": (sparse.model_copy(update={"observations": rounds}), dense)})
    assert compute(narrow).outcome == "supported"
    assert compute(wide).outcome == "undecided"


def test_batches_amortise_where_the_rate_grows() -> None:
    cases = [factories.measurement("m", "decode", b, rate_tok_s=r) for b, r in ((1, 100.0), (32, 900.0))]
    cases.append(factories.measurement("m:equal-total", "decode", 1, rate_tok_s=20.0))
    found = judged(
        one("design", test="batch_amortisation"),
        record=factories.record().model_copy(update={"measurements": tuple(cases)}),
    )
    assert found.outcome == "supported"
