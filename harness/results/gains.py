"""A record's cases beside this host's ceilings, and mixtures of experts beside their dense counterparts, paired by
rounds.

Cases are compared only where phase, batch, lengths, depth, precision and threads agree. A case that breaks a validity
rule
keeps its rate, with the rule named, and enters no gain. A dense counterpart is named after its model: NAME:equal-total,
NAME:equal-active.
"""

from typing import Literal

from pydantic import Field

from harness.results.record import CaseKey, Ceilings, Measurement, Record
from harness.stats import Estimate, Interval, paired_ratio
from harness.vocabulary import COUNTERPARTS, Counterpart, Frozen, ModelRole, Phase

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
    """A sparse model's rate over that of a dense counterpart, paired by rounds."""

    counterpart: Counterpart
    ratio: Estimate


def role(model: str, names: frozenset[str]) -> ModelRole:
    """What part a model plays. A model counts as sparse where the record holds a counterpart of it."""
    stem, _, suffix = model.rpartition(":")
    for counterpart in COUNTERPARTS:
        if suffix == counterpart and stem:
            return counterpart
    return "moe" if any(f"{model}:{counterpart}" in names for counterpart in COUNTERPARTS) else "other"


def measured_rows(record: Record) -> tuple[MeasuredRow, ...]:
    """Every case of `record`, in its order, those without a rate too."""
    names = _names(record)
    return tuple(_row(m, record.ceilings, role(m.model, names)) for m in record.measurements)


def gain_rows(record: Record) -> tuple[GainRow, ...]:
    """Sparse over each counterpart, for each case that both have measured, over the rounds that they share."""
    found = []
    for m in _usable_rows(record):
        for counterpart in COUNTERPARTS:
            name = {**m.named, "model": f"{m.model}:{counterpart}"}
            other = next((c for c in _usable_rows(record) if c.named == name), None)
            if other is None:
                continue
            ours, theirs = m.rates_by_round(), other.rates_by_round()
            shared = sorted(ours.keys() & theirs.keys())
            if shared:
                ratio = paired_ratio([ours[r] for r in shared], [theirs[r] for r in shared])
                found.append(GainRow(**m.named, counterpart=counterpart, ratio=ratio))
    return tuple(found)


def _names(record: Record) -> frozenset[str]:
    return frozenset({m.model for m in record.measurements} | {variant.model for variant in record.variants})


def _usable_rows(record: Record) -> tuple[Measurement, ...]:
    return tuple(m for m in record.measurements if m.good and not m.invalid)


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
        flop_s=_times(rate, work) if rate and work else None,
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


def _times(estimate: Estimate, factor: float) -> Estimate:
    scaled = {
        "point": estimate.point * factor,
        "low": None if estimate.low is None else estimate.low * factor,
        "high": None if estimate.high is None else estimate.high * factor,
    }
    return estimate.model_copy(update=scaled)


class Gain(Frozen):
    """Rate of the sparse model over a dense counterpart's in the same case, pair by pair."""

    phase: Phase
    batch: int
    counterpart: Counterpart
    sparse: Measurement
    dense: Measurement
    ratio: Estimate
    wide: Interval | None
    """the same at the level that a refutation needs; None for one pair"""

    @property
    def cases(self) -> str:
        s = self.sparse
        shape = f"{s.prompt_tokens}-token prompts" if s.phase == "prefill" else f"{s.decode_tokens} tokens"
        return f"{s.model} over {self.counterpart} dense, {s.phase}, batch {s.batch}, {shape}, {s.precision}"

    def above(self, bound: float) -> bool:
        """Wholly above at the stricter level."""
        return self.wide is not None and self.wide.low > bound

    def below(self, bound: float) -> bool:
        return self.wide is not None and self.wide.high < bound


def moe_models(record: Record) -> tuple[str, ...]:
    """Models of the record that have a dense counterpart beside them, in the record's order."""
    names = {m.model for m in record.measurements}
    with_counterpart = [n for n in names if any(f"{n}:{c}" in names for c in COUNTERPARTS)]
    order = [m.model for m in record.measurements]
    return tuple(sorted(with_counterpart, key=order.index))


def usable(measurement: Measurement) -> bool:
    return bool(measurement.good) and not measurement.invalid


def paired(numerator: Measurement, denominator: Measurement, level: float) -> Estimate | None:
    """Ratio of the rates of rounds that both cases have; None where they share none."""
    above, below = numerator.rates_by_round(), denominator.rates_by_round()
    rounds = sorted(above.keys() & below.keys())
    if not rounds:
        return None
    return paired_ratio([above[r] for r in rounds], [below[r] for r in rounds], level)


def gains(record: Record, counterpart: Counterpart, phase: Phase, model: str | None = None) -> tuple[Gain, ...]:
    """Every case of `phase` where a sparse model and its counterpart were both measured, by batch."""
    found = []
    cases = [m for m in record.measurements if usable(m)]
    names = moe_models(record) if model is None else (model,)
    for sparse in cases:
        if sparse.model not in names or sparse.phase != phase:
            continue
        for dense in cases:
            if dense.named != {**sparse.named, "model": f"{sparse.model}:{counterpart}"}:
                continue
            ratio, wide = paired(sparse, dense, 0.90), paired(sparse, dense, EXCLUDED_LEVEL)
            if ratio is not None:
                found.append(
                    Gain(
                        phase=phase,
                        batch=sparse.batch,
                        counterpart=counterpart,
                        sparse=sparse,
                        dense=dense,
                        ratio=ratio,
                        wide=wide.interval if wide is not None else None,
                    )
                )
    return tuple(sorted(found, key=lambda g: g.batch))
