"""Each validity rule fires where it should, stays silent where it should, and says value, limit and remedy."""

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.results.counting import chance_deviation
from harness.results.disturbance import changed_host
from harness.results.record import CeilingObservation, Counts, Host, Measurement, Observation, Record
from harness.results.rules import Limits
from harness.results.validity import CASE_RULES, apply, findings
from tests.factories import host
from tests.reliability import plans

STEP_S = 0.01


def counts(**changes: object) -> Counts:
    fields: dict[str, object] = {
        "parameters_total": 10**9,
        "parameters_active": 10**8,
        "weight_bytes": 1 << 30,
        "bits_per_weight": 8.5,
        "bytes_per_token": 1e8,
        "flop_per_token": 2e8,
        "expected_experts_activated": 28.7,
    }
    return Counts.model_validate({**fields, **changes})


def seen(round_index: int, **changes: object) -> Observation:
    fields: dict[str, object] = {
        "round": round_index,
        "durations_s": (STEP_S,) * 5,
        "tokens_per_step": 8,
        "outside_s": 0.0001,
        "experts_activated": 28.5,
        "reference_kernel_s": (0.004,) * 10,
        "other_cpu_s": 0.0,
        "steal_s": 0.0,
        "logits_digest": "aa",
        "started": plans.BEGUN,
    }
    return Observation.model_validate({**fields, **changes})


def case(observations: tuple[Observation, ...], of: Counts | None = None, batch: int = 8) -> Measurement:
    return Measurement(
        model="small",
        phase="decode",
        batch=batch,
        prompt_tokens=0,
        decode_tokens=8,
        depth=0,
        precision="int8",
        threads=1,
        counts=of or counts(),
        observations=observations,
    )


def here(**changes: object) -> Host:
    return host().model_copy(update={"timer_resolution_s": 5e-8, **changes})


def run_of(measurement: Measurement, on: Host | None = None, read_bytes_s: float = 1e11, skew: float = 0) -> Record:
    """A record of one case on a host whose ceilings are far above it unless said otherwise."""
    ceiling = CeilingObservation(
        round=0, read_bytes_s=read_bytes_s, read_kernel="sum", matmul=(("int8", 1e12, "product"),), started=plans.BEGUN
    )
    variant = plans.variant().model_copy(update={"routing_skew": skew})
    return plans.record().model_copy(
        update={
            "host": on or here(),
            "variants": (variant,),
            "measurements": (measurement,),
            "ceiling_observations": (ceiling,),
        }
    )


def five(**changes: object) -> tuple[Observation, ...]:
    return tuple(seen(r, **changes) for r in range(5))


def test_a_clean_case_breaks_no_rule() -> None:
    record = run_of(case(five()))
    assert findings(record) == () and apply(record).measurements[0].invalid == ()


BROKEN: dict[str, Callable[[], Record]] = {
    "no-interval": lambda: run_of(case((seen(0, durations_s=(STEP_S,) * 20),))),
    "few-processes": lambda: run_of(case(five()[:3])),
    "failed-processes": lambda: run_of(case((*five(), seen(5, durations_s=(), error="hung")))),
    "few-steps": lambda: run_of(case(five(durations_s=(2 * STEP_S,) * 2))),
    "brief": lambda: run_of(case(five(durations_s=(STEP_S / 2,) * 3), counts(bytes_per_token=1e7))),
    "not-positive": lambda: run_of(case(five(durations_s=(2 * STEP_S, 0.0, 2 * STEP_S)))),
    "below-clock": lambda: run_of(
        case(five(durations_s=(4e-5,) * 600, outside_s=None), counts(bytes_per_token=1, flop_per_token=1))
    ),
    "token-count": lambda: run_of(case(five(tokens_per_step=7))),
    "fits-cache": lambda: run_of(case(five(), counts(weight_bytes=100 << 20))),
    "above-read-ceiling": lambda: run_of(case(five()), read_bytes_s=7e10),
    "above-matmul-ceiling": lambda: run_of(case(five(), counts(flop_per_token=2e9))),
    "experts-activated": lambda: run_of(case(five(experts_activated=24.0))),
    "outside-runtime": lambda: run_of(case(five(outside_s=0.002))),
    "busy-neighbours": lambda: run_of(case(five(other_cpu_s=0.02))),
    "stolen-time": lambda: run_of(case(five(steal_s=0.01))),
    "memory-pressure": lambda: run_of(case(five(memory_stall_s=0.001))),
    "frequency": lambda: run_of(case(tuple(seen(r, frequency_hz=2e9 + 1e8 * r) for r in range(5)))),
    "logits-differ": lambda: run_of(case((*five(), seen(5, logits_digest="bb")))),
    "reference-drift": lambda: run_of(case(five(reference_kernel_s=(0.004,) * 5 + (0.005,) * 5))),
    "reference-spread": lambda: run_of(
        case(tuple(seen(r, reference_kernel_s=(0.004 + 0.0005 * r,) * 4) for r in range(5)))
    ),
}


