"""Claims about an architecture, against the released models that the named one could be."""

from harness.catalog.models import ReleasedModel
from harness.claims import Architecture, Hedge, Sheet, StatedConditions
from harness.model.context import deployed_bytes, kv_bytes
from harness.model.counts import parameters
from harness.results.assessment import Evidence, Flag
from harness.stats import Interval
from harness.units import quantity
from harness.verdict.finding import ARTEFACT_TOLERANCE, Finding, around, claimed, flagged, tally
from harness.verdict.knowledge import Knowledge, named_models

FIGURE_NAMES = {
    "total_parameters": "total parameters",
    "active_parameters": "active parameters",
    "activation_ratio": "active over total parameters",
    "kv_bytes_per_token": "cache for each token",
    "context_tokens": "longest context",
}
CACHE_ELEMENT_BYTES = (1.0, 2.0)
"""Caches are kept in 8 or in 16 bits."""
_STATED_ELEMENT_BYTES = {"fp32": 4.0, "bf16": 2.0, "fp16": 2.0, "fp8": 1.0, "int8": 1.0}
_CONTEXTS = (1.0, float(1 << 20))
"""Contexts by whose tokens a cache is divided that is not proportional to them (windows, compression), where the source
gives none: the first token's share, and that of a long context."""


def figures(model: ReleasedModel, claim: Architecture) -> tuple[float, ...]:
    """Every value that a careful source could print for the claim's figure under the conditions that it gives: as
    published, and as counted from the spec."""
    count = parameters(model.spec)
    active = (model.published_active, float(count.active), float(count.active_with_embedding))
    match claim.figure:
        case "total_parameters":
            return model.published_total, float(count.total)
        case "active_parameters":
            return active
        case "activation_ratio":
            return model.published_active / model.published_total, count.active / count.total
        case "kv_bytes_per_token":
            return _cache_figures(model, claim.conditions)
        case _:
            return tuple(float(c.tokens) for c in model.contexts) or (float(model.spec.max_position_embeddings),)


def _cache_figures(model: ReleasedModel, conditions: StatedConditions) -> tuple[float, ...]:
    """Cached bytes a token, in the format and at the context that the source states, or in all that are usual."""
    stated = conditions.kv_bytes or _STATED_ELEMENT_BYTES.get(conditions.precision or "")
    contexts = (conditions.context_tokens,) if conditions.context_tokens is not None else _CONTEXTS
    elements = (stated,) if stated is not None else CACHE_ELEMENT_BYTES
    found = {kv_bytes(model.spec, n, b) / n for n in contexts for b in elements}
    if 1.0 in elements:
        kept = ((n, deployed_bytes(model.spec, n)) for n in contexts)
        found |= {size / n for n, size in kept if size is not None}
    return tuple(sorted(found))


def matches(claimed: float, actual: tuple[float, ...], hedge: Hedge) -> bool:
    """Within the tolerance of any of the values. 'At least' has to be respected; 'up to' names the largest, so it
    widens the claim down to the least of the values, and no further than the largest."""
    allowed = around(min(actual), max(actual), ARTEFACT_TOLERANCE)
    if hedge == "at least":
        return claimed <= allowed.high
    if hedge == "up to":
        return allowed.low <= claimed <= allowed.high
    return any(abs(claimed / value - 1) <= ARTEFACT_TOLERANCE for value in actual)


