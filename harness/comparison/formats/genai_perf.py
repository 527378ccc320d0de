"""The CSV of genai-perf and of its successor aiperf, genai-perf's CSV of `analyze`, and the JSON of both.

Each statistic of each metric is a metric of its own with one sample: a run is one session. aiperf's CSV is written from
its source (src/aiperf/exporters/metrics_csv_exporter.py): no file of it was at hand, of genai-perf one of `analyze`.
"""

import csv
import io
import re

from harness.comparison.formats import values
from harness.comparison.formats.source import decode, refuse
from harness.comparison.table import Metric, ResultTable, Row, Setting, key, plain

TOOL = "genai-perf"
_HEADER = re.compile(r"^\"?Metric\"?,(?:\"?(?:avg|Value)\"?)(?:,[^\n]*)?\r?$", re.MULTILINE)
_ANALYZE = re.compile(r"^Config Name,[^\n]*\r?$", re.MULTILINE)
_NAME = re.compile(r"(.{1,120}?)\s*(?:\(([^()]{1,40})\))?")
_STATISTIC = re.compile(r"(avg|min|max|p\d{1,2}(?:\.\d{1,3})?|p50)", re.IGNORECASE)
_OF_COLUMN = re.compile(r"(avg\.?|min|max|p\d{1,2}(?:\.\d{1,3})?) (.{1,120})", re.IGNORECASE)
_RATE_UNITS = {
    "tokens/sec": "tok/s",
    "tokens/sec/user": "tok/s",
    "requests/sec": "req/s",
    "infer/sec": "req/s",
    "images/sec": "images/s",
}
_ALWAYS = ("request_throughput", "request_latency")
_INSIDE = ("perf_analyzer", "stimulus", "loadgen", "endpoint")
_PER_SECOND = "per sec"  # of early versions, for requests and tokens alike
_LOWER = ("latency", "time to", "time per", "inter token")
_HIGHER = ("throughput", "goodput")
_NOTE = "the files name neither model nor hardware: that both ran on the same one is taken on trust"


def recognises(data: object) -> bool:
    """Whether decoded JSON looks like profile_export_genai_perf.json or profile_export_aiperf.json."""
    if not isinstance(data, dict):
        return False
    return any(isinstance(data.get(n), dict) and {"unit", "avg"} <= data[n].keys() for n in _ALWAYS)


def recognises_text(text: str) -> bool:
    """Whether a text is such a CSV: it starts with a header, or is a report of `analyze` (pasted, too)."""
    line = text.split("\n", 1)[0]
    return _HEADER.fullmatch(line) is not None or _ANALYZE.search(text) is not None


def parse(text: str, name: str) -> ResultTable:
    """The table of the JSON. Raises UsageError."""
    data = decode(text, name)
    named = _settings(data.get("input_config"))
    rows: list[Row] = []
    for field, found in data.items():
        if not isinstance(found, dict) or not isinstance(found.get("unit"), str):
            continue
        label = field.replace("_", " ")
        known = {n: values.number(v, f"{field}.{n}", name) for n, v in found.items() if _STATISTIC.fullmatch(n)}
        rows += _statistics(named, label, found["unit"], {n: v for n, v in known.items() if v is not None})
    return _table(rows, name)


def _settings(config: object) -> tuple[Setting, ...]:
    """Which models were asked, and how many requests at once or a second: of genai-perf below `perf_analyzer`, of
    aiperf below `loadgen`."""
    found: dict[str, object] = {}
    stack = [config if isinstance(config, dict) else {}]
    for part in stack:
        for field, value in part.items():
            if field in _INSIDE and isinstance(value, dict):
                stack.append(value)
            elif field in ("model_names", "model") and isinstance(value, list | str):
                found["model"] = value if isinstance(value, str) else ", ".join(map(plain, value))
            elif field in ("concurrency", "request_rate") and isinstance(value, int | float):
                found[field] = value
    return key(**found)


