"""Qualitative claims about a design, each tied to a ratio that can be measured here.

What the source leaves out (batch, phase, which dense model it compares with) is ranged over, not chosen: each case
that was measured is one scenario. Without a record only the architecture is counted, and that never supports a claim.
"""

from collections.abc import Sequence

from harness.claims import Design, Sheet
from harness.model.context import kv_bytes
from harness.model.counts import parameters
from harness.model.routing import experts_touched
from harness.model.spec import Spec
from harness.results.assessment import Evidence, Outcome
from harness.results.gains import EXCLUDED_LEVEL, GainRow, gains, moe_models, paired
from harness.results.record import Measurement, Record
from harness.stats import Estimate, Interval
from harness.units import times
from harness.verdict.finding import (
    COMPUTE_GAIN,
    EXPERTS_ACTIVATED_TOLERANCE,
    LATENCY_LOSS,
    Finding,
    allowed_if,
    evidence,
    flagged,
    stance_of,
    tally,
)
from harness.verdict.knowledge import Knowledge
from harness.vocabulary import Counterpart, Frozen

MODELLED_BATCHES = (1, 8, 64, 512)
"""Sequences of the whole expert group for which the experts activated are shown where nothing was measured."""
_COUNTED = "counted from the released configuration"


class DesignCase(Frozen):
    """A measured ratio against the bound that decides the claim."""

    place: str
    outcome: Outcome
    ratio: Estimate
    shown: Evidence


def judge_design(claim: Design, knowledge: Knowledge, sheet: Sheet, record: Record | None) -> Finding:
    specs = _specs(knowledge, claim.conditions.model or sheet.subject)
    match claim.test:
        case "sparse_compute":
            return _compute(claim, specs, record)
        case "sparse_latency":
            return _latency(claim, specs, record)
        case "batch_amortisation":
            return _amortisation(claim, record)
        case "latent_cache":
            return _mla(claim, specs)


def _specs(knowledge: Knowledge, name: str | None) -> list[tuple[str, Spec]]:
    return [(m.title, m.spec) for m in knowledge.could_be(name) if m.spec.is_sparse]


def _case(
    place: str, words: str, ratio: Estimate, wide: Interval | None, bound: float, needs: str | None = None
) -> DesignCase:
    """Supported or refuted where the wide interval lies wholly on one side of the bound."""
    outcome: Outcome = "undecided"
    if wide is not None and not wide.low <= bound <= wide.high:
        outcome = "supported" if wide.low > bound else "refuted"
    source = f"this record, {ratio.n} paired rounds"
    stance = stance_of(outcome)
    shown = evidence("measured", words, ratio.point, "ratio", source, stance, ratio.interval, needs)
    return DesignCase(place=place, outcome=outcome, ratio=ratio, shown=shown)


def _scenarios(claim: Design, found: Sequence[GainRow], bound: float, needs: str) -> list[DesignCase]:
    """The cases that the claim's own conditions leave."""
    batch = claim.conditions.batch
    return [
        _case(f"batch {g.batch} against {g.counterpart} dense", g.words, g.ratio, g.wide, bound, needs)
        for g in found
        if batch is None or g.batch == batch
    ]


def _compute(claim: Design, specs: list[tuple[str, Spec]], record: Record | None) -> Finding:
    """Prefill, where arithmetic binds: the gain over dense of equal total size must exceed 1.5."""
    needs = f"keeps compute low if above {COMPUTE_GAIN}"
    cases = _scenarios(claim, gains(record, "equal-total", "prefill"), COMPUTE_GAIN, needs)
    modelled = _active_share(specs)
    if not cases:
        return _modelled_only(claim, modelled, f"work for each token falls as the active share does; {needs}")
    return _together(claim, cases, modelled, "gain in prefill over dense of equal total size")


def _latency(claim: Design, specs: list[tuple[str, Spec]], record: Record | None) -> Finding:
    """Decode: never slower than dense of equal total, never more than twice as slow as dense of equal active."""
    bounds: dict[Counterpart, tuple[float, str]] = {
        "equal-total": (1.0, "holds if faster"),
        "equal-active": (1 / LATENCY_LOSS, f"holds if at most {LATENCY_LOSS:g} times slower"),
    }
    cases: list[DesignCase] = []
    for counterpart, (bound, needs) in bounds.items():
        if claim.compared_with in (None, counterpart.replace("-", "_")):
            cases += _scenarios(claim, gains(record, counterpart, "decode"), bound, needs)
    modelled = _experts_activated_modelled(specs)
    if record is not None:
        modelled += _experts_activated_measured(record)
    if not cases:
        why = "distinct experts grow with the batch, so latency depends on batch and comparison"
        return _modelled_only(claim, modelled, why, outcome="undecided")
    return _together(claim, cases, modelled, "rate of MoE over dense in decode")


_WORDS: dict[Outcome, str] = {
    "supported": "holds",
    "refuted": "does not hold",
    "undecided": "cannot be told from the bound",
}


def _together(claim: Design, cases: list[DesignCase], modelled: tuple[Evidence, ...], of: str) -> Finding:
    """All cases agree, or the verdict depends on the one that the source is about."""
    found = tally([c.outcome for c in cases])
    seen = {c.outcome for c in cases}
    mixed, decided = len(seen) > 1, found.outcome in ("supported", "refuted")
    missing = claim.omitted if mixed and not decided else ()
    flags = flagged(missing)
    if not decided and "undecided" in seen and len(seen) < 3:
        missing += ("more repetitions",)
    spread = Interval.of(end for c in cases for end in (c.ratio.low or c.ratio.point, c.ratio.high or c.ratio.point))
    between = f"{of} from {times(spread.low)} to {times(spread.high)}"
    return found.finding(
        f"It {_places(cases, found.outcome if decided else None)}: {between}.",
        missing,
        flags=flags,
        interval=spread,
        interval_of=of,
        largest_uncertainty="batch and comparison" if mixed else "spread between processes",
        evidence=(*(c.shown for c in cases), *modelled),
    )


