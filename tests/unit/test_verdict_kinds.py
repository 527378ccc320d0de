"""The smaller judges: architecture, ratios, capacity, latency, efficiency, cost, arithmetic, facts, and attribution."""

import pytest

from harness.catalog import facts as record
from harness.claims import Source
from harness.results.assessment import Outcome
from harness.verdict.finding import tally
from harness.verdict.judge import assess
from tests.sheets import R1_DECODE, judged, one, sheet

REFUTED: Outcome = "refuted"
IMPLAUSIBLE: Outcome = "implausible"
CONSISTENT: Outcome = "consistent"
UNDECIDED: Outcome = "undecided"


def architecture(figure: str, value: float, model: str, **fields: object) -> dict[str, object]:
    return one("architecture", figure=figure, value=value, conditions={"model": model}, **fields)


@pytest.mark.parametrize(
    ("figure", "value", "model", "outcome"),
    [
        ("total_parameters", 671e9, "deepseek-r1", "supported"),  # README of DeepSeek-V3
        ("active_parameters", 37e9, "deepseek-v3", "supported"),
        ("active_parameters", 36.6e9, "deepseek-v3", "supported"),  # without the input embedding
        ("total_parameters", 1.6e12, "deepseek-v4-pro", "supported"),
        ("active_parameters", 37e9, "deepseek-v4-pro", "refuted"),
        ("total_parameters", 46.7e9, "mixtral-8x7b", "supported"),
        ("kv_bytes_per_token", 70_272, "deepseek-r1", "supported"),  # 61 x 576 x 2 bytes
        ("kv_bytes_per_token", 8 * 70_272, "deepseek-r1", "refuted"),
    ],
)
def test_architecture_against_the_released_model(figure: str, value: float, model: str, outcome: str) -> None:
    assert judged(architecture(figure, value, model)).outcome == outcome


def test_a_family_is_refuted_only_where_every_member_is_off_and_the_nearest_is_named() -> None:
    off = judged(architecture("total_parameters", 1e12, "deepseek-v4"))
    assert off.outcome == "refuted" and "DeepSeek-V4-Pro is nearest" in off.reason
    some = judged(architecture("total_parameters", 1.6e12, "deepseek-v4"))
    assert some.outcome == "undecided" and "which model of the family" in some.missing


def test_a_number_of_an_older_model_of_the_same_maker_is_a_mismatch_and_superseded() -> None:
    source = Source(title="t", date="2026-04")
    found = judged(architecture("active_parameters", 37e9, "deepseek-v4"), source=source)
    assert set(found.flags) == {"superseded", "model-mismatch"}
    later = judged(architecture("active_parameters", 37e9, "deepseek-v4"), source=Source(title="t", date="2026-06"))
    assert "superseded" not in later.flags


def test_a_bound_only_has_to_be_respected() -> None:
    assert judged(architecture("total_parameters", 1e12, "deepseek-v4-pro", hedge="at least")).outcome == "supported"
    assert judged(architecture("total_parameters", 1e12, "deepseek-v4-pro", hedge="up to")).outcome == "refuted"


def ratio(value: float, **conditions: object) -> dict[str, object]:
    return one("chip_ratio", ratio=value, chip="ascend-910c", reference="h100-sxm", conditions=conditions)


def test_the_thresholds_of_tests_are_in_no_range_of_ratios() -> None:
    """Matched pairs: 0.895 to 0.902. What the open stack's tests accept at least, 0.51 and 0.62, is shown only."""
    found = judged(ratio(0.60))
    assert found.outcome == "undecided"
    assert set(found.missing) == {"model", "phase", "batch", "precision", "software"}
    assert found.interval is not None
    assert found.interval.low == pytest.approx(0.895, abs=0.001)
    assert found.interval.high == pytest.approx(0.902, abs=0.001)
    accepted = [e for e in found.evidence if e.note and "a test accepts" in e.note]
    assert {round(e.value or 0.0, 2) for e in accepted} == {0.51, 0.62}
    assert all(e.stance == "context" for e in accepted)


def test_a_ratio_outside_every_pair_is_not_refuted_without_conditions() -> None:
    found = judged(ratio(3.0))
    assert found.outcome == "undecided" and found.also == "refuted"


def test_a_ratio_with_its_conditions_is_settled_by_pairs() -> None:
    given: dict[str, object] = {
        "phase": "prefill", "model": "deepseek-r1", "batch": 4.0, "precision": "int8", "software": "each vendor's",
    }  # fmt: skip
    assert judged(ratio(0.90, **given)).outcome == "supported"
    assert judged(ratio(0.60, **given)).outcome == "refuted"


@pytest.mark.parametrize(
    ("figure", "value", "outcome"),
    [("flop_per_token", 0.265, "supported"), ("flop_per_token", 0.5, "refuted"), ("kv_bytes", 3.0, "refuted")],
)
def test_ratios_of_models_are_counted(figure: str, value: float, outcome: str) -> None:
    claim = one(
        "model_ratio", figure=figure, ratio=value, model="deepseek-v4-pro", reference="deepseek-v3.2",
        conditions={"context_tokens": 1048576.0},
    )  # fmt: skip
    assert judged(claim).outcome == outcome


@pytest.mark.parametrize(
    ("chips", "precision", "fits", "outcome"),
    [
        (16, "int8", True, "supported"),  # 671 GB in 2,048 GB
        (4, "int8", True, "refuted"),  # 671 GB in 512 GB
        (4, "int8", False, "supported"),
        (16, "int8", False, "refuted"),
    ],
)
def test_fitting_is_arithmetic(chips: int, precision: str, fits: bool, outcome: str) -> None:
    given = {"model": "deepseek-r1", "chip": "ascend-910c", "chips": chips, "precision": precision}
    assert judged(one("capacity", fits=fits, conditions=given)).outcome == outcome


