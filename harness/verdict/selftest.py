"""The self-test of the judges: published rates that must pass, and seeded errors that must be caught.

Every published rate that states its conditions becomes a sheet of one claim, judged without its own publication; a
seeded error is that claim with one thing made wrong. Caught means refuted, implausible, above what published systems
would reach (90 %), or flagged with the very trap that was seeded.
"""

import math
from collections.abc import Callable, Iterator
from typing import Literal

from pydantic import computed_field

from harness.catalog.collection import Catalog
from harness.catalog.rates import PublishedRate
from harness.claims import Architecture, Capacity, Claim, Sheet, Source, StatedConditions, Throughput
from harness.model.counts import parameters
from harness.model.spec import Spec
from harness.results.assessment import Flag
from harness.roofline.deployment import Deployment
from harness.roofline.forecast import settled
from harness.roofline.practice import missing
from harness.verdict.finding import Finding
from harness.verdict.judge import judge
from harness.verdict.knowledge import Knowledge, knowledge_of
from harness.vocabulary import Frozen

Kind = Literal[
    "node as chip (x8)",
    "factor 4",
    "factor 3",
    "cache hits counted (x2.29)",
    "factor 2",
    "factor 2, batch and time independent",
    "factor 4, no time given",
    "factor 3, no time given",
    "drafts counted twice (x1.7)",
    "an eighth, batch and time independent",
    "active and total swapped",
    "bits for bytes",
    "prefill given as decode",
    "model changed, number kept",
    "weights do not fit",
    "unsupported precision",
]
FACTORS: dict[Kind, float] = {
    "node as chip (x8)": 8.0,
    "factor 4": 4.0,
    "factor 3": 3.0,
    "cache hits counted (x2.29)": 2.29,
    "factor 2": 2.0,
    "drafts counted twice (x1.7)": 1.7,
}
INDEPENDENT_FACTORS: dict[Kind, float] = {
    "factor 2, batch and time independent": 2.0,
    "an eighth, batch and time independent": 0.125,
}
BLIND_FACTORS: dict[Kind, float] = {"factor 4, no time given": 4.0, "factor 3, no time given": 3.0}
"""The same where no identity can give them away: bounds and usual range alone."""
REQUIRED: dict[Kind, float] = {
    "node as chip (x8)": 1.0,
    "factor 4": 0.85,
    "factor 3": 0.75,
    "factor 2, batch and time independent": 0.90,
    "model changed, number kept": 1.0,
    "weights do not fit": 1.0,
    "unsupported precision": 1.0,
}
"""Share of each kind to be caught; kinds that are not listed are measured and reported only."""
CAUGHT = ("refuted", "implausible")


class SeededError(Frozen):
    """One claim made false on purpose."""

    kind: Kind
    of: str
    """the published rate or model that was falsified"""
    claim: Claim
    subject: str | None
    catalogued_as: tuple[str, ...]
    expects: Flag | None = None
    """the flag that names the trap, where that is how it is caught"""


class Detection(Frozen):
    """How many seeded errors of a kind were caught."""

    kind: Kind
    seeded: int
    caught: int
    flagged: int
    """of the caught, those that only a flag names"""
    required: float | None
    missed: tuple[str, ...]

    @computed_field  # type: ignore[prop-decorator]
    @property
    def rate(self) -> float:
        return self.caught / self.seeded if self.seeded else 1.0

    @computed_field  # type: ignore[prop-decorator]
    @property
    def reached(self) -> bool:
        return self.required is None or self.rate >= self.required


class SelfTest(Frozen):
    """Detection rates and false alarms of the judges."""

    true_rows: int
    false_alarms: tuple[str, ...]
    """published rates that were refuted or called implausible"""
    undecided: int
    detections: tuple[Detection, ...]

    @computed_field  # type: ignore[prop-decorator]
    @property
    def false_alarm_rate(self) -> float:
        return len(self.false_alarms) / self.true_rows if self.true_rows else 0.0

    @computed_field  # type: ignore[prop-decorator]
    @property
    def passed(self) -> bool:
        return not self.false_alarms and all(d.reached for d in self.detections)


