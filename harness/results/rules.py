"""Validity rules: a name, a severity, a check with its limit, a remedy; and what is found where one is broken.

The rules of a case stand in `harness.results.validity`, those of the host in `harness.results.disturbance`.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple

from pydantic import Field

from harness.results.record import Host, Measurement
from harness.vocabulary import Frozen

Severity = Literal["invalid", "warning"]


class Limits(Frozen):
    """Where each rule draws its line. The defaults' reasons stand beside the rules that use them."""

    min_processes: int = Field(default=2, ge=1, description="fewer invalidate: no interval without a second process")
    good_processes: int = Field(default=5, ge=1, description="fewer warn: the interval has to assume log-normal noise")
    min_steps: int = Field(default=3, ge=1, description="timed steps of a process; fewer warn")
    min_timed_s: float = Field(default=0.1, gt=0, description="timed seconds of a case in all; fewer warn")
    resolution_multiple: float = Field(default=1000.0, gt=0, description="shortest step in units of the clock's own")
    ceiling_margin: float = Field(default=0.05, ge=0, description="how far above a measured ceiling a rate may lie")
    cache_multiple: float = Field(default=4.0, gt=0, description="weights in units of the last-level cache")
    experts_activated: float = Field(
        default=0.03, gt=0, description="relative distance of the experts activated from the number expected"
    )
    outside_share: float = Field(default=0.01, gt=0, description="share of a step spent outside the runtime")
    reference_spread: float = Field(default=0.10, gt=0, description="spread of the reference kernel between processes")
    reference_drift: float = Field(default=0.05, gt=0, description="drift of the reference kernel inside a process")
    foreign_share: float = Field(default=0.10, gt=0, description="processor time of others, in processors")
    steal_share: float = Field(default=0.01, gt=0, description="time that the hypervisor took, in processors")
    memory_wait_share: float = Field(default=0.01, gt=0, description="time in which a task waited for memory")
    frequency_spread: float = Field(default=0.10, gt=0, description="spread of the frequency between processes")


class RuleBreach(Frozen):
    """One rule that is broken. `case` is None where it concerns the whole run."""

    rule: str
    severity: Severity
    case: str | None
    value: float
    limit: float
    message: str = Field(description="what was found and what was allowed")
    remedy: str

    @property
    def line(self) -> str:
        return f"{self.rule}: {self.message}"


def case_name(m: Measurement) -> str:
    """A case in words: moe-article int8 decode batch 8."""
    depth = f" depth {m.depth}" if m.depth else ""
    return f"{m.model} {m.precision} {m.phase} batch {m.batch}{depth}, {m.threads} threads"


class RuleContext(Frozen):
    """What the rules of a case may look at besides the case."""

    host: Host
    read_bytes_s: float | None = Field(default=None, description="best read rate of any process of the run")
    matmul_flop_s: tuple[tuple[str, float], ...] = Field(default=(), description="best of each precision")
    skewed: bool = False
    experts_activated_deviation: float = Field(
        default=0.0, ge=0, description="of the experts activated, by chance alone"
    )
    limits: Limits = Limits()


class Breach(NamedTuple):
    """What a rule found: the value, its limit, and both in words."""

    value: float
    limit: float
    message: str


def above(value: float | None, limit: float, words: str) -> Breach | None:
    """A breach where `value` is known and above its limit."""
    return None if value is None or value <= limit else Breach(value, limit, words)


def below(value: float | None, limit: float, words: str) -> Breach | None:
    """A breach where `value` is known and below its limit."""
    return None if value is None or value >= limit else Breach(value, limit, words)


class ValidityRule(NamedTuple):
    """One named rule of a case."""

    name: str
    severity: Severity
    check: Callable[[Measurement, RuleContext], Breach | None]
    remedy: str