def test_every_rule_has_its_case() -> None:
    assert {rule.name for rule in CASE_RULES} | {"reference-drift", "reference-spread"} == set(BROKEN)


@pytest.mark.parametrize("name", BROKEN)
def test_each_rule_fires_alone_and_says_what_to_do(name: str) -> None:
    (found,) = findings(BROKEN[name]())
    assert found.rule == name and found.message and found.remedy
    assert (found.case is None) == name.startswith("reference")


INVALID = {rule.name for rule in CASE_RULES if rule.severity == "invalid"}


@pytest.mark.parametrize("name", BROKEN)
def test_only_what_cannot_be_true_is_kept_out_of_the_evidence(name: str) -> None:
    judged = apply(BROKEN[name]())
    assert bool(judged.measurements[0].invalid) == (name in INVALID)
    assert judged.measurements[0].usable == (bool(judged.measurements[0].good) and name not in INVALID)


def test_invalid_are_impossible_results_and_those_without_an_interval() -> None:
    assert {
        *("no-interval", "not-positive", "below-clock", "token-count"),
        *("above-read-ceiling", "above-matmul-ceiling", "experts-activated"),
    } == INVALID


@pytest.mark.parametrize("changes", [{"durations_s": (0.0,) * 3}, {"tokens_per_step": 0}, {"durations_s": (-0.1,) * 3}])
def test_no_time_or_no_tokens_is_no_rate(changes: dict[str, object]) -> None:
    judged = apply(run_of(case(five(**changes)))).measurements[0]
    assert judged.rate_tok_s is None and judged.invalid


def test_margins_are_margins() -> None:
    """A rate of 800 tok/s at 1e8 bytes reads 80 GB/s: 5 % above a ceiling of 76.2 is allowed, of 76.1 is not."""
    assert not findings(run_of(case(five()), read_bytes_s=7.62e10))
    assert findings(run_of(case(five()), read_bytes_s=7.61e10))


def test_one_fast_process_on_a_drifting_host_does_not_condemn_its_case() -> None:
    """The fastest of five is 30 % above the ceiling, the median that the case reports is not."""
    fast = (seen(0, durations_s=(0.01 / 1.3,) * 9), *five()[1:])
    assert not findings(run_of(case(fast), read_bytes_s=8e10))


def test_a_case_that_fits_the_cache_cannot_break_the_read_ceiling() -> None:
    names = {f.rule for f in findings(run_of(case(five(), counts(weight_bytes=100 << 20)), read_bytes_s=1e9))}
    assert names == {"fits-cache"}


def test_chance_may_move_the_experts_activated_of_few_tokens() -> None:
    few = case(five()).model_copy(update={"decode_tokens": 1})
    chance = chance_deviation(plans.variant().spec, few)
    assert chance == pytest.approx(chance_deviation(plans.variant().spec, case(five())) * 8**0.5)
    for deviations, broken in ((2, []), (4, ["experts-activated"])):
        off = five(experts_activated=28.7 * 0.97 - deviations * chance)
        assert [f.rule for f in findings(run_of(few.model_copy(update={"observations": off})))] == broken


def test_skew_on_purpose_is_not_held_to_uniform_experts_activated() -> None:
    assert not findings(run_of(case(five(experts_activated=12.0)), skew=2.0))


def test_unknowns_break_no_rule() -> None:
    bare = seen(0).model_copy(
        update=dict.fromkeys(("outside_s", "experts_activated", "other_cpu_s", "steal_s", "logits_digest"))
    )
    record = run_of(
        case(tuple(bare.model_copy(update={"round": r}) for r in range(5)), counts(expected_experts_activated=None))
    )
    unknown = record.model_copy(update={"host": here(timer_resolution_s=None, last_level_cache_bytes=None)})
    assert findings(unknown) == ()
    nothing = case(()).model_copy(update={"counts": None})
    assert (
        findings(run_of(nothing)) == ()
        and findings(run_of(nothing).model_copy(update={"ceiling_observations": ()})) == ()
    )


def test_limits_can_be_drawn_elsewhere() -> None:
    assert not findings(run_of(case(five(experts_activated=27.0))), Limits(experts_activated=0.1))
    assert findings(run_of(case(five()[:2])), Limits(min_processes=3))[0].rule == "no-interval"


def test_a_host_that_changed_is_found() -> None:
    assert changed_host(here(), here(load_1min=9.0)) is None
    found = changed_host(here(), here(cpu="Other"))
    assert found is not None and found.severity == "invalid"


def test_the_page_names_every_rule_with_its_limit_and_remedy() -> None:
    page = (Path(__file__).parents[2] / "docs" / "explanation" / "reliability.md").read_text(encoding="utf-8")
    rows = {row.split("`")[1]: row for row in page.splitlines() if row.startswith("| `")}
    assert set(rows) == {rule.name for rule in CASE_RULES} | {"reference-spread", "reference-drift", "host-changed"}
    for rule in CASE_RULES:
        assert f"| {rule.severity} |" in rows[rule.name] and rule.remedy in rows[rule.name]
    for name, value in Limits().model_dump().items():
        assert f"{name} = {value} |" in page
