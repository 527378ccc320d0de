"""One rate against one reading of it: the bound that may refute it, and what published systems would reach.

The forecast is made without the publications under test. Rates are per package.
"""

from functools import lru_cache

from harness.catalog.chips import Chip
from harness.catalog.collection import builtin
from harness.results.assessment import Outcome
from harness.roofline.ceiling import Ceiling, runs
from harness.roofline.deployment import Deployment
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


WIDE = 6.0
"""High over low of a range (90 %) that is worth a word on what makes it so wide."""
_WIDENS = 1.15
_WIDENING_DRAWS = 16
_GIVEN = {
    "maturity": "how mature the software is", "batch": "the batch", "chips": "the chips of the group",
    "precision": "the precision", "prompt_tokens": "the prompt length", "output_tokens": "the output length",
    "context_tokens": "the context length", "mtp_drafts": "the drafted tokens",
}  # fmt: skip


def widened_by(reading: Reading, rating: Rating, chip: Chip, fitted: Law | None) -> tuple[str, ...]:
    """Conditions that make a wide range wider by being given: some software, and some ends of a condition, vary more
    than the rest."""
    if fitted is None or rating.forecast is None or rating.forecast.rate.width90 <= WIDE:
        return ()

    def width(given: Deployment) -> float:
        spec, phase = reading.model.spec, reading.phase
        return forecast(spec, chip, given, phase, fitted, count=_WIDENING_DRAWS).rate.width90

    given = reading.deployment
    stated = [name for name in _GIVEN if getattr(given, name) is not None]
    whole = width(given)
    return tuple(_GIVEN[name] for name in stated if whole > _WIDENS * width(given.model_copy(update={name: None})))


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
