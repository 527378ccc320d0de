"""Claims of one model over another: counted where they follow from architectures."""

from harness.catalog.models import ReleasedModel
from harness.claims import ModelRatio
from harness.model.context import flop_per_token, kv_bytes
from harness.results.assessment import Evidence, Outcome
from harness.stats import Interval
from harness.units import interval as interval_text
from harness.units import times
from harness.verdict.finding import ARTEFACT_TOLERANCE, Finding, evidence, left_open, stance_of, tally
from harness.verdict.knowledge import Knowledge
from harness.verdict.ratios import LIKE_LENGTHS, length_of, near, same_width

CONTEXTS = (1024.0, 8192.0, 65536.0, 1048576.0)
"""Where a ratio of models depends on the context and the source gives none."""
_ELEMENT_BYTES = (1.0, 1.14, 2.0)
"""Of a cached element: 8 bits; 8 bits with scales and a 16-bit rotary part (656 bytes for 576 elements); 16 bits."""
ELEMENT_RATIOS = tuple(sorted({round(a / b, 4) for a in _ELEMENT_BYTES for b in _ELEMENT_BYTES}))
Models = tuple[ReleasedModel, ...]
_COUNTED = "counted from the released configurations"


def judge_model_ratio(claim: ModelRatio, knowledge: Knowledge) -> Finding:
    """Work or cache of one model over another's, counted; a ratio of rates is left to published pairs."""
    ours, theirs = knowledge.could_be(claim.model), knowledge.could_be(claim.reference)
    if not ours or not theirs:
        return Finding(outcome="out of reach", reason=knowledge.unknown_model(claim.reference if ours else claim.model))
    if claim.figure == "rate":
        return _rate_ratio(claim, knowledge)
    return _counted_ratio(claim, ours, theirs)


def _counted_ratio(claim: ModelRatio, ours: Models, theirs: Models) -> Finding:
    given = claim.conditions.context_tokens
    contexts = CONTEXTS if given is None else (given,)
    formats = ELEMENT_RATIOS if claim.figure == "kv_bytes" and claim.conditions.precision is None else (1.0,)
    counted = [_count(claim, a, b, n, formats) for a in ours for b in theirs for n in contexts]
    values = [value * f for value, _ in counted for f in formats]
    found = tally([_outcome(claim, value) for value in values])
    open_ = {
        "context length": given is None,
        "bytes of a cached element": len(formats) > 1,
        "which model of the family": len(ours) * len(theirs) > 1,
    }
    missing = left_open(open_)
    span = Interval.of(values)
    equal = f", {times(counted[0][0])} at equal bytes of an element" if len(formats) > 1 else ""
    word = {"supported": "agrees with", "refuted": "is more than 5 % off"}.get(found.outcome, "agrees in part with")
    return found.finding(
        f"{times(claim.ratio)} {word} the count: {interval_text(span.low, span.high, 'ratio')}{equal}.",
        missing,
        interval=span,
        interval_of=_COUNTED,
        largest_uncertainty=missing[0] if missing else None,
        evidence=tuple(shown for _, shown in counted),
    )


def _count(
    claim: ModelRatio, ours: ReleasedModel, theirs: ReleasedModel, tokens: float, formats: tuple[float, ...]
) -> tuple[float, Evidence]:
    """The counted ratio at one context, and that as evidence over all formats of a cached element."""
    count = flop_per_token if claim.figure == "flop_per_token" else kv_bytes
    value = count(ours.spec, tokens) / count(theirs.spec, tokens)
    words = f"{ours.title} over {theirs.title}, {claim.figure.replace('_', ' ')}, {tokens:g} tokens of context"
    outcomes = [_outcome(claim, value * f) for f in formats]
    stance = stance_of("supported" if "supported" in outcomes else "refuted")
    span = Interval.of(value * f for f in formats) if len(formats) > 1 else None
    return value, evidence("modelled", words, value, "ratio", _COUNTED, stance, span)


def _outcome(claim: ModelRatio, counted: float) -> Outcome:
    return "supported" if abs(claim.ratio / counted - 1) <= ARTEFACT_TOLERANCE else "refuted"


def _rate_ratio(claim: ModelRatio, knowledge: Knowledge) -> Finding:
    """Published rates of both models on one chip, phase by phase."""
    rates = [r for r in knowledge.rates if not r.threshold]
    ours, theirs = ({m.name for m in knowledge.could_be(name)} for name in (claim.model, claim.reference))
    both = [(a, b) for a in rates if a.model in ours for b in rates if b.model in theirs]
    ratios = [
        a.rate_tok_s / b.rate_tok_s
        for a, b in both
        if (a.chip, a.phase) == (b.chip, b.phase)
        and same_width(a, b)
        and near(length_of(a), length_of(b), LIKE_LENGTHS)
    ]
    if not ratios:
        reason = "No two published rates of these models were taken under like conditions."
        return Finding(outcome="undecided", reason=reason, missing=("a pair of published rates",))
    span = Interval.of(ratios)
    return Finding(
        outcome="consistent" if span.holds(claim.ratio) else "undecided",
        reason=f"Published pairs give {interval_text(span.low, span.high, 'ratio')}.",
        interval=span,
        interval_of=f"{len(ratios)} pairs of published rates",
        missing=("batch", "software"),
    )
