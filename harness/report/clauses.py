"""Why a verdict fell as it did, in one clause made from its figures and its evidence, and on which basis."""

import re
from collections.abc import Iterable

from harness import units
from harness.results.assessment import Assessment, Basis, Evidence, Flag, Outcome, Stance, Verdict
from harness.stats import Interval
from harness.vocabulary import COUNTERPARTS

_FOR: tuple[Stance, ...] = ("supports", "allows", "contradicts", "context")
_AGAINST: tuple[Stance, ...] = ("contradicts", "supports", "allows", "context")
_RATIOS = ("chip_ratio", "model_ratio", "cost_ratio")
_FLAGS: dict[Flag, str] = {
    "model-mismatch": "another model's figure",
    "misattributed": "misattributed",
    "superseded": "superseded",
    "unit-trap": "unit unclear",
}
_SIDES = re.compile(rf" over ({'|'.join(COUNTERPARTS)}) dense, (prefill|decode),")
_SIZES = {"equal-total": "a dense model of equal total size", "equal-active": "one of equal active size"}


def by_weight(evidence: Iterable[Evidence], outcome: Outcome) -> list[Evidence]:
    """Evidence with what speaks for the outcome first."""
    order = _AGAINST if outcome in ("refuted", "implausible") else _FOR
    return sorted(evidence, key=lambda e: order.index(e.stance))


def basis(v: Verdict) -> Basis | None:
    """What the verdict rests on: a measurement where one bears on it, else the evidence that weighs most."""
    if not v.evidence:
        return None
    return "measured" if any(e.basis == "measured" for e in v.evidence) else by_weight(v.evidence, v.outcome)[0].basis


def clause(v: Verdict, assessment: Assessment) -> str:
    """One clause: what was claimed beside what decides."""
    parts = _parts(v, assessment)
    if all(part in (*_claimed(v), units.quantity(v.claimed, v.unit)) for part in parts):
        parts.append(_first_sentence(v.reason))
    told = v.kind == "architecture" and any(e.stance == "context" for e in v.evidence)
    parts += [] if told else [_FLAGS[flag] for flag in v.flags if flag in _FLAGS]
    return "; ".join(parts) + (f" (or {v.also})" if v.also else "")


def _parts(v: Verdict, assessment: Assessment) -> list[str]:
    match v.kind:
        case "fact":
            return _on_record(v)
        case "capacity":
            return _room(v)
        case "architecture":
            return _released(v)
        case "design":
            return _gains(v) or _modelled(v)
        case "chip_ratio" | "model_ratio" | "cost_ratio" | "throughput" | "latency" | "efficiency" | "cost":
            return [*_figures(v, assessment), *_measured_beside(v)]
        case _:
            return [*_claimed(v), *_decisive(v)]


def _first_sentence(reason: str) -> str:
    """Where no figure decides, the reason's own first sentence, whole."""
    return re.split(r"(?<=[a-z0-9])\. (?=[A-Z])", reason, maxsplit=1)[0].rstrip(".")


def span(value: Interval, unit: str) -> str:
    """An interval as a clause writes it, in one word where its unit allows: 4,059-10,355 tok/s."""
    text = units.interval(value.low, value.high, unit)
    least, _, most = text.removeprefix("[").replace("]", "").partition(", ")
    return most if most.startswith(least) else f"{least}-{most}"


def _claimed(v: Verdict) -> list[str]:
    return [] if v.claimed is None else [f"{units.quantity(v.claimed, v.unit)} claimed"]


def _decisive(v: Verdict) -> list[str]:
    """The piece of evidence that weighs most, with its figure."""
    return [_said(e) for e in by_weight(v.evidence, v.outcome)[:1]]


def _said(e: Evidence) -> str:
    if e.value is None:
        return e.quantity
    figure = units.quantity(e.value, e.unit)
    return e.quantity if e.quantity.startswith(figure) else f"{e.quantity} = {figure}"


def _on_record(v: Verdict) -> list[str]:
    """What the firmest source shows; where they do not settle it, how many stand on each side."""
    if v.outcome != "undecided":
        return [e.quantity for e in by_weight(v.evidence, v.outcome)[:1]]
    for_, against = ([e for e in v.evidence if e.stance == stance] for stance in ("supports", "contradicts"))
    sides = f"sources: {len(for_) or 'none'} for it, {len(against) or 'none'} against"
    return [f"{sides}, e.g. {(against or for_)[0].quantity}" if v.evidence else sides]


