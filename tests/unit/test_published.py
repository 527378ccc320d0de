"""Published rates: resolvable, consistent with themselves, and honest about what they may be used for."""

import pytest

from harness.catalog.collection import builtin
from harness.catalog.rates import PublishedRate, rates


def test_ids_and_sources() -> None:
    ids = [rate.id for rate in rates()]
    assert len(ids) == len(set(ids))
    assert len({r.source_id for r in rates()}) >= 10


@pytest.mark.parametrize("rate", rates(), ids=lambda r: r.id)
def test_every_rate_is_of_a_known_model_and_chip(rate: PublishedRate) -> None:
    builtin().chip(rate.chip)
    builtin().model(rate.model)
    assert rate.source.title


@pytest.mark.parametrize("rate", [r for r in rates() if r.calibrates], ids=lambda r: r.id)
def test_what_calibrates_was_measured(rate: PublishedRate) -> None:
    """No projection, no offline mode and no cached tokens; and how mature its software was is said by rule."""
    assert not rate.conditions.idealised
    assert not rate.conditions.cache_hits_counted
    assert rate.conditions.maturity is not None


def test_what_does_not_calibrate_says_why() -> None:
    assert all(len(r.left_out or "") > 10 for r in rates() if not r.calibrates)


def test_expected_values_of_tests_are_early_software() -> None:
    assert {r.conditions.maturity for r in rates() if r.source_id == "sglang-ascend-ci"} == {"early"}


DECODE = [r for r in rates() if r.phase == "decode" and r.conditions.batch and r.conditions.tpot_s]
BORROWED = ("ds-h800-profile-dec", "sgl-h100-dec-4k-simmtp")  # rate and time come from different documents


def implied_tok_s(rate: PublishedRate) -> float:
    """Batch over time per token."""
    assert rate.conditions.batch is not None
    assert rate.conditions.tpot_s is not None
    return rate.conditions.batch / rate.conditions.tpot_s


@pytest.mark.parametrize("rate", DECODE, ids=lambda r: r.id)
def test_batch_over_time_is_the_rate(rate: PublishedRate) -> None:
    """The identity holds within a table; it misses by 6 to 10 % where a table borrows from two documents.

    A test's concurrency is the most that its batch can be, so there batch over time bounds the rate from above.
    """
    if rate.source_id == "sglang-ascend-ci":
        assert implied_tok_s(rate) >= 0.98 * rate.rate_tok_s
    elif rate.id in BORROWED:
        assert 1.04 <= implied_tok_s(rate) / rate.rate_tok_s <= 1.10
    else:
        assert implied_tok_s(rate) == pytest.approx(rate.rate_tok_s, rel=0.01)


def test_the_four_phases_stay_apart() -> None:
    """Output over all chips is below output per decode chip of the same run."""
    by_id = {rate.id: rate for rate in rates()}
    for run in ("sga-r1-w8a8-32c", "sga-r1-w8a8-24c", "sga-r1-w4a8-16c"):
        assert by_id[f"{run}-all"].phase == "output_all"
        assert by_id[f"{run}-dec"].phase == "decode"
        assert by_id[f"{run}-all"].rate_tok_s < by_id[f"{run}-dec"].rate_tok_s
