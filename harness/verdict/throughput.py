"""Claims of an absolute rate: bounds, identities, the published record and the usual range.

A CPU's tokens a second say nothing of an accelerator's, so no measured evidence enters. A figure that was published
before is judged under the conditions of that publication, and what the source dropped on the way is named.
"""

from dataclasses import dataclass
from typing import NamedTuple

from harness.catalog.chips import Chip
from harness.catalog.citation import FIRM_GRADES
from harness.catalog.models import ReleasedModel
from harness.claims import Sheet, StatedConditions, Throughput
from harness.results.assessment import Evidence, Flag, Outcome
from harness.roofline.achieved import AchievedRange
from harness.roofline.ceiling import Ceiling
from harness.stats import Interval
from harness.units import number
from harness.verdict.finding import (
    ARTEFACT_TOLERANCE,
    CEILING_SLACK,
    IDENTITY_TOLERANCE,
    Finding,
    Tally,
    allowed_if,
    evidence,
    flagged,
    tally,
)
from harness.verdict.knowledge import Knowledge, named_chip, named_models
from harness.verdict.rating import Rating, made_of, rate_at, usual_range, usual_tok_s
from harness.verdict.scenarios import ScenarioSet, largest_effect, scenarios
from harness.verdict.tracing import (
    Trace,
    as_evidence,
    described,
    fully_matched,
    measured_siblings,
    neighbours,
    per_package,
    trace,
    unit_trap,
)
from harness.vocabulary import RatePhase

MOST_SEQUENCES = 1e6
"""Of one package, where a rate and a time imply more: no memory holds the caches of so many."""


def judge_throughput(claim: Throughput, knowledge: Knowledge, sheet: Sheet) -> Finding:
    chip = named_chip(claim.conditions.chip, knowledge, "out of reach")
    if isinstance(chip, Finding):
        return chip
    if _accepts_too_many(claim.conditions):
        drafts = claim.conditions.mtp_drafts
        reason = f"It breaks an identity: {claim.conditions.mtp_acceptance:g} drafts a step accepted of {drafts} made."
        return Finding(outcome="refuted", reason=reason, stability=1.0)
    rate = per_package(claim, chip.dies_per_package)
    traced = None if rate is None else trace(claim, rate, sheet.source.own_publications, knowledge)
    conditions = _with_batch(traced.conditions if traced else claim.conditions, rate)
    models = named_models(conditions.model or sheet.subject, knowledge)
    if isinstance(models, Finding):
        return models
    return _Case(claim, sheet, knowledge, chip, models, conditions, traced, rate).finding()


def _accepts_too_many(c: StatedConditions) -> bool:
    return c.mtp_drafts is not None and c.mtp_acceptance is not None and c.mtp_acceptance > c.mtp_drafts


def _with_batch(conditions: StatedConditions, rate_tok_s: float | None) -> StatedConditions:
    """Fill in the batch that a decode rate and its time per output token imply: batch = rate x time."""
    c = conditions
    if c.batch is not None or c.tpot_s is None or rate_tok_s is None or c.phase != "decode":
        return c
    return c.model_copy(update={"batch": min(rate_tok_s * c.tpot_s, MOST_SEQUENCES)})


class _Remark(NamedTuple):
    """What is amiss with a claim, whatever its outcome."""

    flags: tuple[Flag, ...] = ()
    notes: tuple[str, ...] = ()
    shown: tuple[Evidence, ...] = ()

    def and_also(self, other: "_Remark") -> "_Remark":
        return _Remark(self.flags + other.flags, self.notes + other.notes, self.shown + other.shown)


