"""Rules that a measured cell must keep to be used as evidence, in the spirit of MLPerf LoadGen's validity checks. Pure.

Each finding names its rule, the value, the limit and what to do. 'invalid' findings keep the cell out of every verdict
and comparison (it is shown, marked); 'warning' findings are shown beside it. Knows no claim and no clock.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple

from pydantic import Field

from harness.frozen import Frozen
from harness.record import Host, Measurement, Observation, Record
from harness.stats import median
from harness.units import binary, number, percent, seconds, si

Severity = Literal["invalid", "warning"]


class Limits(Frozen):
    """Where each rule draws its line. The defaults' reasons stand beside the rules that use them."""

    min_processes: int = Field(default=2, ge=1, description="fewer invalidate: no interval without a second process")
    good_processes: int = Field(default=5, ge=1, description="fewer warn: the interval has to assume log-normal noise")
    min_steps: int = Field(default=3, ge=1, description="timed steps of a process; fewer warn")
    min_timed_s: float = Field(default=0.1, gt=0, description="timed seconds of a cell in all; fewer warn")
    resolution_multiple: float = Field(default=1000.0, gt=0, description="shortest step in units of the clock's own")
    ceiling_margin: float = Field(default=0.05, ge=0, description="how far above a measured ceiling a rate may lie")
    cache_multiple: float = Field(default=4.0, gt=0, description="weights in units of the last-level cache")
    coverage: float = Field(default=0.03, gt=0, description="relative distance from the expected coverage")
    outside_share: float = Field(default=0.01, gt=0, description="share of a step spent outside the runtime")
    control_spread: float = Field(default=0.10, gt=0, description="spread of the control kernel between processes")
    control_drift: float = Field(default=0.05, gt=0, description="drift of the control kernel inside a process")
    foreign_share: float = Field(default=0.10, gt=0, description="processor time of others, in processors")
    steal_share: float = Field(default=0.01, gt=0, description="time that the hypervisor took, in processors")


class Finding(Frozen):
    """One rule that is broken. `cell` is None where it concerns the whole run."""

    rule: str
    severity: Severity
    cell: str | None
    value: float
    limit: float
    message: str = Field(description="what was found and what was allowed")
    remedy: str

    @property
    def line(self) -> str:
        return f"{self.rule}: {self.message}"


def cell_name(m: Measurement) -> str:
    """A cell in words: moe-article int8 decode batch 8."""
    depth = f" depth {m.depth}" if m.depth else ""
    return f"{m.model} {m.precision} {m.phase} batch {m.batch}{depth}, {m.threads} threads"


class Context(Frozen):
    """What the rules of a cell may look at besides the cell."""

    host: Host
    read_bytes_s: float | None = Field(default=None, description="best read rate of any process of the run")
    matmul_flop_s: tuple[tuple[str, float], ...] = Field(default=(), description="best of each precision")
    skewed: bool = False
    limits: Limits = Limits()


class Broken(NamedTuple):
    """What a rule found: the value, its limit, and both in words."""

    value: float
    limit: float
    message: str


class Rule(NamedTuple):
    """One named rule of a cell."""

    name: str
    severity: Severity
    check: Callable[[Measurement, Context], Broken | None]
    remedy: str


def _one_process(m: Measurement, context: Context) -> Broken | None:
    count, least = len(m.good), context.limits.min_processes
    if count == 0 or count >= least:
        return None
    return Broken(count, least, f"{count} process measured it, an interval needs at least {least}")


def _few_processes(m: Measurement, context: Context) -> Broken | None:
    count, limits = len(m.good), context.limits
    if not limits.min_processes <= count < limits.good_processes:
        return None
    wanted = limits.good_processes
    return Broken(
        count, wanted, f"{count} processes measured it; from {wanted} on the interval assumes nothing of the noise"
    )


def _failures(m: Measurement, _context: Context) -> Broken | None:
    lost = [o.error for o in m.observations if o.error is not None]
    if not lost or not m.good:
        return None
    return Broken(len(lost), 0, f"{len(lost)} of {len(m.observations)} processes failed, the last: {lost[-1]}")


