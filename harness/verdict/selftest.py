"""The judges, judged: published rates that must pass, and seeded false claims that must be caught.

Every published rate that states its conditions becomes a sheet of one claim, judged without its own publication; a
seeded error is that claim with one thing made wrong. Caught means refuted, implausible, or flagged with the very trap
that was seeded. Measures nothing and knows no sheet.
"""

from collections.abc import Callable, Iterator
from typing import Literal

from pydantic import computed_field

from harness.catalog.collection import Catalog
from harness.catalog.rates import PublishedRate
from harness.claims import Architecture, Capacity, Claim, Sheet, Source, StatedConditions, Throughput
from harness.model.counts import parameters
from harness.results.assessment import Flag
from harness.roofline.achieved import sample
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
    "prefill told as decode",
    "model changed, number kept",
    "weights do not fit",
    "unsupported precision",
]
FACTORS: tuple[tuple[Kind, float], ...] = (
    ("node as chip (x8)", 8.0),
    ("factor 4", 4.0),
    ("factor 3", 3.0),
    ("cache hits counted (x2.29)", 2.29),
    ("factor 2", 2.0),
    ("drafts counted twice (x1.7)", 1.7),
)
INDEPENDENT_FACTORS: tuple[tuple[Kind, float], ...] = (
    ("factor 2, batch and time independent", 2.0),
    ("an eighth, batch and time independent", 0.125),
)
BLIND_FACTORS: tuple[tuple[Kind, float], ...] = (("factor 4, no time given", 4.0), ("factor 3, no time given", 3.0))
"""The same where no identity can give them away: bounds and usual range alone."""
REQUIRED: dict[Kind, float] = {
    "node as chip (x8)": 1.0,
    "factor 4": 1.0,
    "factor 3": 0.95,
    "factor 2, batch and time independent": 0.90,
    "model changed, number kept": 1.0,
    "weights do not fit": 1.0,
    "unsupported precision": 1.0,
}
"""Share of each kind to be caught; kinds that are not listed are measured and reported only."""
DAMNING = ("refuted", "implausible")


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
    """Measured detection and false alarms of the judges."""

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
    c = rate.conditions
    return Throughput(
        kind="throughput",
        id=rate.id,
        place="catalog of published rates",
        statement=f"{rate.system} reaches {rate.rate_tok_s:g} tokens a second.",
        rate_tok_s=rate.rate_tok_s,
        conditions=StatedConditions(
            phase=rate.phase,
            model=rate.model,
            chip=rate.chip,
            per="package",
            chips=c.chips,
            batch=c.batch,
            prompt_tokens=c.prompt_tokens,
            context_tokens=c.context_tokens,
            output_tokens=c.output_tokens,
            tpot_s=c.tpot_s,
            tpot_independent=False if c.tpot_s is not None else None,
            precision=c.precision,
            mtp_drafts=c.mtp_drafts,
            mtp_acceptance=c.mtp_acceptance,
            idealised=c.idealised,
            cache_hits_counted=c.cache_hits_counted,
        ),
    )


def complete_rates(knowledge: Knowledge) -> tuple[PublishedRate, ...]:
    """Published rates that state every condition their limits need, projections included."""
    return tuple(r for r in knowledge.rates if sample(r, knowledge.catalog) is not None)


def _changed(claim: Throughput, rate_tok_s: float, **conditions: object) -> Throughput:
    fields = {**claim.conditions.model_dump(), **conditions}
    return claim.model_copy(update={"rate_tok_s": rate_tok_s, "conditions": StatedConditions.model_validate(fields)})


def _of_rate(rate: PublishedRate, knowledge: Knowledge) -> Iterator[SeededError]:
    """Everything that can be made wrong with one published rate."""
    claim, own = as_claim(rate), (rate.source_id,)

    def seeded_error(
        kind: Kind, false: Claim, expects: Flag | None = None, subject: str | None = rate.model
    ) -> SeededError:
        return SeededError(kind=kind, of=rate.id, claim=false, subject=subject, catalogued_as=own, expects=expects)

    for kind, factor in FACTORS:
        yield seeded_error(kind, claim.model_copy(update={"rate_tok_s": claim.rate_tok_s * factor}))
    for kind, factor in BLIND_FACTORS:
        yield seeded_error(kind, _changed(claim, claim.rate_tok_s * factor, tpot_s=None, tpot_independent=None))
    if rate.phase == "decode" and claim.conditions.batch is not None:
        stated = claim.conditions.tpot_s or claim.conditions.batch / claim.rate_tok_s
        apart = _changed(claim, claim.rate_tok_s, tpot_s=stated, tpot_independent=True)
        for kind, factor in INDEPENDENT_FACTORS:
            yield seeded_error(kind, apart.model_copy(update={"rate_tok_s": factor * claim.rate_tok_s}))
    if rate.phase == "prefill" and claim.conditions.prompt_tokens is not None:
        context = claim.conditions.prompt_tokens
        told = _changed(claim, claim.rate_tok_s, phase="decode", context_tokens=context, mtp_drafts=0, batch=64)
        yield seeded_error("prefill told as decode", told)
    chip = knowledge.chip(rate.chip)
    if chip is not None and chip.supports("fp8") is False:
        yield seeded_error("unsupported precision", _changed(claim, claim.rate_tok_s, precision="fp8"))
    other = "kimi-k2" if rate.model != "kimi-k2" else "deepseek-r1"
    yield seeded_error(
        "model changed, number kept", _changed(claim, claim.rate_tok_s, model=other), "model-mismatch", subject=other
    )


