"""Rules that a measured case must keep to be used as evidence, in the spirit of MLPerf LoadGen's validity checks.

Each finding names its rule, the value, the limit and what to do. 'invalid' findings keep the case out of every verdict
and comparison (it is shown, marked); 'warning' findings are shown beside it."""

from harness.results import disturbance
from harness.results.counting import chance_deviation
from harness.results.disturbance import changed_host, judge_run, share_of
from harness.results.record import Measurement, Record
from harness.results.rules import Breach, Limits, RuleBreach, RuleContext, ValidityRule, above, below, case_name
from harness.stats import median
from harness.units import binary, number, percent, seconds, si

__all__ = ["CASE_RULES", "Limits", "apply", "changed_host", "findings", "judge", "judge_run"]


def _one_process(m: Measurement, context: RuleContext) -> Breach | None:
    count, least = len(m.good), context.limits.min_processes
    if count == 0 or count >= least:
        return None
    return Breach(count, least, f"{count} process measured it, an interval needs at least {least}")


def _few_processes(m: Measurement, context: RuleContext) -> Breach | None:
    count, limits = len(m.good), context.limits
    if not limits.min_processes <= count < limits.good_processes:
        return None
    wanted = limits.good_processes
    return Breach(
        count, wanted, f"{count} processes measured it; from {wanted} on the interval assumes nothing of the noise"
    )


def _failures(m: Measurement, _context: RuleContext) -> Breach | None:
    lost = [o.error for o in m.observations if o.error is not None]
    if not lost or not m.good:
        return None
    return Breach(len(lost), 0, f"{len(lost)} of {len(m.observations)} processes failed, the last: {lost[-1]}")


def _few_steps(m: Measurement, context: RuleContext) -> Breach | None:
    least, wanted = min((len(o.durations_s) for o in m.good), default=None), context.limits.min_steps
    return below(least, wanted, f"a process timed only {least} steps, {wanted} are wanted")


def _brief(m: Measurement, context: RuleContext) -> Breach | None:
    """Processor time of others comes in ticks of 10 ms: below ten of them `foreign_share` sees 0."""
    timed_s, least_s = sum(d for o in m.good for d in o.durations_s) if m.good else None, context.limits.min_timed_s
    return below(timed_s, least_s, f"all processes together timed {seconds(timed_s)}, {seconds(least_s)} are wanted")


def _not_positive(m: Measurement, _context: RuleContext) -> Breach | None:
    least = min((d for o in m.good for d in o.durations_s), default=None)
    return None if least is None or least > 0 else Breach(least, 0, f"a step took {number(least)} s; time must pass")


def _below_clock(m: Measurement, context: RuleContext) -> Breach | None:
    if context.host.timer_resolution_s is None:
        return None
    limit_s = context.limits.resolution_multiple * context.host.timer_resolution_s
    shortest_s = min((median(o.durations_s) for o in m.good), default=None)
    words = f"a step takes {seconds(shortest_s)}; the clock resolves steps from {seconds(limit_s)} on"
    return below(shortest_s, limit_s, words)


def _token_count(m: Measurement, _context: RuleContext) -> Breach | None:
    due = m.batch * (m.prompt_tokens if m.phase == "prefill" else 1)
    wrong = next((o.tokens_per_step for o in m.good if o.tokens_per_step != due), None)
    return None if wrong is None else Breach(wrong, due, f"a step processed {wrong} tokens, the workload says {due}")


def _rate_tok_s(m: Measurement) -> float | None:
    """The rate that the case reports. Its fastest process may have met a faster moment than the ceilings did."""
    return None if m.rate_tok_s is None else m.rate_tok_s.point


def _fits_cache(m: Measurement, context: RuleContext) -> Breach | None:
    cache = context.host.last_level_cache_bytes
    if cache is None or m.counts is None or m.phase != "decode" or not m.good:
        return None
    weights, multiple = m.counts.weight_bytes, context.limits.cache_multiple
    words = f"weights of {binary(weights)} are under {multiple:g} times the last-level cache"
    return below(weights, multiple * cache, f"{words} ({binary(cache)}): decode reads the cache, not memory")


def _above_read_ceiling(m: Measurement, context: RuleContext) -> Breach | None:
    """Only where memory is what is read: weights far larger than the cache."""
    rate, ceiling = _rate_tok_s(m), context.read_bytes_s
    if rate is None or ceiling is None or m.counts is None or m.phase != "decode" or _fits_cache(m, context):
        return None
    return _above(rate * m.counts.bytes_per_token, ceiling, "B/s", context)


def _above_matmul_ceiling(m: Measurement, context: RuleContext) -> Breach | None:
    rate, ceiling = _rate_tok_s(m), dict(context.matmul_flop_s).get(m.precision)
    if rate is None or ceiling is None or m.counts is None:
        return None
    return _above(rate * m.counts.flop_per_token, ceiling, "FLOP/s", context)


def _above(value: float, ceiling: float, unit: str, context: RuleContext) -> Breach | None:
    limit = ceiling * (1 + context.limits.ceiling_margin)
    return above(value, limit, f"the rate means {si(value, unit)}; this host reached {si(ceiling, unit)} at best")


_CHANCE = 3.0
"""Standard deviations by which chance may move the experts activated: one case in 400 lies beyond them."""


