"""A result table in the formats that other services read."""

import csv
import hashlib
import io
import re

from harness.comparison.table import Better, ResultTable, Row
from harness.errors import UsageError
from harness.files import strict
from harness.stats import Estimate

_MEASURES = {"s": "latency", "tok/s": "throughput", "items/s": "throughput"}
_NUMBER = re.compile(r"[-+]?\d{1,300}(?:\.\d{1,300})?(?:[eE][-+]?\d{1,4})?")
_NAME_LIMIT = 1024  # longest benchmark name that Bencher's Metric Format allows


def github_action(table: ResultTable, better: Better) -> str:
    """github-action-benchmark's `customBiggerIsBetter` (`better` higher) or `customSmallerIsBetter` JSON: the rows of
    one direction, with half the interval's width as range. Raises UsageError where the table has none."""
    entries = []
    for name, row, estimate in _values(table):
        if row.metric.better != better:
            continue
        entry: dict[str, object] = {"name": name, "unit": row.metric.unit, "value": estimate.point}
        if estimate.low is not None and estimate.high is not None:
            entry["range"] = f"± {0.5 * (estimate.high - estimate.low):.6g}"
            entry["extra"] = (
                f"{100 * estimate.level:g} % interval [{estimate.low:.6g}, {estimate.high:.6g}], n = {estimate.n}"
            )
        entries.append(entry)
    if not entries:
        raise UsageError(f"{table.name}: no row of which {better} values are better; use the other direction")
    return strict.encode_json(entries)


def bencher(table: ResultTable) -> str:
    """Bencher's Metric Format: name, measure, value with lower and upper bound. Latency there is in nanoseconds."""
    metrics: dict[str, dict[str, dict[str, float]]] = {}
    for name, row, estimate in _values(table):
        scale = 1e9 if row.metric.unit == "s" else 1.0
        metric = {"value": estimate.point * scale}
        if estimate.low is not None and estimate.high is not None:
            metric |= {"lower_value": estimate.low * scale, "upper_value": estimate.high * scale}
        metrics.setdefault(_within_limit(name), {})[_MEASURES.get(row.metric.unit, row.metric.name)] = metric
    return strict.encode_json(metrics)


def _within_limit(name: str) -> str:
    """A long name with a digest in the place of its end, so that two of them stay two."""
    if len(name) <= _NAME_LIMIT:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:12]
    return f"{name[: _NAME_LIMIT - len(digest) - 1]} {digest}"


def as_csv(table: ResultTable) -> str:
    """A line for each row, failed ones too: settings as columns, then metric, unit, value with interval, n, problem."""
    names = sorted({s.name for row in table.rows for s in row.key})
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*map(harmless, names), "metric", "unit", "point", "low", "high", "level", "n", "problem"])
    for row in table.rows:
        settings = {s.name: s.value for s in row.key}
        estimate = row.estimate() if row.problem is None else None
        count = row.basis.n if row.basis is not None else None
        figures = (
            (None,) * 5 if estimate is None else (estimate.point, estimate.low, estimate.high, estimate.level, count)
        )
        cells = [settings.get(n) for n in names]
        writer.writerow([harmless(c) for c in (*cells, row.metric.name, row.metric.unit, *figures, row.problem)])
    return out.getvalue()


def harmless(cell: object) -> object:
    """A CSV cell that no spreadsheet runs as a formula: such a text is quoted with an apostrophe. A number is none."""
    if isinstance(cell, str) and cell[:1] in ("=", "+", "-", "@", "\t", "\r") and not _NUMBER.fullmatch(cell):
        return f"'{cell}"
    return cell


def row_name(row: Row) -> str:
    """A row's key as one name: settings in order, without empty ones."""
    return " ".join(f"{s.name}={s.value}" for s in row.key if s.value not in ("none", "")) or row.metric.name


def _values(table: ResultTable) -> list[tuple[str, Row, Estimate]]:
    """Rows with a value. A name that two rows would share is refused: a service would keep the last one silently."""
    found = []
    seen: set[tuple[str, str]] = set()
    for row in table.rows:
        estimate = row.estimate() if row.problem is None else None
        if estimate is None:
            continue
        name = row_name(row)
        if (name, row.metric.name) in seen:
            raise UsageError(f"{table.name}: two rows are called '{name}'; export a table without doubles")
        seen.add((name, row.metric.name))
        found.append((name, row, estimate))
    return found
