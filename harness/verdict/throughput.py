"""Claims of an absolute rate: bounds, identities, the published record and the usual range.
A CPU's tokens a second say nothing of an accelerator's, so no measured evidence enters. A figure that was published
before is judged under the conditions of that publication, and what the source dropped on the way is named.
"""

from harness.catalog.chips import Chip
from harness.catalog.models import ReleasedModel
from harness.catalog.rates import PublishedRate
from harness.claims import Sheet, StatedConditions, Throughput
from harness.results.assessment import Evidence, Flag, Outcome
from harness.roofline.achieved import AchievedRange
from harness.stats import Interval
from harness.units import number
from harness.verdict.finding import ARTEFACT_TOLERANCE, CEILING_SLACK, IDENTITY_TOLERANCE, Finding, Tally, tally
from harness.verdict.knowledge import Knowledge
from harness.verdict.rating import Rating, made_of, rate_at, usual_range, usual_tok_s
from harness.verdict.scenarios import ScenarioSet, largest_effect, scenarios
from harness.verdict.tracing import (
    FIRM,
    Trace,
    as_evidence,
    described,
    fully_matched,
    neighbours,
    per_package,
    trace,
    unit_trap,
)
from harness.vocabulary import RatePhase

MOST_SEQUENCES = 1e6
"""Of one package, where a rate and a time imply more: no memory holds the caches of so many, and it is refuted so."""


def judge_throughput(claim: Throughput, knowledge: Knowledge, sheet: Sheet) -> Finding:
    chip_name = claim.conditions.chip
    if chip_name is None:
        return Finding(outcome="out of reach", reason="The source names no chip.", missing=("chip",))
    chip = knowledge.chip(chip_name)
    if chip is None:
        return Finding(outcome="out of reach", reason=knowledge.unknown_chip(chip_name))
    if _accepts_too_many(claim.conditions):
        drafts = claim.conditions.mtp_drafts
        reason = f"It breaks an identity: {claim.conditions.mtp_acceptance:g} drafts a step accepted of {drafts} made."
        return Finding(outcome="refuted", reason=reason, stability=1.0)
    own = (*sheet.source.derived_from, *sheet.source.catalogued_as)
    rate = per_package(claim, chip.dies_per_package)
    traced = None if rate is None else trace(claim, rate, own, knowledge)
    conditions = _with_batch(traced.conditions if traced else claim.conditions, rate)
    name = conditions.model or sheet.subject
    if name is None:
        return Finding(outcome="undecided", reason="The source names no model.", missing=("model",))
    models = knowledge.could_be(name)
    if not models:
        return Finding(outcome="out of reach", reason=knowledge.unknown_model(name))
    return _Case(claim, sheet, knowledge, chip, models, conditions, traced, rate).finding()


def _accepts_too_many(c: StatedConditions) -> bool:
    return c.mtp_drafts is not None and c.mtp_acceptance is not None and c.mtp_acceptance > c.mtp_drafts


def _with_batch(conditions: StatedConditions, rate_tok_s: float | None) -> StatedConditions:
    """Fill in the batch that a decode rate and its time per output token imply: batch = rate x time."""
    c = conditions
    if c.batch is not None or c.tpot_s is None or rate_tok_s is None or c.phase != "decode":
        return c
    return c.model_copy(update={"batch": min(rate_tok_s * c.tpot_s, MOST_SEQUENCES)})