def _places(cases: list[DesignCase], decided: Outcome | None) -> str:
    """Where the claim holds and where it does not."""
    if decided is not None:
        return (
            f"{_WORDS[decided]} in {'the one case measured' if len(cases) == 1 else f'all {len(cases)} cases measured'}"
        )
    places = {outcome: [c.place for c in cases if c.outcome == outcome] for outcome in _WORDS}
    return "; ".join(f"{_WORDS[outcome]} at {_few(at)}" for outcome, at in places.items() if at)


def _few(places: list[str], most: int = 3) -> str:
    shown = ", ".join(places[:most])
    return shown if len(places) <= most else f"{shown} and {len(places) - most} more"


def _modelled_only(claim: Design, modelled: tuple[Evidence, ...], why: str, outcome: Outcome | None = None) -> Finding:
    """What follows from the architecture alone; a modelled ratio is never support."""
    if not modelled:
        return Finding(outcome="out of reach", reason="Nothing was measured, and the source names no known model.")
    against = any(e.stance == "contradicts" for e in modelled)
    decided = outcome or ("undecided" if against else "consistent")
    missing = claim.omitted if decided == "undecided" else ("a measured record",)
    flags = flagged(claim.omitted if decided == "undecided" else ())
    reason = f"No measurement here tests it; from the architecture alone, {why}."
    return Finding(outcome=decided, reason=reason, flags=flags, missing=missing, evidence=modelled)


def _active_share(specs: list[tuple[str, Spec]]) -> tuple[Evidence, ...]:
    out = []
    for title, spec in specs:
        count = parameters(spec)
        gain = count.total / count.active
        words = f"{title}: total over active parameters, the most that prefill can gain"
        out.append(evidence("modelled", words, gain, "ratio", _COUNTED, allowed_if(gain > COMPUTE_GAIN)))
    return tuple(out)


def _experts_activated_modelled(specs: list[tuple[str, Spec]]) -> tuple[Evidence, ...]:
    source = "U(B)/k with U(B) = E(1-(1-k/E)^B), uniform routing"
    out = []
    for title, spec in specs:
        e, k = spec.n_routed_experts, spec.num_experts_per_tok
        for batch in MODELLED_BATCHES:
            ratio = experts_touched(e, k, batch) / k
            words = f"{title}: expert bytes a step against dense of equal active size, {batch} sequences"
            out.append(evidence("modelled", words, ratio, "ratio", source, allowed_if(ratio <= LATENCY_LOSS)))
    return tuple(out)


def _decode_cases(record: Record) -> list[Measurement]:
    """Usable decode cases of the MoE models that have a dense counterpart beside them."""
    names = moe_models(record)
    return [m for m in record.measurements if m.model in names and m.phase == "decode" and m.usable]


def _experts_activated_measured(record: Record) -> tuple[Evidence, ...]:
    """Whether the runs routed as U(B) predicts: otherwise the ratios are of another model."""
    out = []
    for m in _decode_cases(record):
        expected = m.counts.expected_experts_activated if m.counts else None
        if m.experts_activated is None or not expected:
            continue
        ratio = m.experts_activated / expected
        words = f"{m.model}: distinct experts over U(B), decode, batch {m.batch}"
        far = abs(ratio - 1) > EXPERTS_ACTIVATED_TOLERANCE
        note = f"off by more than {100 * EXPERTS_ACTIVATED_TOLERANCE:g} %: routing was not uniform" if far else None
        out.append(evidence("measured", words, ratio, "ratio", "counted in this record", note=note))
    return tuple(out)


def _amortisation(claim: Design, record: Record | None) -> Finding:
    """Decode at the largest batch over batch 1: tokens a second must grow."""
    found: list[DesignCase] = []
    measured = [] if record is None else _decode_cases(record)
    for name in dict.fromkeys(m.model for m in measured):
        cases = sorted((m for m in measured if m.model == name), key=lambda m: m.batch)
        first, last = cases[0], cases[-1]
        ratio, wide = paired(last, first, 0.90), paired(last, first, EXCLUDED_LEVEL)
        if len(cases) < 2 or ratio is None or ratio.interval is None or wide is None:
            continue
        words = f"{name}, decode, batch {last.batch} over batch {first.batch}"
        found.append(_case(f"{name}, batch {last.batch}", words, ratio, wide.interval, 1.0))
    if not found:
        reason = "No record with two batches of one MoE model."
        return Finding(outcome="undecided", reason=reason, missing=("a measured record",))
    return _together(claim, found, (), "rate at the largest batch over the smallest")


def _mla(claim: Design, specs: list[tuple[str, Spec]]) -> Finding:
    """Cache bytes of multi-head latent attention (MLA) against the same heads kept in full; counted, not measured."""
    shown = []
    for title, spec in specs:
        tokens = claim.conditions.context_tokens or 4096.0
        full = 2.0 * spec.num_attention_heads * (spec.v_head_dim or spec.head_dim or 0) * spec.num_hidden_layers * 2.0
        ratio = full / (kv_bytes(spec, tokens) / tokens)
        words = f"{title}: cache of full heads over its own, {tokens:g} tokens"
        shown.append(evidence("modelled", words, ratio, "ratio", _COUNTED, allowed_if(ratio > 1)))
    return _modelled_only(claim, tuple(shown), "the cache is smaller by the ratio shown")
