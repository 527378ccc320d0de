"""Rules on what else went on at the host while a run was measured: others' work, stolen time, memory stalls,
changed frequency, an unsteady reference kernel.

All but a changed host warn: the figures are true, but may be less exact than they look. A rule whose figure the host
does not report is not broken.
"""

from collections.abc import Callable

from harness.results.record import Host, Measurement, Observation, Record
from harness.results.rules import Breach, Limits, RuleBreach, RuleContext, ValidityRule, above
from harness.stats import median
from harness.units import number, percent, si


def share_of(m: Measurement, value: Callable[[Observation], float | None]) -> float | None:
    """A time over all processes, divided by the timed sections that it fell into. Over all, not the median of each: the
    kernel counts processor time in ticks of a hundredth of a second, which is coarse beside one process's section."""
    timed = [(part, sum(o.durations_s)) for o in m.good if (part := value(o)) is not None]
    whole_s = sum(section_s for _, section_s in timed)
    return sum(part_s for part_s, _ in timed) / whole_s if whole_s > 0 else None


def _other_cpu(m: Measurement, context: RuleContext) -> Breach | None:
    share, limit = share_of(m, lambda o: o.other_cpu_s), context.limits.foreign_share
    return above(share, limit, f"others used {number(share, 2)} processors meanwhile ({limit:g} allowed)")


def _steal(m: Measurement, context: RuleContext) -> Breach | None:
    share, limit = share_of(m, lambda o: o.steal_s), context.limits.steal_share
    return above(share, limit, f"the hypervisor took {number(share, 2)} processors meanwhile ({limit:g} allowed)")


def _memory_stall(m: Measurement, context: RuleContext) -> Breach | None:
    share, limit = share_of(m, lambda o: o.memory_stall_s), context.limits.memory_wait_share
    return above(share, limit, f"tasks waited for memory in {percent(share)} of the time ({percent(limit)} allowed)")


def _frequency(m: Measurement, context: RuleContext) -> Breach | None:
    seen = [o.frequency_hz for o in m.good if o.frequency_hz is not None]
    if len(seen) < 2:
        return None
    spread, limit = (max(seen) - min(seen)) / median(seen), context.limits.frequency_spread
    words = f"the processors ran at {si(min(seen), 'Hz')} to {si(max(seen), 'Hz')} in different processes"
    return above(spread, limit, f"{words} ({percent(limit)} apart allowed)")


RULES = (
    ValidityRule("busy-neighbours", "warning", _other_cpu, "end other work on this host and measure again"),
    ValidityRule("stolen-time", "warning", _steal, "measure on a host of your own, or at a quieter hour"),
    ValidityRule(
        "memory-pressure", "warning", _memory_stall, "close other programs, or measure a smaller model or batch"
    ),
    ValidityRule(
        "frequency", "warning", _frequency, "fix the frequency (`harness doctor` says how), or let the host cool"
    ),
)
"""Rules of a case."""


def _references(record: Record) -> tuple[tuple[float, ...], ...]:
    """The reference kernel's durations, one tuple a process and workload."""
    observed = [o.reference_kernel_s for m in record.measurements for o in m.good]
    return tuple(c for c in (*observed, *(o.reference_kernel_s for o in record.ceiling_observations)) if len(c) >= 2)


def judge_run(record: Record, limits: Limits) -> tuple[RuleBreach, ...]:
    """Rules that concern the whole run: how steady the reference kernel, and with it the host, was.

    Both warn here. A comparison of two variants that they leave unsettled is 'unmeasurable'.
    """
    return _judge_references(_references(record), limits)


def disturbed(m: Measurement, context: RuleContext) -> str | None:
    """What disturbed the host while this case was measured, in words; None where nothing was found."""
    references = tuple(o.reference_kernel_s for o in m.good if len(o.reference_kernel_s) >= 2)
    broken = (rule.check(m, context) for rule in RULES)
    words = [f.message for f in _judge_references(references, context.limits)] + [b.message for b in broken if b]
    return "; ".join(words) or None


def _judge_references(references: tuple[tuple[float, ...], ...], limits: Limits) -> tuple[RuleBreach, ...]:
    spread = drift = None
    medians = sorted(median(c) for c in references)
    if len(medians) >= 2:
        # the middle 80 %, so that one slow process among many does not speak for all
        cut = len(medians) // 10
        inner = medians[cut : len(medians) - cut]
        spread = (inner[-1] - inner[0]) / median(medians)
    if references:
        drift = median([abs(median(c[len(c) // 2 :]) / median(c[: len(c) // 2]) - 1) for c in references])
    checked = (
        ("reference-spread", spread, limits.reference_spread, "spread by {} between processes"),
        ("reference-drift", drift, limits.reference_drift, "changed by {} while a workload was timed"),
    )
    remedy = "end other work on this host, or compare only interleaved runs (`harness ab`)"
    found = []
    for rule, value, limit, words in checked:
        message = f"the reference kernel {words.format(percent(value))} ({percent(limit)} allowed)"
        if (broken := above(value, limit, message)) is not None:
            found.append(RuleBreach(rule=rule, severity="warning", case=None, remedy=remedy, **broken._asdict()))
    return tuple(found)


def changed_host(before: Host, after: Host) -> RuleBreach | None:
    """The rule for a run that is resumed elsewhere: two hosts' figures do not belong into one record."""
    if before.fingerprint == after.fingerprint:
        return None
    return RuleBreach(
        rule="host-changed",
        severity="invalid",
        case=None,
        value=2,
        limit=1,
        message=f"begun on {before.cpu} with {before.cores} cores, resumed on {after.cpu} with {after.cores}",
        remedy="begin a new run on this host, or resume on the other one",
    )
