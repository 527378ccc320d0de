"""Claims of an absolute rate: bounds, identities, the published record and the usual range.

A CPU's tokens a second say nothing of an accelerator's, so no measured evidence enters. A figure that was published
before is judged under the conditions of that publication, and what the source dropped on the way is named.
"""

from dataclasses import dataclass
from typing import NamedTuple

from harness.catalog.chips import Chip
from harness.catalog.citation import FIRM_GRADES
from harness.catalog.models import ReleasedModel
from harness.claims import Hedge, Sheet, StatedConditions, Throughput
from harness.results.assessment import Evidence, Flag, Outcome
from harness.roofline.achieved import AchievedRange
from harness.stats import Interval
from harness.units import binary, number
from harness.verdict.finding import (
    ABOUT,
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
from harness.verdict.scenarios import ScenarioSet, highest_of, largest_effect, scenarios
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
from harness.vocabulary import RatePhase, TimeBound

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
    if c.batch is not None or c.tpot_s is None or rate_tok_s is None or c.phase != "decode" or not c.tpot_is_value:
        return c
    return c.model_copy(update={"batch": min(rate_tok_s * c.tpot_s, MOST_SEQUENCES)})


def _bound_of(conditions: StatedConditions) -> TimeBound:
    """Whether the time per output token is a value, or a bound as a latency objective is."""
    return conditions.tpot_bound or "exactly"


def _allowed(ratio: float, of_time: TimeBound, hedge: Hedge, apart: bool) -> bool:
    """Whether a rate over batch / time is possible. A time that is an upper bound says nothing of the most, one that is
    a lower bound nothing of the least; likewise 'up to' of the least and 'at least' of a rate that is more."""
    slack = ABOUT if "about" in (of_time, hedge) else IDENTITY_TOLERANCE
    enough = not apart or of_time == "at least" or hedge == "at least" or ratio >= 1 - slack
    return (of_time == "at most" or ratio <= 1 + slack) and enough


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
        rated = [self._hedged(r) for r in self._rated(completed, given)]
        ratings = [r for r in rated if r.outcome != "refuted"] or rated  # an impossible scenario was not the case
        found = self._tallied(ratings, completed)
        outcome, reason, shown = self._firmest(found, ratings, rated, completed)
        amiss = self._amiss()
        dropped = tuple(dict.fromkeys((*(self.traced.filled if self.traced else ()), *completed.missing)))
        interval, of = self._interval(ratings)
        limits = highest_of(completed)
        return found.finding(
            " ".join((reason, *amiss.notes)),
            dropped,
            outcome=outcome,
            flags=(*amiss.flags, *flagged(dropped)),
            also=found.also if outcome == "undecided" and len(ratings) > 1 else None,
            interval=interval,
            interval_of=of,
            binding=limits.limits.binding if limits else None,  # of the bound that a refutation rests on
            stability=found.stability if outcome == found.outcome else 1.0,
            largest_uncertainty=_uncertainty(completed, rated),
            evidence=(*shown, *amiss.shown, *self._beside(ratings, completed)),
        )

    def _rated(self, completed: ScenarioSet, given: bool) -> list[Rating]:
        rate = self.claim.rate_tok_s
        return [rate_at(rate, self.chip, c, self._achieved(c.phase), given) for c in completed.each]

    def _hedged(self, rating: Rating) -> Rating:
        """'At least' holds wherever published systems reach more; 'about' is no further off than its last digit."""
        achieved = None if rating.nominal is None else self._achieved(rating.nominal.phase)
        if rating.outcome != "undecided" or rating.nominal is None or achieved is None:
            return rating
        low, _, high = usual_tok_s(achieved, rating.nominal)
        widened = {
            "at least": rating.rate_tok_s <= high,
            "about": low <= (1 + ABOUT) * rating.rate_tok_s and (1 - ABOUT) * rating.rate_tok_s <= high,
        }
        if not widened.get(self.claim.hedge, False):
            return rating
        why = f"{self.claim.hedge} that is what published systems reach (90 %), and no bound is broken"
        return rating.model_copy(update={"outcome": "consistent", "why": why})

    def _tallied(self, ratings: list[Rating], completed: ScenarioSet) -> Tally:
        """The scenarios as one. What refutes is the bound over all that is open: where a few scenarios alone rule the
        claim out, it takes conditions that no published system states."""
        outcomes = [r.outcome for r in ratings]
        if self.claim.hedge == "up to" and "consistent" in outcomes:  # a claim about the most favourable conditions
            return tally(["consistent"])
        if completed.bounds and set(outcomes) == {"refuted"} and not self._ruled_out(completed):
            return tally(["implausible"])
        return tally(outcomes)

    def _ruled_out(self, completed: ScenarioSet) -> bool:
        return all(
            b.limits.fits is False or self.claim.rate_tok_s / b.packages > CEILING_SLACK * b.limits.rate_tok_s
            for b in completed.bounds
        )

    def _amiss(self) -> _Remark:
        return self._retelling().and_also(self._other_model()).and_also(self._other_unit())

    def _beside(self, ratings: list[Rating], completed: ScenarioSet) -> list[Evidence]:
        """The ceiling, the usual range, and other published rates of the chip."""
        rows = neighbours(self.chip.name, self.conditions.phase, self.knowledge, self.own)
        return [*self._bound(completed), *self._usual(ratings), *(as_evidence(r, "context") for r in rows)]

    def _firmest(
        self, found: Tally, ratings: list[Rating], rated: list[Rating], completed: ScenarioSet
    ) -> tuple[Outcome, str, tuple[Evidence, ...]]:
        """Identities and primary artefacts come before the cost model."""
        broken = self._identity()
        if broken is not None:
            return "refuted", broken[0], (broken[1],)
        artefact = self._artefact()
        if artefact is not None and not (artefact[0] == "supported" and found.outcome == "refuted"):
            return artefact
        if found.outcome == "implausible" and all(r.outcome == "refuted" for r in ratings):
            return "implausible", _BEYOND_SCENARIOS, ()
        if found.outcome == "refuted" and (short := _too_small(completed)) is not None:
            return "refuted", short, ()
        if found.outcome != "undecided" or len(found.shares) == 1:
            why = next(r.why for r in ratings if r.outcome == found.outcome)
            return found.outcome, f"{_sentence(why)}.", ()
        depends = f"It depends on what the source leaves out: {found.in_words} of the scenarios."
        return "undecided", f"{depends}{self._least_batch(rated)}", ()

    def _least_batch(self, ratings: list[Rating]) -> str:
        """The batch below which the rate is impossible in every scenario, where the source gives none."""
        possible = [r.batch for r in ratings if r.outcome != "refuted" and r.batch is not None]
        least = min(possible, default=0.0)
        below = [r.batch for r in ratings if r.outcome == "refuted" and r.batch is not None and r.batch < least]
        if self.conditions.batch is not None or not below:
            return ""
        over, enough = number(max(below), 2), number(least, 2)
        if over == enough:
            return f" It takes a batch of about {enough}."
        return f" It takes a batch above {over}; {enough} would do."

    def _identity(self) -> tuple[str, Evidence] | None:
        """Output = batch / time per output token: never more; and never less, where the two are stated apart. All
        tokens are output times (1 + prompt / output)."""
        c = self.conditions
        if c.batch is None or c.tpot_s is None or self.rate_tok_s is None or c.phase in (None, "prefill"):
            return None
        both = 1.0
        if c.phase == "total_all":
            if c.prompt_tokens is None or c.output_tokens is None:
                return None
            both += c.prompt_tokens / c.output_tokens
        implied = c.batch / c.tpot_s * both
        apart = self.claim.conditions.tpot_independent is True and c.phase == "decode"
        if _allowed(self.rate_tok_s / implied, _bound_of(c), self.claim.hedge, apart):
            return None
        words, source = "batch over time per output token, as stated", "identity: rate = batch / time per output token"
        given = f"batch {c.batch:g} at {1000 * c.tpot_s:g} ms"
        if both > 1:
            given += f", {c.prompt_tokens:g} tokens in and {c.output_tokens:g} out,"
        given += f" gives {'at most ' if c.phase != 'decode' else ''}{number(implied, 4)} tok/s"
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
        apart = stated and subject and subject.isdisjoint(m.name for m in self.models)
        if apart and not self._tells_apart(subject):
            return _Remark(("model-mismatch",), (f"The figure is of {stated}, in a source about {about}.",))
        return _Remark()

    def _tells_apart(self, subject: set[str]) -> bool:
        """Whether the source also gives figures of its subject by name, or of several others: then it tells the models
        apart."""
        named = {c.conditions.model for c in self.sheet.claims if c.conditions.model is not None}
        others = [name for name in named if subject.isdisjoint(self._names(name))]
        return len(others) < len(named) or len(others) > 1

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

    def _bound(self, completed: ScenarioSet) -> list[Evidence]:
        highest = highest_of(completed)
        if highest is None:
            return []
        best, bounds = highest.limits, [b.limits.rate_tok_s for b in completed.bounds]
        share = self.claim.rate_tok_s / highest.packages / best.rate_tok_s
        words = f"most generous ceiling of a package, {best.phase}"
        words += ", over all that is left open" if completed.missing else ", under these conditions"
        span = Interval.of(bounds, level=0.99) if len(bounds) > 1 else None
        stance, source = allowed_if(share <= CEILING_SLACK), f"cost model, bound by {best.binding}"
        note = f"the claim is {number(share, 2)} of it"
        return [evidence("modelled", words, best.rate_tok_s, "tok/s", source, stance, span, note)]

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


_BEYOND_SCENARIOS = "No bound is broken, but it takes conditions beyond all that published systems work in."


def _too_small(completed: ScenarioSet) -> str | None:
    """What the least that has to be held would take, where no placement and no value of an open condition fits."""
    if not completed.bounds or any(b.limits.fits is not False for b in completed.bounds):
        return None
    least = min(completed.bounds, key=lambda b: b.limits.memory_bytes).limits
    return (
        "It needs more memory than the chips have, however the model is placed: "
        f"{binary(least.memory_bytes)} a package at least, of {binary(least.memory_limit_bytes or 0.0)}."
    )


def _phases(ratings: list[Rating]) -> list[RatePhase]:
    return sorted({r.nominal.phase for r in ratings if r.nominal is not None})


def _uncertainty(completed: ScenarioSet, rated: list[Rating]) -> str:
    ceilings = []
    for scenario, rating in zip(completed.each, rated, strict=True):
        if rating.nominal is None:
            return "precision"
        ceilings.append(rating.nominal.rate_tok_s * scenario.packages_per_unit)
    return largest_effect(completed.each, ceilings) or "how much of a ceiling systems reach"


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}"


def _scenarios(n: int) -> str:
    return "under these conditions" if n == 1 else f"over {n} scenarios"
