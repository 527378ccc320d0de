"""How two variants are measured in turn: who goes first in each pair, and when there are enough pairs. Measures
nothing."""

import random
from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from harness.compare.decision import ANALYSES, Decided, Decision, decide_pairs
from harness.compare.thresholds import Thresholds
from harness.vocabulary import Frozen

Side = Literal["old", "new"]
PROCEDURE = 3
"""Version of how two variants are measured in turn. Raised when what is known of its false alarms and its power from
before
no longer holds. 2: both processes of a pair load before either is timed, and power trials run the reference kernel
too. 3: the two are timed case by case in turn."""

FINAL: tuple[Decision, ...] = ("faster", "slower", "same")
"""Words that end a comparison early. A warning does not: more pairs may make it an alarm, or clear it."""


class NextPairs(Frozen):
    """What to do after some pairs: measure up to `pairs`, or stop with `decided`."""

    pairs: int = Field(ge=1, description="pairs that there should be, measured ones included")
    decided: Decided | None


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


def next_step(
    new: Sequence[float],
    old: Sequence[float],
    margin: float,
    thresholds: Thresholds,
    *,
    analyses: tuple[int, ...] = ANALYSES,
    rounds: int | None = None,
    budget_left: bool = True,
) -> NextPairs:
    """What follows from the rates measured so far, in pairs. Without budget, or at the last interim analysis, the
    word is final.

    Between two interim analyses nothing is decided: looking after every pair would raise more alarms than the level
    says.
    `rounds` is the number of pairs tried, where some failed and are not among the rates.
    """
    have = len(new) if rounds is None else rounds
    due = next((analysis for analysis in analyses if analysis > have), None)
    decided = decide_pairs(new, old, margin, thresholds, analyses=len(analyses)) if new else None
    over = due is None or not budget_left
    if decided is not None and (over or (have in analyses and decided.decision in FINAL)):
        return NextPairs(pairs=max(have, 1), decided=decided)
    return NextPairs(pairs=due or analyses[-1], decided=None)
