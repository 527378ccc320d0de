"""The usual range: calibrated on what it has not seen, wider where it knows less, blind to the claim under test."""

import math

import pytest

from harness.catalog.chips import chip
from harness.catalog.collection import builtin
from harness.catalog.models import released
from harness.errors import UsageError
from harness.roofline.achieved import AchievedSample, _accuracy, _fit, _quantile, achieved_range, samples
from harness.roofline.deployment import Deployment
from harness.roofline.projection import project

PHASES = ("prefill", "decode")


@pytest.mark.parametrize("phase", PHASES)
def test_it_holds_what_it_promises_on_sources_left_out(phase: str) -> None:
    found = achieved_range(phase).loso  # type: ignore[arg-type]
    assert found is not None
    assert found.rows >= 9
    assert found.coverage >= 0.85
    assert found.median_error <= 0.25


@pytest.mark.parametrize("phase", PHASES)
def test_it_carries_over_to_a_vendor_left_out(phase: str) -> None:
    found = achieved_range(phase).lovo  # type: ignore[arg-type]
    assert found is not None
    assert found.coverage >= 0.85
    assert found.median_error <= 0.25


def test_rates_over_all_packages() -> None:
    """Three rates of one publication: too few for an error, which tests/golden/test_unseen_rates.py measures."""
    found = achieved_range("output_all").loso
    assert found is not None
    assert found.coverage >= 0.85
    assert found.median_error <= 0.35


def test_every_calibrating_rate_through_the_whole_projection() -> None:
    """The same test by another way: through `project`, with missing conditions ranged over."""
    inside, errors = 0, []
    chosen = [r for r in builtin().rates if r.calibrates]
    for rate in chosen:
        found = project(
            builtin().model(rate.model).spec,
            builtin().chip(rate.chip),
            Deployment.of(rate.conditions),
            rate.phase,
            exclude_sources=(rate.source_id,),
        ).usual90_tok_s
        inside += found.low <= rate.rate_tok_s <= found.high
        errors.append(abs(found.mid / rate.rate_tok_s - 1))
    assert inside / len(chosen) >= 0.85
    assert sorted(errors)[len(errors) // 2] <= 0.25


def test_known_true_rates_never_pass_the_generous_ceiling_nor_the_99_percent_achieved() -> None:
    for rate in builtin().rates:
        found = project(
            builtin().model(rate.model).spec,
            builtin().chip(rate.chip),
            Deployment.of(rate.conditions),
            rate.phase,
            exclude_sources=(rate.source_id,),
        )
        assert rate.rate_tok_s <= found.generous_tok_s, rate.id
        assert rate.rate_tok_s <= found.usual99_tok_s.high, rate.id


def test_910c_decode_without_its_own_vendor() -> None:
    """Calibrated on Nvidia alone, the measured 910C rates lie inside, and the width has a vendor term."""
    found = achieved_range("decode", vendor="Huawei", exclude_vendors=("Huawei",))
    own = achieved_range("decode", vendor="NVIDIA", exclude_vendors=("Huawei",))
    assert found.sd_log > own.sd_log
    assert {row.vendor for row in found.rows} == {"NVIDIA"}
    projected = project(
        released("deepseek-r1").spec,
        chip("ascend-910c"),
        Deployment(precision="int8", batch=96, context_tokens=4096, chips=160, mtp_drafts=1, mtp_acceptance=0.7),
        "decode",
        exclude_vendors=("Huawei",),
    ).usual90_tok_s
    assert projected.low < 1943 < projected.high


def test_what_is_left_out_is_not_in_it() -> None:
    found = achieved_range("decode", exclude_sources=("cloudmatrix384",))
    assert "cloudmatrix384" not in found.sources
    assert found.excluded_sources == ("cloudmatrix384",)
    assert all(row.source_id != "cloudmatrix384" for row in found.rows)


def test_nothing_left_is_an_error_not_a_guess() -> None:
    with pytest.raises(UsageError, match="leave fewer sources out"):
        achieved_range("decode", exclude_vendors=("NVIDIA", "Huawei", "AMD"))


def test_quantiles_are_in_order_and_nested() -> None:
    for phase in ("prefill", "decode", "output_all", "total_all"):
        found = achieved_range(phase)
        assert found.low99 < found.low90 < found.mid < found.high90 < found.high99
        assert math.log(found.high90 / found.mid) == pytest.approx(math.log(found.mid / found.low90))


def made_up(fractions: dict[str, list[float]]) -> tuple[AchievedSample, ...]:
    return tuple(
        AchievedSample(
            rate_id=f"{source}-{i}",
            source_id=source,
            vendor="V",
            phase="decode",
            measured_s=1.0,
            local_s=value,
            link_s=0.0,
        )
        for source, values in fractions.items()
        for i, value in enumerate(values)
    )


def test_rows_of_one_source_are_not_independent() -> None:
    """Repeating a publication's row narrows nothing: the unit of sampling is the publication."""
    once = made_up({"a": [0.4], "b": [0.5], "c": [0.6]})
    often = made_up({"a": [0.4] * 20, "b": [0.5], "c": [0.6]})
    assert _fit(often, "decode", "V").centre == pytest.approx(_fit(once, "decode", "V").centre)
    assert _fit(often, "decode", "V").sd == pytest.approx(_fit(once, "decode", "V").sd)


def test_sources_that_agree_do_not_make_a_narrow_achieved() -> None:
    same = _fit(made_up({"a": [0.5], "b": [0.5]}), "decode", "V")
    assert _quantile(same, 0.95) / _quantile(same, 0.05) > 2


def test_sources_that_disagree_widen_it() -> None:
    near = _fit(made_up({"a": [0.45], "b": [0.5], "c": [0.55]}), "decode", "V")
    far = _fit(made_up({"a": [0.1], "b": [0.5], "c": [0.9]}), "decode", "V")
    assert far.sd > near.sd


def test_one_source_cannot_measure_its_own_accuracy() -> None:
    assert _accuracy(made_up({"a": [0.4, 0.5]}), "decode", "source_id") is None


def test_stated_coverage_on_drawn_sources() -> None:
    """On sources drawn with the prior's own spread, nine in ten new ones fall inside."""
    import random

    rng = random.Random(3)
    inside = total = 0
    for _ in range(400):
        drawn = {str(i): [0.5 * math.exp(rng.gauss(0, 0.25))] for i in range(5)}
        fit = _fit(made_up(drawn), "decode", "V")
        new = 0.5 * math.exp(rng.gauss(0, 0.25))
        inside += _quantile(fit, 0.05) <= new <= _quantile(fit, 0.95)
        total += 1
    assert 0.86 <= inside / total <= 0.97


def test_samples_state_every_condition() -> None:
    found = samples(builtin())
    assert len(found) >= 20
    for made in found:
        assert made.measured_s > 0
        assert 0 < made.fraction(0.0) < 1


def test_rates_that_were_kept_to_check_the_achieved() -> None:
    """Rates read after the form of the reference point was fixed; most leave their batch or group open."""
    kept = [r for r in builtin().rates if r.left_out == "kept to check the band, not to make it"]
    assert len(kept) >= 6
    for rate in kept:
        found = project(
            builtin().model(rate.model).spec, builtin().chip(rate.chip), Deployment.of(rate.conditions), rate.phase
        ).usual90_tok_s
        assert found.low <= rate.rate_tok_s <= found.high, rate.id
        assert 0.5 <= found.mid / rate.rate_tok_s <= 1.6, rate.id
