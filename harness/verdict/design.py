"""Qualitative claims about a design, each tied to a ratio that can be measured here.
What the source leaves out (batch, phase, which dense model it compares with) is gone through, not chosen: each case
that was measured is one scenario. Without a record only the architecture speaks, and that never supports.
"""

from collections.abc import Sequence

from harness.claims import Design, Sheet
from harness.model.counts import parameters
from harness.model.spec import Spec
from harness.results.assessment import Evidence, Flag, Outcome, Stance
from harness.results.gains import EXCLUDED_LEVEL, Gain, gains, moe_models, paired, usable
from harness.results.record import Record
from harness.roofline.attention import kv_bytes
from harness.roofline.routing import experts_touched
from harness.stats import Interval
from harness.units import times
from harness.verdict.finding import COMPUTE_GAIN, EXPERTS_ACTIVATED_TOLERANCE, LATENCY_LOSS, Finding, tally
from harness.verdict.knowledge import Knowledge
from harness.vocabulary import Counterpart

MODELLED_BATCHES = (1, 8, 64, 512)
"""Sequences of the whole expert group for which experts activated is shown where nothing was measured."""
DesignCase = tuple[str, Outcome, Evidence]


def judge_design(claim: Design, knowledge: Knowledge, sheet: Sheet, record: Record | None) -> Finding:
    match claim.test:
        case "sparse_compute":
            return _compute(claim, knowledge, sheet, record)
        case "sparse_latency":
            return _latency(claim, knowledge, sheet, record)
        case "batch_amortisation":
            return _amortisation(claim, record)
        case "latent_cache":
            return _latent(claim, knowledge, sheet)


def _outcome(gain: Gain, bound: float) -> Outcome:
    if gain.above(bound):
        return "supported"
    return "refuted" if gain.below(bound) else "undecided"


_STANCES: dict[Outcome, Stance] = {"supported": "supports", "refuted": "contradicts"}


def _scenario(gain: Gain, bound: float, needs: str) -> DesignCase:
    outcome = _outcome(gain, bound)
    evidence = Evidence(
        quantity=gain.cases,
        value=gain.ratio.point,
        unit="ratio",
        interval=gain.ratio.interval,
        basis="measured",
        source=f"this record, {gain.ratio.n} paired rounds",
        stance=_STANCES.get(outcome, "context"),
        note=needs,
    )
    return f"batch {gain.batch} against {gain.counterpart} dense", outcome, evidence


def _given(claim: Design, found: Sequence[Gain]) -> list[Gain]:
    """The cases that the claim's own conditions leave."""
    batch = claim.conditions.batch
    return [g for g in found if batch is None or g.batch == batch]


def _counterparts(claim: Design, default: tuple[Counterpart, ...]) -> tuple[Counterpart, ...]:
    if claim.compared_with is None:
        return default
    return ("equal-total",) if claim.compared_with == "equal_total" else ("equal-active",)


def _compute(claim: Design, knowledge: Knowledge, sheet: Sheet, record: Record | None) -> Finding:
    """Prefill, where arithmetic binds: the gain over dense of equal total size must exceed 1.5."""
    needs = f"keeps compute low if above {COMPUTE_GAIN}"
    cases = [] if record is None else _given(claim, gains(record, "equal-total", "prefill"))
    scenarios = [_scenario(g, COMPUTE_GAIN, needs) for g in cases]
    modelled = _active_share(knowledge, claim.conditions.model or sheet.subject)
    if not scenarios:
        return _modelled_only(claim, modelled, f"work for each token falls as the active share does; {needs}")
    spread = _spread(list(cases))
    return _together(claim, scenarios, modelled, spread, "gain in prefill over dense of equal total size")


def _latency(claim: Design, knowledge: Knowledge, sheet: Sheet, record: Record | None) -> Finding:
    """Decode: never slower than dense of equal total, never more than twice as slow as dense of equal active."""
    scenarios: list[DesignCase] = []
    cases: list[Gain] = []
    for counterpart in _counterparts(claim, ("equal-total", "equal-active")):
        bound = 1.0 if counterpart == "equal-total" else 1 / LATENCY_LOSS
        needs = "holds if faster" if counterpart == "equal-total" else f"holds if at most {LATENCY_LOSS:g} times slower"
        found = [] if record is None else _given(claim, gains(record, counterpart, "decode"))
        cases += found
        scenarios += [_scenario(g, bound, needs) for g in found]
    modelled = _experts_activated_modelled(knowledge, claim.conditions.model or sheet.subject)
    if record is not None:
        modelled += _experts_activated_measured(record)
    if not scenarios:
        why = "distinct experts grow with the batch, so latency depends on batch and comparison"
        return _modelled_only(claim, modelled, why, outcome="undecided")
    return _together(claim, scenarios, modelled, _spread(cases), "rate of sparse over dense in decode")


