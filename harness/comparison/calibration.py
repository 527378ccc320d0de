"""A host's false-positive rate and power, with their intervals, from comparisons whose right answer was known."""

import datetime as dt
import math
from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from harness.comparison.decision import ANALYSES, FINAL, PROCEDURE, Decided, Decision, decide_pairs
from harness.comparison.thresholds import Thresholds
from harness.stats import LEVEL, Estimate, median, proportion
from harness.vocabulary import Frozen

SMALLEST_NO_OP_COUNT = 20
"""Fewer no-op comparisons say nothing of a rate of one in 20."""


class Trial(Frozen):
    """One comparison with a known answer: speed was changed by `injected` (0: nothing was)."""

    injected: float = Field(ge=0, lt=1, description="share of the duration that was added on purpose")
    pairs: int = Field(ge=1)
    decision: Decision
    speed: float = Field(gt=0, description="estimated speed ratio, new over old")


class PowerTrial(Frozen):
    """The raw rates of one comparison with a known answer, pair by pair: an entry of the calibration log."""

    host_fingerprint: str
    created: dt.datetime
    harness_version: str
    runtime_version: str
    case: str = Field(description="model, precision, phase and batch that were measured")
    seed: int = Field(ge=0)
    procedure: int = Field(default=1, ge=1, description="version of how it was measured: `decision.PROCEDURE`")
    analyses: tuple[int, ...] = Field(description="numbers of pairs after which it was analysed")
    injected: float = Field(ge=0, lt=1)
    old: tuple[float, ...] = Field(min_length=1)
    new: tuple[float, ...] = Field(min_length=1)
    disturbed: str | None = Field(default=None, description="what disturbed the host meanwhile, if anything did")

    def speaks_for(self, runtime_version: str | None) -> bool:
        """Whether it holds for comparisons that are measured now: by the current procedure, with this runtime (None:
        any)."""
        alike = self.procedure == PROCEDURE and self.analyses == ANALYSES
        return alike and runtime_version in (None, self.runtime_version)

    def trial(self, thresholds: Thresholds) -> Trial:
        """Its decision by `thresholds`, which may be others than those it was measured under."""
        decided = settle(self.new, self.old, thresholds, self.analyses, disturbed=self.disturbed)
        return Trial(
            injected=self.injected, pairs=decided.shown.n, decision=decided.decision, speed=decided.shown.point
        )


def settle(
    new: Sequence[float],
    old: Sequence[float],
    thresholds: Thresholds,
    analyses: tuple[int, ...] = ANALYSES,
    *,
    disturbed: str | None = None,
) -> Decided:
    """The decision of a comparison that is analysed after `analyses` pairs: the first final one, else that of all."""
    for analysis in (n for n in analyses if n < len(new)):
        decided = decide_pairs(new[:analysis], old[:analysis], thresholds.margin, thresholds, analyses=len(analyses))
        if decided.decision in FINAL:
            return decided
    return decide_pairs(new, old, thresholds.margin, thresholds, analyses=len(analyses), disturbed=disturbed)


class Power(Frozen):
    """How often a slow-down of one size was found."""

    injected: float
    slower: Estimate = Field(description="share called slower")
    noticed: Estimate = Field(description="share called slower, or warned of")
    unmeasurable: Estimate = Field(description="share that a disturbed host left unsettled")


class Calibration(Frozen):
    """A host's measured reliability, which a verdict on a change quotes."""

    host_fingerprint: str
    created: dt.datetime
    way: Literal["interleaved", "separate"]
    false_alarms: Estimate = Field(description="share of no-op comparisons called faster or slower")
    false_warnings: Estimate = Field(description="share of no-op comparisons with a warning")
    unmeasurable: Estimate = Field(description="share of no-op comparisons that a disturbed host left unsettled")
    median_pairs: float = Field(gt=0, description="pairs that the middle no-op comparison took")
    power: tuple[Power, ...]
    spread: float | None = Field(description="standard deviation of the log speed ratios of no-op comparisons")

    @property
    def sentence(self) -> str:
        """One line for a report: alarms over trials, with the interval."""
        rate = self.false_alarms
        hits = round(rate.point * rate.n)
        high = "" if rate.high is None else f", at most {100 * rate.high:.2g} % at {100 * rate.level:.2g} %"
        return f"on this host, {hits} of {rate.n} comparisons of identical code were called faster or slower{high}"


def calibrate(
    trials: Sequence[Trial],
    host_fingerprint: str,
    created: dt.datetime,
    *,
    way: Literal["interleaved", "separate"] = "interleaved",
    level: float = LEVEL,
    least: int = SMALLEST_NO_OP_COUNT,
) -> Calibration:
    """Rates over trials. Raises ValueError for fewer no-op trials than `least`."""
    no_op = [t for t in trials if t.injected == 0]
    if len(no_op) < max(1, least):
        raise ValueError(f"{len(no_op)} no-op comparisons, expected at least {least}")
    logs = [math.log(t.speed) for t in no_op]
    sizes = sorted({t.injected for t in trials} - {0})
    return Calibration(
        host_fingerprint=host_fingerprint,
        created=created,
        way=way,
        false_alarms=_share(no_op, ("faster", "slower"), level),
        false_warnings=_share(no_op, ("warn",), level),
        unmeasurable=_share(no_op, ("unmeasurable",), level),
        median_pairs=median([t.pairs for t in no_op]),
        power=tuple(_power([t for t in trials if t.injected == size], size, level) for size in sizes),
        spread=math.sqrt(math.fsum(x * x for x in logs) / len(logs)),  # the true ratio is 1, so no mean is taken off
    )


def _power(trials: Sequence[Trial], size: float, level: float) -> Power:
    # a warning of a gain is no notice of a loss
    noticed = sum(t.decision == "slower" or (t.decision == "warn" and t.speed <= 1) for t in trials)
    return Power(
        injected=size,
        slower=_share(trials, ("slower",), level),
        noticed=proportion(noticed, len(trials), level),
        unmeasurable=_share(trials, ("unmeasurable",), level),
    )


def _share(trials: Sequence[Trial], decisions: tuple[Decision, ...], level: float) -> Estimate:
    return proportion(sum(t.decision in decisions for t in trials), len(trials), level)
