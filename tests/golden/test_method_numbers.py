"""How well the law predicts rates that it has not seen: the promises, and the tables of docs/explanation/method.md."""

import re
from functools import cache
from pathlib import Path

from harness.roofline.accuracy import Accuracy, Group, accuracy

METHOD = Path(__file__).parents[2] / "docs" / "explanation" / "method.md"
ROW = re.compile(
    r"\| ([\w, ]+) \| (\d+) \| (\d+) \| (\d+) \| (\d+) \| (\d+) \| (\d+) \| ([\d.]+) \| (\d+) \| (\d+) \| (\d+) \|"
)


@cache
def measured() -> Accuracy:
    return accuracy()


def group(name: str) -> Group:
    return next(g for g in measured().groups if g.name == name)


def test_no_true_rate_is_refuted_and_hardly_one_implausible() -> None:
    assert len(measured().checked) >= 150
    assert measured().refuted == ()
    assert len(measured().implausible) <= len(measured().checked) / 100


def test_intervals_hold_what_they_promise() -> None:
    assert 0.87 <= group("all").held[90] <= 0.95
    assert group("all").held[99] >= 0.97
    assert 0.40 <= group("all").held[50] <= 0.62
    assert measured().amiss == ()


def test_intervals_are_narrow_where_all_is_given() -> None:
    """A width that buys coverage by saying nothing is a failure too."""
    given, tuned = group("all conditions given"), group("tuned, all conditions given")
    assert given.width <= 4.5 and given.median_error <= 0.30
    assert tuned.width <= 3.3 and tuned.median_error <= 0.20


def test_rates_that_are_too_high_lie_outside() -> None:
    given = group("all conditions given")
    assert given.caught["3"] >= 0.75
    assert given.caught["4"] >= 0.85


def test_the_probability_of_a_lower_rate_is_even() -> None:
    """A tenth of the rates lies in each tenth, as far as chance allows (chi square of 9 degrees, 1 %: 21.7)."""
    expected = len(measured().checked) / len(measured().histogram)
    assert sum((n - expected) ** 2 / expected for n in measured().histogram) < 21.7


def test_the_table_in_the_docs_is_current() -> None:
    def whole(share: float) -> str:
        return f"{100 * share:.0f}"

    expected = {
        (
            g.name, str(g.rates), str(g.sources), *(whole(g.held[level]) for level in (50, 80, 90, 99)),
            f"{g.width:.1f}", whole(g.median_error), whole(g.caught["3"]), whole(g.caught["4"]),
        )
        for g in measured().groups
    }  # fmt: skip
    text = METHOD.read_text(encoding="utf-8")
    assert set(ROW.findall(text)) == expected
    assert f"in tenths: {', '.join(map(str, measured().histogram))}" in text
