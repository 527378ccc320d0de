"""Claims of one model over another: counted where they follow from architectures."""

from harness.claims import ModelRatio, Sheet
from harness.results.assessment import Evidence, Outcome
from harness.roofline.attention import flop_per_token, kv_bytes
from harness.stats import Interval
from harness.units import interval as interval_text
from harness.units import times
from harness.verdict.finding import ARTEFACT_TOLERANCE, Finding, tally
from harness.verdict.knowledge import Knowledge
from harness.verdict.ratios import LIKE_LENGTHS, length_of, near

CONTEXTS = (1024.0, 8192.0, 65536.0, 1048576.0)
"""Where a ratio of models depends on the context and the source gives none."""
_ELEMENT_BYTES = (1.0, 1.14, 2.0)
"""Of a cached element: 8 bits; 8 bits with scales and a 16-bit rotary part (656 bytes for 576 elements); 16 bits."""
ELEMENT_RATIOS = tuple(sorted({round(a / b, 4) for a in _ELEMENT_BYTES for b in _ELEMENT_BYTES}))


def judge_model_ratio(claim: ModelRatio, knowledge: Knowledge, sheet: Sheet) -> Finding:
    """Work or cache of one model over another's, counted; a ratio of rates is left to measured pairs."""
    del sheet
    ours, theirs = knowledge.could_be(claim.model), knowledge.could_be(claim.reference)
    if not ours or not theirs:
        return Finding(outcome="out of reach", reason=knowledge.unknown_model(claim.reference if ours else claim.model))
    if claim.figure == "rate":
        return _rate_ratio(claim, knowledge)
    given = claim.conditions.context_tokens
    contexts = CONTEXTS if given is None else (given,)
    formats = ELEMENT_RATIOS if claim.figure == "kv_bytes" and claim.conditions.precision is None else (1.0,)
    count = flop_per_token if claim.figure == "flop_per_token" else kv_bytes
    counted = [(a, b, n, count(a.spec, n) / count(b.spec, n)) for a in ours for b in theirs for n in contexts]
    values = [value * f for *_, value in counted for f in formats]
    evidence = tuple(
        Evidence(
            quantity=f"{a.title} over {b.title}, {claim.figure.replace('_', ' ')}, {n:g} tokens of context",
            value=value,
            unit="ratio",
            interval=Interval(low=value * min(formats), high=value * max(formats)) if len(formats) > 1 else None,
            basis="modelled",
            source="counted from the released configurations",
            stance="supports" if any(_agrees(claim, value * f) for f in formats) else "contradicts",
        )
        for a, b, n, value in counted
    )
    hits: list[Outcome] = ["supported" if _agrees(claim, v) else "refuted" for v in values]
    found = tally(hits)
    open_ = (
        ("context length", given is None),
        ("bytes of a cached element", len(formats) > 1),
        ("which model of the family", len(ours) * len(theirs) > 1),
    )
    missing = tuple(name for name, is_open in open_ if is_open)
    span = Interval(low=min(values), high=max(values))
    equal = f", {times(counted[0][-1])} at equal bytes of an element" if len(formats) > 1 else ""
    word = {"supported": "agrees with", "refuted": "is more than 5 % off"}.get(found.outcome, "agrees in part with")
    return Finding(
        outcome=found.outcome,
        reason=f"{times(claim.ratio)} {word} the count: {interval_text(span.low, span.high, 'ratio')}{equal}.",
        flags=("missing-condition",) if missing else (),
        also=found.also,
        interval=span,
        interval_of="counted from the released configurations",
        missing=missing,
        stability=found.stability,
        largest_uncertainty=missing[0] if missing else None,
        evidence=evidence,
    )


def _agrees(claim: ModelRatio, counted: float) -> bool:
    return abs(claim.ratio / counted - 1) <= ARTEFACT_TOLERANCE


def _rate_ratio(claim: ModelRatio, knowledge: Knowledge) -> Finding:
    """Published rates of both models on one chip, phase by phase."""
    ours = [r for r in knowledge.rates if r.model == claim.model]
    theirs = [r for r in knowledge.rates if r.model == claim.reference]
    found = [
        (a, b)
        for a in ours
        for b in theirs
        if a.chip == b.chip and a.phase == b.phase and near(length_of(a), length_of(b), LIKE_LENGTHS)
    ]
    if not found:
        return Finding(
            outcome="undecided",
            reason="No two published rates of these models were taken under like conditions.",
            missing=("a pair of published rates",),
        )
    ratios = [a.rate_tok_s / b.rate_tok_s for a, b in found]
    span = Interval(low=min(ratios), high=max(ratios))
    return Finding(
        outcome="consistent" if span.holds(claim.ratio) else "undecided",
        reason=f"Published pairs give {interval_text(span.low, span.high, 'ratio')}.",
        interval=span,
        interval_of=f"{len(found)} pairs of published rates",
        missing=("batch", "software"),
    )
