"""When a comparison stops a build: what a gate trips on, and the exit code."""

import re
from collections.abc import Sequence
from typing import Literal, get_args

from pydantic import Field

from harness.comparison.tables import Comparison, RowComparison
from harness.errors import UsageError, unknown
from harness.vocabulary import Frozen

Trigger = Literal["slower", "faster", "warn", "undecided", "unmeasurable", "not-comparable", "missing"]
TRIGGERS: tuple[Trigger, ...] = get_args(Trigger)
CODES: dict[Trigger, int] = {
    **{"slower": 3, "faster": 3, "warn": 3, "undecided": 4},
    **{"unmeasurable": 5, "not-comparable": 5, "missing": 5},
}
NOTHING_COMPARED = 5
_NO_DECISION = ("unmeasurable", "not comparable")
_FORM = re.compile(r"(?P<word>[a-z-]+)(?::(?P<number>\d+(?:\.\d+)?)%)?")


class Gate(Frozen):
    """One `--fail-on`. `more_than` is a change in speed as a share: for *slower* and *faster* one that the whole
    interval shown exceeds, for *warn* one that the estimate exceeds. *undecided* trips on what was unmeasurable
    too: the row's own decision gives the exit code."""

    trigger: Trigger
    more_than: float = Field(default=0.0, ge=0)

    def trips(self, row: RowComparison) -> bool:
        if row.decision.replace(" ", "-") != self.trigger:
            return self.trigger == "undecided" and row.decision == "unmeasurable"
        if self.trigger in ("slower", "faster"):
            return (row.sure_change or 0.0) > self.more_than or self.more_than == 0
        if self.trigger == "warn" and row.ratio is not None:
            return max(row.ratio.point, 1 / row.ratio.point) - 1 > self.more_than
        return True


def parse(text: str) -> Gate:
    """`slower`, `slower:5%`, `undecided`, ... Raises UsageError."""
    found = _FORM.fullmatch(text.strip())
    if found is None:
        raise UsageError(f"--fail-on {text}: expected a word or a word with a percentage, such as slower or slower:5%")
    word = found["word"]
    trigger = next((t for t in TRIGGERS if t == word), None)
    if trigger is None:
        raise UsageError(f"--fail-on {text}: {unknown('trigger', word, TRIGGERS)}")
    if found["number"] is None:
        return Gate(trigger=trigger)
    if trigger not in ("slower", "faster", "warn"):
        raise UsageError(f"--fail-on {text}: {trigger} takes no percentage")
    return Gate(trigger=trigger, more_than=float(found["number"]) / 100)


def exit_code(comparisons: Sequence[Comparison], gates: Sequence[Gate]) -> int:
    """0 where no gate trips; else that of the gravest: 3 before 5 before 4.

    With any gate, a comparison of which no row could be compared, was measurable, or has an interval (one sample has
    none) ends with 5: a gate that cannot trip guards nothing.
    """
    codes = {code for g in gates for c in comparisons for code in _codes(g, c)}
    if gates and any(not any(map(_could_be_decided, c.rows)) for c in comparisons):
        codes.add(NOTHING_COMPARED)
    return next((code for code in (3, 5, 4) if code in codes), 0)


def _could_be_decided(row: RowComparison) -> bool:
    return row.decision not in _NO_DECISION and row.ratio is not None and row.ratio.interval is not None


def tripping(row: RowComparison, gates: Sequence[Gate]) -> Gate | None:
    """The first gate that `row` trips."""
    return next((g for g in gates if g.trips(row)), None)


def _codes(gate: Gate, comparison: Comparison) -> set[int]:
    if gate.trigger == "missing":
        return {CODES["missing"]} if any(lone.only_in == "a" for lone in comparison.lone) else set()
    tripped = {row.decision for row in comparison.rows if gate.trips(row)}
    return {CODES["unmeasurable" if word == "unmeasurable" else gate.trigger] for word in tripped}