def _spread(cases: list[Gain]) -> Interval:
    """From the least to the largest interval bound over all cases."""
    lows = [g.ratio.low if g.ratio.low is not None else g.ratio.point for g in cases]
    highs = [g.ratio.high if g.ratio.high is not None else g.ratio.point for g in cases]
    return Interval(low=min(lows), high=max(highs))


def _together(
    claim: Design, scenarios: list[DesignCase], modelled: tuple[Evidence, ...], spread: Interval, of: str
) -> Finding:
    """All cases agree, or the verdict depends on which one the source means."""
    outcomes = [outcome for _, outcome, _ in scenarios]
    evidence = tuple(e for _, _, e in scenarios) + modelled
    found = tally(outcomes)
    holds, falls, open_ = (
        [where for where, outcome, _ in scenarios if outcome == wanted]
        for wanted in ("supported", "refuted", "undecided")
    )
    missing: tuple[str, ...] = ()
    between = f"{of} from {times(spread.low)} to {times(spread.high)}"
    if found.outcome in ("supported", "refuted"):
        word = "holds" if found.outcome == "supported" else "falls"
        reason = f"It {word} in {_all(len(scenarios))}: {between}."
    else:
        parts = ((holds, "holds"), (falls, "falls"), (open_, "cannot be told from the bound"))
        reason = f"It {'; '.join(f'{word} at {_few(places)}' for places, word in parts if places)}: {between}."
        missing = claim.omitted if len(set(outcomes)) > 1 else ()
        missing += ("more repetitions",) if open_ and not (holds and falls) else ()
    flags: tuple[Flag, ...] = ("missing-condition",) if missing and claim.omitted and len(set(outcomes)) > 1 else ()
    return Finding.model_validate(
        {
            "outcome": found.outcome,
            "reason": reason,
            "flags": flags,
            "also": found.also,
            "interval": spread,
            "interval_of": of,
            "missing": missing,
            "stability": found.stability,
            "largest_uncertainty": "batch and comparison" if len(set(outcomes)) > 1 else "spread between processes",
            "evidence": evidence,
        }
    )


def _all(n: int) -> str:
    return "the one case measured" if n == 1 else f"all {n} cases measured"


def _few(places: list[str], most: int = 3) -> str:
    shown = ", ".join(places[:most])
    return shown if len(places) <= most else f"{shown} and {len(places) - most} more"


def _modelled_only(claim: Design, modelled: tuple[Evidence, ...], why: str, outcome: Outcome | None = None) -> Finding:
    """What the architecture alone says; a modelled ratio is never support."""
    if not modelled:
        return Finding(outcome="out of reach", reason="Nothing was measured, and the source names no known model.")
    against = any(e.stance == "contradicts" for e in modelled)
    decided = outcome or ("undecided" if against else "consistent")
    reason = f"Nothing was measured here that bears on it; from the architecture alone, {why}."
    missing = claim.omitted if decided == "undecided" else ("a measured record",)
    flags: tuple[Flag, ...] = ("missing-condition",) if decided == "undecided" and claim.omitted else ()
    return Finding(outcome=decided, reason=reason, flags=flags, missing=missing, evidence=modelled)


def _specs(knowledge: Knowledge, name: str | None) -> list[tuple[str, Spec]]:
    return [] if name is None else [(m.title, m.spec) for m in knowledge.could_be(name) if m.spec.is_sparse]


def _active_share(knowledge: Knowledge, name: str | None) -> tuple[Evidence, ...]:
    out = []
    for title, spec in _specs(knowledge, name):
        count = parameters(spec)
        gain = count.total / count.active
        out.append(
            Evidence(
                quantity=f"{title}: total over active parameters, the most that prefill can gain",
                value=gain,
                unit="ratio",
                basis="modelled",
                source="counted from the released configuration",
                stance="allows" if gain > COMPUTE_GAIN else "contradicts",
            )
        )
    return tuple(out)