def _few_steps(m: Measurement, context: Context) -> Broken | None:
    least, wanted = min((len(o.durations_s) for o in m.good), default=None), context.limits.min_steps
    if least is None or least >= wanted:
        return None
    return Broken(least, wanted, f"a process timed only {least} steps, {wanted} are wanted")


def _brief(m: Measurement, context: Context) -> Broken | None:
    """Processor time of others comes in ticks of 10 ms: below ten of them `foreign_share` sees 0."""
    timed_s, least_s = sum(d for o in m.good for d in o.durations_s), context.limits.min_timed_s
    if not m.good or timed_s >= least_s:
        return None
    return Broken(timed_s, least_s, f"all processes together timed {seconds(timed_s)}, {seconds(least_s)} are wanted")


def _not_positive(m: Measurement, _context: Context) -> Broken | None:
    least = min((d for o in m.good for d in o.durations_s), default=None)
    return None if least is None or least > 0 else Broken(least, 0, f"a step took {number(least)} s; time must pass")


def _below_clock(m: Measurement, context: Context) -> Broken | None:
    resolution_s, shortest_s = context.host.timer_resolution_s, _shortest_median_s(m)
    if resolution_s is None or shortest_s is None:
        return None
    limit_s = context.limits.resolution_multiple * resolution_s
    if shortest_s >= limit_s:
        return None
    words = f"a step takes {seconds(shortest_s)}; the clock resolves steps from {seconds(limit_s)} on"
    return Broken(shortest_s, limit_s, words)


def _token_count(m: Measurement, _context: Context) -> Broken | None:
    due = m.batch * (m.prompt_tokens if m.phase == "prefill" else 1)
    wrong = next((o.tokens_per_step for o in m.good if o.tokens_per_step != due), None)
    return None if wrong is None else Broken(wrong, due, f"a step processed {wrong} tokens, the workload says {due}")


def _shortest_median_s(m: Measurement) -> float | None:
    return min((median(o.durations_s) for o in m.good), default=None)


def _rate_tok_s(m: Measurement) -> float | None:
    """The rate that the cell reports. Its fastest process may have met a faster moment than the ceilings did."""
    return None if m.rate_tok_s is None else m.rate_tok_s.point


def _fits_cache(m: Measurement, context: Context) -> Broken | None:
    cache = context.host.last_level_cache_bytes
    if cache is None or m.counts is None or m.phase != "decode" or not m.good:
        return None
    weights, limit = m.counts.weight_bytes, context.limits.cache_multiple * cache
    if weights >= limit:
        return None
    words = f"weights of {binary(weights)} are under {context.limits.cache_multiple:g} times the last-level cache"
    return Broken(weights, limit, f"{words} ({binary(cache)}): decode reads the cache, not memory")


def _above_read_ceiling(m: Measurement, context: Context) -> Broken | None:
    """Only where memory is what is read: weights far larger than the cache."""
    rate, ceiling = _rate_tok_s(m), context.read_bytes_s
    if rate is None or ceiling is None or m.counts is None or m.phase != "decode" or _fits_cache(m, context):
        return None
    return _above(rate * m.counts.bytes_per_token, ceiling, "B/s", context)


def _above_matmul_ceiling(m: Measurement, context: Context) -> Broken | None:
    rate, ceiling = _rate_tok_s(m), dict(context.matmul_flop_s).get(m.precision)
    if rate is None or ceiling is None or m.counts is None:
        return None
    return _above(rate * m.counts.flop_per_token, ceiling, "FLOP/s", context)


def _above(value: float, ceiling: float, unit: str, context: Context) -> Broken | None:
    limit = ceiling * (1 + context.limits.ceiling_margin)
    if value <= limit:
        return None
    return Broken(value, limit, f"the rate means {si(value, unit)}; this host reached {si(ceiling, unit)} at best")