@dataclass(frozen=True)
class _Case:
    """One claim with everything that was looked up for it."""

    claim: Throughput
    sheet: Sheet
    knowledge: Knowledge
    chip: Chip
    models: tuple[ReleasedModel, ...]
    conditions: StatedConditions
    traced: Trace | None
    rate_tok_s: float | None

    @property
    def own(self) -> tuple[str, ...]:
        """Publications that are no evidence for the claim."""
        return (*self.sheet.source.own_publications, *((self.traced.rate.source_id,) if self.traced else ()))

    def _achieved(self, phase: RatePhase) -> AchievedRange | None:
        return usual_range(phase, self.chip.vendor, self.own, self.knowledge)

    def finding(self) -> Finding:
        completed = scenarios(self.conditions, self.chip, self.models)
        given = self.conditions.chips is not None and self.conditions.precision is not None
        rated = [rate_at(self.claim.rate_tok_s, self.chip, c, self._achieved(c.phase), given) for c in completed.each]
        ratings = [r for r in rated if r.admissible] or rated
        found = tally([r.outcome for r in ratings])
        outcome, reason, shown = self._firmest(found, ratings)
        amiss = self._amiss()
        dropped = tuple(dict.fromkeys((*(self.traced.filled if self.traced else ()), *completed.missing)))
        interval, of = self._interval(ratings)
        highest = _highest(ratings)
        return found.finding(
            " ".join((reason, *amiss.notes)),
            dropped,
            outcome=outcome,
            flags=(*amiss.flags, *flagged(dropped)),
            also=found.also if outcome == "undecided" and len(ratings) > 1 else None,
            interval=interval,
            interval_of=of,
            binding=highest[0].binding if highest else None,  # the ceiling that a refutation rests on
            stability=found.stability if outcome == found.outcome else 1.0,
            largest_uncertainty=_uncertainty(completed, rated),
            evidence=(*shown, *amiss.shown, *self._beside(ratings)),
        )

    def _amiss(self) -> _Remark:
        return self._retelling().and_also(self._other_model()).and_also(self._other_unit())

    def _beside(self, ratings: list[Rating]) -> list[Evidence]:
        """The ceiling, the usual range, and other published rates of the chip."""
        rows = neighbours(self.chip.name, self.conditions.phase, self.knowledge, self.own)
        return [*_bound(ratings), *self._usual(ratings), *(as_evidence(r, "context") for r in rows)]

    def _firmest(self, found: Tally, ratings: list[Rating]) -> tuple[Outcome, str, tuple[Evidence, ...]]:
        """Identities and primary artefacts come before the cost model."""
        broken = self._identity()
        if broken is not None:
            return "refuted", broken[0], (broken[1],)
        artefact = self._artefact()
        if artefact is not None and not (artefact[0] == "supported" and found.outcome == "refuted"):
            return artefact
        if found.outcome != "undecided" or len(found.shares) == 1:
            why = next(r.why for r in ratings if r.outcome == found.outcome)
            return found.outcome, f"{_sentence(why)}.", ()
        depends = f"It depends on what the source leaves out: {found.in_words} of the scenarios."
        return "undecided", f"{depends}{self._least_batch(ratings)}", ()

    def _least_batch(self, ratings: list[Rating]) -> str:
        """The batch below which the rate is impossible whatever else holds, where the source gives none."""
        possible = [r.batch for r in ratings if r.outcome != "refuted" and r.batch is not None]
        least = min(possible, default=0.0)
        below = [r.batch for r in ratings if r.outcome == "refuted" and r.batch is not None and r.batch < least]
        if self.conditions.batch is not None or not below:
            return ""
        return f" It takes a batch above {number(max(below), 2)}; {number(least, 2)} would do."

    def _identity(self) -> tuple[str, Evidence] | None:
        """Rate = batch / time per output token: never more; and never less, where the two are stated apart."""
        c = self.conditions
        if c.batch is None or c.tpot_s is None or self.rate_tok_s is None or c.phase not in ("decode", "output_all"):
            return None
        implied = c.batch / c.tpot_s
        ratio = self.rate_tok_s / implied
        low = 1 - IDENTITY_TOLERANCE if self.claim.conditions.tpot_independent and c.phase == "decode" else 0.0
        if low <= ratio <= 1 + IDENTITY_TOLERANCE:
            return None
        words, source = "batch over time per output token, as stated", "identity: rate = batch / time per output token"
        given = f"batch {c.batch:g} at {1000 * c.tpot_s:g} ms gives {number(implied, 4)} tok/s"
        reason = f"It breaks an identity: {given}, not {number(self.rate_tok_s, 4)}."
        return reason, evidence("modelled", words, implied, "tok/s", source, "contradicts")

    def _artefact(self) -> tuple[Outcome, str, tuple[Evidence, ...]] | None:
        """A published rate under the very conditions that the claim itself gives."""
        rate, source = self.rate_tok_s, self.sheet.source
        if rate is None:
            return None
        firm = [r for r in self.knowledge.rates if r.source.grade in FIRM_GRADES]
        rows = [r for r in firm if r.source_id not in source.catalogued_as and fully_matched(self.claim.conditions, r)]
        for row in rows:
            if abs(rate / row.rate_tok_s - 1) <= ARTEFACT_TOLERANCE:
                reason = f"{row.source.title} gives {number(row.rate_tok_s, 4)} tok/s under the same conditions."
                return "supported", reason, (as_evidence(row, "supports"),)
        repeated = [r for r in rows if r.source_id in source.derived_from]
        if not repeated:
            return None
        near = min(repeated, key=lambda r: abs(r.rate_tok_s - rate))
        reason = f"The source that it repeats, {near.source.title}, gives {number(near.rate_tok_s, 4)} tok/s under the "
        return "refuted", f"{reason}same conditions, more than 5 % away.", (as_evidence(near, "contradicts"),)

    def _retelling(self) -> _Remark:
        """The published figure that the claim repeats, and whether it was a projection."""
        if self.traced is None:
            return _Remark()
        row = self.traced.rate
        repeated = as_evidence(row, "context", "the figure that the claim repeats; its conditions are used")
        if self.claim.conditions.idealised or not row.conditions.idealised:
            return _Remark(shown=(repeated,))
        alike = (r for r in measured_siblings(row, self.knowledge) if r.conditions.batch == row.conditions.batch)
        measured, note = next(alike, None), "Its source calls it a projection under ideal balance"
        if measured is None:
            return _Remark(notes=(f"{note}.",), shown=(repeated,))
        beside = as_evidence(measured, "context", "measured, same source and set-up")
        return _Remark(notes=(f"{note}; measured: {number(measured.rate_tok_s, 4)}.",), shown=(repeated, beside))

    def _other_model(self) -> _Remark:
        """The figure of one model, given for another or in a source about another."""
        stated, about = self.claim.conditions.model, self.sheet.subject
        subject = self._names(about)
        expected = self._names(stated) if stated else subject
        row = self.traced.rate if self.traced else None
        if row is not None and expected and row.model not in expected:
            other = self.knowledge.model(row.model)
            title = other.title if other else row.model
            return _Remark(("model-mismatch",), (f"The figure is {title}'s, set beside {stated or about}.",))
        if stated and subject and subject.isdisjoint(m.name for m in self.models):
            return _Remark(("model-mismatch",), (f"The figure is of {stated}, in a source about {about}.",))
        return _Remark()

    def _names(self, model: str | None) -> set[str]:
        return {m.name for m in self.knowledge.could_be(model)}

    def _other_unit(self) -> _Remark:
        """A published figure counted in another unit, or a unit that is not given."""
        trap = None if self.rate_tok_s is None else unit_trap(self.rate_tok_s, self.conditions, self.knowledge)
        if trap is not None:
            row, why = trap
            note = f"{_sentence(why)} ({described(row)})."
            return _Remark(("unit-trap",), (note,), (as_evidence(row, "context", why),))
        if self.claim.conditions.per is None and self.chip.devices_per_package > 1:
            note = f"A package of {self.chip.title} has {self.chip.dies_per_package} dies; the unit is not given."
            return _Remark(("unit-trap",), (note,))
        return _Remark()

    def _interval(self, ratings: list[Rating]) -> tuple[Interval | None, str | None]:
        """The usual range (90 %) over all scenarios, cut at the most generous ceilings, in the claim's unit."""
        ends: list[float] = []
        for r in ratings:
            achieved = None if r.nominal is None else self._achieved(r.nominal.phase)
            if r.nominal is not None and r.generous is not None and achieved is not None:
                low, _, high = usual_tok_s(achieved, r.nominal)
                top = min(high, r.generous.rate_tok_s)
                ends += [min(low, top), top]
        if not ends:
            return None, None
        scale = self.claim.rate_tok_s / ratings[0].rate_tok_s
        of = f"what published systems reach, {' or '.join(_phases(ratings))}, {_scenarios(len(ratings))}"
        return Interval.of(end * scale for end in ends), of

    def _usual(self, ratings: list[Rating]) -> list[Evidence]:
        out = []
        for phase in _phases(ratings):
            achieved = self._achieved(phase)
            if achieved is not None:
                words = f"fraction of the reference point that published systems reach, {phase}"
                span = Interval(low=achieved.low90, high=achieved.high90)
                source = made_of(achieved)
                out.append(evidence("published", words, achieved.mid, "fraction", source, "context", span))
        return out


