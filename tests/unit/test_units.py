"""Numbers as text: digits, prefixes, intervals, and the dash for what is unknown."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import units


@pytest.mark.parametrize(
    ("value", "said"),
    [(6688, "6,688"), (3.44, "3.44"), (0.0123, "0.0123"), (0, "0"), (-2.5, "-2.50"), (1.2e-7, "1.20e-07"), (None, "–")],
)
def test_number(value: float | None, said: str) -> None:
    assert units.number(value) == said


@given(st.floats(min_value=1e-4, max_value=1e15), st.integers(2, 5))
def test_a_number_keeps_its_significant_digits(value: float, digits: int) -> None:
    shown = float(units.number(value, digits).replace(",", ""))
    assert math.isclose(shown, value, rel_tol=0.5 * 10.0 ** (1 - digits) * 1.0001)


@given(st.floats(min_value=1e-3, max_value=1e17))
def test_a_prefix_says_the_same_value(value: float) -> None:
    figure, unit = units.si(value, "B/s").split(" ")
    factor = {"B/s": 1, "kB/s": 1e3, "MB/s": 1e6, "GB/s": 1e9, "TB/s": 1e12, "PB/s": 1e15}[unit]
    assert math.isclose(float(figure.replace(",", "")) * factor, value, rel_tol=0.006)


@pytest.mark.parametrize(
    ("low", "high", "unit", "said"),
    [
        (2931, 7549, "tok/s", "[2,931, 7,549] tok/s"),
        (0.86, 0.94, "ratio", "[0.860, 0.940]×"),
        (0.1, 0.25, "fraction", "[10.0, 25.0] %"),
        (20.8e9, 21.8e9, "B/s", "[20.8, 21.8] GB/s"),
        (0.9e9, 1.2e12, "FLOP/s", "[900 MFLOP/s, 1.20 TFLOP/s]"),
        (1 << 20, 1 << 30, "bytes", "[1.00 MiB, 1.00 GiB]"),
        (1.49e12, 1.68e12, "parameters", "[1.49, 1.68] T"),
        (0.001, 0.002, "s", "[1.00, 2.00] ms"),
        (1.0, 2.0, "", "[1.00, 2.00]"),
        (None, 2.0, "tok/s", "–"),
    ],
)
def test_interval(low: float | None, high: float | None, unit: str, said: str) -> None:
    assert units.interval(low, high, unit) == said


def test_binary_and_decimal_prefixes_are_told_apart() -> None:
    assert units.binary(1 << 30) == "1.00 GiB"
    assert units.si(1e9, "B/s") == "1.00 GB/s"


def test_the_unknown_is_a_dash_and_never_zero() -> None:
    unknown = [f(None) for f in (units.number, units.count, units.binary, units.percent, units.times, units.seconds)]
    assert {*unknown, units.whole(None), units.quantity(None, "tok/s"), units.si(None, "B/s")} == {units.UNKNOWN}
