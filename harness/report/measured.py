"""A record's cells beside the host's ceilings, and sparse models beside their dense controls: figures that tables show.

Knows no claim. A cell that broke a validity rule keeps its rate, with the rule named, and enters no gain.
"""

from typing import Literal

from pydantic import Field

from harness.record import Ceilings, CellKey, Measurement, Record
from harness.report.blocks import Role
from harness.stats import Estimate, paired_ratio

Control = Literal["equal-total", "equal-active"]
CONTROLS: tuple[Control, ...] = ("equal-total", "equal-active")
ROLES: tuple[Role, ...] = ("sparse", *CONTROLS, "other")
Bound = Literal["memory", "compute"]


class MeasuredRow(CellKey):
    """One cell as the tables show it. Bytes and work are the least that a step needs, from the architecture."""

    role: Role
    rate_tok_s: Estimate | None
    coverage: float | None = Field(description="distinct routed experts a layer and step, as counted")
    expected_coverage: float | None = Field(description="the same under uniform routing, U(B)")
    ceiling_tok_s: float | None = Field(description="least of what this host's reading and arithmetic allow")
    ceiling_fraction: float | None = Field(description="measured rate over that ceiling")
    binding: Bound | None
    flop_per_byte: float | None
    flop_s: Estimate | None = Field(description="rate times the work of a token")
    peak_rss_bytes: int | None
    problem: str | None = Field(description="why there is no rate, or why it is not used")


class Gain(CellKey):
    """A sparse model's rate over that of a dense control, paired by rounds."""

    control: Control
    ratio: Estimate


def role(model: str, names: frozenset[str]) -> Role:
    """What part a model plays. A model counts as sparse where the record holds a control of it."""
    stem, _, suffix = model.rpartition(":")
    for control in CONTROLS:
        if suffix == control and stem:
            return control
    return "sparse" if any(f"{model}:{control}" in names for control in CONTROLS) else "other"


def rows(record: Record) -> tuple[MeasuredRow, ...]:
    """Every cell of `record`, in its order, those without a rate too."""
    names = _names(record)
    return tuple(_row(m, record.ceilings, role(m.model, names)) for m in record.measurements)


def gains(record: Record) -> tuple[Gain, ...]:
    """Sparse over each control, for each cell that both have measured, over the rounds that they share."""
    found = []
    for m in _usable(record):
        for control in CONTROLS:
            name = {**m.named, "model": f"{m.model}:{control}"}
            other = next((c for c in _usable(record) if c.named == name), None)
            if other is None:
                continue
            ours, theirs = m.rates_by_round(), other.rates_by_round()
            shared = sorted(ours.keys() & theirs.keys())
            if shared:
                ratio = paired_ratio([ours[r] for r in shared], [theirs[r] for r in shared])
                found.append(Gain(**m.named, control=control, ratio=ratio))
    return tuple(found)


def _names(record: Record) -> frozenset[str]:
    return frozenset({m.model for m in record.measurements} | {arm.model for arm in record.arms})


def _usable(record: Record) -> tuple[Measurement, ...]:
    return tuple(m for m in record.measurements if m.good and not m.invalid)


def _row(m: Measurement, ceilings: Ceilings | None, part: Role) -> MeasuredRow:
    rate, counts = m.rate_tok_s, m.counts
    ceiling, binding = _ceiling(m, ceilings)
    work = counts.flop_per_token if counts else None
    return MeasuredRow(
        **m.named,
        role=part,
        rate_tok_s=rate,
        coverage=m.coverage,
        expected_coverage=counts.expected_coverage if counts else None,
        ceiling_tok_s=ceiling,
        ceiling_fraction=rate.point / ceiling if rate and ceiling else None,
        binding=binding,
        flop_per_byte=counts.flop_per_token / counts.bytes_per_token if counts and counts.bytes_per_token else None,
        flop_s=_times(rate, work) if rate and work else None,
        peak_rss_bytes=m.peak_rss_bytes,
        problem=m.error or ("; ".join(m.invalid) or None),
    )


def _ceiling(m: Measurement, ceilings: Ceilings | None) -> tuple[float | None, Bound | None]:
    """The roofline at this cell's intensity, in tokens a second (Williams, Waterman and Patterson, 2009)."""
    if ceilings is None or m.counts is None:
        return None, None
    arithmetic = ceilings.matmul_flop_s(m.precision)
    limits: list[tuple[float, Bound]] = []
    if m.counts.bytes_per_token > 0:
        limits.append((ceilings.read_bytes_s.point / m.counts.bytes_per_token, "memory"))
    if arithmetic is not None and m.counts.flop_per_token > 0:
        limits.append((arithmetic.point / m.counts.flop_per_token, "compute"))
    # Without both limits the lesser is unknown: one alone would be called binding without having been compared.
    return min(limits) if len(limits) == 2 else (None, None)


def _times(estimate: Estimate, factor: float) -> Estimate:
    scaled = {
        "point": estimate.point * factor,
        "low": None if estimate.low is None else estimate.low * factor,
        "high": None if estimate.high is None else estimate.high * factor,
    }
    return estimate.model_copy(update=scaled)
