"""The rule that turns a ratio with its intervals into a decision, and the order in which pairs are measured for it.

Works on speed: the rate of the new over the rate of the old, or the old duration over the new. Above 1 is faster. The
rule is the same whether the two were measured in turn or apart.
"""

import math
import random
from collections.abc import Sequence
from typing import Literal, get_args

from pydantic import Field

from harness.comparison.thresholds import Thresholds
from harness.stats import Estimate, interleaved_ratio, separate_ratio
from harness.vocabulary import Frozen

Decision = Literal["faster", "slower", "warn", "same", "undecided", "unmeasurable", "not comparable"]
DECISIONS: tuple[Decision, ...] = get_args(Decision)
ANALYSES = (10, 20, 40, 80, 160)
"""Numbers of pairs after which an interleaved comparison is analysed; more are measured only while undecided."""

FINAL: tuple[Decision, ...] = ("faster", "slower", "same")
"""Decisions that end a comparison early. A warning does not: more pairs may make it an alarm, or clear it."""

Side = Literal["old", "new"]
PROCEDURE = 3
"""Version of how two variants are measured in turn. Raised when what is known of its false alarms and its power from
before no longer holds. 2: both processes of a pair load before either is timed, and power trials run the reference
kernel too. 3: the two are timed case by case in turn."""


def order(pairs: int, seed: int) -> tuple[tuple[Side, Side], ...]:
    """Who runs first and second in each pair: ABBA blocks, each starting with a side drawn from `seed`.

    Within a block both orders occur once, so that what the first of a pair gains or loses cancels; a last single pair
    is drawn too.
    """
    draw = random.Random(seed)
    found: list[tuple[Side, Side]] = []
    while len(found) < pairs:
        block: tuple[Side, Side] = ("old", "new") if draw.random() < 0.5 else ("new", "old")
        found += [block, (block[1], block[0])]
    return tuple(found[:pairs])


class Decided(Frozen):
    """A speed ratio with its decision. `shown` is the ratio at the level of display, `alarm` at that of alarms."""

    decision: Decision
    shown: Estimate
    alarm: Estimate
    margin: float = Field(gt=0)
    reason: str


def decide_pairs(
    new: Sequence[float],
    old: Sequence[float],
    margin: float,
    thresholds: Thresholds,
    *,
    analyses: int = 1,
    disturbed: str | None = None,
) -> Decided:
    """Two variants measured turn by turn: `new` and `old` are rates of the same rounds, one fresh process each.
    `disturbed` is what disturbed the host meanwhile, if anything did.

    With `analyses` planned (see ANALYSES) the alarm level is shared among them, so that five analyses are no likelier
    to raise a false alarm than one (Bonferroni). Raises ValueError as `interleaved_ratio` does.
    """
    alarm_level = 1 - (1 - thresholds.alarm_level) / analyses
    shown, alarm = interleaved_ratio(new, old, thresholds.level), interleaved_ratio(new, old, alarm_level)
    return decide(shown, alarm, margin, disturbed=disturbed)


def decide_separate(
    new: tuple[Estimate, Estimate], old: tuple[Estimate, Estimate], margin: float, thresholds: Thresholds
) -> Decided:
    """Two levels measured at different times: each a pair of estimates, at the level shown and at the alarm's."""
    return decide(
        separate_ratio(new[0], old[0], thresholds.drift, thresholds.level),
        separate_ratio(new[1], old[1], thresholds.drift, thresholds.alarm_level),
        margin,
    )


def decide(shown: Estimate, alarm: Estimate, margin: float, *, disturbed: str | None = None) -> Decided:
    """The decision on a speed ratio.

    *faster*, *slower*: the interval at the alarm's level is off 1, and the interval shown lies wholly beyond the
    margin: something changed, and by more than does not matter. *warn*: the interval shown is off 1 and the change at
    least the margin. *same*: the interval shown lies wholly inside the margin. Else *undecided*. Without an interval
    nothing is decided.

    *unmeasurable*: neither settled nor measured on a steady host, which `disturbed` says why. What is settled stands:
    its interval holds the host's unsteadiness. A warning does not stand, since more quiet pairs may clear it.
    """
    decision, reason = _decision(shown, alarm, math.log1p(margin))
    if disturbed is not None and decision in ("undecided", "warn"):
        decision, reason = "unmeasurable", f"{reason}; {disturbed}"
    return Decided(decision=decision, shown=shown, alarm=alarm, margin=margin, reason=reason)


def _decision(shown: Estimate, alarm: Estimate, edge: float) -> tuple[Decision, str]:
    inner, outer = shown.interval, alarm.interval
    if inner is None or outer is None:
        return "undecided", "one sample on a side has no interval: measure again with more"
    level, alarm_level = f"{100 * shown.level:.4g} %", f"{100 * alarm.level:.4g} %"
    if outer.low > 1 and math.log(inner.low) > edge:
        return "faster", f"beyond the margin at {level}"
    if outer.high < 1 and math.log(inner.high) < -edge:
        return "slower", f"beyond the margin at {level}"
    if (inner.low > 1 or inner.high < 1) and abs(math.log(shown.point)) >= edge:
        beyond = min(abs(math.log(inner.low)), abs(math.log(inner.high))) > edge
        return "warn", f"off 1 at {level}, but not {f'at {alarm_level}' if beyond else 'beyond the margin'}"
    if -edge < math.log(inner.low) and math.log(inner.high) < edge:
        return "same", f"inside the margin at {level}"
    return "undecided", "the interval reaches across the margin"
