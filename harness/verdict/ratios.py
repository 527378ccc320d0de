"""Claims of one chip over another, and pairs of published rates under several normalisers.

A ratio of chips depends on phase, batch, precision and software. Each pair of published rates under like conditions is
one scenario of what the source leaves out; the ratio of peaks and the ratio of usual ranges stand beside them. A chip
that leads per package may trail per watt: a ranking is stated only where all normalisers agree.
"""

from harness.catalog.chips import Chip
from harness.catalog.citation import FIRM_GRADES
from harness.catalog.rates import PublishedRate
from harness.claims import ChipRatio, Sheet, Throughput
from harness.results.assessment import Evidence, Outcome, Stance
from harness.stats import Interval
from harness.units import interval as interval_text
from harness.units import number
from harness.verdict.finding import ARTEFACT_TOLERANCE, Finding, Tally, evidence, stance_of, tally
from harness.verdict.knowledge import Knowledge
from harness.verdict.ratio_bound import excessive, resources, width
from harness.verdict.readings import effect
from harness.verdict.tracing import described, per_package, trace
from harness.vocabulary import Frozen

LIKE_LENGTHS = 1.35
"""Prompt or context lengths of a pair may differ by this factor: decode slows by under a tenth over it at 4,096 tokens
(CloudMatrix384, table 4: 2,360 to 1,943 tok/s from a context of 2,176 to 4,096)."""
LIKE_LATENCY = 1.35
"""Times per output token of a decode pair may differ by this factor (50 ms objectives: 46 to 56 ms measured)."""
STAND_INS = {"h100-sxm": ("h800",), "h800": ("h100-sxm",)}
"""Chips with the same arithmetic and memory, and other links: shown beside the one named."""


class Pair(Frozen):
    """Two published rates under like conditions."""

    rate: PublishedRate
    reference: PublishedRate

    @property
    def ratio(self) -> float:
        return self.rate.rate_tok_s / self.reference.rate_tok_s

    @property
    def firm(self) -> bool:
        return self.rate.source.grade in FIRM_GRADES and self.reference.source.grade in FIRM_GRADES

    @property
    def rests_on_threshold(self) -> bool:
        return self.rate.threshold or self.reference.threshold

    @property
    def words(self) -> str:
        return f"{described(self.rate)} ({self.rate.system}) over {described(self.reference)} ({self.reference.system})"


def near(a: float | None, b: float | None, factor: float) -> bool:
    """Both known, and alike."""
    return a is not None and b is not None and max(a / b, b / a) <= factor


def length_of(rate: PublishedRate) -> float | None:
    c = rate.conditions
    return c.prompt_tokens if rate.phase == "prefill" else c.context_tokens or c.prompt_tokens


def _tpot(rate: PublishedRate) -> float | None:
    """The time itself where it is known, else what the batch implies, else the objective."""
    c = rate.conditions
    if c.tpot_is_value or c.batch is None or rate.phase != "decode":
        return c.tpot_s
    return c.batch / rate.rate_tok_s


def same_width(a: PublishedRate, b: PublishedRate) -> bool:
    """Both precisions known, and alike."""
    ours, theirs = a.conditions.precision, b.conditions.precision
    return ours is not None and theirs is not None and width(ours) == width(theirs)


def like(a: PublishedRate, b: PublishedRate) -> bool:
    """Same model, phase and width of numbers, both measured or both idealised, like lengths and latencies."""
    ours, theirs = a.conditions, b.conditions
    if (a.model, a.phase, ours.cache_hits_counted) != (b.model, b.phase, theirs.cache_hits_counted):
        return False
    if a.phase not in ("prefill", "decode") or not same_width(a, b):
        return False
    if not near(length_of(a), length_of(b), LIKE_LENGTHS):
        return False
    return ours.idealised == theirs.idealised if a.phase == "prefill" else near(_tpot(a), _tpot(b), LIKE_LATENCY)