def _of_models(knowledge: Knowledge) -> Iterator[SeededError]:
    """Architecture and capacity seeded errors: one for each sparse model, and for each chip with sourced memory."""
    for model in knowledge.models:
        counts = parameters(model.spec)
        words = {"place": "seeded", "conditions": StatedConditions(model=model.name)}
        if counts.active < 0.5 * counts.total:
            swapped = {"kind": "architecture", "id": "swapped", "statement": "Active and total swapped.", **words}
            for figure, value in (("total_parameters", counts.active), ("active_parameters", counts.total)):
                claim = Architecture.model_validate({**swapped, "figure": figure, "value": float(value)})
                yield _model_seeded_error("active and total swapped", model.name, claim)
        bits = {
            "kind": "architecture",
            "id": "bits",
            "statement": "Bits for bytes.",
            "figure": "total_parameters",
            **words,
        }
        yield _model_seeded_error(
            "bits for bytes", model.name, Architecture.model_validate({**bits, "value": 8.0 * counts.total})
        )
        for chip in knowledge.catalog.chips:
            if chip.memory is None:
                continue
            chips = max(1, int(0.6 * counts.total / chip.memory.high))
            if counts.total <= chips * chip.memory.high:
                continue
            where = StatedConditions(model=model.name, chip=chip.name, chips=chips, precision="int8")
            fits = {"kind": "capacity", "id": "fits", "statement": "It fits.", "place": "seeded", "conditions": where}
            yield _model_seeded_error(
                "weights do not fit", f"{model.name} on {chips} x {chip.name}", Capacity.model_validate(fits)
            )


def _model_seeded_error(kind: Kind, of: str, claim: Claim) -> SeededError:
    return SeededError(kind=kind, of=of, claim=claim, subject=None, catalogued_as=())


def seeded_errors(knowledge: Knowledge) -> tuple[SeededError, ...]:
    """Every seeded false claim.

    Rates that were left out of the usual range for being untuned or averages make none: a multiple of a slow rate may
    be an ordinary one, and calling it false would be our mistake.
    """
    rates = [r for r in complete_rates(knowledge) if r.calibrates or r.conditions.idealised]
    return (*(p for r in rates for p in _of_rate(r, knowledge)), *_of_models(knowledge))


def sheet_of(claim: Claim, subject: str | None, catalogued_as: tuple[str, ...]) -> Sheet:
    """One claim as a sheet of its own."""
    source = Source(title="control", catalogued_as=catalogued_as)
    return Sheet(sheet=1, id="control", subject=subject, source=source, claims=(claim,))


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
        alarms += [f"{rate.id}: {found.outcome}"] if found.outcome in DAMNING else []
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
    found: dict[Kind, list[tuple[SeededError, Finding]]] = {}
    for seeded_error in seeded:
        sheet = sheet_of(seeded_error.claim, seeded_error.subject, seeded_error.catalogued_as)
        knowledge = whole if seeded_error.expects is not None else unseen(seeded_error.catalogued_as)
        found.setdefault(seeded_error.kind, []).append((seeded_error, judge(seeded_error.claim, knowledge, sheet)))
    out = []
    for kind, results in found.items():
        damned = [p for p, f in results if f.outcome in DAMNING]
        flagged = [p for p, f in results if f.outcome not in DAMNING and p.expects in f.flags]
        missed = tuple(p.of for p, _ in results if p not in damned and p not in flagged)
        out.append(
            Detection(
                kind=kind,
                seeded=len(results),
                caught=len(damned) + len(flagged),
                flagged=len(flagged),
                required=REQUIRED.get(kind),
                missed=missed,
            )
        )
    return tuple(out)
