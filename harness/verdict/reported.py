"""Reported rates and ratios of a sheet whose model, chip and conditions are known: the workloads that they are of.

Conditions are those that the sheet gives, completed from the published rate that a figure repeats. A figure that leaves
a condition open is named with what it leaves open; nothing is guessed for it.
"""

import math
from dataclasses import dataclass
from typing import Any

from harness.catalog.chips import Chip
from harness.catalog.models import ReleasedModel
from harness.catalog.rates import PublishedRate
from harness.claims import ChipRatio, ModelRatio, Sheet, StatedConditions, Throughput
from harness.roofline.ceiling import runs, with_context
from harness.roofline.deployment import Deployment
from harness.roofline.matched_case import Match
from harness.roofline.practice import missing
from harness.roofline.similarity import Groups
from harness.verdict.finding import SAME_FIGURE
from harness.verdict.knowledge import Knowledge
from harness.verdict.ratios import pairs
from harness.verdict.tracing import per_package, trace
from harness.vocabulary import MIXED_PHASES, Frozen, Phase


class ChipWorkload(Frozen):
    """One workload on one chip, every condition known."""

    model: ReleasedModel
    chip: Chip
    deployment: Deployment
    phase: Phase
    source: str
    """where its conditions are from"""

    @property
    def title(self) -> str:
        return f"{self.model.title} on {self.chip.title}, {self.phase}"


class ReportedFigure(Frozen):
    """A reported figure: of one workload where it is a rate, of two where it is a ratio of rates."""

    id: str
    statement: str
    value: float
    unit: str
    sides: tuple[ChipWorkload, ...]
    """none where something is open"""
    open: tuple[str, ...] = ()
    """what is not known, as words"""


@dataclass(frozen=True)
class MatchedFigure:
    """A reported figure with the groups of its workloads there and the closest case here, side by side."""

    figure: ReportedFigure
    there: tuple[Groups, ...]
    matches: tuple[Match, ...]

    @property
    def distance(self) -> float | None:
        """Of a rate, its own; of a ratio, that of both sides together, were they independent."""
        return math.hypot(*(m.distance for m in self.matches)) if self.matches else None


_WORDS = {"chips": "chips of the group", "context": "context length", "prompt": "prompt length", "mtp": "drafts",
          "acceptance": "acceptance of drafts", "cache": "format of the cache"}  # fmt: skip


def reported_figures(sheet: Sheet, knowledge: Knowledge) -> tuple[ReportedFigure, ...]:
    """All rates and ratios of rates that the sheet states, and the ratios of prefill to decode that its rates form."""
    found: list[ReportedFigure] = []
    for claim in sheet.claims:
        if isinstance(claim, Throughput):
            found.append(_rate(claim, sheet, knowledge))
        elif isinstance(claim, ChipRatio):
            found.append(_chip_ratio(claim, sheet, knowledge))
        elif isinstance(claim, ModelRatio) and claim.figure == "rate":
            found.append(_model_ratio(claim, knowledge))
    return (*found, *_phase_ratios(found))


def _rate(claim: Throughput, sheet: Sheet, knowledge: Knowledge) -> ReportedFigure:
    conditions, source = claim.conditions, "the source"
    chip = knowledge.chip(conditions.chip)
    rate = None if chip is None else per_package(claim, chip.dies_per_package)
    traced = None if rate is None else trace(claim, rate, sheet.source.own_publications, knowledge)
    if traced is not None:
        conditions, source = traced.conditions, traced.rate.source.title
    side = _workload(conditions, conditions.model or sheet.subject, conditions.chip, source, knowledge)
    return _figure(claim.id, claim.statement, rate or claim.rate_tok_s, "tok/s", (side,))


