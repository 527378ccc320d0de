"""The scaled table: every figure of the article beside what was measured here, and chains that can be followed."""

from pathlib import Path

import pytest

from harness.claims import Sheet
from harness.files import validation
from harness.results.assessment import Assessment, Scaled
from harness.verdict.host_measurement import host_measurement, moe_measurements, nearest
from harness.verdict.judge import assess
from tests import factories

ARTICLE = Path(__file__).parents[2] / "seeds" / "deepseek-v4-ascend.yaml"


@pytest.fixture(scope="module")
def measured() -> Assessment:
    return assess(validation.read(ARTICLE, Sheet, what="sheet"), record=factories.record())


@pytest.fixture(scope="module")
def unmeasured() -> Assessment:
    return assess(validation.read(ARTICLE, Sheet, what="sheet"))


def row(found: Assessment, name: str) -> Scaled:
    return next(s for s in found.scaled if s.id == name)


@pytest.mark.parametrize(
    ("name", "reported"),
    [
        ("cloudmatrix-prefill-over-cloudmatrix-decode", 6688 / 1943),
        ("active-over-total", 0.037),
        ("inference-60-percent", 0.60),
        ("inference-60-percent-implies-prefill", 11_147),
        ("inference-60-percent-implies-decode", 3_238),
        ("cloudmatrix-prefill-per-package", 6688),
        ("cloudmatrix-prefill-per-die", 3344),
        ("cloudmatrix-prefill-per-active-work", 6688 * 2 * 37e9),
        ("cloudmatrix-prefill-aggregate", 384 * 6688),
        ("cloudmatrix-decode-per-package", 1943),
        ("cloudmatrix-decode-per-die", 971.5),
        ("cloudmatrix-decode-aggregate", 384 * 1943),
    ],
)
def test_every_reported_number_has_its_row(measured: Assessment, name: str, reported: float) -> None:
    assert row(measured, name).reported == pytest.approx(reported, rel=2e-4)


def test_ceilings_are_those_of_the_golden_table(measured: Assessment) -> None:
    """910C, R1: 16,372 tok/s in prefill of 4,096 tokens, 6,018 in decode at batch 96 with one draft."""
    prefill, decode = row(measured, "cloudmatrix-prefill-per-package"), row(measured, "cloudmatrix-decode-per-package")
    assert prefill.ceiling == pytest.approx(16_372, rel=0.01)
    assert decode.ceiling == pytest.approx(6_018, rel=0.01)
    assert prefill.ceiling_fraction == pytest.approx(0.41, abs=0.005)
    assert decode.ceiling_fraction == pytest.approx(0.32, abs=0.005)


def test_factors_are_reported_over_measured(measured: Assessment) -> None:
    for found in measured.scaled:
        if found.measured is None or found.factor is None:
            continue
        assert found.factor.low <= found.reported / found.measured * 1.0001
        assert found.factor.high >= found.reported / found.measured * 0.9999
        assert found.measured_as


def test_absolute_rates_never_transfer(measured: Assessment) -> None:
    for found in measured.scaled:
        if found.unit == "tok/s":
            assert found.transfers == "no", found.id
            assert all(s.transferable or s.value is not None or s.text for s in found.chain)


def test_a_chain_leads_from_here_to_the_reported_figure(measured: Assessment) -> None:
    """Each number of the chain follows from those before it; one link says that it does not transfer."""
    chain = row(measured, "cloudmatrix-prefill-per-package").chain
    assert chain[0].basis == "measured" and chain[-1].value == 6688
    rate, host, fraction = (chain[i].value for i in range(3))
    assert rate is not None and host is not None and fraction is not None
    assert fraction == pytest.approx(rate / host)
    top = next(s.value for s in chain if s.text.startswith("the chip's ceiling"))
    carried = [s for s in chain if not s.transferable]
    assert top is not None and len(carried) == 1
    assert carried[0].value == pytest.approx(fraction * top)


def test_without_a_record_the_measured_column_is_empty(unmeasured: Assessment) -> None:
    assert unmeasured.record_id is None
    assert all(s.measured is None and s.measured_interval is None and s.factor is None for s in unmeasured.scaled)
    assert row(unmeasured, "cloudmatrix-prefill-per-package").ceiling is not None


def test_both_dense_counterparts_stand_beside_the_activation_ratio(measured: Assessment) -> None:
    names = {s.id for s in measured.scaled}
    for batch in (1, 32):
        assert {f"gain-over-equal-total-decode-batch-{batch}", f"gain-over-equal-active-decode-batch-{batch}"} <= names
    prefill = row(measured, "gain-over-equal-total-prefill-batch-32")
    assert prefill.reported == pytest.approx(1000 / 37)
    assert prefill.transfers == "yes" and prefill.measured_interval is not None


def test_what_transfers_is_said_in_words(measured: Assessment, unmeasured: Assessment) -> None:
    words = " ".join(measured.transfers)
    assert "Does not transfer: tokens a second" in words
    assert "broke a validity rule" in words
    assert "Nothing was measured" in " ".join(unmeasured.transfers)


def test_a_case_is_chosen_by_its_balance() -> None:
    cases = moe_measurements(factories.record(), "decode")
    low, high = min(c.balance or 0 for c in cases), max(c.balance or 0 for c in cases)
    chosen = nearest(cases, 100 * high)
    assert chosen is not None and chosen.balance == high
    chosen = nearest(cases, low / 100)
    assert chosen is not None and chosen.balance == low
    assert nearest((), 1.0) is None


def test_no_measured_rate_is_above_this_host_s_ceiling() -> None:
    found = factories.record()
    case = host_measurement(found, found.measurements[0])
    assert case is not None and case.fraction is not None and 0 < case.fraction < 1
    without = host_measurement(found.model_copy(update={"ceilings": None}), found.measurements[0])
    assert without is not None and without.ceiling_tok_s is None and without.fraction is None


def test_other_chips_are_set_beside_each_rate() -> None:
    article = validation.read(ARTICLE, Sheet, what="sheet")
    found = {s.id: s for s in assess(article, chips=("ascend-910c", "h100-sxm", "mi355x")).scaled}
    beside = found["cloudmatrix-decode-beside-h100-sxm"]
    assert beside.ceiling is not None and beside.hardware is not None
    assert beside.hardware_as is not None and "in int8" in beside.hardware_as
    assert "cloudmatrix-prefill-beside-mi355x" in found
    assert not any(name.endswith("-beside-ascend-910c") for name in found)
