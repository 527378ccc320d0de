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
from harness.roofline.ceiling import Ceiling
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
from harness.verdict.rating import MATURITY_WORDS, Rating, law_without, rate_in, widened_by
from harness.verdict.readings import WORDS, Readings, differs_most, least_batch, readings
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
from harness.vocabulary import Maturity, RatePhase, TimeBound

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
    conditions = _with_maturity(conditions, claim, sheet, chip)
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


def _with_maturity(conditions: StatedConditions, claim: Throughput, sheet: Sheet, chip: Chip) -> StatedConditions:
    """A vendor's own figure is taken to be of software that was tuned for it; otherwise what is not said stays open."""
    if conditions.maturity is not None:
        return conditions
    named = f"{claim.attributed_to or ''} {sheet.source.publisher or ''}".casefold()
    return conditions.model_copy(update={"maturity": "tuned"}) if chip.vendor.casefold() in named else conditions


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

    def finding(self) -> Finding:
        read = readings(self.conditions, self.chip, self.models)
        fitted = law_without(self.own, self.knowledge)
        rated = [self._hedged(rate_in(r, self.claim.rate_tok_s, self.chip, fitted)) for r in read.each]
        ratings = [r for r in rated if r.outcome != "refuted"] or rated  # an impossible reading was not meant
        found = self._tallied(ratings)
        outcome, reason, shown = self._firmest(found, ratings, read)
        amiss = self._amiss()
        dropped = tuple(dict.fromkeys((*(self.traced.filled if self.traced else ()), *read.missing)))
        interval, of = self._interval(ratings)
        limits = _highest(read)
        return found.finding(
            " ".join((reason, *amiss.notes)),
            dropped,
            outcome=outcome,
            flags=(*amiss.flags, *flagged(dropped)),
            also=found.also if outcome == "undecided" and len(ratings) > 1 else None,
            interval=interval,
            interval_of=of,
            binding=limits[0].binding if limits else None,  # of the bound that a refutation rests on
            stability=found.stability if outcome == found.outcome else 1.0,
            largest_uncertainty=_uncertainty(read, rated),
            evidence=(*shown, *amiss.shown, *self._beside(rated, ratings, read)),
        )

    def _hedged(self, rating: Rating) -> Rating:
        """'At least' holds wherever published systems reach more; 'about' is no further off than its last digit."""
        if rating.outcome != "undecided" or rating.forecast is None:
            return rating
        low, high = rating.forecast.rate.low90, rating.forecast.rate.high90
        widened = {
            "at least": rating.rate_tok_s <= high,
            "about": low <= (1 + ABOUT) * rating.rate_tok_s and (1 - ABOUT) * rating.rate_tok_s <= high,
        }
        if not widened.get(self.claim.hedge, False):
            return rating
        why = f"{self.claim.hedge} that is what published systems would reach (90 %), and no bound is broken"
        return rating.model_copy(update={"outcome": "consistent", "why": why})

    def _tallied(self, ratings: list[Rating]) -> Tally:
        outcomes = [r.outcome for r in ratings]
        if self.claim.hedge == "up to" and "consistent" in outcomes:  # a claim about the most favourable conditions
            return tally(["consistent"])
        return tally(outcomes)

    def _amiss(self) -> _Remark:
        return self._retelling().and_also(self._other_model()).and_also(self._other_unit())

    def _beside(self, rated: list[Rating], ratings: list[Rating], read: Readings) -> list[Evidence]:
        """The ceiling, the usual range, and other published rates of the chip."""
        rows = neighbours(self.chip.name, self.conditions.phase, self.knowledge, self.own)
        return [
            *self._bound(read),
            *self._usual(ratings, self._widened(rated, read)),
            *(as_evidence(r, "context") for r in rows),
        ]

    def _firmest(
        self, found: Tally, ratings: list[Rating], read: Readings
    ) -> tuple[Outcome, str, tuple[Evidence, ...]]:
        """Identities and primary artefacts come before the cost model."""
        broken = self._identity()
        if broken is not None:
            return "refuted", broken[0], (broken[1],)
        artefact = self._artefact()
        if artefact is not None and not (artefact[0] == "supported" and found.outcome == "refuted"):
            return artefact
        if found.outcome == "refuted" and (short := _too_small(read)) is not None:
            return "refuted", short, ()
        if found.outcome != "undecided" or len(found.shares) == 1:
            why = next(r.why for r in ratings if r.outcome == found.outcome)
            return found.outcome, f"{_sentence(why)}.{self._least_batch(found.outcome, read)}", ()
        depends = f"It depends on what the source leaves out: {found.in_words} of the ways to read it."
        return "undecided", f"{depends}{self._least_batch(found.outcome, read)}", ()

    def _least_batch(self, outcome: Outcome, read: Readings) -> str:
        """The batch below which the rate is above the bound in every reading, where the source gives none."""
        able = [r for r in read.each if r.bound is not None and r.phase != "prefill"]
        if outcome == "refuted" or self.conditions.batch is not None or not able or len(able) < len(read.each):
            return ""
        least = min(least_batch(r, self.claim.rate_tok_s, self.chip) for r in able)
        return f" It takes a batch of {number(least, 2)} at least." if least > 1 else ""

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
        """What published systems would reach (90 %) over all readings, in the claim's unit."""
        found = [(r, r.forecast) for r in ratings if r.forecast is not None]
        if not found:
            return None, None
        ends = [end * r.packages for r, f in found for end in (f.rate.low90, f.rate.high90)]
        of = f"what published systems would reach, {' or '.join(_phases(ratings))}, {_basis(ratings)}"
        return Interval.of(ends), of

    def _bound(self, read: Readings) -> list[Evidence]:
        highest = _highest(read)
        if highest is None:
            return []
        (best, packages), bounds = highest, [b.rate_tok_s for b, _ in read.bounds]
        share = self.claim.rate_tok_s / packages / best.rate_tok_s
        words = f"most generous ceiling of a package, {best.phase}"
        words += ", over all that is left open" if read.missing else ", under these conditions"
        span = Interval.of(bounds, level=0.99) if len(bounds) > 1 else None
        stance, source = allowed_if(share <= CEILING_SLACK), f"cost model, bound by {best.binding}"
        note = f"the claim is {number(share, 2)} of it"
        return [evidence("modelled", words, best.rate_tok_s, "tok/s", source, stance, span, note)]

    def _widened(self, rated: list[Rating], read: Readings) -> str | None:
        """Which conditions make the range wider by being given."""
        fitted = law_without(self.own, self.knowledge)
        found = (widened_by(one, r, self.chip, fitted) for one, r in zip(read.each, rated, strict=True))
        names = tuple(dict.fromkeys(name for names in found for name in names))
        return f"wider for giving {' and '.join(names)}: such systems vary more" if names else None

    def _usual(self, ratings: list[Rating], note: str | None) -> list[Evidence]:
        out = []
        for phase in _phases(ratings):
            found = [r.forecast for r in ratings if r.forecast is not None and r.forecast.phase == phase]
            widest = max(found, key=lambda f: f.rate.high90)
            words = f"what published systems would reach, {phase}, {MATURITY_WORDS[widest.maturity]}"
            span = Interval(low=min(f.rate.low90 for f in found), high=max(f.rate.high90 for f in found))
            out.append(evidence("published", words, widest.rate.mid, "tok/s", widest.made_of, "context", span, note))
        return out