def _experts_activated_modelled(knowledge: Knowledge, name: str | None) -> tuple[Evidence, ...]:
    out = []
    for title, spec in _specs(knowledge, name):
        e, k = spec.n_routed_experts, spec.num_experts_per_tok
        for batch in MODELLED_BATCHES:
            ratio = experts_touched(e, k, batch) / k
            out.append(
                Evidence(
                    quantity=f"{title}: expert bytes a step against dense of equal active size, {batch} sequences",
                    value=ratio,
                    unit="ratio",
                    basis="modelled",
                    source="U(B)/k with U(B) = E(1-(1-k/E)^B), uniform routing",
                    stance="allows" if ratio <= LATENCY_LOSS else "contradicts",
                )
            )
    return tuple(out)


def _experts_activated_measured(record: Record) -> tuple[Evidence, ...]:
    """Whether the runs routed as U(B) says: otherwise the ratios are of another model."""
    out = []
    for m in record.measurements:
        if m.model not in moe_models(record) or m.phase != "decode" or not usable(m):
            continue
        expected = m.counts.expected_experts_activated if m.counts else None
        if m.experts_activated is None or not expected:
            continue
        ratio = m.experts_activated / expected
        fine = abs(ratio - 1) <= EXPERTS_ACTIVATED_TOLERANCE
        out.append(
            Evidence(
                quantity=f"{m.model}: distinct experts over U(B), decode, batch {m.batch}",
                value=ratio,
                unit="ratio",
                basis="measured",
                source="counted in this record",
                stance="context",
                note=None
                if fine
                else f"off by more than {100 * EXPERTS_ACTIVATED_TOLERANCE:g} %: routing was not uniform",
            )
        )
    return tuple(out)


def _amortisation(claim: Design, record: Record | None) -> Finding:
    """Decode at the largest batch over batch 1: tokens a second must grow."""
    scenarios: list[DesignCase] = []
    spreads: list[Interval] = []
    for name in moe_models(record) if record is not None else ():
        assert record is not None
        cases = sorted(
            (m for m in record.measurements if m.model == name and m.phase == "decode" and usable(m)),
            key=lambda m: m.batch,
        )
        if len(cases) < 2:
            continue
        ratio, wide = paired(cases[-1], cases[0], 0.90), paired(cases[-1], cases[0], EXCLUDED_LEVEL)
        if ratio is None or ratio.interval is None or wide is None or wide.interval is None:
            continue
        outcome: Outcome = (
            "supported" if wide.interval.low > 1 else "refuted" if wide.interval.high < 1 else "undecided"
        )
        spreads.append(ratio.interval)
        evidence = Evidence(
            quantity=f"{name}, decode, batch {cases[-1].batch} over batch {cases[0].batch}",
            value=ratio.point,
            unit="ratio",
            interval=ratio.interval,
            basis="measured",
            source=f"this record, {ratio.n} paired rounds",
            stance=_STANCES.get(outcome, "context"),
        )
        scenarios.append((f"{name}, batch {cases[-1].batch}", outcome, evidence))
    if not scenarios:
        return Finding(
            outcome="undecided",
            reason="No record with two batches of one sparse model.",
            missing=("a measured record",),
        )
    spread = Interval(low=min(s.low for s in spreads), high=max(s.high for s in spreads))
    return _together(claim, scenarios, (), spread, "rate at the largest batch over the smallest")


def _latent(claim: Design, knowledge: Knowledge, sheet: Sheet) -> Finding:
    """Cache bytes of the named model against the same heads kept in full; counted, not measured."""
    evidence = []
    for title, spec in _specs(knowledge, claim.conditions.model or sheet.subject):
        tokens = claim.conditions.context_tokens or 4096.0
        full = 2.0 * spec.num_attention_heads * (spec.v_head_dim or spec.head_dim or 0) * spec.num_hidden_layers * 2.0
        ratio = full / (kv_bytes(spec, tokens) / tokens)
        evidence.append(
            Evidence(
                quantity=f"{title}: cache of full heads over its own, {tokens:g} tokens",
                value=ratio,
                unit="ratio",
                basis="modelled",
                source="counted from the released configuration",
                stance="allows" if ratio > 1 else "contradicts",
            )
        )
    return _modelled_only(claim, tuple(evidence), "the cache is smaller by the ratio shown")
