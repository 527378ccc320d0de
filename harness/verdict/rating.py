"""One rate under one scenario: which bounds it breaks, and where it lies in the usual range of published systems.

The most generous ceiling refutes; the nominal ceiling times the usual range, made without the sources under test, says
what is usual. Rates are per package.
"""

from functools import lru_cache

from harness.catalog.chips import Chip
from harness.catalog.collection import builtin
from harness.errors import UsageError
from harness.results.assessment import Outcome
from harness.roofline.achieved import AchievedRange, achieved_range, reference_tok_s
from harness.roofline.ceiling import Ceiling, ceiling, most_generous, runs
from harness.verdict.finding import CEILING_SLACK
from harness.verdict.knowledge import Knowledge
from harness.verdict.scenarios import Scenario
from harness.vocabulary import Frozen, RatePhase


@lru_cache(maxsize=256)
def usual_range(
    phase: RatePhase, vendor: str, leave_out: tuple[str, ...], knowledge: Knowledge
) -> AchievedRange | None:
    """The usual range for a rate on a chip of `vendor`, without the publications `leave_out`; None where nothing is
    left.

    Other publications on the vendor's chips stay in: leaving them out as well costs a quarter of the seeded errors of
    factor 4 and saves no true rate (see `harness self-test`).
    Where none is left the usual range has a vendor term in its width.
    """
    catalog = None if knowledge.catalog is builtin() else knowledge.catalog
    try:
        return achieved_range(phase, vendor=vendor, exclude_sources=leave_out, catalog=catalog)
    except UsageError:
        return None


def made_of(found: AchievedRange) -> str:
    """Rows and publications that made a usual range, in words."""
    return f"{len(found.rows)} published rates of {len(found.sources)} publications: {', '.join(found.sources)}"


def usual_tok_s(found: AchievedRange, limits: Ceiling) -> tuple[float, float, float]:
    """Rates at the usual range's lower end, middle and upper end (90 %), for one deployment's limits."""
    reference = reference_tok_s(limits, found.exposed_link)
    return reference * found.low90, reference * found.mid, reference * found.high90


def fraction(found: AchievedRange, limits: Ceiling, rate_tok_s: float) -> float:
    """What share of its reference point a rate is."""
    return rate_tok_s / reference_tok_s(limits, found.exposed_link)


class Rating(Frozen):
    """One rate under one scenario."""

    outcome: Outcome
    why: str
    rate_tok_s: float
    """per package"""
    generous: Ceiling | None
    nominal: Ceiling | None
    batch: float | None = None
    admissible: bool = True
    """False where the scenario is impossible by itself: what was filled in does not fit the memory"""


def supported(chip: Chip, scenario: Scenario) -> bool | None:
    """Whether the chip computes with weights of the scenario's format; None where no source says."""
    precision = scenario.deployment.precision
    return None if precision is None else runs(chip, precision)


def rate_at(
    rate_per_unit: float, chip: Chip, scenario: Scenario, achieved: AchievedRange | None, given_shape: bool
) -> Rating:
    """Judge a rate of the scenario's unit. `given_shape`: the source itself gives group and precision."""
    rate = rate_per_unit / scenario.packages_per_unit
    can = supported(chip, scenario)
    if not can:
        precision = scenario.deployment.precision
        why = f"{chip.title} has no {precision} arithmetic" if can is False else f"no source gives its {precision} peak"
        outcome: Outcome = "refuted" if can is False else "undecided"
        return Rating(outcome=outcome, why=why, rate_tok_s=rate, generous=None, nominal=None)
    spec = scenario.model.spec
    generous = most_generous(spec, chip, scenario.deployment, scenario.phase)
    nominal = ceiling(spec, chip, scenario.deployment, scenario.phase)
    outcome, why, admissible = _place(rate, generous, nominal, achieved, given_shape)
    return Rating(
        outcome=outcome,
        why=why,
        rate_tok_s=rate,
        generous=generous,
        nominal=nominal,
        batch=scenario.deployment.batch,
        admissible=admissible,
    )


def _place(
    rate: float, generous: Ceiling, nominal: Ceiling, achieved: AchievedRange | None, given_shape: bool
) -> tuple[Outcome, str, bool]:
    if generous.fits is False:
        return "refuted", "it needs more memory than the chips have", given_shape
    if rate > CEILING_SLACK * generous.rate_tok_s:
        return "refuted", f"it is above the most generous ceiling, bound by {generous.binding}", True
    if achieved is None:
        return "undecided", "no bound is broken, and no published system says what is usual", True
    share = fraction(achieved, nominal, rate)
    if share > achieved.high99:
        return "implausible", "possible, but above what 99 % of published systems reach", True
    if share > achieved.high90:
        return "undecided", "above the usual range of published systems (90 %), inside the wider one (99 %)", True
    if share < achieved.low90:
        return "undecided", "below the usual range of published systems (90 %): possible, but not confirmed", True
    why = "inside the usual range of published systems (90 %), and no bound is broken; nothing here could confirm it"
    return "consistent", why, True
