"""A record's cases beside this host's ceilings, and mixture-of-experts (MoE) models beside their dense counterparts.

Two models are compared only in one case: phase, batch, lengths, depth, precision and threads agree, and the rounds are
paired. A case that breaks a validity rule keeps its rate, with the rule named, and enters no gain. A dense counterpart
is named after its model: NAME:equal-total, NAME:equal-active.
"""

from typing import Literal

from pydantic import Field

from harness.results.record import CaseKey, Ceilings, Measurement, Record
from harness.stats import Estimate, Interval, paired_ratio
from harness.vocabulary import COUNTERPARTS, Counterpart, ModelRole, Phase

ROLES: tuple[ModelRole, ...] = ("moe", *COUNTERPARTS, "other")
Bound = Literal["memory", "compute"]

EXCLUDED_LEVEL = 0.99
"""A measured ratio refutes only where its interval at this level lies wholly on the other side."""


class MeasuredRow(CaseKey):
    """One case as the tables show it. Bytes and work are the least that a step needs, from the architecture."""

    role: ModelRole
    rate_tok_s: Estimate | None
    experts_activated: float | None = Field(description="distinct routed experts a layer and step, as counted")
    expected_experts_activated: float | None = Field(description="the same under uniform routing, U(B)")
    ceiling_tok_s: float | None = Field(description="least of what this host's reading and arithmetic allow")
    ceiling_fraction: float | None = Field(description="measured rate over that ceiling")
    binding: Bound | None
    flop_per_byte: float | None
    flop_s: Estimate | None = Field(description="rate times the work of a token")
    peak_rss_bytes: int | None
    problem: str | None = Field(description="why there is no rate, or why it is not used")


class GainRow(CaseKey):
    """An MoE model's rate over that of a dense counterpart, paired by rounds."""

    counterpart: Counterpart
    ratio: Estimate
    moe: Measurement = Field(exclude=True)
    dense: Measurement = Field(exclude=True)
    wide: Interval | None = Field(exclude=True, description="of the ratio at the level that a refutation needs")

    @property
    def words(self) -> str:
        return f"{self.model} over {self.counterpart} dense, {self.shape}"


def role(model: str, names: frozenset[str]) -> ModelRole:
    """What part a model plays. A model counts as MoE where the record holds a counterpart of it."""
    stem, _, suffix = model.rpartition(":")
    for counterpart in COUNTERPARTS:
        if suffix == counterpart and stem:
            return counterpart
    return "moe" if any(f"{model}:{counterpart}" in names for counterpart in COUNTERPARTS) else "other"


def measured_rows(record: Record) -> tuple[MeasuredRow, ...]:
    """Every case of `record`, in its order, those without a rate too."""
    names = frozenset({m.model for m in record.measurements} | {variant.model for variant in record.variants})
    return tuple(_row(m, record.ceilings, role(m.model, names)) for m in record.measurements)


def _row(m: Measurement, ceilings: Ceilings | None, part: ModelRole) -> MeasuredRow:
    rate, counts = m.rate_tok_s, m.counts
    ceiling, binding = _ceiling(m, ceilings)
    work = counts.flop_per_token if counts else None
    return MeasuredRow(
        **m.named,
        role=part,
        rate_tok_s=rate,
        experts_activated=m.experts_activated,
        expected_experts_activated=counts.expected_experts_activated if counts else None,
        ceiling_tok_s=ceiling,
        ceiling_fraction=rate.point / ceiling if rate and ceiling else None,
        binding=binding,
        flop_per_byte=counts.flop_per_token / counts.bytes_per_token if counts and counts.bytes_per_token else None,
        flop_s=rate.times(work) if rate and work else None,
        peak_rss_bytes=m.peak_rss_bytes,
        problem=m.error or ("; ".join(m.invalid) or None),
    )


def _ceiling(m: Measurement, ceilings: Ceilings | None) -> tuple[float | None, Bound | None]:
    """The roofline at this case's intensity, in tokens a second (Williams, Waterman and Patterson, 2009)."""
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


def moe_models(record: Record) -> tuple[str, ...]:
    """Models of the record that have a dense counterpart beside them, in the record's order."""
    names = dict.fromkeys(m.model for m in record.measurements)
    return tuple(n for n in names if any(f"{n}:{c}" in names for c in COUNTERPARTS))


def paired(numerator: Measurement, denominator: Measurement, level: float) -> Estimate | None:
    """Ratio of the rates of rounds that both cases have; None where they share none."""
    above, below = numerator.rates_by_round(), denominator.rates_by_round()
    rounds = sorted(above.keys() & below.keys())
    return paired_ratio([above[r] for r in rounds], [below[r] for r in rounds], level) if rounds else None


def gain_rows(record: Record) -> tuple[GainRow, ...]:
    """MoE over each counterpart, for each case that both have measured, over the rounds that they share."""
    usable = {m.key: m for m in reversed(record.measurements) if m.usable}
    found = []
    for m in record.measurements:
        for counterpart in COUNTERPARTS if m.usable else ():
            dense = usable.get(m.key.model_copy(update={"model": f"{m.model}:{counterpart}"}))
            ratio = None if dense is None else paired(m, dense, 0.90)
            if dense is not None and ratio is not None:
                wide = paired(m, dense, EXCLUDED_LEVEL)
                interval = wide.interval if wide is not None else None
                found.append(
                    GainRow(**m.named, counterpart=counterpart, ratio=ratio, moe=m, dense=dense, wide=interval)
                )
    return tuple(found)


def gains(record: Record | None, counterpart: Counterpart, phase: Phase) -> tuple[GainRow, ...]:
    """Every gain of `phase` over this counterpart, by batch; none without a record."""
    rows = gain_rows(record) if record is not None else ()
    return tuple(sorted((r for r in rows if (r.counterpart, r.phase) == (counterpart, phase)), key=lambda r: r.batch))
