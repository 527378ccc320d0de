"""Changes of speed as text: signed shares with their intervals, the spread of a value, counts of samples."""

from harness.comparison.table import Basis
from harness.stats import Estimate
from harness.units import UNKNOWN, number, quantity, times

ENDLESS = "± ∞"
_WIDEST = 10.0  # an interval whose end is more than so many times off its point says nothing but that it is wide
_SCALED = ("s", "B", "B/s")  # units whose prefix changes with the size, so that each value names its own


def change(ratio: float) -> str:
    """A ratio of speeds as the signed change: +7 %, -17.2 %; as a multiple where it is tenfold or more."""
    if not 0.1 < ratio < 10:
        return times(ratio)
    share = 100 * (ratio - 1)
    return f"{_signed(share)} %"


def change_interval(ratio: Estimate, count: str) -> str:
    """The interval of a change, [-17, +44] %. Where it is too wide to say anything, or there is none: ± ∞ with the
    number of samples behind it."""
    if ratio.low is None or ratio.high is None:
        return _endless(count)
    if max(ratio.high / ratio.point, ratio.point / ratio.low) > _WIDEST:
        return _endless(count)
    if ratio.low > 0.1 and ratio.high < 10:
        return f"[{_signed(100 * (ratio.low - 1))}, {_signed(100 * (ratio.high - 1))}] %"
    return f"[{number(ratio.low)}, {number(ratio.high)}]×"


def spread(value: Estimate | None) -> str:
    """How far a value's interval reaches, as a share of the value, to the side where that is more: 5 %; ∞ for one
    sample."""
    if value is None:
        return ""
    if value.low is None or value.high is None or max(value.high / value.point, value.point / value.low) > _WIDEST:
        return "∞"
    half = 100 * max(value.high - value.point, value.point - value.low) / value.point
    return f"{half:.1f} %" if half < 0.95 else f"{half:.0f} %"


def level(value: Estimate | None, unit: str, *, bare: bool) -> str:
    """A value; `bare` leaves its unit out."""
    if value is None:
        return UNKNOWN
    return number(value.point) if bare else quantity(value.point, unit)


def is_bare(units: set[str]) -> bool:
    """Whether one heading can name the unit of all values."""
    return len(units) == 1 and not units & set(_SCALED)


def counted(a: Basis | None, b: Basis | None, pairs: int | None = None) -> str:
    """The number of samples: of both sides, of each where they differ, of pairs; ? where a file does not say."""
    if pairs is not None:
        return f"{pairs} pairs" if pairs != 1 else "1 pair"
    counts = ["?" if basis is not None and basis.n is None else str(basis.n) if basis else "0" for basis in (a, b)]
    return counts[0] if counts[0] == counts[1] else "+".join(counts)


def _signed(percent: float) -> str:
    """Two digits at least; 0 for what rounds to it."""
    magnitude = abs(percent)
    if magnitude < 0.05:
        return "0"
    return f"{percent:+,.{0 if magnitude >= 9.95 else 1}f}"


def _endless(count: str) -> str:
    if "?" in count:
        return ENDLESS
    if count.endswith(("pair", "pairs")):
        return f"{ENDLESS} ({count})"
    return f"{ENDLESS} ({count} sample{'s' if count != '1' else ''})"
