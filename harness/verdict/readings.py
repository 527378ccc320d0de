"""The ways to read a claim of a rate: which model, phase and unit it is of, and what each allows.

A condition that the source gives is kept as it is. Conditions of serving that it leaves out are ranged over by the
bound and drawn by the forecast; model, phase and unit are named one by one.
"""

import math
from collections.abc import Sequence

from harness.catalog.chips import Chip
from harness.catalog.models import ReleasedModel
from harness.claims import StatedConditions, Unit
from harness.roofline.bound import MOST_CHIPS, highest
from harness.roofline.ceiling import Ceiling, runs
from harness.roofline.deployment import Deployment
from harness.roofline.practice import missing as missing_in_serving
from harness.verdict.finding import left_open
from harness.vocabulary import Frozen, RatePhase

PACKAGES_OF_A_NODE = 8
"""Servers of every catalogued chip hold eight packages, GB200 and GB300 racks apart."""
WORDS = {
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


class Reading(Frozen):
    """One way to read a claim."""

    model: ReleasedModel
    phase: RatePhase
    per: Unit
    packages_per_unit: float
    """packages of the unit that the rate is of: a half for one die of two"""
    most_packages: float
    """of the unit, where its size is not given"""
    deployment: Deployment
    """as given, open conditions left open"""
    bound: Ceiling | None
    """over all that is left open; None where the chip does not compute in the format, or no source says"""


class Readings(Frozen):
    """All ways to read a claim, and the names of what it leaves open."""

    missing: tuple[str, ...]
    each: tuple[Reading, ...]

    @property
    def bounds(self) -> tuple[tuple[Ceiling, float], ...]:
        """What each reading allows of a package, with the most packages of the unit."""
        return tuple((r.bound, r.most_packages) for r in self.each if r.bound is not None)


def _units(conditions: StatedConditions, chip: Chip) -> tuple[tuple[Unit, float], ...]:
    """The units that the rate could be of, with the packages of each."""
    node = conditions.packages_per_unit or PACKAGES_OF_A_NODE
    system = conditions.packages_per_unit or conditions.chips or chip.scale_up_packages or PACKAGES_OF_A_NODE
    packages: dict[Unit, float] = {"package": 1, "die": 1 / chip.dies_per_package, "node": node, "system": system}
    if conditions.per is not None:
        return ((conditions.per, float(packages[conditions.per])),)
    units: tuple[Unit, ...] = ("package", "die") if chip.devices_per_package > 1 else ("package",)
    return tuple((unit, float(packages[unit])) for unit in units)


def readings(conditions: StatedConditions, chip: Chip, models: Sequence[ReleasedModel]) -> Readings:
    """The ways to read what `conditions` give. Raises ValueError for no models."""
    if not models:
        raise ValueError("a claim is read for at least one model")
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
    each: list[Reading] = []
    for model, phase, (per, packages) in [(m, p, u) for m in models for p in phases for u in units]:
        names += [WORDS[n] for n in missing_in_serving(model.spec, given, phase)]
        each.append(
            Reading(
                model=model,
                phase=phase,
                per=per,
                packages_per_unit=packages,
                most_packages=_most_packages(conditions, per, packages),
                deployment=given,
                bound=_bound(model, chip, given, phase),
            )
        )
    return Readings(missing=tuple(dict.fromkeys(names)), each=tuple(each))


def _most_packages(conditions: StatedConditions, unit: Unit, usual: float) -> float:
    """Packages of the unit at most: a system of unknown size may be of any."""
    is_open = unit == "system" and conditions.packages_per_unit is None and conditions.chips is None
    return float(MOST_CHIPS) if is_open else usual


def _bound(model: ReleasedModel, chip: Chip, given: Deployment, phase: RatePhase) -> Ceiling | None:
    if given.precision is not None and not runs(chip, given.precision):
        return None
    return highest(model.spec, chip, given, phase)


def differs_most(each: Sequence[Reading], results: Sequence[float]) -> str | None:
    """What of model, phase and unit moves a result most over the readings; None where they agree."""
    columns: dict[str, list[object]] = {
        "model": [r.model.name for r in each],
        "phase": [r.phase for r in each],
        "unit (package or die)": [r.per for r in each],
    }
    effects = {name: effect(values, results) for name, values in columns.items()}
    name = max(effects, key=lambda n: effects[n])
    return name if effects[name] > 0 else None


def effect(values: Sequence[object], results: Sequence[float]) -> float:
    """How far a condition moves a result: largest difference between the mean logarithms over its values."""
    groups: dict[object, list[float]] = {}
    for value, result in zip(values, results, strict=True):
        groups.setdefault(value, []).append(math.log(result))
    means = [sum(g) / len(g) for g in groups.values()]
    return max(means) - min(means)


_STEPS = 24
_MOST_BATCH = 1e7


def least_batch(reading: Reading, rate_per_unit: float, chip: Chip) -> float:
    """The batch below which the rate is above the bound of this reading; 0 where any batch would do."""
    rate, spec = rate_per_unit / reading.most_packages, reading.model.spec

    def allowed(batch: float) -> bool:
        given = reading.deployment.model_copy(update={"batch": batch})
        return rate <= highest(spec, chip, given, reading.phase).rate_tok_s

    if allowed(1.0):
        return 0.0
    low, high = 1.0, _MOST_BATCH
    for _ in range(_STEPS):
        middle = math.sqrt(low * high)
        low, high = (low, middle) if allowed(middle) else (middle, high)
    return high