def judge_architecture(claim: Architecture, knowledge: Knowledge, sheet: Sheet) -> Finding:
    """Refuted where off by more than 5 % from each released model that it could be; the nearest is named."""
    models = named_models(claim.conditions.model or sheet.subject, knowledge)
    if isinstance(models, Finding):
        return models
    hits = [matches(claim.value, figures(m, claim), claim.hedge) for m in models]
    found = tally(["supported" if hit else "refuted" for hit in hits])
    nearest = min(models, key=lambda m: min(_distance(claim.value, v) for v in figures(m, claim)))
    near, unit = figures(nearest, claim), claimed(claim)[1]
    shown, listed = quantity(claim.value, unit), _listed(models, claim, unit)
    flags: tuple[Flag, ...] = ()
    missing: tuple[str, ...] = ()
    evidence = tuple(_evidence(m, claim, hit) for m, hit in zip(models, hits, strict=True))
    if found.outcome == "undecided":
        holds = ", ".join(m.title for m, hit in zip(models, hits, strict=True) if hit)
        reason = f"{shown} is right for {holds} only; the source does not say which model it is about."
        missing = ("which model of the family",)
        flags = flagged(missing)
    elif found.outcome == "supported":
        reason = f"{shown} is within 5 % of {listed}.{_kind(models, claim)}"
    else:
        flags, others, remark = _elsewhere(claim, knowledge, models, sheet.source.date)
        reason = f"{shown} is more than 5 % off every released model of that name: {listed}; "
        reason += f"{nearest.title} is nearest.{remark}"
        evidence += others
    return found.finding(
        reason,
        missing,
        flags=flags,
        interval=around(min(near), max(near), ARTEFACT_TOLERANCE),
        interval_of=f"{FIGURE_NAMES[claim.figure]} of {nearest.title}, 5 % either way",
        largest_uncertainty=missing[0] if missing else None,
        evidence=evidence,
    )


def _kind(models: tuple[ReleasedModel, ...], claim: Architecture) -> str:
    """Which kind of context it is, and whose word for it, where the catalog knows."""
    if claim.figure != "context_tokens":
        return ""
    near = [c for m in models for c in m.contexts if abs(claim.value / c.tokens - 1) <= ARTEFACT_TOLERANCE]
    words = dict.fromkeys(f"the {c.kind} context ({c.source.title})" for c in near)
    return f" It is {' or '.join(words)}." if words else ""


def _distance(a: float, b: float) -> float:
    return max(a / b, b / a)


def _not_later(date: str | None, released: str | None) -> bool:
    """Whether a source of `date` (a year, a month or a day) cannot be later than the release."""
    return date is not None and released is not None and date <= released[: len(date)]


def _listed(models: tuple[ReleasedModel, ...], claim: Architecture, unit: str) -> str:
    def shown(model: ReleasedModel) -> str:
        values = figures(model, claim)
        least, most = quantity(min(values), unit), quantity(max(values), unit)
        apart = max(values) > (1 + ARTEFACT_TOLERANCE) * min(values)
        return f"{model.title} {least} to {most}" if apart else f"{model.title} {quantity(values[0], unit)}"

    return ", ".join(map(shown, models))


def _evidence(model: ReleasedModel, claim: Architecture, hit: bool) -> Evidence:
    values = figures(model, claim)
    return Evidence(
        quantity=f"{model.title}, {FIGURE_NAMES[claim.figure]}",
        value=values[0],
        unit=claimed(claim)[1],
        interval=Interval.of(values),
        basis="published",
        source=f"{model.source.title}; interval: as published and as counted from the configuration",
        url=model.source.url,
        stance="supports" if hit else "contradicts",
    )


def _elsewhere(
    claim: Architecture, knowledge: Knowledge, models: tuple[ReleasedModel, ...], date: str | None
) -> tuple[tuple[Flag, ...], tuple[Evidence, ...], str]:
    """Whose figure it is instead. A mix-up is flagged within one maker; other makers' models are only shown."""
    others = [
        m
        for m in knowledge.models
        if m not in models and any(abs(claim.value / v - 1) <= ARTEFACT_TOLERANCE for v in figures(m, claim))
    ]
    own = [m for m in others if m.vendor in {of_name.vendor for of_name in models}]
    late: tuple[Flag, ...] = ("superseded",) if any(_not_later(date, m.released) for m in models) else ()
    mixed_up: tuple[Flag, ...] = ("model-mismatch",) if own else ()
    evidence = tuple(_evidence(m, claim, True).model_copy(update={"stance": "context"}) for m in others)
    remark = f" It is the figure of {', '.join(m.title for m in own or others)}." if others else ""
    return late + mixed_up, evidence, remark
