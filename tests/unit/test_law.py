"""The law of published rates: fitted to what it should be, wider where it knows less, blind to the claim under test."""

import math
import random

import numpy as np
import pytest

from harness.catalog.chips import chip
from harness.catalog.collection import builtin
from harness.catalog.models import released
from harness.errors import UsageError
from harness.roofline.deployment import Deployment
from harness.roofline.forecast import FORECAST_DRAWS, each_per_s, forecast, law, mixture, samples
from harness.roofline.law import Law, RateSample, Traits, quantiles
from harness.roofline.parts import USUAL_FACTORS, Parts, parts
from harness.roofline.practice import draws, missing
from harness.roofline.projection import project
from harness.vocabulary import MATURITIES, RatePhase

DECODE = Deployment(precision="int8", batch=96, context_tokens=4096, chips=160, mtp_drafts=1, mtp_acceptance=0.7)
PLAIN = Traits(maturity="tuned", vendor="V", mixed=False, compressed=False, young=False, widened=0.0)
NOTHING = dict.fromkeys(Parts._fields, 0.0)


def made_up(
    generator: random.Random, sources: int, rates: int, factor: float = 2.0, between: float = 0.2, within: float = 0.2
) -> tuple[RateSample, ...]:
    """Rates of publications that deviate from a known law: reading takes `factor` times its limit, products 2.5."""
    out = []
    for source in range(sources):
        common = generator.gauss(0, between)
        for index in range(rates):
            limits = Parts(**{**NOTHING, "weights": generator.uniform(1, 9), "products": generator.uniform(1, 9)})
            time = factor * limits.weights + 2.5 * limits.products
            deviation = common + generator.gauss(0, within)
            out.append(
                RateSample(
                    rate_id=f"{source}-{index}",
                    source_id=str(source),
                    phase="decode",
                    traits=PLAIN,
                    open=False,
                    log_time_s=math.log(time) + deviation,
                    draws=(limits,),
                )
            )
    return tuple(out)


def test_the_fit_finds_the_factors_that_made_the_rates() -> None:
    found = Law(made_up(random.Random(1), sources=40, rates=8))
    whole = found.effects["tuned"] * found.effects["V"]  # a common factor may sit in either
    assert whole * found.factors.weights == pytest.approx(2.0, rel=0.15)
    assert whole * found.factors.products == pytest.approx(2.5, rel=0.15)


def test_without_rates_the_priors_speak() -> None:
    found = Law(())
    assert found.factors == pytest.approx(USUAL_FACTORS)
    assert found.sources == ()


def test_rates_of_one_publication_are_not_independent() -> None:
    """Eighty rates of one publication say less of the law than eighty publications of one rate."""

    def spread(found: Law) -> float:
        limits = Parts(**{**NOTHING, "weights": 1.0})
        return found.times((limits,), PLAIN, is_open=False)[1]

    many = Law(made_up(random.Random(2), sources=80, rates=1))
    one = Law(made_up(random.Random(2), sources=1, rates=80))
    assert spread(one) > spread(many)


def test_publications_that_lie_apart_widen_it() -> None:
    near = Law(made_up(random.Random(3), sources=20, rates=3, between=0.05, within=0.05))
    far = Law(made_up(random.Random(3), sources=20, rates=3, between=0.5, within=0.3))
    assert far.scales.tuned > near.scales.tuned
    assert far.scales.within > near.scales.within


def test_agreement_of_few_publications_does_not_make_a_narrow_range() -> None:
    alike = Law(made_up(random.Random(4), sources=3, rates=2, between=0.0, within=0.0))
    limits = Parts(**{**NOTHING, "weights": 1.0, "products": 1.0})
    times, scale = alike.times((limits,), PLAIN, is_open=False)
    assert quantiles([(1.0, times, scale)]).width90 > 2


def test_stated_coverage_on_drawn_publications() -> None:
    """Of publications drawn as the law has it, nine in ten new ones fall inside."""
    generator, inside, total = random.Random(5), 0, 0
    for _ in range(12):
        found = Law(made_up(generator, sources=20, rates=3))
        for sample in made_up(generator, sources=30, rates=1):
            times, scale = found.times(sample.draws, PLAIN, is_open=False)
            expected = quantiles([(1.0, times, scale)])
            inside += expected.low90 <= math.exp(-sample.log_time_s) <= expected.high90
            total += 1
    assert 0.85 <= inside / total <= 0.96


def test_an_outlier_does_not_carry_the_law_away() -> None:
    rates = made_up(random.Random(6), sources=20, rates=2)
    spoilt = (rates[0].model_copy(update={"log_time_s": rates[0].log_time_s + 4}), *rates[1:])
    assert Law(spoilt).factors.weights == pytest.approx(Law(rates).factors.weights, rel=0.25)


def test_quantiles_are_in_order_and_none_passes_the_cap() -> None:
    found = quantiles([(0.5, np.array([0.0, 0.4]), 0.3), (0.5, np.array([1.0]), 0.5)], cap_tok_s=1.2)
    names = ("low99", "low90", "low80", "low50", "mid", "high50", "high80", "high90", "high99")
    values = [getattr(found, name) for name in names]
    assert values == sorted(values)
    assert found.high99 == 1.2


