"""What a claim's missing conditions could be: model, phase and unit, and the ranges of the cost model.

A condition that the source gives is kept as it is. Where there are many scenarios a fixed, seeded sample of them is
taken, evenly over models, phases and units.
"""

import math
import random
from collections.abc import Sequence

from harness.catalog.chips import Chip
from harness.catalog.models import ReleasedModel
from harness.claims import StatedConditions, Unit
from harness.roofline.bound import MOST_CHIPS, highest
from harness.roofline.ceiling import Ceiling, runs
from harness.roofline.deployment import Deployment
from harness.roofline.scenarios import missing as missing_in_cost
from harness.roofline.scenarios import scenarios as serving_scenarios
from harness.verdict.finding import DRAWS, SEED, left_open
from harness.vocabulary import Frozen, RatePhase

PACKAGES_OF_A_NODE = 8
"""Servers of every catalogued chip hold eight packages, GB200 and GB300 racks apart."""
_WORDS = {
    "precision": "precision",
    "chips": "chips of the group",
    "batch": "batch",
    "cache": "format of the cache",
    "context": "context length",
    "prompt": "prompt length",
    "output": "output length",
    "mtp": "drafted tokens",
    "acceptance": "acceptance of drafts",
}
_FIELDS = {
    "precision": "precision",
    "chips of the group": "chips",
    "batch": "batch",
    "context length": "context_tokens",
    "prompt length": "prompt_tokens",
    "output length": "output_tokens",
    "drafted tokens": "mtp_drafts",
    "format of the cache": "kv_bytes",
}


class Scenario(Frozen):
    """One way to fill in what is missing."""

    model: ReleasedModel
    phase: RatePhase
    per: Unit
    packages_per_unit: float
    """packages of the unit that the rate is of: a half for one die of two"""
    deployment: Deployment


class Bound(Frozen):
    """What one model, phase and unit allow, whatever else is left open."""

    model: ReleasedModel
    limits: Ceiling
    packages: float
    """most packages of the unit that the rate could be of"""


class ScenarioSet(Frozen):
    """All ways that are looked at, and what they fill in."""

    missing: tuple[str, ...]
    each: tuple[Scenario, ...]
    bounds: tuple["Bound", ...]
    """for every model, phase and unit that it could be"""

    def widest(self, scenario: Scenario, limits: Ceiling) -> Ceiling:
        """The ceiling that a table sets beside a rate: the scenario's own where all is given, else the bound that the
        verdict rests on, so that both speak of one ceiling."""
        bounds = [b.limits for b in self.bounds if b.model == scenario.model and b.limits.phase == scenario.phase]
        return max(bounds, key=lambda b: b.rate_tok_s) if self.missing and bounds else limits


def highest_of(found: ScenarioSet) -> Bound | None:
    """The highest of the bounds, in the claim's unit."""
    return max(found.bounds, key=lambda b: b.limits.rate_tok_s * b.packages, default=None)


def _units(conditions: StatedConditions, chip: Chip) -> tuple[tuple[Unit, float], ...]:
    """The units that the rate could be of, with the packages of each."""
    node = conditions.packages_per_unit or PACKAGES_OF_A_NODE
    system = conditions.packages_per_unit or conditions.chips or chip.scale_up_packages or PACKAGES_OF_A_NODE
    packages: dict[Unit, float] = {"package": 1, "die": 1 / chip.dies_per_package, "node": node, "system": system}
    if conditions.per is not None:
        return ((conditions.per, float(packages[conditions.per])),)
    units: tuple[Unit, ...] = ("package", "die") if chip.devices_per_package > 1 else ("package",)
    return tuple((unit, float(packages[unit])) for unit in units)


def scenarios(conditions: StatedConditions, chip: Chip, models: Sequence[ReleasedModel]) -> ScenarioSet:
    """What `conditions` leave open, filled in. Raises ValueError for no models."""
    if not models:
        raise ValueError("scenarios need at least one model")
    phases: tuple[RatePhase, ...] = ("prefill", "decode") if conditions.phase is None else (conditions.phase,)
    units = _units(conditions, chip)
    given = Deployment.of(conditions)
    open_ = {
        "model": len(models) > 1,
        "phase": conditions.phase is None,
        "unit (package or die)": len(units) > 1,
        "packages of a unit": conditions.per in ("node", "system") and conditions.packages_per_unit is None,
    }
    names = list(left_open(open_))
    strata = [(m, p, u) for m in models for p in phases for u in units]
    each: list[Scenario] = []
    share = max(1, math.ceil(DRAWS / len(strata)))
    generator = random.Random(SEED)
    for model, phase, (per, packages) in strata:
        names += [_WORDS[n] for n in missing_in_cost(model.spec, given, phase)]
        found = serving_scenarios(model.spec, chip, given, phase).admissible
        for deployment in found if len(found) <= share else generator.sample(found, share):
            unit = packages
            if per == "system" and conditions.packages_per_unit is None and conditions.chips is None:
                unit = max(packages, float(deployment.chips or 1))  # a system is no smaller than the group in it
            each.append(Scenario(model=model, phase=phase, per=per, packages_per_unit=unit, deployment=deployment))
    bounds = (_bound(m, chip, given, p, _most_packages(conditions, u, n)) for m, p, (u, n) in strata)
    return ScenarioSet(
        missing=tuple(dict.fromkeys(names)), each=tuple(each), bounds=tuple(b for b in bounds if b is not None)
    )


def _most_packages(conditions: StatedConditions, unit: Unit, usual: float) -> float:
    """Packages of the unit at most: a system of unknown size may be of any."""
    is_open = unit == "system" and conditions.packages_per_unit is None and conditions.chips is None
    return float(MOST_CHIPS) if is_open else usual


def _bound(model: ReleasedModel, chip: Chip, given: Deployment, phase: RatePhase, packages: float) -> Bound | None:
    """None where the chip does not compute in the format, or no source says."""
    if given.precision is not None and not runs(chip, given.precision):
        return None
    return Bound(model=model, limits=highest(model.spec, chip, given, phase), packages=packages)


def largest_effect(each: Sequence[Scenario], ceilings: Sequence[float]) -> str | None:
    """The condition whose values move the ceiling most."""
    if len(each) < 2:
        return None
    columns: dict[str, list[object]] = {
        "model": [c.model.name for c in each],
        "phase": [c.phase for c in each],
        "unit (package or die)": [c.per for c in each],
    }
    columns |= {words: [getattr(c.deployment, field) for c in each] for words, field in _FIELDS.items()}
    effects = {name: effect(values, ceilings) for name, values in columns.items()}
    name = max(effects, key=lambda n: effects[n])
    return name if effects[name] > 0 else None


def effect(values: Sequence[object], results: Sequence[float]) -> float:
    """How far a condition moves a result: largest difference between the mean logarithms over its values."""
    groups: dict[object, list[float]] = {}
    for value, result in zip(values, results, strict=True):
        groups.setdefault(value, []).append(math.log(result))
    means = [sum(g) / len(g) for g in groups.values()]
    return max(means) - min(means)
