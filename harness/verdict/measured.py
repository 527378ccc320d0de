"""Ratios between cells of a record, paired by round. The only room of `verdict` that looks inside measurements.

Cells are compared only where phase, batch, lengths, depth, precision and threads agree; a cell that breaks a validity
rule is never evidence. A control is named after its sparse model: NAME:equal-total, NAME:equal-active.
"""

from typing import Literal

from harness.frozen import Frozen
from harness.plan import Phase
from harness.record import Measurement, Record
from harness.stats import Estimate, Interval, paired_ratio
from harness.verdict.thresholds import EXCLUDED_LEVEL

Control = Literal["equal-total", "equal-active"]
CONTROLS: tuple[Control, ...] = ("equal-total", "equal-active")


class Gain(Frozen):
    """Rate of the sparse model over a dense control's in the same cell, pair by pair."""

    phase: Phase
    batch: int
    control: Control
    sparse: Measurement
    dense: Measurement
    ratio: Estimate
    wide: Interval | None
    """the same at the level that a refutation needs; None for one pair"""

    @property
    def cells(self) -> str:
        s = self.sparse
        shape = f"{s.prompt_tokens}-token prompts" if s.phase == "prefill" else f"{s.decode_tokens} tokens"
        return f"{s.model} over {self.control} dense, {s.phase}, batch {s.batch}, {shape}, {s.precision}"

    def above(self, bound: float) -> bool:
        """Wholly above at the stricter level."""
        return self.wide is not None and self.wide.low > bound

    def below(self, bound: float) -> bool:
        return self.wide is not None and self.wide.high < bound


def sparse_models(record: Record) -> tuple[str, ...]:
    """Models of the record that have a dense control beside them, in the record's order."""
    names = {m.model for m in record.measurements}
    with_control = [n for n in names if any(f"{n}:{c}" in names for c in CONTROLS)]
    order = [m.model for m in record.measurements]
    return tuple(sorted(with_control, key=order.index))


def usable(measurement: Measurement) -> bool:
    return bool(measurement.good) and not measurement.invalid


def paired(numerator: Measurement, denominator: Measurement, level: float) -> Estimate | None:
    """Ratio of the rates of rounds that both cells have; None where they share none."""
    above, below = numerator.rates_by_round(), denominator.rates_by_round()
    rounds = sorted(above.keys() & below.keys())
    if not rounds:
        return None
    return paired_ratio([above[r] for r in rounds], [below[r] for r in rounds], level)


def gains(record: Record, control: Control, phase: Phase, model: str | None = None) -> tuple[Gain, ...]:
    """Every cell of `phase` where a sparse model and its control were both measured, by batch."""
    found = []
    cells = [m for m in record.measurements if usable(m)]
    names = sparse_models(record) if model is None else (model,)
    for sparse in cells:
        if sparse.model not in names or sparse.phase != phase:
            continue
        for dense in cells:
            if dense.named != {**sparse.named, "model": f"{sparse.model}:{control}"}:
                continue
            ratio, wide = paired(sparse, dense, 0.90), paired(sparse, dense, EXCLUDED_LEVEL)
            if ratio is not None:
                found.append(
                    Gain(
                        phase=phase,
                        batch=sparse.batch,
                        control=control,
                        sparse=sparse,
                        dense=dense,
                        ratio=ratio,
                        wide=wide.interval if wide is not None else None,
                    )
                )
    return tuple(sorted(found, key=lambda g: g.batch))