def test_what_is_left_out_is_not_in_it() -> None:
    found = law(None, ("cloudmatrix384",), ("AMD",))
    assert found is not None
    assert "cloudmatrix384" not in found.sources
    assert "AMD" not in found.vendors


def test_nothing_left_is_an_error_not_a_guess() -> None:
    everyone = tuple({c.vendor for c in builtin().chips})
    with pytest.raises(UsageError, match="leave fewer sources out"):
        project(released("deepseek-r1").spec, chip("ascend-910c"), DECODE, "decode", exclude_vendors=everyone)


def test_910c_decode_without_its_own_vendor() -> None:
    """Fitted to the others alone, the measured 910C rate lies inside, and the range is wider than with the vendor."""
    spec, package = released("deepseek-r1").spec, chip("ascend-910c")
    without = project(spec, package, DECODE, "decode", exclude_vendors=("Huawei",)).forecast.rate
    whole = project(spec, package, DECODE, "decode", exclude_sources=("cloudmatrix384",)).forecast.rate
    assert without.low90 < 1943 < without.high90
    assert without.sd_log > whole.sd_log


@pytest.mark.parametrize("phase", ["prefill", "decode", "output_all", "total_all"])
def test_draws_leave_nothing_open_and_keep_what_is_given(phase: RatePhase) -> None:
    spec, package = released("deepseek-r1").spec, chip("h100-sxm")
    found = draws(spec, package, Deployment(precision="fp8", chips=32), phase, FORECAST_DRAWS)
    assert len(found) == FORECAST_DRAWS
    for one in found:
        assert missing(spec, one, phase) == ()
        assert (one.precision, one.chips) == ("fp8", 32)
        assert all(seconds >= 0 for seconds in parts(spec, package, one, phase))


def test_a_model_that_no_usual_group_holds_gets_a_larger_one() -> None:
    found = draws(released("deepseek-v3").spec, chip("groq-lpu"), Deployment(precision="int8"), "decode", 4)
    assert min(one.chips or 0 for one in found) > 144


def test_parts_of_all_phases_together_are_those_of_either() -> None:
    """A token over all packages takes what it takes in decode, and the prompt's share of it in prefill."""
    spec, package = released("llama-3.1-70b").spec, chip("h100-sxm")
    given = Deployment(
        precision="fp8", chips=8, batch=16, prompt_tokens=4096, output_tokens=1024, kv_bytes=2, tensor_parallel=8,
        mtp_drafts=0, mtp_acceptance=0.0,
    )  # fmt: skip
    decode = parts(spec, package, given.model_copy(update={"context_tokens": 4608}), "decode")
    prefill = parts(spec, package, given.model_copy(update={"batch": None}), "prefill")
    both = parts(spec, package, given, "output_all")
    assert sum(both) == pytest.approx(sum(decode) + 4 * sum(prefill))
    assert sum(parts(spec, package, given, "total_all")) == pytest.approx(sum(both) / 5)


def test_software_that_is_not_known_is_a_mixture_of_all() -> None:
    spec, package, fitted = released("deepseek-r1").spec, chip("ascend-910c"), law()
    assert fitted is not None
    each = [
        forecast(spec, package, DECODE.model_copy(update={"maturity": m}), "decode", fitted).rate for m in MATURITIES
    ]
    whole = forecast(spec, package, DECODE, "decode", fitted)
    assert whole.maturity is None
    assert min(p.low90 for p in each) <= whole.rate.low90 <= max(p.low90 for p in each)
    assert min(p.high90 for p in each) <= whole.rate.high90 <= max(p.high90 for p in each)


def test_the_time_of_a_token_is_batch_over_rate() -> None:
    spec, package, fitted = released("deepseek-r1").spec, chip("ascend-910c"), law()
    assert fitted is not None
    drawn = mixture(spec, package, DECODE, "decode", fitted)
    a_sequence, rate = each_per_s(drawn, lambda d: d.batch or 1.0), quantiles(drawn.weighted)
    assert a_sequence.mid == pytest.approx(rate.mid / 96)
    assert a_sequence.high99 == pytest.approx(rate.high99 / 96)


def test_samples_say_whether_conditions_are_missing() -> None:
    found = samples(builtin())
    assert len(found) >= 150
    for made in found:
        assert all(sum(of) > 0 for of in made.draws)
        assert made.open or len(made.draws) == 1


def test_the_forecast_names_what_moves_it_and_where_the_time_goes() -> None:
    spec, package, fitted = released("deepseek-r1").spec, chip("ascend-910c"), law()
    assert fitted is not None
    loose = forecast(spec, package, DECODE.model_copy(update={"batch": None}), "decode", fitted)
    assert loose.missing == ("batch",)
    assert loose.moves_most == "batch"
    whole = forecast(spec, package, DECODE, "decode", fitted)
    assert whole.moves_most is None
    assert sum(share for _, share in whole.part_shares) == pytest.approx(1.0)
    assert not any(name.startswith("prompt") for name, _ in whole.part_shares)