def as_claim(rate: PublishedRate) -> Throughput:
    """A published rate as the claim that its source makes, with the conditions that it gives."""
    given = rate.conditions.model_dump(exclude={"attention_precision", "kv_bytes"})
    given["tpot_independent"] = None if rate.conditions.tpot_s is None else False
    given |= {"phase": rate.phase, "model": rate.model, "chip": rate.chip, "per": "package"}
    return Throughput(
        kind="throughput",
        id=rate.id,
        place="catalog of published rates",
        statement=f"{rate.system} reaches {rate.rate_tok_s:g} tokens a second.",
        rate_tok_s=rate.rate_tok_s,
        conditions=StatedConditions(**given),
    )


def complete_rates(knowledge: Knowledge) -> tuple[PublishedRate, ...]:
    """Published rates that state every condition their limits need, projections included."""
    specs = {m.name: m.spec for m in knowledge.models}
    return tuple(r for r in knowledge.rates if r.model in specs and not _open(r, specs[r.model]))


def _open(rate: PublishedRate, spec: Spec) -> tuple[str, ...]:
    return missing(spec, settled(spec, Deployment.of(rate.conditions)), rate.phase)


def _changed(claim: Throughput, rate_tok_s: float, **conditions: object) -> Throughput:
    fields = {**claim.conditions.model_dump(), **conditions}
    return claim.model_copy(update={"rate_tok_s": rate_tok_s, "conditions": StatedConditions.model_validate(fields)})


def _of_rate(rate: PublishedRate, knowledge: Knowledge) -> Iterator[SeededError]:
    """Everything that can be made wrong with one published rate."""
    claim = as_claim(rate)
    given = claim.conditions

    def seed(kind: Kind, factor: float = 1.0, **conditions: object) -> SeededError:
        false = _changed(claim, factor * claim.rate_tok_s, **conditions)
        return SeededError(kind=kind, of=rate.id, claim=false, subject=rate.model, catalogued_as=(rate.source_id,))

    for kind, factor in FACTORS.items():
        yield seed(kind, factor)
    for kind, factor in BLIND_FACTORS.items():
        yield seed(kind, factor, tpot_s=None, tpot_bound=None, tpot_independent=None)
    if rate.phase == "decode" and given.batch is not None:
        stated = given.tpot_s if given.tpot_s and given.tpot_is_value else given.batch / claim.rate_tok_s
        for kind, factor in INDEPENDENT_FACTORS.items():
            yield seed(kind, factor, tpot_s=stated, tpot_bound=None, tpot_independent=True)
    if rate.phase == "prefill" and given.prompt_tokens is not None:
        context = given.prompt_tokens
        yield seed("prefill given as decode", phase="decode", context_tokens=context, mtp_drafts=0, batch=64)
    chip = knowledge.chip(rate.chip)
    if chip is not None and chip.supports("fp8") is False:
        yield seed("unsupported precision", precision="fp8")
    other = "kimi-k2" if rate.model != "kimi-k2" else "deepseek-r1"
    changed = seed("model changed, number kept", model=other)
    yield changed.model_copy(update={"expects": "model-mismatch", "subject": other})


def _of_models(knowledge: Knowledge) -> Iterator[SeededError]:
    """Seeded errors of size: for each MoE model, and for each chip with sourced memory."""

    def seed(kind: Kind, of: str, claim: Claim) -> SeededError:
        return SeededError(kind=kind, of=of, claim=claim, subject=None, catalogued_as=())

    def size(id_: str, statement: str, figure: str, value: float) -> Architecture:
        words = {"kind": "architecture", "id": id_, "statement": statement, "place": "seeded"}
        where = StatedConditions(model=model.name)
        return Architecture.model_validate({**words, "conditions": where, "figure": figure, "value": float(value)})

    for model in knowledge.models:
        counts = parameters(model.spec)
        if counts.active < 0.5 * counts.total:
            for figure, value in (("total_parameters", counts.active), ("active_parameters", counts.total)):
                false = size("swapped", "Active and total swapped.", figure, value)
                yield seed("active and total swapped", model.name, false)
        bits = size("bits", "Bits for bytes.", "total_parameters", 8.0 * counts.total)
        yield seed("bits for bytes", model.name, bits)
        for chip in knowledge.catalog.chips:
            memory = chip.memory.high if chip.memory else math.inf
            chips = max(1, int(0.6 * counts.total / memory))
            if counts.total > chips * memory:
                where = StatedConditions(model=model.name, chip=chip.name, chips=chips, precision="int8")
                words = {"kind": "capacity", "id": "fits", "statement": "It fits.", "place": "seeded"}
                fits = Capacity.model_validate({**words, "conditions": where})
                yield seed("weights do not fit", f"{model.name} on {chips} x {chip.name}", fits)