def pairs(
    chip: str, reference: str, knowledge: Knowledge, phase: str | None = None, *, thresholds: bool = False
) -> tuple[Pair, ...]:
    """All pairs of published rates under like conditions, better graded ones first. `thresholds`: what a test accepts
    at least counts as a rate too."""
    rates = [r for r in knowledge.rates if thresholds or not r.threshold]
    ours = [r for r in rates if r.chip == chip]
    theirs = [r for r in rates if r.chip == reference]
    found = [Pair(rate=a, reference=b) for a in ours for b in theirs if phase in (None, a.phase) and like(a, b)]
    return tuple(sorted(found, key=lambda p: (not p.firm, p.rate.id, p.reference.id)))


def _beside(chip: str, reference: str, knowledge: Knowledge, phase: str | None) -> tuple[Evidence, ...]:
    """Pairs with a chip that stands for the reference, and those of a test's thresholds: shown, never counted."""
    found = [p for other in STAND_INS.get(reference, ()) for p in pairs(chip, other, knowledge, phase)]
    tests = [p for p in pairs(chip, reference, knowledge, phase, thresholds=True) if p.rests_on_threshold]
    note = "the least that a test accepts, not what was reached: counted nowhere"
    return (
        *(_as_evidence(p, None) for p in found),
        *(_as_evidence(p, None).model_copy(update={"note": note}) for p in tests),
    )


def spec_ratios(chip: Chip, reference: Chip) -> tuple[Evidence, ...]:
    """Ratios of peaks, bandwidth, memory and links: what the hardware alone would give."""
    source = "sourced chip figures; the interval spans sources that disagree"
    out = []
    for words, a, b in resources(chip, reference):
        if words != "power":
            span = Interval(low=a.low / b.high, high=a.high / b.low, level=0.99)
            title = f"{words}, {chip.title} over {reference.title}"
            out.append(evidence("modelled", title, a.best / b.best, "ratio", source, "context", span))
    return tuple(out)


def judge_chip_ratio(claim: ChipRatio, knowledge: Knowledge, sheet: Sheet) -> Finding:
    chip, reference = knowledge.chip(claim.chip), knowledge.chip(claim.reference)
    if chip is None or reference is None:
        unknown = claim.chip if chip is None else claim.reference
        return Finding(outcome="out of reach", reason=knowledge.unknown_chip(unknown))
    found, missing = _pairs_of(claim, knowledge, sheet), _open(claim)
    specs = spec_ratios(chip, reference)
    beside = _beside(claim.chip, claim.reference, knowledge, claim.conditions.phase)
    shown = (*beside, *specs, *_implied(claim, chip, reference, sheet, knowledge))
    most = max((p.ratio for p in found), default=0.0)
    outcomes = [_pair_outcome(claim, p, most) for p in found]
    beyond = excessive(claim, chip, reference, sheet, knowledge)
    whole = tally(outcomes) if outcomes else Tally(outcome="undecided", also=None, stability=1.0, shares=())
    if beyond is not None and "supported" not in outcomes:
        outcome: Outcome = "implausible" if beyond[0] else "undecided"
        return whole.finding(beyond[1], missing, outcome=outcome, also=None, stability=1.0, evidence=shown)
    if not found:
        values = [e.value for e in specs if e.value is not None]
        return whole.finding(
            _why_no_pair(claim, knowledge),
            missing,
            interval=Interval.of(values, level=0.99) if values else None,
            interval_of="ratios of the chips' own peaks",
            stability=None,
            evidence=shown,
        )
    span = Interval.of(p.ratio for p in found)
    outcome, reason = _overall(claim, found, whole.outcome, span, missing)
    return whole.finding(
        reason,
        missing,
        outcome=outcome,
        also=_other_lead(outcome, whole),
        interval=span,
        interval_of=f"{len(found)} pairs of published rates under like conditions",
        largest_uncertainty=_largest(found),
        evidence=(*(_as_evidence(p, o) for p, o in zip(found, outcomes, strict=True)), *shown),
    )


def _why_no_pair(claim: ChipRatio, knowledge: Knowledge) -> str:
    model = claim.conditions.model
    if model is not None and not knowledge.could_be(model):
        return f"No pair can be looked for: {knowledge.unknown_model(model)}"
    return "No two published rates of these chips were taken under like conditions."