def _chip_ratio(claim: ChipRatio, sheet: Sheet, knowledge: Knowledge) -> ReportedFigure:
    """Where its conditions are open they are those of a published pair with this very ratio, if there is one."""
    given = claim.conditions
    sides = [
        _workload(given, given.model or sheet.subject, name, "the source", knowledge)
        for name in (claim.chip, claim.reference)
    ]
    if any(isinstance(side, tuple) for side in sides):
        alike = (p for p in pairs(claim.chip, claim.reference, knowledge, given.phase) if _same(p.ratio, claim.ratio))
        pair = next(alike, None)
        if pair is not None:
            sides = [_published(rate, knowledge) for rate in (pair.rate, pair.reference)]
    return _figure(claim.id, claim.statement, claim.ratio, "ratio", tuple(sides))


def _same(a: float, b: float) -> bool:
    return abs(a / b - 1) <= SAME_FIGURE


def _model_ratio(claim: ModelRatio, knowledge: Knowledge) -> ReportedFigure:
    given = claim.conditions
    names = (claim.model, claim.reference)
    sides = tuple(_workload(given, name, given.chip, "the source", knowledge) for name in names)
    return _figure(claim.id, claim.statement, claim.ratio, "ratio", sides)


def _phase_ratios(rates: list[ReportedFigure]) -> list[ReportedFigure]:
    """Prefill over decode of one model on one chip, for all rates whose workloads are known."""
    known = [(f, f.sides[0]) for f in rates if len(f.sides) == 1]
    return [
        ReportedFigure(
            id=f"{a.id}-over-{b.id}",
            statement="prefill over decode, of one package",
            value=a.value / b.value,
            unit="ratio",
            sides=(pre, dec),
        )
        for a, pre in known
        for b, dec in known
        if (pre.phase, dec.phase) == ("prefill", "decode") and (pre.chip, pre.model) == (dec.chip, dec.model)
    ]


Side = ChipWorkload | tuple[str, ...]
"""A workload, or what is open of it."""


def _figure(name: str, statement: str, value: float, unit: str, sides: tuple[Side, ...]) -> ReportedFigure:
    whole = tuple(side for side in sides if isinstance(side, ChipWorkload))
    open_ = tuple(dict.fromkeys(word for side in sides if isinstance(side, tuple) for word in side))
    found: dict[str, Any] = {"sides": () if open_ else whole, "open": open_}
    return ReportedFigure(id=name, statement=statement, value=value, unit=unit, **found)


def _published(rate: PublishedRate, knowledge: Knowledge) -> Side:
    conditions = StatedConditions(
        **{name: getattr(rate.conditions, name) for name in Deployment.of(rate.conditions).model_fields_set},
        phase=rate.phase,
    )
    return _workload(conditions, rate.model, rate.chip, rate.source.title, knowledge)


def _workload(
    conditions: StatedConditions, model_name: str | None, chip_name: str | None, source: str, knowledge: Knowledge
) -> Side:
    """The workload of these conditions, or what they leave open."""
    chip, models = knowledge.chip(chip_name), knowledge.could_be(model_name)
    phase = conditions.phase
    unknown = [
        "chip" if chip is None else "",
        "model" if len(models) != 1 else "",
        "phase" if phase is None else "one phase (it mixes both)" if phase in MIXED_PHASES else "",
    ]
    if chip is None or len(models) != 1 or phase not in ("prefill", "decode"):
        return tuple(word for word in unknown if word)
    model, deployment = models[0], with_context(Deployment.of(conditions))
    open_ = missing(model.spec, deployment, phase)
    if model.spec.num_nextn_predict_layers == 0 and deployment.mtp_drafts is None:
        deployment = deployment.model_copy(update={"mtp_drafts": 0})
    if not open_ and deployment.precision is not None and not runs(chip, deployment.precision):
        return (f"arithmetic of {chip.title} for {deployment.precision}",)
    if open_:
        return tuple(_WORDS.get(name, name) for name in open_)
    return ChipWorkload(model=model, chip=chip, deployment=deployment, phase=phase, source=source)
