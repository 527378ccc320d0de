"""What an hour and a token cost: the formula by hand, its directions, and the article's claim on economics."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

import harness
from harness.catalog.prices import PriceEntry, prices
from harness.verdict.economics import hour_ratio, hour_usd, inputs_of, span_of
from harness.verdict.knowledge import knowledge_of
from tests.sheets import judged, one


def test_an_hour_by_hand() -> None:
    """10,000 dollars over 2 years at 10 %: 10,000 x 0.1 / (1 - 1 / 1.21) = 5,761.9 a year; 1 kW x 1.2 x 0.1 dollars."""
    assert hour_usd(10_000, 1000, 0.1, 2, 0.1, 1.2) == pytest.approx(5761.9 / 8766 + 0.12, rel=1e-4)


@given(st.floats(1.01, 3), st.integers(0, 5))
def test_each_input_moves_the_cost_its_way(more: float, index: int) -> None:
    base = [20_000, 1500, 0.08, 4, 0.08, 1.3]
    raised = [v * more if i == index else v for i, v in enumerate(base)]
    if index == 3:
        assert hour_usd(*raised) < hour_usd(*base)
    else:
        assert hour_usd(*raised) > hour_usd(*base)


def test_prices_are_dated_sourced_and_in_their_unit() -> None:
    assert len({p.id for p in prices()}) == len(prices())
    assert all(p.source.date or p.source.how_seen == "unverified" for p in prices())
    with pytest.raises(ValueError, match="is given in USD, not in W"):
        PriceEntry.model_validate({"item": "purchase", "value": 1.0, "unit": "W", "source": "x"})


def test_a_ratio_of_a_chip_with_itself_surrounds_one_and_two_chips_swap() -> None:
    known = knowledge_of()
    shared = {i: span_of(i, known) or (1, 1) for i in ("electricity", "years", "interest", "pue")}
    a, b = inputs_of("ascend-910c", known), inputs_of("h100-sxm", known)
    same, there, back = hour_ratio(a, a, shared), hour_ratio(a, b, shared), hour_ratio(b, a, shared)
    assert same is not None and there is not None and back is not None
    assert same.low < 1 < same.high
    assert there.low * back.high == pytest.approx(1, rel=0.08)


def test_the_article_s_economics_are_open_and_what_decides_is_named() -> None:
    """Expected, by another calculation: about 0.5 to 1.1 at Huawei's rates, 0.9 to 1.9 at those of the open stack."""
    found = next(v for v in harness.judge("deepseek-v4-ascend").verdicts if v.id == "competitive-economics")
    assert found.outcome == "undecided"
    assert found.interval is not None
    assert found.interval.low == pytest.approx(0.5, rel=0.15)
    assert found.interval.high == pytest.approx(1.9, rel=0.15)
    assert found.largest_uncertainty is not None


@pytest.mark.parametrize(
    ("ratio", "hedge", "outcome"),
    [(4.0, "up to", "consistent"), (0.05, "up to", "implausible"), (4.0, "at least", "implausible")],
)
def test_a_claim_far_to_one_side(ratio: float, hedge: str, outcome: str) -> None:
    claim = one("cost_ratio", ratio=ratio, chip="ascend-910c", reference="h100-sxm", hedge=hedge)
    assert judged(claim).outcome == outcome


def test_a_cost_without_a_price_is_judged_at_the_catalogs_and_refuted_only_at_all_of_them() -> None:
    conditions: dict[str, object] = {"phase": "decode", "model": "deepseek-r1", "chip": "h200", "precision": "fp8"}
    assert judged(one("cost", usd_per_mtok=1e-6, conditions=conditions)).outcome == "refuted"
    assert judged(one("cost", usd_per_mtok=0.2, conditions=conditions)).outcome in ("consistent", "undecided")
    given = judged(one("cost", usd_per_mtok=0.2, rate_tok_s=1958, conditions=conditions))
    assert given.outcome == "consistent"  # 1.41 dollars an hour / 3600 / 1958 x 1e6
    unpriced = judged(one("cost", usd_per_mtok=0.2, conditions={**conditions, "chip": "ascend-950pr"}))
    assert unpriced.outcome == "out of reach"


def test_a_chip_without_a_price_is_out_of_reach() -> None:
    claim = one("cost_ratio", ratio=1.0, chip="ascend-950pr", reference="h100-sxm")
    assert judged(claim).outcome == "out of reach"
