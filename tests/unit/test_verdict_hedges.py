"""Hedges in arithmetic and prices, and the power that tokens a joule are taken at."""

import pytest

from harness.claims import Hedge
from harness.results.assessment import Outcome
from tests.sheets import R1_DECODE, judged, one


@pytest.mark.parametrize(
    ("value", "hedge", "outcome"),
    [
        (100, "exactly", "supported"), (102, "exactly", "supported"), (110, "exactly", "refuted"),
        (102, "about", "supported"), (110, "about", "refuted"), (90.2, "about", "refuted"),
        (100, "up to", "supported"), (200, "up to", "undecided"), (90, "up to", "refuted"),
        (100, "at least", "supported"), (90, "at least", "supported"), (110, "at least", "refuted"),
    ],
)  # fmt: skip
def test_a_hedge_counts_in_arithmetic(value: float, hedge: Hedge, outcome: Outcome) -> None:
    assert judged(one("arithmetic", value=value, hedge=hedge, factors=(25.0, 4.0))).outcome == outcome


@pytest.mark.parametrize(
    ("value", "implied", "outcome"),
    [(2.0, 1.7, "supported"), (2.0, 2.6, "refuted"), (0.6, 0.64, "supported"), (37.0, 38.5, "refuted"),
     (1000.0, 1300.0, "refuted"), (1000.0, 1080.0, "supported")],
)  # fmt: skip
def test_about_has_room_for_the_last_digit_that_is_printed(value: float, implied: float, outcome: Outcome) -> None:
    assert judged(one("arithmetic", value=value, hedge="about", factors=(implied,))).outcome == outcome


def test_a_price_at_most_is_a_rate_at_least() -> None:
    """2 dollars an hour at 1,943 tok/s are 0.286 dollars per million; one of 1.5 dollars is no upper bound broken."""

    def found(usd: float, hedge: Hedge) -> Outcome:
        return judged(one("cost", usd_per_mtok=usd, usd_per_hour=2.0, hedge=hedge, conditions=R1_DECODE)).outcome

    assert found(3.0, "exactly") == "undecided"
    assert found(3.0, "up to") == "consistent"
    assert found(0.01, "up to") in ("refuted", "implausible")


def test_tokens_a_joule_are_taken_at_the_power_that_is_stated() -> None:
    """The rated power of a 910C would make 1.6 times the rate of a package that draws less."""

    def found(value: float, conditions: dict[str, object] = R1_DECODE, **fields: object) -> tuple[Outcome, str]:
        claim = one("efficiency", figure="tok_per_joule", value=value, conditions=conditions, **fields)
        verdict = judged(claim)
        return verdict.outcome, verdict.reason

    assert found(2.0, power_w=800.0)[1].startswith("It implies 1,600 tok/s (times 800.0 W of the package, as stated)")
    node = {**R1_DECODE, "per": "node", "packages_per_unit": 8}
    assert found(2.0, power_w=6400.0, conditions=node)[1].startswith("It implies 1,600 tok/s")
    system = {**R1_DECODE, "per": "system", "chips": None}
    assert found(2.0, power_w=6400.0, conditions=system)[0] == "undecided"


def test_a_rated_power_alone_does_not_refute() -> None:
    claim = one("efficiency", figure="tok_per_joule", value=8.0, conditions=R1_DECODE)
    rated = judged(claim)
    assert rated.outcome not in ("refuted", "supported") and "power drawn" in rated.missing
    assert judged({**claim, "value": 800.0}).outcome == "refuted"
    assert judged({**claim, "power_w": 1200.0}).outcome == "refuted"
    assert judged({**claim, "power_w": 250.0}).outcome not in ("refuted", "implausible")
