"""Rows from plain numbers: units as factors of SI units, directions, and the reasons for which a number is no value."""

import math
import re
from collections.abc import Sequence

from harness.comparison.formats.source import refuse
from harness.comparison.table import Better, Centre, Metric, Row, Sample, Sampled, Setting, Summary

_SECONDS = {"ns": 1e-9, "nsec": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "sec": 1.0, "min": 60.0}
_SECONDS |= {"nanoseconds": 1e-9, "microseconds": 1e-6, "milliseconds": 1e-3, "seconds": 1.0, "second": 1.0}
_BYTES = {
    "b": 1.0,
    "bytes": 1.0,
    "byte": 1.0,
    "kb": 1e3,
    "mb": 1e6,
    "gb": 1e9,
    "kib": 2**10,
    "mib": 2**20,
    "gib": 2**30,
}
_WORK = {"tokens": "tok", "token": "tok", "t": "tok", "requests": "req", "request": "req", "iter": "items", "op": "ops"}
_ONE = ("/op", "/iter", "/iteration")
_PLAIN_NUMBER = re.compile(r"[-+]?\d{1,3}(?:,\d{3})+(?:\.\d+)?|[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,4})?")


def number(value: object, field: str, where: str) -> float | None:
    """A number of a decoded file; None where it is null or absent. NaN and infinities pass: `row` gives them no value.
    Raises UsageError."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        refuse(where, f"{field[:80]} is {type(value).__name__}, expected a number")
    try:
        return float(value)
    except OverflowError:
        refuse(where, f"{field[:80]} is beyond any measurement")


def written(text: str) -> float | None:
    """A number as people print it ('18,149', '3.2e-5'); None where the text is none."""
    text = text.strip()
    if len(text) > 40 or not _PLAIN_NUMBER.fullmatch(text):
        return None
    return float(text.replace(",", ""))


def unit(text: str) -> tuple[float, str]:
    """A unit as factor and SI unit: ('ns/op') is (1e-9, 's'), ('MB/s') is (1e6, 'B/s'); an unknown one is kept."""
    text = text.strip()
    bare = next((text.removesuffix(end) for end in _ONE if text.endswith(end)), text)
    if bare.lower() in _SECONDS:
        return _SECONDS[bare.lower()], "s"
    if bare.lower() in _BYTES:
        return float(_BYTES[bare.lower()]), "B"
    above, mark, below = text.partition("/")
    if mark and below.lower() in _SECONDS:
        scale = 1 / _SECONDS[below.lower()]
        if above.lower() in _BYTES and above not in ("b",):
            return _BYTES[above.lower()] * scale, "B/s"
        return scale, f"{_WORK.get(above.lower(), above)}/s"
    return 1.0, text


def better(si: str) -> Better | None:
    """Which values of an SI unit are better where nothing else says: times, bytes and what one operation takes lower,
    what is done in a second higher; None where the unit does not tell."""
    if si.endswith("/s"):
        return "higher"
    return "lower" if si in ("s", "B") or si.endswith("/op") else None


def metric(name: str, text: str) -> tuple[float, Metric] | None:
    """The factor and the metric of a value in the unit `text`; None where the unit does not tell which is better."""
    factor, si = unit(text)
    way = better(si)
    if way is None:
        return None
    return factor, Metric(name=name, unit=si, better=way)


def case(named: tuple[Setting, ...], what: str) -> tuple[Setting, ...]:
    """The key of one of several metrics of a case, so that names of rows tell them apart wherever they are shown."""
    others = (Setting(name="metric (stated)", value=s.value) if s.name == "metric" else s for s in named)
    return tuple(sorted((*others, Setting(name="metric", value=what)), key=lambda s: s.name))


UNDIRECTED = "the file does not say which values are better"


def undirected(named: tuple[Setting, ...], name: str, unit_text: str, sampled: Sampled = "inside") -> Row:
    """A row whose unit does not tell which values are better: it is kept and never compared."""
    unknown = Metric(name=name, unit=unit_text[:40] or "1", better="lower")
    return Row(key=named, metric=unknown, sampled=sampled, problem=UNDIRECTED)


def row(
    named: tuple[Setting, ...],
    of: Metric,
    values: Sequence[float | None],
    sampled: Sampled,
    *,
    problem: str | None = None,
    inputs: tuple[Setting, ...] = (),
    outcomes: tuple[Setting, ...] = (),
) -> Row:
    """A row of samples in SI units, or the reason why they are no values."""
    problem = problem or _no_value(values)
    kept = () if problem else tuple(Sample(value=v) for v in values if v is not None)
    return Row(key=named, metric=of, sampled=sampled, samples=kept, inputs=inputs, outcomes=outcomes, problem=problem)


def summarised(
    named: tuple[Setting, ...],
    of: Metric,
    point: float,
    deviation: float,
    *,
    n: int | None = None,
    centre: Centre = "mean",
) -> Row:
    """A row of centre and deviation in SI units. A deviation of zero comes from one sample, or from digits that were
    cut, and not from a machine without noise: it stands for one sample."""
    problem = _no_value([point])
    if problem is None and not 0 <= deviation <= 1e30:
        problem = "a deviation that is no number"
    kept = None
    if problem is None:
        kept = Summary(point=point, centre=centre, deviation=deviation, n=n if deviation > 0 else 1)
    return Row(key=named, metric=of, sampled="inside", summary=kept, problem=problem)


def _no_value(values: Sequence[float | None]) -> str | None:
    found = [v for v in values if v is not None]
    if not found or len(found) < len(values):
        return "no value in the file"
    if not all(math.isfinite(v) for v in found):
        return "a value that is not finite"
    if min(found) <= 0:
        return "a value that is zero or negative: no ratio can be formed from it"
    return None if min(found) >= 1e-30 and max(found) <= 1e30 else "a value beyond any measurement"
