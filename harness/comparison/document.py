"""Comparisons as JSON and as CSV, for other programs. Flat rows: one a case and compared table."""

import csv
import io
from collections.abc import Sequence

from harness.comparison.calibration import Calibration
from harness.comparison.decision import DECISIONS
from harness.comparison.export import harmless
from harness.comparison.table import Basis
from harness.comparison.tables import Comparison, RowComparison
from harness.files import strict
from harness.stats import Estimate

SCHEMA = 1
COLUMNS = (
    *("a_name", "b_name", "key", "metric", "unit", "better"),
    *("a_point", "a_low", "a_high", "b_point", "b_low", "b_high"),
    *("ratio_point", "ratio_low", "ratio_high", "decision", "way", "margin", "reason", "a_basis", "b_basis"),
)


def as_json(comparisons: Sequence[Comparison], calibration: Calibration | None = None) -> str:
    """One object: `rows` with {key, a, b, ratio: {point, low, high}, decision, ...}, then what holds for all of them.

    Missing values are null. `ratio` is b over a in the metric's own unit; `speed` above 1 is faster whatever the unit.
    """
    document = {
        "schema": SCHEMA,
        "kind": "comparison",
        "rows": [_row(c, r) for c in comparisons for r in c.rows],
        "tables": [_table(c) for c in comparisons],
        "reliability": None if calibration is None else calibration.model_dump(mode="json"),
    }
    return strict.encode_json(document)


def as_csv(comparisons: Sequence[Comparison]) -> str:
    """The same rows with a header; empty cells are unknown. Cells that a spreadsheet would run as a formula are quoted
    with an apostrophe."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for c in comparisons:
        for r in c.rows:
            key = "; ".join(f"{s.name}={s.value}" for s in r.key)
            numbers = [x for e in (r.a, r.b, r.ratio) for x in _bounds(e)]
            cells = (c.a, c.b, key, r.metric, r.unit, r.better, *numbers, r.decision, r.way, r.margin, r.reason)
            bases = (basis and basis.words for basis in (r.a_basis, r.b_basis))
            writer.writerow([harmless(cell) for cell in (*cells, *bases)])
    return out.getvalue()


def _row(comparison: Comparison, row: RowComparison) -> dict[str, object]:
    return {
        "key": {s.name: s.value for s in row.key},
        "metric": row.metric,
        "unit": row.unit,
        "better": row.better,
        "a": _value(row.a, row.a_basis),
        "b": _value(row.b, row.b_basis),
        "ratio": _estimate(row.ratio),
        "decision": row.decision,
        "reason": row.reason,
        "way": row.way,
        "margin": row.margin,
        "a_name": comparison.a,
        "b_name": comparison.b,
    }


def _table(comparison: Comparison) -> dict[str, object]:
    return {
        "a_name": comparison.a,
        "b_name": comparison.b,
        "tool": comparison.tool,
        "differences": [d.model_dump(mode="json") for d in comparison.differences],
        "missing": [
            {"key": {s.name: s.value for s in lone.key}, "metric": lone.metric, "only_in": lone.only_in}
            for lone in comparison.lone
        ],
        "speed": _estimate(comparison.speed),
        "moved": _estimate(comparison.moved),
        "decisions": {d: comparison.count(d) for d in DECISIONS},
        "drift": comparison.drift,
        "drift_known": comparison.drift_known,
        "notes": list(comparison.notes),
    }


def _value(estimate: Estimate | None, basis: Basis | None) -> dict[str, object] | None:
    """A value with what it rests on; `n` is null where the file does not say how many samples there were."""
    written = _estimate(estimate)
    if written is None or basis is None:
        return written
    return {**written, "n": basis.n, "basis": basis.words}


def _estimate(estimate: Estimate | None) -> dict[str, object] | None:
    return None if estimate is None else estimate.model_dump(mode="json")


def _bounds(estimate: Estimate | None) -> tuple[float | None, float | None, float | None]:
    return (None, None, None) if estimate is None else (estimate.point, estimate.low, estimate.high)