def _phases(ratings: list[Rating]) -> list[RatePhase]:
    return sorted({r.nominal.phase for r in ratings if r.nominal is not None})


def _uncertainty(completed: ScenarioSet, rated: list[Rating]) -> str:
    ceilings = []
    for scenario, rating in zip(completed.each, rated, strict=True):
        if rating.nominal is None:
            return "precision"
        ceilings.append(rating.nominal.rate_tok_s * scenario.packages_per_unit)
    return largest_effect(completed.each, ceilings) or "how much of a ceiling systems reach"


def _highest(ratings: list[Rating]) -> tuple[Ceiling, float] | None:
    """The highest of the most generous ceilings over the scenarios, and the rate under that scenario."""
    tops = [(r.generous, r.rate_tok_s) for r in ratings if r.generous is not None]
    return max(tops, key=lambda top: top[0].rate_tok_s, default=None)


def _bound(ratings: list[Rating]) -> list[Evidence]:
    highest = _highest(ratings)
    if highest is None:
        return []
    (best, rate), bounds = highest, [r.generous.rate_tok_s for r in ratings if r.generous is not None]
    bound = best.rate_tok_s
    words = f"most generous ceiling of a package, {best.phase}, {_scenarios(len(bounds))}"
    span = Interval.of(bounds, level=0.99) if len(bounds) > 1 else None
    stance = allowed_if(rate <= CEILING_SLACK * bound)
    note = f"the claim is {number(rate / bound, 2)} of it"
    return [evidence("modelled", words, bound, "tok/s", f"cost model, bound by {best.binding}", stance, span, note)]


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}"


def _scenarios(n: int) -> str:
    return "under these conditions" if n == 1 else f"over {n} scenarios"
