"""What the cost model says of one rate under one completion: bounds, and where it lies in the band. Knows no claim.

The most generous ceiling refutes; the nominal ceiling times the band says what is usual. Rates are per package here.
"""

from harness.cost import Ceiling, ceiling, most_generous, runs
from harness.cost.band import Band
from harness.frozen import Frozen
from harness.hardware import Chip
from harness.verdict.completions import Completion
from harness.verdict.evidence import Outcome
from harness.verdict.reach import fraction
from harness.verdict.thresholds import CEILING_SLACK


class Rating(Frozen):
    """One rate under one completion."""

    outcome: Outcome
    why: str
    rate_tok_s: float
    """per package"""
    generous: Ceiling | None
    nominal: Ceiling | None
    batch: float | None = None
    admissible: bool = True
    """False where the completion cannot be meant: what was filled in does not fit the memory"""


def supported(chip: Chip, completion: Completion) -> bool | None:
    """Whether the chip computes with weights of the completion's format; None where no source says."""
    precision = completion.deployment.precision
    return None if precision is None else runs(chip, precision)


def rate_at(rate_per_unit: float, chip: Chip, completion: Completion, reach: Band | None, given_shape: bool) -> Rating:
    """Judge a rate of the completion's unit. `given_shape`: batch, group and precision are the source's own words."""
    rate = rate_per_unit / completion.packages_per_unit
    can = supported(chip, completion)
    if not can:
        precision = completion.deployment.precision
        why = f"{chip.title} has no {precision} arithmetic" if can is False else f"no source gives its {precision} peak"
        outcome: Outcome = "refuted" if can is False else "undecided"
        return Rating(outcome=outcome, why=why, rate_tok_s=rate, generous=None, nominal=None)
    spec = completion.model.spec
    generous = most_generous(spec, chip, completion.deployment, completion.phase)
    nominal = ceiling(spec, chip, completion.deployment, completion.phase)
    outcome, why, admissible = _place(rate, generous, nominal, reach, given_shape)
    return Rating(
        outcome=outcome,
        why=why,
        rate_tok_s=rate,
        generous=generous,
        nominal=nominal,
        batch=completion.deployment.batch,
        admissible=admissible,
    )


def _place(
    rate: float, generous: Ceiling, nominal: Ceiling, reach: Band | None, given_shape: bool
) -> tuple[Outcome, str, bool]:
    if generous.fits is False:
        return "refuted", "it needs more memory than the chips have", given_shape
    if rate > CEILING_SLACK * generous.rate_tok_s:
        return "refuted", f"it is above the most generous ceiling, bound by {generous.binding}", True
    if reach is None:
        return "undecided", "no bound is broken, and no published system says what is usual", True
    share = fraction(reach, nominal, rate)
    if share > reach.high99:
        return "implausible", "possible, but above what 99 % of published systems reach", True
    if share > reach.high90:
        return "undecided", "above the 90 % band of published systems, inside the 99 % band", True
    if share < reach.low90:
        return "undecided", "below the 90 % band of published systems: possible, and nothing confirms it", True
    return (
        "consistent",
        "inside the 90 % band of published systems, no bound broken; nothing here could confirm it",
        True,
    )