def test_fitting_without_a_number_of_chips_is_undecided() -> None:
    found = judged(one("capacity", conditions={"model": "deepseek-r1", "chip": "ascend-910c"}))
    assert found.outcome == "undecided" and {"chips", "precision"} <= set(found.missing)


def test_a_time_below_the_floor_is_refuted() -> None:
    given = {k: v for k, v in R1_DECODE.items() if k not in ("phase", "per")}
    source = Source(title="p", catalogued_as=("cloudmatrix384",))
    assert (
        judged(one("latency", figure="tpot", duration_s=0.0494, conditions=given), source=source).outcome
        == "consistent"
    )
    assert judged(one("latency", figure="tpot", duration_s=0.001, conditions=given), source=source).outcome == "refuted"


def test_efficiency_is_a_rate_over_the_peak() -> None:
    """1,943 tok/s over 1,504 TOPS: 1.29, the paper's own figure."""
    source = Source(title="p", catalogued_as=("cloudmatrix384",))
    found = judged(one("efficiency", figure="tok_s_per_tflops", value=1.29, conditions=R1_DECODE), source=source)
    assert found.outcome == "consistent" and found.interval is not None and found.interval.holds(1.29)
    far = judged(one("efficiency", figure="tok_s_per_tflops", value=12.9, conditions=R1_DECODE), source=source)
    assert far.outcome == "refuted"


def test_cost_needs_a_price() -> None:
    assert judged(one("cost", usd_per_mtok=0.2)).outcome == "out of reach"
    # 2 dollars an hour over 3,600 x 1,850 tokens
    assert judged(one("cost", usd_per_mtok=0.30, usd_per_hour=2.0, rate_tok_s=1850.0)).outcome == "supported"
    assert judged(one("cost", usd_per_mtok=0.03, usd_per_hour=2.0, rate_tok_s=1850.0)).outcome == "refuted"


@pytest.mark.parametrize(("value", "outcome"), [(87_072, "supported"), (87_900, "supported"), (95_000, "refuted")])
def test_arithmetic(value: float, outcome: str) -> None:
    """Servers x chips x hours x dollars of DeepSeek's disclosure."""
    assert judged(one("arithmetic", value=value, factors=(226.75, 8.0, 24.0, 2.0))).outcome == outcome


@pytest.mark.parametrize(
    ("topic", "fields", "outcome"),
    [
        ("nvidia-one-day-fall", {"value": 0.17}, "supported"),
        ("nvidia-one-day-fall", {"value": 0.25}, "refuted"),
        ("v4-accepts-images", {"says": True}, "refuted"),
        ("v4-accepts-images", {"says": False}, "supported"),
        ("v4-orders-name-the-910c", {"says": True}, "undecided"),
        ("ascend-910c-training-barely-sufficient", {"says": True}, "undecided"),
        ("no-such-topic", {"says": True}, "out of reach"),
    ],
)
def test_facts(topic: str, fields: dict[str, object], outcome: str) -> None:
    assert judged(one("fact", topic=topic, says=fields.get("says"), value=fields.get("value"))).outcome == outcome


def test_a_fact_that_others_said_is_flagged_only_where_the_source_attributes_it() -> None:
    claim = one("fact", topic="ascend-910c-training-barely-sufficient", says=True)
    assert "misattributed" in judged({**claim, "attributed_to": "researchers"}).flags
    assert "misattributed" not in judged(claim).flags


def test_second_hand_accounts_never_refute_and_never_support() -> None:
    [base] = [f for f in record.facts() if f.topic == "v4-accepts-images"]
    weak = base.sources[0].source.model_copy(update={"grade": "C"})
    told = record.Fact(
        **{**base.model_dump(), "sources": (record.FactSource(source=weak, shows="so", stance="against"),)}
    )
    for says, outcome in ((True, "undecided"), (False, "consistent")):
        asked = sheet(one("fact", topic=base.topic, says=says))
        assert assess(asked, facts=(told,)).verdicts[0].outcome == outcome


def test_what_is_out_of_reach_stays_with_its_reason() -> None:
    found = judged(one("out_of_reach", reason="nobody knows"))
    assert (found.outcome, found.reason) == ("out of reach", "nobody knows")


def test_scenarios_are_damned_only_together() -> None:
    refuted, fine, open_ = REFUTED, CONSISTENT, UNDECIDED
    assert tally([refuted] * 4).outcome == "refuted"
    assert tally([*[refuted] * 3, IMPLAUSIBLE]).outcome == "implausible"
    assert tally([*[refuted] * 99, fine]).outcome == "undecided"
    assert tally([*[fine] * 9, open_]).outcome == "consistent"
    mixed = tally([*[fine] * 6, *[refuted] * 4])
    assert (mixed.outcome, mixed.also, mixed.stability) == ("undecided", "consistent", 0.6)


def test_no_ranking_is_stated_where_normalisers_disagree() -> None:
    """Decode, 910C over H100: 0.895 per package, and 1.29 over 1.10 tokens a second for each TFLOPS."""
    notes = [e.note for e in judged(ratio(0.60)).evidence if e.note and "normaliser" in e.note]
    assert len(notes) == 2
    for note in notes:
        assert "No ranking holds" in note and "0.90 per package" in note.replace("0.89 per package", "0.90 per package")
        assert "1.2 per TFLOPS" in note