class _Case:
    """One claim with everything that was looked up for it."""

    def __init__(
        self,
        claim: Throughput,
        sheet: Sheet,
        knowledge: Knowledge,
        chip: Chip,
        models: tuple[ReleasedModel, ...],
        conditions: StatedConditions,
        traced: Trace | None,
        rate_tok_s: float | None,
    ) -> None:
        self.claim, self.sheet, self.knowledge, self.chip = claim, sheet, knowledge, chip
        self.models, self.conditions, self.traced, self.rate_tok_s = models, conditions, traced, rate_tok_s
        self.own = (*sheet.source.derived_from, *sheet.source.catalogued_as)
        if traced is not None:
            self.own = (*self.own, traced.rate.source_id)

    def _achieved(self, phase: RatePhase) -> AchievedRange | None:
        return usual_range(phase, self.chip.vendor, self.own, self.knowledge)

    def finding(self) -> Finding:
        completed = scenarios(self.conditions, self.chip, self.models)
        ratings = self._ratings(completed)
        found = tally([r.outcome for r in ratings])
        outcome, reason, evidence = self._firmest(found, ratings)
        flags, notes, shown = self._flags(outcome)
        dropped = self._dropped(completed)
        if dropped:
            flags = (*flags, "missing-condition")
        interval, of = self._interval(ratings)
        binding = self._binding(ratings)
        uncertain = outcome == "undecided" and len(ratings) > 1
        return Finding(
            outcome=outcome,
            reason=" ".join((reason, *notes)),
            flags=tuple(dict.fromkeys(flags)),
            also=found.also if uncertain else None,
            interval=interval,
            interval_of=of,
            binding=binding,
            missing=dropped,
            stability=found.stability if outcome == found.outcome else 1.0,
            largest_uncertainty=self._uncertainty(completed),
            evidence=evidence + shown + self._bounds(ratings) + self._beside(),
        )

    def _ratings(self, completed: ScenarioSet) -> list[Rating]:
        given = self.conditions.chips is not None and self.conditions.precision is not None
        all_ = [rate_at(self.claim.rate_tok_s, self.chip, c, self._achieved(c.phase), given) for c in completed.each]
        return [r for r in all_ if r.admissible] or all_

    def _firmest(self, found: Tally, ratings: list[Rating]) -> tuple[Outcome, str, tuple[Evidence, ...]]:
        """Identities and primary artefacts come before the cost model's word."""
        broken = self._identity()
        if broken is not None:
            return "refuted", broken[0], (broken[1],)
        artefact = self._artefact()
        if artefact is not None and not (artefact[0] == "supported" and found.outcome == "refuted"):
            return artefact
        if found.outcome in ("refuted", "implausible", "consistent"):
            why = next(r.why for r in ratings if r.outcome == found.outcome)
            return found.outcome, f"{why[0].upper()}{why[1:]}.", ()
        if len(found.shares) == 1:
            return "undecided", f"{ratings[0].why[0].upper()}{ratings[0].why[1:]}.", ()
        depends = f"It depends on what the source leaves out: {found.in_words} of the scenarios."
        return "undecided", f"{depends}{self._least_batch(ratings)}", ()

    def _least_batch(self, ratings: list[Rating]) -> str:
        """The batch below which the rate is impossible whatever else holds, where the source gives none."""
        if self.conditions.batch is not None:
            return ""
        possible = [r.batch for r in ratings if r.outcome != "refuted" and r.batch is not None]
        refuted = [r.batch for r in ratings if r.outcome == "refuted" and r.batch is not None]
        if not possible or not any(b < min(possible) for b in refuted):
            return ""
        below = max(b for b in refuted if b < min(possible))
        return f" It takes a batch above {number(below, 2)}; {number(min(possible), 2)} would do."

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
        evidence = Evidence(
            quantity="batch over time per output token, as stated",
            value=implied,
            unit="tok/s",
            basis="modelled",
            source="identity: rate = batch / time per output token",
            stance="contradicts",
        )
        said = f"batch {c.batch:g} at {1000 * c.tpot_s:g} ms gives {number(implied, 4)} tok/s"
        return f"It breaks an identity: {said}, not {number(self.rate_tok_s, 4)}.", evidence

    def _artefact(self) -> tuple[Outcome, str, tuple[Evidence, ...]] | None:
        """A published rate under the very conditions that the claim itself gives."""
        if self.rate_tok_s is None:
            return None
        rows = [
            r
            for r in self.knowledge.rates
            if r.source_id not in self.sheet.source.catalogued_as and fully_matched(self.claim.conditions, r)
        ]
        for row in rows:
            if row.source.grade in FIRM and abs(self.rate_tok_s / row.rate_tok_s - 1) <= ARTEFACT_TOLERANCE:
                reason = f"{row.source.title} gives {number(row.rate_tok_s, 4)} tok/s under the same conditions."
                return "supported", reason, (as_evidence(row, "supports"),)
        repeated = [r for r in rows if r.source_id in self.sheet.source.derived_from and r.source.grade in FIRM]
        if repeated:
            near = min(repeated, key=lambda r: abs(r.rate_tok_s - self.rate_tok_s) if self.rate_tok_s else 0.0)
            reason = (
                f"The source that it repeats, {near.source.title}, gives {number(near.rate_tok_s, 4)} tok/s under the "
                "same conditions, more than 5 % away."
            )
            return "refuted", reason, (as_evidence(near, "contradicts"),)
        return None

    def _flags(self, outcome: Outcome) -> tuple[tuple[Flag, ...], tuple[str, ...], tuple[Evidence, ...]]:
        """What is amiss with the claim, whatever its outcome: flags, remarks, and evidence for them."""
        flags: list[Flag] = []
        notes: list[str] = []
        shown: list[Evidence] = []
        subject = self.knowledge.could_be(self.sheet.subject) if self.sheet.subject else ()
        stated = self.claim.conditions.model
        row = self.traced.rate if self.traced else None
        if row is not None:
            shown.append(as_evidence(row, "context", "the figure that the claim repeats; its conditions are used"))
            if not self.claim.conditions.idealised and row.conditions.idealised:
                measured = self._measured_sibling()
                tail = f"; measured: {number(measured.rate_tok_s, 4)}" if measured else ""
                notes.append(f"Its source calls it a projection under ideal balance{tail}.")
                shown += [as_evidence(measured, "context", "measured, same source and set-up")] if measured else []
            expected = self.knowledge.could_be(stated) if stated else subject
            if expected and row.model not in {m.name for m in expected}:
                flags.append("model-mismatch")
                other = self.knowledge.model(row.model)
                of = self.sheet.subject if stated is None else stated
                notes.append(f"The figure is {other.title if other else row.model}'s, set beside {of}.")
        apart = bool(stated and subject) and not {m.name for m in self.models} & {m.name for m in subject}
        if apart and "model-mismatch" not in flags:
            flags.append("model-mismatch")
            notes.append(f"The figure is of {stated}, in a source about {self.sheet.subject}.")
        trap = None if self.rate_tok_s is None else unit_trap(self.rate_tok_s, self.conditions, self.knowledge)
        if trap is not None:
            flags.append("unit-trap")
            notes.append(f"{trap[1][0].upper()}{trap[1][1:]} ({described(trap[0])}).")
            shown.append(as_evidence(trap[0], "context", trap[1]))
        if self.claim.conditions.per is None and self.chip.devices_per_package > 1 and "unit-trap" not in flags:
            flags.append("unit-trap")
            notes.append(
                f"A package of {self.chip.title} has {self.chip.dies_per_package} dies; the unit is not given."
            )
        del outcome
        return tuple(flags), tuple(notes), tuple(shown)

    def _measured_sibling(self) -> PublishedRate | None:
        """The measured rate of the same publication, chip, phase and shape as an idealised one."""
        assert self.traced is not None
        row = self.traced.rate
        return next(
            (
                r
                for r in self.knowledge.rates
                if r.source_id == row.source_id
                and (r.model, r.chip, r.phase) == (row.model, row.chip, row.phase)
                and not r.conditions.idealised
                and r.conditions.batch == row.conditions.batch
                and r.conditions.prompt_tokens == row.conditions.prompt_tokens
            ),
            None,
        )

    def _dropped(self, completed: ScenarioSet) -> tuple[str, ...]:
        """What the source leaves out: what had to be filled in from a publication, and what is still open."""
        filled = self.traced.filled if self.traced else ()
        return tuple(dict.fromkeys((*filled, *completed.missing)))

    def _interval(self, ratings: list[Rating]) -> tuple[Interval | None, str | None]:
        """What published systems' reach would give here, 90 %, over all scenarios, in the claim's unit."""
        phases = {r.nominal.phase for r in ratings if r.nominal is not None}
        scale = self.claim.rate_tok_s / ratings[0].rate_tok_s
        lows, highs = [], []
        for r in ratings:
            achieved = None if r.nominal is None else self._achieved(r.nominal.phase)
            if r.nominal is not None and achieved is not None:
                low, _, high = usual_tok_s(achieved, r.nominal)
                top = high if r.generous is None else min(high, r.generous.rate_tok_s)
                lows.append(min(low, top) * scale)
                highs.append(top * scale)
        if not lows:
            return None, None
        of = f"what published systems reach, {' or '.join(sorted(phases))}, {_scenarios(len(ratings))}"
        return Interval(low=min(lows), high=max(highs)), of

    def _binding(self, ratings: list[Rating]) -> str | None:
        """Of the highest ceiling over the scenarios: the one that a refutation rests on."""
        tops = [r.generous for r in ratings if r.generous is not None]
        return max(tops, key=lambda top: top.rate_tok_s).binding if tops else None

    def _uncertainty(self, completed: ScenarioSet) -> str:
        ceilings = []
        for c in completed.each:
            rating = rate_at(self.claim.rate_tok_s, self.chip, c, None, True)
            if rating.nominal is None:
                return "precision"
            ceilings.append(rating.nominal.rate_tok_s * c.packages_per_unit)
        return largest_effect(completed.each, ceilings) or "how much of a ceiling systems reach"

    def _bounds(self, ratings: list[Rating]) -> tuple[Evidence, ...]:
        out = []
        tops = [r for r in ratings if r.generous is not None]
        if tops:
            best = max(tops, key=lambda r: r.generous.rate_tok_s if r.generous else 0.0)
            assert best.generous is not None
            bound = best.generous.rate_tok_s
            over = best.rate_tok_s > CEILING_SLACK * bound
            out.append(
                Evidence(
                    quantity=f"most generous ceiling of a package, {best.generous.phase}, {_scenarios(len(tops))}",
                    value=bound,
                    unit="tok/s",
                    interval=Interval(
                        low=min(r.generous.rate_tok_s for r in tops if r.generous), high=bound, level=0.99
                    )
                    if len(tops) > 1
                    else None,
                    basis="modelled",
                    source=f"cost model, bound by {best.generous.binding}",
                    stance="contradicts" if over else "allows",
                    note=f"the claim is {number(best.rate_tok_s / bound, 2)} of it",
                )
            )
        for phase in sorted({r.nominal.phase for r in ratings if r.nominal is not None}):
            achieved = self._achieved(phase)
            if achieved is not None:
                out.append(
                    Evidence(
                        quantity=f"fraction of the reference point that published systems reach, {phase}",
                        value=achieved.mid,
                        unit="fraction",
                        interval=Interval(low=achieved.low90, high=achieved.high90),
                        basis="published",
                        source=made_of(achieved),
                        stance="context",
                    )
                )
        return tuple(out)

    def _beside(self) -> tuple[Evidence, ...]:
        rows = neighbours(self.chip.name, self.conditions.phase, self.knowledge, self.own)
        return tuple(as_evidence(r, "context") for r in rows)


def _scenarios(n: int) -> str:
    return "under these conditions" if n == 1 else f"over {n} scenarios"
