"""Numbers as text: significant digits, SI and binary prefixes, intervals."""

import math

UNKNOWN = "–"

_SI = ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
_COUNT = ((1e12, "T"), (1e9, "B"), (1e6, "M"))
_PREFIXED = ("B/s", "FLOP/s", "FLOP", "W", "Hz")
_BINARY = ((1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"))


def number(value: float | None, digits: int = 3) -> str:
    """Plain digits with thousands separators, at least `digits` significant ones: 6,688; 3.44; 0.0123."""
    if value is None:
        return UNKNOWN
    if value == 0:
        return "0"
    magnitude = math.floor(math.log10(abs(value)))
    decimals = max(0, digits - 1 - magnitude)
    if magnitude < -4:
        return f"{value:.{digits - 1}e}"
    return f"{value:,.{decimals}f}"


def whole(value: int | None) -> str:
    """A count of things, every digit: 1,024."""
    return UNKNOWN if value is None else f"{value:,d}"


def _prefixed(value: float | None, table: tuple[tuple[float, str], ...], unit: str, digits: int) -> str:
    if value is None:
        return UNKNOWN
    for size, prefix in table:
        if abs(value) >= size * 0.9995:
            return f"{number(value / size, digits)} {prefix}{unit}".rstrip()
    return f"{number(value, digits)} {unit}".rstrip()


def si(value: float | None, unit: str, digits: int = 3) -> str:
    """Decimal prefixes: 43.1 GB/s, 613 GFLOP/s."""
    return _prefixed(value, _SI, unit, digits)


def count(value: float | None, digits: int = 3) -> str:
    """Parameters as papers write them: 1.04 B, 38.4 M."""
    return _prefixed(value, _COUNT, "", digits)


def binary(value: float | None, digits: int = 3) -> str:
    """Memory in powers of 1024: 1.30 GiB."""
    return _prefixed(value, tuple((float(s), p) for s, p in _BINARY), "" if value and value >= 1024 else "B", digits)


def percent(value: float | None, digits: int = 2) -> str:
    return UNKNOWN if value is None else f"{number(100 * value, digits)} %"


def times(value: float | None, digits: int = 3) -> str:
    """A ratio: 3.44×."""
    return UNKNOWN if value is None else f"{number(value, digits)}×"


def seconds(value: float | None) -> str:
    """A duration with the prefix that suits it: 2.31 ms, 1 min 40 s."""
    if value is None:
        return UNKNOWN
    if value >= 90:
        minutes, rest = divmod(round(value), 60)
        return f"{minutes} min {rest} s"
    for size, unit in ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if value >= size * 0.9995:
            return f"{number(value / size)} {unit}"
    return f"{number(value / 1e-9)} ns"


def quantity(value: float | None, unit: str, digits: int = 3) -> str:
    """A value by the unit names that claims and evidence use."""
    if unit == "s":
        return seconds(value)
    if unit in _TEXTS:
        return _TEXTS[unit](value, digits)
    if unit in _PREFIXED:
        return si(value, unit, digits)
    return f"{number(value, digits)} {unit}".rstrip() if value is not None else UNKNOWN


_TEXTS = {"parameters": count, "ratio": times, "fraction": percent, "bytes": binary}


def interval(low: float | None, high: float | None, unit: str = "", digits: int = 3) -> str:
    """[2,931, 7,549] with the unit behind it; each end with its own prefix where the unit takes prefixes."""
    if low is None or high is None:
        return UNKNOWN
    if unit == "fraction":
        return f"[{number(100 * low, digits)}, {number(100 * high, digits)}] %"
    if unit in ("parameters", "bytes", "s", *_PREFIXED):
        (first, _, mine), (last, _, theirs) = (quantity(end, unit, digits).partition(" ") for end in (low, high))
        if mine == theirs:
            return f"[{first}, {last}] {mine}".rstrip()
        return f"[{first} {mine}, {last} {theirs}]"
    suffix = {"": "", "ratio": "×"}.get(unit, f" {unit}")
    return f"[{number(low, digits)}, {number(high, digits)}]{suffix}"
