"""One rate against one reading of it: the bound that may refute it, and what published systems would reach.

The forecast is made without the publications under test. Rates are per package.
"""

from functools import lru_cache

from harness.catalog.chips import Chip
from harness.catalog.collection import builtin
from harness.results.assessment import Outcome
from harness.roofline.ceiling import Ceiling, runs
from harness.roofline.forecast import Forecast, forecast, law
from harness.roofline.law import Law
from harness.verdict.finding import CEILING_SLACK
from harness.verdict.knowledge import Knowledge
from harness.verdict.readings import Reading
from harness.vocabulary import Frozen, Maturity

MATURITY_WORDS: dict[Maturity | None, str] = {
    "tuned": "software tuned for the run",
    "default": "released software with its defaults",
    "early": "early software",
    None: "software of any maturity",
}


@lru_cache(maxsize=256)
def law_without(own: tuple[str, ...], knowledge: Knowledge) -> Law | None:
    """The law of what `knowledge` has published, without the publications under test; None where nothing is left.

    Other publications on the vendor's chips stay in: leaving them out as well costs seeded errors and saves no true
    rate (see `harness self-test`).
    """
    return law(None if knowledge.catalog is builtin() else knowledge.catalog, tuple(sorted(set(own))))


class Rating(Frozen):
    """One rate in one reading."""

    outcome: Outcome
    why: str
    rate_tok_s: float
    """per package"""
    packages: float
    """of the unit that the claim's rate is of"""
    bound: Ceiling | None
    forecast: Forecast | None


def rate_in(reading: Reading, rate_per_unit: float, chip: Chip, fitted: Law | None) -> Rating:
    """Judge a rate of the reading's unit."""
    bound, precision = reading.bound, reading.deployment.precision
    if bound is None:
        can = None if precision is None else runs(chip, precision)
        why = f"{chip.title} has no {precision} arithmetic" if can is False else f"no source gives its {precision} peak"
        outcome: Outcome = "refuted" if can is False else "undecided"
        packages = reading.packages_per_unit
        return Rating(outcome=outcome, why=why, rate_tok_s=rate_per_unit / packages, packages=packages, bound=None,
                      forecast=None)  # fmt: skip
    expected = None
    if fitted is not None:
        expected = forecast(reading.model.spec, chip, reading.deployment, reading.phase, fitted, bound.rate_tok_s)
    packages = _packages(reading, expected)
    rate = rate_per_unit / packages
    outcome, why = _place(rate, rate_per_unit / reading.most_packages, bound, expected)
    return Rating(outcome=outcome, why=why, rate_tok_s=rate, packages=packages, bound=bound, forecast=expected)


def _packages(reading: Reading, expected: Forecast | None) -> float:
    """Packages of the unit; a system of unknown size is no smaller than the group in it."""
    if reading.most_packages == reading.packages_per_unit or expected is None:
        return reading.packages_per_unit
    return max(reading.packages_per_unit, float(expected.typical.chips or 1))


def _place(rate: float, least: float, bound: Ceiling, expected: Forecast | None) -> tuple[Outcome, str]:
    """`least`: the rate of a package if the unit has as many of them as it can."""
    if bound.fits is False:
        return "refuted", "it needs more memory than the chips have"
    if least > CEILING_SLACK * bound.rate_tok_s:
        return "refuted", f"it is above the most generous ceiling, bound by {bound.binding}"
    if expected is None:
        return "undecided", "no bound is broken, and no published system says what is usual"
    usual = expected.rate
    if rate > usual.high99:
        return "implausible", "possible, but above what 99 % of published systems would reach"
    if rate > usual.high90:
        return "undecided", "above what published systems would reach (90 %), inside the wider range (99 %)"
    if rate < usual.low90:
        return "undecided", "below what published systems would reach (90 %): possible, but not confirmed"
    why = "inside what published systems would reach (90 %), and no bound is broken; nothing here could confirm it"
    return "consistent", why