def seeded_errors(knowledge: Knowledge) -> tuple[SeededError, ...]:
    """Every seeded false claim.

    Rates that were left out of the usual range for being untuned or averages make none: a multiple of a slow rate may
    be an ordinary one, and calling it false would be our mistake.
    """
    rates = [r for r in complete_rates(knowledge) if r.calibrates or r.conditions.idealised]
    return (*(p for r in rates for p in _of_rate(r, knowledge)), *_of_models(knowledge))


def sheet_of(claim: Claim, subject: str | None, catalogued_as: tuple[str, ...]) -> Sheet:
    """One claim as a sheet of its own."""
    source = Source(title="self-test", catalogued_as=catalogued_as)
    return Sheet(sheet=1, id="self-test", subject=subject, source=source, claims=(claim,))


def without(knowledge: Knowledge, sources: tuple[str, ...]) -> Knowledge:
    """The same knowledge, the rates of these publications never seen."""
    rates = tuple(r for r in knowledge.rates if r.source_id not in sources)
    catalog = Catalog(chips=knowledge.catalog.chips, models=knowledge.models, rates=rates)
    return Knowledge(catalog=catalog, facts=knowledge.facts)


def run_self_test(knowledge: Knowledge | None = None) -> SelfTest:
    """Judge every published rate and every seeded error; a rate's own publication is never seen, except where the
    seeded error is to be recognised by it (a number kept while the model changed)."""
    whole = knowledge or knowledge_of()
    blind: dict[tuple[str, ...], Knowledge] = {}

    def unseen(sources: tuple[str, ...]) -> Knowledge:
        if sources not in blind:
            blind[sources] = without(whole, sources)
        return blind[sources]

    alarms, undecided = [], 0
    rates = complete_rates(whole)
    for rate in rates:
        sheet = sheet_of(as_claim(rate), rate.model, (rate.source_id,))
        found = judge(sheet.claims[0], unseen((rate.source_id,)), sheet)
        alarms += [f"{rate.id}: {found.outcome}"] if found.outcome in CAUGHT else []
        undecided += found.outcome == "undecided"
    return SelfTest(
        true_rows=len(rates),
        false_alarms=tuple(alarms),
        undecided=undecided,
        detections=_detections(seeded_errors(whole), whole, unseen),
    )


def _detections(
    seeded: tuple[SeededError, ...], whole: Knowledge, unseen: Callable[[tuple[str, ...]], Knowledge]
) -> tuple[Detection, ...]:
    by_kind: dict[Kind, list[tuple[SeededError, Finding]]] = {}
    for error in seeded:
        sheet = sheet_of(error.claim, error.subject, error.catalogued_as)
        knowledge = whole if error.expects is not None else unseen(error.catalogued_as)
        by_kind.setdefault(error.kind, []).append((error, judge(error.claim, knowledge, sheet)))
    return tuple(_detection(kind, results) for kind, results in by_kind.items())


def _is_caught(claim: Claim, found: Finding) -> bool:
    beyond = claim.kind == "throughput" and found.interval is not None and claim.rate_tok_s > found.interval.high
    return found.outcome in CAUGHT or (found.outcome == "undecided" and beyond)


def _detection(kind: Kind, results: list[tuple[SeededError, Finding]]) -> Detection:
    caught = [error for error, f in results if _is_caught(error.claim, f)]
    flagged = [error for error, f in results if error not in caught and error.expects in f.flags]
    return Detection(
        kind=kind,
        seeded=len(results),
        caught=len(caught) + len(flagged),
        flagged=len(flagged),
        required=REQUIRED.get(kind),
        missed=tuple(error.of for error, _ in results if error not in caught and error not in flagged),
    )