def _room(v: Verdict) -> list[str]:
    """What the weights and caches need beside the memory that the source of the evidence names."""
    return [
        f"{e.quantity} need {units.quantity(e.value, e.unit)}; {e.source.rpartition('; ')[2]}"
        for e in by_weight(v.evidence, v.outcome)[:1]
    ]


def _released(v: Verdict) -> list[str]:
    """The claimed size, the released models', and whose it is instead."""
    names = {id(e): e.quantity.partition(",")[0] for e in v.evidence}
    makers = {name.partition("-")[0] for e in v.evidence if e.stance != "context" for name in [names[id(e)]]}
    # One maker's name before each of its models says nothing new.
    prefix = f"{makers.pop()}-" if len(makers) == 1 else ""
    sizes = [e for e in v.evidence if e.stance != "context"]
    parts = [", ".join(f"{names[id(e)].removeprefix(prefix)} {units.quantity(e.value, e.unit)}" for e in sizes)]
    others = [names[id(e)].removeprefix(prefix) for e in v.evidence if e.stance == "context"]
    parts += [f"it is that of {', '.join(others)}"] if others else []
    return [*_claimed(v), *filter(None, parts)]


def _gains(v: Verdict) -> list[str]:
    """Measured ratios to the dense counterparts, least to largest, phase by phase."""
    measured = [e for e in v.evidence if e.basis == "measured" and e.value is not None]
    found: dict[str, dict[str, list[float]]] = {}
    for e in measured:
        sides = _SIDES.search(e.quantity)
        if sides and e.value is not None:
            found.setdefault(sides[2], {}).setdefault(sides[1], []).append(e.value)
    if not found:
        return [_said(e) for e in measured[:1]]
    return [
        f"{phase} {', '.join(f'{_range(values)} {_SIZES[size]}' for size, values in by_size.items())}"
        for phase, by_size in found.items()
    ]


def _modelled(v: Verdict) -> list[str]:
    """What the architecture alone says, least to largest over models and batches."""
    values = [e.value for e in v.evidence if e.value is not None]
    if not values:
        return []
    # Evidence is named 'MODEL: figure, batch': what all share is the figure.
    figures = [e.quantity.partition(": ")[2] for e in v.evidence]
    shared = figures[0]
    while not all(figure.startswith(shared) for figure in figures):
        shared = shared.rpartition(", ")[0]
    return [f"not measured; {shared}: {_range(values)}"]


def _range(values: list[float]) -> str:
    least, most = units.number(min(values)), units.times(max(values))
    return most if least == most.removesuffix("×") else f"{least}-{most}"


def _figures(v: Verdict, assessment: Assessment) -> list[str]:
    """The claim, what is usual or published for it, and the limit, in the claim's unit."""
    limit = _limit(v, assessment)
    bare = v.unit if v.unit in ("ratio", "fraction", "s") else ""
    shown = [] if v.interval is None else [f"{_range_of(v)} {span(v.interval, bare)}"]
    if limit is not None:
        shown.append(f"{'at least' if v.unit == 's' else 'limit'} {units.quantity(limit, bare)}")
    parts = [] if v.claimed is None else [units.quantity(v.claimed, v.unit)]
    parts += [", ".join(shown)] if shown else []
    settles = {"supported": "supports", "refuted": "contradicts", "implausible": "contradicts"}.get(v.outcome)
    if v.kind in _RATIOS:
        return parts
    return parts + [_said(e) for e in v.evidence if e.stance == settles and e.unit == v.unit and e.value != limit][:1]


def _range_of(v: Verdict) -> str:
    """What the interval of a figure is of, in a word or two."""
    if v.kind not in _RATIOS:
        return "usual"
    published = any(e.basis == "published" and e.stance in ("supports", "contradicts") for e in v.evidence)
    return "published pairs" if published else v.interval_of or "possible"


def _limit(v: Verdict, assessment: Assessment) -> float | None:
    """The bound in the evidence. It is given for a package: a rate of a node is told apart by its scaled row."""
    bound = next((e for e in v.evidence if e.basis == "modelled" and e.unit == v.unit and e.stance != "context"), None)
    if bound is None or bound.value is None or v.claimed is None or v.unit not in ("tok/s", "s"):
        return None
    package = next((s for s in assessment.scaled if s.id == f"{v.id}-per-package" and s.reported > 0), None)
    return bound.value * (v.claimed / package.reported if package else 1)


def _measured_beside(v: Verdict) -> list[str]:
    """The measured figure of a publication whose projection the claim repeats."""
    measured = [e for e in v.evidence if e.note == "measured, same source and set-up"]
    return [f"a projection; its source measured {units.quantity(e.value, e.unit)}" for e in measured]