def _coverage(m: Measurement, context: Context) -> Broken | None:
    expected, allowed = m.counts.expected_coverage if m.counts else None, context.limits.coverage
    if expected is None or m.coverage is None or context.skewed:
        return None
    off = m.coverage / expected - 1
    if abs(off) <= allowed:
        return None
    words = f"{number(m.coverage)} distinct experts a layer and step, uniform routing gives {number(expected)}"
    return Broken(m.coverage, expected * (1 + (allowed if off > 0 else -allowed)), f"{words} ({percent(off)} off)")


def _share(m: Measurement, value: Callable[[Observation], float | None]) -> float | None:
    """A time over all processes, divided by the timed sections that it fell into. Over all, not the median of each: the
    kernel counts processor time in ticks of a hundredth of a second, which is coarse beside one process's section."""
    timed = [(part, sum(o.durations_s)) for o in m.good if (part := value(o)) is not None]
    whole_s = sum(section_s for _, section_s in timed)
    return sum(part_s for part_s, _ in timed) / whole_s if whole_s > 0 else None


def _outside(m: Measurement, context: Context) -> Broken | None:
    share, limit = _share(m, lambda o: o.outside_s), context.limits.outside_share
    if share is None or share <= limit:
        return None
    return Broken(share, limit, f"{percent(share)} of a step pass outside the runtime ({percent(limit)} allowed)")


def _foreign(m: Measurement, context: Context) -> Broken | None:
    share, limit = _share(m, lambda o: o.foreign_cpu_s), context.limits.foreign_share
    if share is None or share <= limit:
        return None
    return Broken(share, limit, f"others used {number(share, 2)} processors meanwhile ({limit:g} allowed)")


def _steal(m: Measurement, context: Context) -> Broken | None:
    share, limit = _share(m, lambda o: o.steal_s), context.limits.steal_share
    if share is None or share <= limit:
        return None
    return Broken(share, limit, f"the hypervisor took {number(share, 2)} processors meanwhile ({limit:g} allowed)")


def _digests(m: Measurement, _context: Context) -> Broken | None:
    distinct = {o.logits_digest for o in m.good if o.logits_digest is not None}
    if len(distinct) <= 1:
        return None
    return Broken(len(distinct), 1, f"one seed gave {len(distinct)} different results in {len(m.good)} processes")


_AGAIN = "run again on a quiet host; if it comes back, the work or the ceiling is counted wrongly"
_LARGER = "measure a larger model, batch or prompt"

CELL_RULES = (
    Rule("no-interval", "invalid", _one_process, "raise measure.repetitions"),
    Rule("few-processes", "warning", _few_processes, "raise measure.repetitions"),
    Rule("failed-processes", "warning", _failures, "`harness run --resume --retry-failed` measures them again"),
    Rule("few-steps", "warning", _few_steps, "raise measure.step_time_s, or lower the batch or the prompt length"),
    Rule("brief", "warning", _brief, "raise measure.step_time_s or measure.repetitions"),
    Rule("not-positive", "invalid", _not_positive, "measure again; if it comes back, this host's clock is broken"),
    Rule("below-clock", "invalid", _below_clock, _LARGER),
    Rule("token-count", "invalid", _token_count, "a defect of the measurement: please report it"),
    Rule("fits-cache", "warning", _fits_cache, "use a larger model"),
    Rule("above-read-ceiling", "invalid", _above_read_ceiling, _AGAIN),
    Rule("above-matmul-ceiling", "invalid", _above_matmul_ceiling, _AGAIN),
    Rule("coverage", "invalid", _coverage, "use balanced routing or another seed, or name the skew in measure.routing"),
    Rule("outside-runtime", "warning", _outside, _LARGER),
    Rule("busy-neighbours", "warning", _foreign, "end other work on this host and measure again"),
    Rule("stolen-time", "warning", _steal, "measure on a host of your own, or at a quieter hour"),
    Rule("logits-differ", "warning", _digests, "nothing where the runtime sums in no fixed order; else inputs differ"),
)
"""Invalid are results that cannot be true, or are not of what they claim to be, or have no interval. Warnings are
results that are true but may be less exact than they look."""