def _experts_activated(m: Measurement, context: RuleContext) -> Breach | None:
    """Few tokens touch more or fewer experts by chance alone, so what chance does is allowed on top."""
    expected = m.counts.expected_experts_activated if m.counts else None
    if expected is None or m.experts_activated is None or context.skewed:
        return None
    off, allowed = m.experts_activated / expected - 1, context.limits.experts_activated
    allowed += _CHANCE * context.experts_activated_deviation / expected
    if abs(off) <= allowed:
        return None
    words = f"{number(m.experts_activated)} distinct experts a layer and step, uniform routing gives {number(expected)}"
    return Breach(
        m.experts_activated, expected * (1 + (allowed if off > 0 else -allowed)), f"{words} ({percent(off)} off)"
    )


def _outside(m: Measurement, context: RuleContext) -> Breach | None:
    share, limit = share_of(m, lambda o: o.outside_s), context.limits.outside_share
    return above(share, limit, f"{percent(share)} of a step pass outside the runtime ({percent(limit)} allowed)")


def _digests(m: Measurement, _context: RuleContext) -> Breach | None:
    distinct = len({o.logits_digest for o in m.good if o.logits_digest is not None})
    return above(distinct, 1, f"one seed gave {distinct} different results in {len(m.good)} processes")


_AGAIN = "run again on a quiet host; if it comes back, the work or the ceiling is counted wrongly"
_LARGER = "measure a larger model, batch or prompt"

CASE_RULES = (
    ValidityRule("no-interval", "invalid", _one_process, "raise measure.repetitions"),
    ValidityRule("few-processes", "warning", _few_processes, "raise measure.repetitions"),
    ValidityRule("failed-processes", "warning", _failures, "`harness run --resume --retry-failed` measures them again"),
    ValidityRule(
        "few-steps", "warning", _few_steps, "raise measure.step_time_s, or lower the batch or the prompt length"
    ),
    ValidityRule("brief", "warning", _brief, "raise measure.step_time_s or measure.repetitions"),
    ValidityRule(
        "not-positive", "invalid", _not_positive, "measure again; if it comes back, this host's clock is broken"
    ),
    ValidityRule("below-clock", "invalid", _below_clock, _LARGER),
    ValidityRule("token-count", "invalid", _token_count, "a defect of the measurement: please report it"),
    ValidityRule("fits-cache", "warning", _fits_cache, "use a larger model"),
    ValidityRule("above-read-ceiling", "invalid", _above_read_ceiling, _AGAIN),
    ValidityRule("above-matmul-ceiling", "invalid", _above_matmul_ceiling, _AGAIN),
    ValidityRule(
        "experts-activated",
        "invalid",
        _experts_activated,
        "use balanced routing or another seed, or name the skew in measure.routing",
    ),
    ValidityRule("outside-runtime", "warning", _outside, _LARGER),
    ValidityRule(
        "logits-differ", "warning", _digests, "nothing where the runtime sums in no fixed order; else inputs differ"
    ),
    *disturbance.RULES,
)
"""Invalid are results that cannot be true, or are not of what they claim to be, or have no interval. Warnings are
results that are true but may be less exact than they look."""


def judge(m: Measurement, context: RuleContext) -> tuple[RuleBreach, ...]:
    """All rules that a case breaks, in the order of CASE_RULES."""
    checked = ((rule, rule.check(m, context)) for rule in CASE_RULES)
    return tuple(
        RuleBreach(rule=r.name, severity=r.severity, case=case_name(m), remedy=r.remedy, **broken._asdict())
        for r, broken in checked
        if broken is not None
    )


def context_of(record: Record, measurement: Measurement, limits: Limits) -> RuleContext:
    """What the rules may look at for one case: ceilings are the best that any process reached."""
    best: dict[str, float] = {}
    for observation in record.ceiling_observations:
        for precision, rate, _ in observation.matmul:
            best[precision] = max(rate, best.get(precision, 0.0))
    variants = [a for a in record.variants if (a.model, a.precision) == (measurement.model, measurement.precision)]
    return RuleContext(
        host=record.host,
        read_bytes_s=max((o.read_bytes_s for o in record.ceiling_observations), default=None),
        matmul_flop_s=tuple(best.items()),
        skewed=any(a.routing_skew > 0 for a in variants),
        experts_activated_deviation=max((chance_deviation(a.spec, measurement) for a in variants), default=0.0),
        limits=limits,
    )


def findings(record: Record, limits: Limits = Limits()) -> tuple[RuleBreach, ...]:  # noqa: B008 - frozen
    """All findings of a record: those of the run, then those of each case."""
    cases = [f for m in record.measurements for f in judge(m, context_of(record, m, limits))]
    return (*judge_run(record, limits), *cases)


def apply(record: Record, limits: Limits = Limits()) -> Record:  # noqa: B008 - frozen
    """The record with each case's `invalid` naming the rules that keep it out of the evidence."""
    judged = []
    for m in record.measurements:
        broken = judge(m, context_of(record, m, limits))
        lines = tuple(breach.line for breach in broken if breach.severity == "invalid")
        judged.append(m.model_copy(update={"invalid": lines}))
    return record.model_copy(update={"measurements": tuple(judged)})