def _too_small(read: Readings) -> str | None:
    """What the least that has to be held would take, where no placement and no value of an open condition fits."""
    bounds = [b for b, _ in read.bounds]
    if not bounds or any(b.fits is not False for b in bounds):
        return None
    least = min(bounds, key=lambda b: b.memory_bytes)
    return (
        "It needs more memory than the chips have, however the model is placed: "
        f"{binary(least.memory_bytes)} a package at least, of {binary(least.memory_limit_bytes or 0.0)}."
    )


def _phases(ratings: list[Rating]) -> list[RatePhase]:
    return sorted({r.forecast.phase for r in ratings if r.forecast is not None})


def _uncertainty(read: Readings, rated: list[Rating]) -> str:
    """What would narrow the answer most: how to read the claim, an open condition, or how good the software is."""
    middles = [r.forecast.rate.mid * r.packages for r in rated if r.forecast is not None]
    if len(middles) < len(rated) or not middles:
        return "precision"
    apart = differs_most(read.each, middles) if len(middles) > 1 else None
    moved = next((r.forecast.moves_most for r in rated if r.forecast is not None and r.forecast.moves_most), None)
    return apart or (WORDS[moved] if moved else "how well the software uses the chip")


def _highest(read: Readings) -> tuple[Ceiling, float] | None:
    """The highest of the bounds, in the claim's unit."""
    return max(read.bounds, key=lambda b: b[0].rate_tok_s * b[1], default=None)


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}"


def _basis(ratings: list[Rating]) -> str:
    """Which software was taken, and over how many readings."""
    maturity: Maturity | None = next((r.forecast.maturity for r in ratings if r.forecast is not None), None)
    words = MATURITY_WORDS[maturity]
    return words if len(ratings) == 1 else f"{words}, over {len(ratings)} ways to read it"
