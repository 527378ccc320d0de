"""A measured case beside this host's ceilings: its rate, its ceiling, and which of the two ceilings binds.

The host's ceilings come from the same record; the work and bytes of a token from the case's counts.
"""

import math

from harness.results.gains import moe_models
from harness.results.record import Measurement, Record
from harness.stats import Estimate, Interval
from harness.vocabulary import Frozen, Phase


class HostMeasurement(Frozen):
    """One measured case."""

    measurement: Measurement
    rate: Estimate
    ceiling_tok_s: float | None
    """least of what arithmetic and memory allow here; None where the record has no ceilings or counts"""
    bound_by: str | None
    balance: float | None
    """time of arithmetic over time of memory, both at this host's ceilings"""

    @property
    def fraction(self) -> float | None:
        return None if self.ceiling_tok_s is None else self.rate.point / self.ceiling_tok_s

    @property
    def words(self) -> str:
        return f"{self.measurement.model}, {self.measurement.shape}, {self.measurement.threads} threads"

    @property
    def interval(self) -> Interval | None:
        return self.rate.interval

    @property
    def active_flop_s(self) -> float | None:
        """Twice the active parameters, times the rate."""
        counts = self.measurement.counts
        return None if counts is None else 2.0 * counts.parameters_active * self.rate.point


def host_measurement(record: Record, measurement: Measurement) -> HostMeasurement | None:
    """A measurement beside this host's ceilings; None where it has no rate."""
    rate = measurement.rate_tok_s
    if rate is None:
        return None
    counts, ceilings = measurement.counts, record.ceilings
    flop_s = ceilings.matmul_flop_s(measurement.precision) if ceilings else None
    if counts is None or ceilings is None or flop_s is None:
        return HostMeasurement(measurement=measurement, rate=rate, ceiling_tok_s=None, bound_by=None, balance=None)
    compute_s = counts.flop_per_token / flop_s.point
    memory_s = counts.bytes_per_token / ceilings.read_bytes_s.point
    return HostMeasurement(
        measurement=measurement,
        rate=rate,
        ceiling_tok_s=1 / max(compute_s, memory_s),
        bound_by="compute" if compute_s >= memory_s else "memory",
        balance=compute_s / memory_s,
    )


def moe_measurements(record: Record, phase: Phase) -> tuple[HostMeasurement, ...]:
    """All usable cases of the record's mixture-of-experts models in `phase`."""
    names = moe_models(record) or tuple(a.model for a in record.variants if a.spec.is_sparse)
    measured = (m for m in record.measurements if m.model in names and m.phase == phase and m.usable)
    return tuple(c for m in measured if (c := host_measurement(record, m)) is not None)


def nearest(cases: tuple[HostMeasurement, ...], balance: float | None) -> HostMeasurement | None:
    """The case whose balance of arithmetic and memory is nearest to `balance`; else the largest batch."""
    if not cases:
        return None
    known = [c for c in cases if c.balance is not None]
    if balance is None or not known:
        return max(cases, key=lambda c: c.measurement.batch)
    return min(known, key=lambda c: abs(math.log((c.balance or 1.0) / balance)))


def over(reported: float, measured: Interval | None, point: float) -> Interval:
    """Reported over measured, with the measurement's interval."""
    ends = (point,) if measured is None else (measured.low, measured.high)
    return Interval.of(reported / end for end in ends)