def judge(m: Measurement, context: Context) -> tuple[Finding, ...]:
    """All rules that a cell breaks, in the order of CELL_RULES."""
    found = []
    for rule in CELL_RULES:
        broken = rule.check(m, context)
        if broken is not None:
            found.append(
                Finding(
                    rule=rule.name, severity=rule.severity, cell=cell_name(m), remedy=rule.remedy, **broken._asdict()
                )
            )
    return tuple(found)


def _controls(record: Record) -> tuple[tuple[float, ...], ...]:
    """The control kernel's durations, one tuple a process and workload."""
    observed = [o.control_s for m in record.measurements for o in m.good]
    return tuple(c for c in (*observed, *(o.control_s for o in record.ceiling_observations)) if len(c) >= 2)


def judge_run(record: Record, limits: Limits) -> tuple[Finding, ...]:
    """Rules that concern the whole run: how steady the control kernel, and with it the host, was.

    Both warn here. A comparison of two arms treats them as 'unmeasurable' (it asks for more of the host).
    """
    controls = _controls(record)
    found = []
    quiet = "end other work on this host, or compare only interleaved runs (`harness ab`)"
    medians = sorted(median(c) for c in controls)
    if len(medians) >= 2:
        # the middle 80 %, so that one slow process among many does not speak for all
        cut = len(medians) // 10
        inner = medians[cut : len(medians) - cut]
        spread = (inner[-1] - inner[0]) / median(medians)
        if spread > limits.control_spread:
            words = f"the control kernel spread by {percent(spread)} between processes"
            found.append(_run_finding("control-spread", spread, limits.control_spread, words, quiet))
    if controls:
        drift = median([abs(median(c[len(c) // 2 :]) / median(c[: len(c) // 2]) - 1) for c in controls])
        if drift > limits.control_drift:
            words = f"the control kernel changed by {percent(drift)} while a workload was timed"
            found.append(_run_finding("control-drift", drift, limits.control_drift, words, quiet))
    return tuple(found)


def _run_finding(rule: str, value: float, limit: float, words: str, remedy: str) -> Finding:
    message = f"{words} ({percent(limit)} allowed)"
    return Finding(rule=rule, severity="warning", cell=None, value=value, limit=limit, message=message, remedy=remedy)


def changed_host(before: Host, after: Host) -> Finding | None:
    """The rule for a run that goes on elsewhere: two hosts' figures do not belong into one record."""
    if before.fingerprint == after.fingerprint:
        return None
    return Finding(
        rule="host-changed",
        severity="invalid",
        cell=None,
        value=2,
        limit=1,
        message=f"begun on {before.cpu} with {before.cores} cores, gone on with on {after.cpu} with {after.cores}",
        remedy="begin a new run on this host, or resume on the other one",
    )


def context_of(record: Record, measurement: Measurement, limits: Limits) -> Context:
    """What the rules may look at for one cell: ceilings are the best that any process reached."""
    best: dict[str, float] = {}
    for observation in record.ceiling_observations:
        for precision, rate, _ in observation.matmul:
            best[precision] = max(rate, best.get(precision, 0.0))
    arms = [a for a in record.arms if (a.model, a.precision) == (measurement.model, measurement.precision)]
    return Context(
        host=record.host,
        read_bytes_s=max((o.read_bytes_s for o in record.ceiling_observations), default=None),
        matmul_flop_s=tuple(best.items()),
        skewed=any(a.routing_skew > 0 for a in arms),
        limits=limits,
    )


def findings(record: Record, limits: Limits = Limits()) -> tuple[Finding, ...]:  # noqa: B008 - frozen
    """All findings of a record: those of the run, then those of each cell."""
    cells = [f for m in record.measurements for f in judge(m, context_of(record, m, limits))]
    return (*judge_run(record, limits), *cells)


def apply(record: Record, limits: Limits = Limits()) -> Record:  # noqa: B008 - frozen
    """The record with each cell's `invalid` naming the rules that keep it out of the evidence."""
    judged = tuple(
        m.model_copy(
            update={
                "invalid": tuple(f.line for f in judge(m, context_of(record, m, limits)) if f.severity == "invalid")
            }
        )
        for m in record.measurements
    )
    return record.model_copy(update={"measurements": judged})
