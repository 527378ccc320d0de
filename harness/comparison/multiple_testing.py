"""Multiple testing: all rows of a table are decided together, so that many raise no more false alarms than one.

Of a thousand rows of identical code, three would be called faster or slower at a level of 99.7 %, and fifty be warned
of at 95 %. So a table's alarms are held by Benjamini and Hochberg's step-up procedure (Journal of the Royal Statistical
Society B 57, 1995): of m rows, k stay alarms if k of them would at the level 1 - (1 - level) k / m, for the largest
such k. Where nothing changed, a table raises any alarm at all as rarely as a single row does; where much changed, at
most that share of its alarms is false. Holds for independent rows and for those that move together, as rows of one
session do (Benjamini and Yekutieli, Annals of Statistics 29, 2001)."""

from collections.abc import Callable, Sequence

from harness.comparison.decision import Decided, Decision
from harness.comparison.thresholds import Thresholds

ALARMS: tuple[Decision, ...] = ("faster", "slower")
Judge = Callable[[Thresholds], Decided]
"""Decides on one row under given levels."""


def decide_together(judges: Sequence[Judge], thresholds: Thresholds) -> tuple[Decided, ...]:
    """The decision of each row of one table: where that of a row on its own does not hold for one of so many, the one
    that holds at the stricter level. The ratio shown keeps its interval. One row is decided as it is on its own.
    """
    alone = [judge(thresholds) for judge in judges]
    rows = len(judges)
    alarms = _upheld(
        [i for i, d in enumerate(alone) if d.decision in ALARMS],
        rows,
        lambda i, share: judges[i](_stricter(thresholds, alarm=share)).decision in ALARMS,
    )
    warnings = _upheld(
        [i for i, d in enumerate(alone) if d.decision in (*ALARMS, "warn")],
        rows,
        lambda i, share: _is_off_one(judges[i](_stricter(thresholds, shown=share))),
    )
    held = _stricter(thresholds, alarm=max(alarms, 1) / rows, shown=max(warnings, 1) / rows) if rows else thresholds
    return tuple(
        _as_one_of(judge(held), decided, rows) if decided.decision in (*ALARMS, "warn") else decided
        for judge, decided in zip(judges, alone, strict=True)
    )


def _upheld(candidates: list[int], rows: int, holds: Callable[[int, float], bool]) -> int:
    """How many of `candidates` hold at the share of the error that their number is of `rows`: the largest such number,
    found from above."""
    kept = candidates
    while kept:
        share = len(kept) / rows
        still = [i for i in kept if share == 1 or holds(i, share)]
        if len(still) == len(kept):
            break
        kept = still
    return len(kept)


def _as_one_of(held: Decided, alone: Decided, rows: int) -> Decided:
    """The decision on a row among `rows`, with the ratio as it is shown of the row on its own."""
    reason = held.reason if rows == 1 else f"{held.reason}, as one of {rows} rows"
    return held.model_copy(update={"shown": alone.shown, "reason": reason})


def _is_off_one(decided: Decided) -> bool:
    interval = decided.shown.interval
    return interval is not None and (interval.low > 1 or interval.high < 1)


def _stricter(thresholds: Thresholds, *, alarm: float = 1.0, shown: float = 1.0) -> Thresholds:
    """`thresholds` with these shares of their errors."""
    return thresholds.model_copy(
        update={
            "alarm_level": 1 - (1 - thresholds.alarm_level) * alarm,
            "level": 1 - (1 - thresholds.level) * shown,
        }
    )