def parse_csv(text: str, name: str) -> ResultTable:
    """The table of the CSV. Raises UsageError."""
    report = _ANALYZE.search(text)
    first = text.split("\n", 1)[0]
    if report is not None and not _HEADER.fullmatch(first):
        return _table(_analyzed(text[report.start() :], name), name)
    rows: list[Row] = []
    header: list[str] = []
    for place, cells in _lines(text, name):
        if cells[0] == "Metric" and len(cells) > 1:
            header = cells
        elif "Metric" in cells or "GPU" in cells:
            break  # telemetry of the hardware, which is no result
        elif header and len(cells) == len(header):
            label, unit = _named(cells[0])
            shown = {column: values.written(cell) for column, cell in zip(header[1:], cells[1:], strict=True)}
            rows += _statistics((), label, unit, {_statistic(n): v for n, v in shown.items() if v is not None})
        else:
            refuse(place, f"{len(cells)} cells, expected {len(header)} as in the header")
    return _table(rows, name)


def _statistic(column: str) -> str:
    return "avg" if column == "Value" else column


def _lines(text: str, name: str) -> list[tuple[str, list[str]]]:
    """Lines of CSV with their places, without empty ones."""
    reader = csv.reader(io.StringIO(text), strict=True)
    found = []
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                found.append((f"{name}:{reader.line_num}", [cell.strip() for cell in cells]))
    except csv.Error as error:
        refuse(f"{name}:{reader.line_num}", f"not CSV ({error})")
    return found


def _named(label: str) -> tuple[str, str]:
    found = _NAME.fullmatch(label[:200])
    return (found[1], found[2] or "") if found else (label[:120], "")


def _metric(label: str, unit: str) -> tuple[float, Metric] | None:
    """The metric of a label; None where a higher or lower value is neither better nor worse (lengths and counts)."""
    words = label.lower()
    rate = _RATE_UNITS.get(unit) or (("tok/s" if "token" in words else "req/s") if unit == _PER_SECOND else None)
    if any(word in words for word in _HIGHER) and rate is not None:
        return 1.0, Metric(name=words, unit=rate, better="higher")
    factor, si = values.unit(unit)
    if si == "s" and any(word in words for word in _LOWER):
        return factor, Metric(name=words, unit="s", better="lower")
    return None


def _statistics(named: tuple[Setting, ...], label: str, unit: str, found: dict[str, float]) -> list[Row]:
    known = _metric(label, unit)
    if known is None:
        return []
    factor, metric = known
    kept = {n: v for n, v in found.items() if _STATISTIC.fullmatch(n)}
    alone = len(kept) == 1 and "avg" in kept
    rows = []
    for statistic, value in kept.items():
        which = metric.name if alone else f"{statistic.lower()} {metric.name}"
        kept_as = metric.model_copy(update={"name": which})
        rows.append(values.row(values.case(named, which), kept_as, [value * factor], "process"))
    return rows


def _analyzed(text: str, name: str) -> list[Row]:
    """The first table of a report of `analyze`: a line for each configuration, statistics as columns."""
    lines = text.splitlines()
    header = next(csv.reader([lines[0]]))
    rows: list[Row] = []
    for i, line in enumerate(lines[1:], 2):
        if not line.strip() or line.startswith("```"):
            break
        cells = next(csv.reader([line]))
        if len(cells) != len(header):
            refuse(f"{name} (line {i} of the report)", f"{len(cells)} cells, expected {len(header)} as in the header")
        rows += _configuration(dict(zip(header, cells, strict=True)))
    return rows


def _configuration(entry: dict[str, str]) -> list[Row]:
    measured: dict[str, tuple[float, Metric]] = {}
    for column in entry:
        label, unit = _named(column)
        found = _OF_COLUMN.fullmatch(label)
        known = _metric(found[2] if found else label, unit)
        if known is not None:
            metric = known[1]
            # What is averaged over a whole run is the rate itself, as elsewhere.
            which = f"{found[1].lower()} {metric.name}" if found and metric.unit == "s" else metric.name
            measured[column] = known[0], metric.model_copy(update={"name": which})
    results = {column for column in entry if column in measured or _OF_COLUMN.fullmatch(column)}
    settings = {n.strip(): v.strip() for n, v in entry.items() if n not in results and n.strip()}
    rows = []
    for column, (factor, metric) in measured.items():
        value = values.written(entry[column])
        named = values.case(key(**settings), metric.name)
        rows.append(values.row(named, metric, [None if value is None else value * factor], "process"))
    return rows


def _table(rows: list[Row], name: str) -> ResultTable:
    if not rows:
        refuse(name, "holds no throughput and no latency")
    return ResultTable(tool=TOOL, name=name, facts=(), rows=tuple(rows), notes=(_NOTE,))
