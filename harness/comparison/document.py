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
    *("a_name", "b_name", "metric", "unit", "better", "decision"),
    *("change", "change_low", "change_high", "pairs"),
    *("a", "a_low", "a_high", "a_n", "b", "b_low", "b_high", "b_n"),
    *("ratio", "ratio_low", "ratio_high", "level", "margin", "way", "reason", "a_basis", "b_basis"),
    *("ignore", "across_hosts", "filter", "by"),
)
KEY = "key."
"""Before the name of a setting, as the name of its column."""


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
    """The same rows with a header: a column for each setting and for each quantity, numbers plain and in full; empty
    cells are unknown. Cells that a spreadsheet would run as a formula are quoted with an apostrophe."""
    names = sorted({s.name for c in comparisons for r in c.rows for s in r.key})
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*(f"{KEY}{n}" for n in names), *COLUMNS])
    for c in comparisons:
        for r in c.rows:
            settings = {s.name: s.value for s in r.key}
            writer.writerow([harmless(cell) for cell in (*(settings.get(n) for n in names), *_cells(c, r))])
    return out.getvalue()


def _cells(c: Comparison, r: RowComparison) -> tuple[object, ...]:
    """A row's cells, in the order of COLUMNS."""
    pairs = r.ratio.n if r.way == "interleaved" and r.ratio is not None else None
    applied = (", ".join(c.applied.ignore), str(c.applied.across_hosts).lower(), " ".join(c.applied.filters))
    return (
        *(c.a, c.b, r.metric, r.unit, r.better, r.decision),
        *(*(None if x is None else x - 1 for x in _bounds(r.speed)), pairs),
        *(*_bounds(r.a), r.a_basis and r.a_basis.n, *_bounds(r.b), r.b_basis and r.b_basis.n),
        *(*_bounds(r.ratio), c.level, r.margin, r.way, r.reason),
        *(basis and basis.words for basis in (r.a_basis, r.b_basis)),
        *(*applied, c.applied.by),
    )


def _row(comparison: Comparison, row: RowComparison) -> dict[str, object]:
    return {
        "key": {s.name: s.value for s in row.key},
        "metric": row.metric,
        "unit": row.unit,
        "better": row.better,
        "a": _value(row.a, row.a_basis),
        "b": _value(row.b, row.b_basis),
        "ratio": _estimate(row.ratio),
        "speed": _estimate(row.speed),
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
        "applied": comparison.applied.model_dump(mode="json"),
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
