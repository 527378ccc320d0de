"""Rust's benchmarks: criterion's printed times, the lines of `cargo bench` that libtest and criterion's bencher format
share, cargo-criterion's JSON messages, critcmp's exports, and criterion's estimates.json.

All repeat inside one process. Of the bencher format the figure behind +/- is the range (libtest) or the deviation
(criterion), and is taken for the deviation; of criterion's printed interval half the width over 1.96 is taken.
"""

import math
import re
from pathlib import PurePath
from typing import Any

from pydantic import Field

from harness.comparison.formats import values
from harness.comparison.formats.source import ToolObject, decode, decode_lines, read, refuse
from harness.comparison.table import Metric, ResultTable, Row, key

TOOL = "criterion"
_TIME = Metric(name="time", unit="s", better="lower")
_BENCHER = re.compile(
    r"^test (.{1,300}?)[ \t]{1,9}\.\.\. bench:[ \t]{1,99}([0-9,.]{1,30}) (ns|us|µs|ms|s)/iter"
    r"(?: \(\+/- ([0-9,.]{1,30})\))?",
    re.MULTILINE,
)
_PRINTED = re.compile(r"^(\S.{0,300}?)?[ \t]{1,99}time:[ \t]{1,9}\[([^\[\]\n]{1,120})\]", re.MULTILINE)
_INTERVAL = re.compile(
    r"(\S{1,30}) (ps|ns|us|µs|μs|ms|s) (\S{1,30}) (ps|ns|us|µs|μs|ms|s) (\S{1,30}) (ps|ns|us|µs|μs|ms|s)"
)
_PICO = {"ps": 1e-12}
_NOTE = "printed times keep neither samples nor their number: half of what stands behind them is taken for the error"
_HALF = 2 * 1.959964  # width of a 95 % interval in standard errors


class _Point(ToolObject):
    point_estimate: float


class _Estimates(ToolObject):
    mean: _Point
    std_dev: _Point
    slope: _Point | None = None


class _Message(ToolObject):
    id: str
    measured_values: tuple[float, ...] = Field(min_length=1, strict=False)
    iteration_count: tuple[int, ...] = Field(min_length=1, strict=False)
    unit: str


class _Compared(ToolObject):
    fullname: str
    criterion_estimates_v1: _Estimates


def recognises(data: object) -> bool:
    """Whether decoded JSON is estimates.json, an export of critcmp, or a message of cargo-criterion."""
    return _is_estimates(data) or _is_critcmp(data) or recognises_message(data)


def recognises_message(data: object) -> bool:
    """Whether a decoded line is a message of cargo-criterion."""
    return isinstance(data, dict) and data.get("reason") in ("benchmark-complete", "group-complete")


def _is_estimates(data: object) -> bool:
    return isinstance(data, dict) and {"mean", "median", "std_dev"} <= _new_names(data).keys()


def _new_names(data: dict[str, Any]) -> dict[str, Any]:
    """Estimates under their names of today: before 0.3 they were Mean and StdDev."""
    return {"std_dev" if name == "StdDev" else name.lower(): value for name, value in data.items()}


def _is_critcmp(data: object) -> bool:
    benches = data.get("benchmarks") if isinstance(data, dict) else None
    return isinstance(benches, dict) and all(
        isinstance(b, dict) and "criterion_estimates_v1" in b for b in benches.values()
    )


def recognises_text(text: str) -> bool:
    """Whether a text holds printed times of criterion or libtest."""
    return _BENCHER.search(text) is not None or any(_INTERVAL.fullmatch(f[2]) for f in _PRINTED.finditer(text))


def parse(text: str, name: str) -> ResultTable:
    """The table of a JSON file. Raises UsageError."""
    data = decode(text, name)
    if recognises_message(data):
        return _messages([data], name)
    if _is_critcmp(data):
        found = [read(_Compared, b, name, tool=TOOL) for b in data["benchmarks"].values()]
        rows = tuple(_estimated(b.fullname, b.criterion_estimates_v1) for b in found)
        return ResultTable(tool=TOOL, name=name, facts=(), rows=rows)
    estimates = read(_Estimates, _new_names(data), name, tool=TOOL)
    return ResultTable(tool=TOOL, name=name, facts=(), rows=(_estimated(_folder(name), estimates),))


def _folder(name: str) -> str:
    """The benchmark of target/criterion/NAME/new/estimates.json; the file itself does not say it."""
    parts = PurePath(name.replace("\\", "/")).parts
    return parts[-3] if len(parts) >= 3 else "not stated"


def _estimated(name: str, found: _Estimates) -> Row:
    typical = found.slope or found.mean
    return values.summarised(
        key(benchmark=name), _TIME, typical.point_estimate * 1e-9, found.std_dev.point_estimate * 1e-9
    )


def parse_lines(text: str, name: str) -> ResultTable:
    """The table of `cargo criterion --message-format=json`. Raises UsageError."""
    return _messages(decode_lines(text, name), name)


def _messages(found: list[Any], name: str) -> ResultTable:
    rows = []
    for i, message in enumerate(found, 1):
        if not isinstance(message, dict) or message.get("reason") != "benchmark-complete":
            continue
        where = f"{name} (line {i})"
        complete = read(_Message, message, where, tool=TOOL)
        counts = complete.iteration_count
        if len(counts) != len(complete.measured_values) or min(counts) < 1 or max(counts) > 2**60:
            refuse(where, "not one count of iterations for each value")
        factor = {**_PICO}.get(complete.unit) or values.unit(complete.unit)[0]
        samples = [v / c * factor for v, c in zip(complete.measured_values, counts, strict=True)]
        rows.append(values.row(key(benchmark=complete.id), _TIME, samples, "inside"))
    if not rows:
        refuse(name, "messages of cargo-criterion without a complete benchmark")
    return ResultTable(tool=TOOL, name=name, facts=(), rows=tuple(rows))


def parse_text(text: str, name: str) -> ResultTable:
    """The table of what was printed. Raises UsageError."""
    rows = [
        _of_numbers(found[1], values.written(found[2]), values.written(found[4] or "0"), values.unit(found[3])[0])
        for found in _BENCHER.finditer(text)
    ]
    last = ""
    for line in text.splitlines():
        printed = _PRINTED.fullmatch(line.split("]")[0] + "]") if "time:" in line and "]" in line else None
        interval = _INTERVAL.fullmatch(printed[2]) if printed else None
        if printed and interval:
            rows.append(_of_interval((printed[1] or last).strip() or "not stated", interval))
        elif line.strip():
            last = line.strip()[:300]  # a long name stands on a line of its own above its time
    if not rows:
        refuse(name, "holds no time of a benchmark")
    return ResultTable(tool=TOOL, name=name, facts=(), rows=tuple(rows), notes=(_NOTE,))


def _of_numbers(name: str, point: float | None, spread: float | None, factor: float) -> Row:
    if point is None or spread is None:
        return values.row(key(benchmark=name), _TIME, [], "inside")
    return values.summarised(key(benchmark=name), _TIME, point * factor, spread * factor, centre="median")


def _of_interval(name: str, found: re.Match[str]) -> Row:
    ends = []
    for place in (1, 3, 5):
        value, unit = values.written(found[place]), found[place + 1]
        ends.append(math.nan if value is None else value * (_PICO.get(unit) or values.unit(unit)[0]))
    low, point, high = ends
    return values.summarised(key(benchmark=name), _TIME, point, abs(high - low) / _HALF)