def _pairs_of(claim: ChipRatio, knowledge: Knowledge, sheet: Sheet) -> tuple[Pair, ...]:
    """The pairs that the claim could be about; a source is no evidence for itself."""
    found = pairs(claim.chip, claim.reference, knowledge, claim.conditions.phase)
    model = claim.conditions.model
    names = {m.name for m in (knowledge.could_be(model) if model else knowledge.models)}
    own = sheet.source.catalogued_as
    return tuple(p for p in found if p.rate.source_id not in own and p.rate.model in names)


def _other_lead(outcome: Outcome, whole: Tally) -> Outcome | None:
    """What the pairs alone would say, where the verdict is held back for want of conditions."""
    if outcome != "undecided":
        return None
    return whole.also if whole.outcome == "undecided" else whole.outcome


def _rate_of(claim: Throughput, chip: Chip, sheet: Sheet, knowledge: Knowledge) -> tuple[float | None, str | None]:
    """A rate of the sheet per package, and its model: that of the published rate that it repeats, else as stated."""
    rate = per_package(claim, chip.dies_per_package)
    traced = None if rate is None else trace(claim, rate, sheet.source.own_publications, knowledge)
    return rate, sheet.about(traced.conditions if traced else claim.conditions)


def _implied(claim: ChipRatio, chip: Chip, reference: Chip, sheet: Sheet, knowledge: Knowledge) -> tuple[Evidence, ...]:
    """What the ratio makes of the source's own rates for the chip, beside the reference's published ones."""
    out = []
    for other in sheet.claims:
        if other.kind != "throughput" or other.conditions.chip != claim.chip or other.conditions.phase is None:
            continue
        rate, model = _rate_of(other, chip, sheet, knowledge)
        named = claim.conditions.model
        if rate is None or (named is not None and not knowledge.same_model(named, model)):
            continue
        implied = rate / claim.ratio
        of_chip = [r for r in knowledge.rates if r.chip == reference.name and r.phase == other.conditions.phase]
        rows = [r for r in of_chip if knowledge.same_model(r.model, model)]
        most = max(rows, key=lambda r: r.rate_tok_s, default=None)
        beyond = most is not None and implied > (1 + ARTEFACT_TOLERANCE) * most.rate_tok_s
        note = None if most is None else f"highest published: {number(most.rate_tok_s, 4)} tok/s ({most.id})"
        words = f"{reference.title}, {other.conditions.phase}, if '{other.id}' and this ratio both hold"
        source = f"{number(rate, 4)} / {number(claim.ratio, 2)}"
        stance: Stance = "contradicts" if beyond else "context"
        out.append(evidence("modelled", words, implied, "tok/s", source, stance, note=note))
    return tuple(out)


def _open(claim: ChipRatio) -> tuple[str, ...]:
    return tuple(
        n for n in ("model", "phase", "batch", "precision", "software") if getattr(claim.conditions, n) is None
    )


def _pair_outcome(claim: ChipRatio, pair: Pair, most: float) -> Outcome:
    """What one pair says of the claim. 'Up to' reaches as far as the largest of all pairs, `most`."""
    off = claim.ratio / pair.ratio
    allowed = {"up to": off > 1 and claim.ratio <= (1 + ARTEFACT_TOLERANCE) * most, "at least": off < 1}
    return "supported" if abs(off - 1) <= ARTEFACT_TOLERANCE or allowed.get(claim.hedge) else "refuted"


def _overall(
    claim: ChipRatio, found: tuple[Pair, ...], outcome: Outcome, span: Interval, missing: tuple[str, ...]
) -> tuple[Outcome, str]:
    """Pairs only settle a ratio whose conditions are all given; otherwise they show what it depends on."""
    between = f"{interval_text(span.low, span.high, '', 2)} in {len(found)} pairs"
    inside = span.low * (1 - ARTEFACT_TOLERANCE) <= claim.ratio <= span.high * (1 + ARTEFACT_TOLERANCE)
    where = _by_stack(found)
    if not missing and outcome in ("supported", "refuted") and any(p.firm for p in found):
        word = "agree with it" if outcome == "supported" else "are all more than 5 % away"
        return outcome, f"Published pairs at these conditions {word}: {between}."
    if inside:
        return "undecided", f"It depends on what the source leaves out: published pairs give {where}."
    return "undecided", f"No published pair gives it ({where}), but the source names no conditions to compare at."


def _by_stack(found: tuple[Pair, ...]) -> str:
    """Least and largest ratio by the software of the first chip."""
    systems: dict[str, list[float]] = {}
    for pair in found:
        systems.setdefault(pair.rate.system, []).append(pair.ratio)
    parts = [
        f"{number(min(v), 2)} to {number(max(v), 2)} with {name}" if len(v) > 1 else f"{number(v[0], 2)} with {name}"
        for name, v in systems.items()
    ]
    return ", ".join(parts)


def _largest(found: tuple[Pair, ...]) -> str:
    """The condition whose values move the ratio most."""
    columns: dict[str, list[str]] = {
        "software": [p.rate.system for p in found],
        "phase": [p.rate.phase for p in found],
        "batch": [str(p.rate.conditions.batch) for p in found],
        "which rate of the other chip": [p.reference.id for p in found],
    }
    return max(columns, key=lambda name: effect(columns[name], [p.ratio for p in found]))


def _as_evidence(pair: Pair, outcome: Outcome | None) -> Evidence:
    ours, theirs = pair.rate.source, pair.reference.source
    source = f"{ours.title} (grade {ours.grade}); {theirs.title} (grade {theirs.grade})"
    found = evidence("published", pair.words, pair.ratio, "ratio", source, stance_of(outcome))
    return found.model_copy(update={"url": ours.url})


EVEN = 0.03
"""Ratios this near to one rank nobody: the figures themselves are printed to two or three digits."""


class Normalised(Frozen):
    """A ratio of rates, each divided by what the chip has of one thing."""

    per: str
    ratio: float
    second_hand: bool = False
    """whether a figure that it rests on was not seen at its source"""


def normalised(pair: Pair, chip: Chip, reference: Chip) -> tuple[Normalised, ...]:
    """The pair's ratio per package, and per everything that sources give of both chips (preferred figures)."""
    dies = pair.ratio * reference.dies_per_package / chip.dies_per_package
    out = [Normalised(per="package", ratio=pair.ratio), Normalised(per="die", ratio=dies)]
    for words, ours, theirs in resources(chip, reference):
        if words in _PER:
            estimated = words == "power" and not all(c.power_w[0].source.seen_at_source for c in (chip, reference))
            ratio = pair.ratio * theirs.best / ours.best
            out.append(Normalised(per=_PER[words], ratio=ratio, second_hand=estimated))
    return tuple(out)


_PER = {"dense 8-bit peak": "TFLOPS of 8-bit peak", "memory bandwidth": "TB/s of memory", "power": "W"}


def ranking(found: tuple[Normalised, ...], chip: Chip, reference: Chip) -> str:
    """Who leads under all normalisers, or that nobody does."""
    shown = ", ".join(f"{number(n.ratio, 2)} per {n.per}{' (estimated power)' if n.second_hand else ''}" for n in found)
    if all(n.ratio < 1 - EVEN for n in found):
        return f"{reference.title} leads under every normaliser: {shown}."
    if all(n.ratio > 1 + EVEN for n in found):
        return f"{chip.title} leads under every normaliser: {shown}."
    return f"No ranking holds under every normaliser: {shown}."


def as_evidence(pair: Pair, chip: Chip, reference: Chip) -> Evidence:
    """All normalisers of one pair, as one line of evidence."""
    found = normalised(pair, chip, reference)
    ends = Interval.of(n.ratio for n in found)
    words = f"{pair.rate.phase}, {pair.rate.system} over {pair.reference.system}: "
    words += f"{number(ends.low, 2)} to {number(ends.high, 2)} by normaliser"
    source = f"{pair.rate.source.title}; {pair.reference.source.title}; sourced chip figures"
    note = ranking(found, chip, reference)
    shown = evidence("published", words, pair.ratio, "ratio", source, note=note)
    return shown.model_copy(update={"url": pair.rate.source.url})
