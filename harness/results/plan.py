"""What exactly will run: variants, workloads, rounds, and what they need of memory and time.

A variant is one model at one precision and thread count; a task is what one fresh process does: load one variant once
and time each of its workloads, one session alive at a time. Rounds repeat the tasks of all variants in an order that
alternates (ABBA), so that slow drift of the host affects all variants alike.
"""

from typing import Literal

from pydantic import Field

from harness.model.spec import Spec
from harness.vocabulary import Frozen, Phase, RunPrecision

PROMPTS = 4
"""Different prompts that prefill steps take in turn, so that no step repeats the routing of the one before."""

_TRACED_TOKENS = 256
"""From so many tokens on one prompt is enough to count the experts activated: chance moves the count by 0.4 % at 128
tokens of moe-1b."""


def traced_prompts(tokens: int) -> int:
    """How many prompts, of `tokens` in all their sequences, the experts activated in a prefill are counted over. Chance
    moves the count of one prompt of 8 tokens by 1.8 % (moe-1b); with many tokens one is enough, and more cost time."""
    return min(PROMPTS, max(1, _TRACED_TOKENS // max(1, tokens)))


class Workload(Frozen):
    """One case of a sweep: what a step does. `depth` is the number of cached tokens before the workload starts."""

    phase: Phase
    batch: int = Field(gt=0, le=4096)
    prompt_tokens: int = Field(ge=0, le=1 << 20)
    decode_tokens: int = Field(ge=0, le=1 << 20)
    depth: int = Field(default=0, ge=0, le=1 << 20)


class Variant(Frozen):
    """One model as it is loaded by a measuring process."""

    model: str
    spec: Spec
    precision: RunPrecision
    threads: int = Field(gt=0, le=1024)
    seed: int = Field(default=0, ge=0, lt=1 << 32)
    routing_skew: float = Field(default=0.0, ge=0, le=10)


class Timing(Frozen):
    """How long one process measures each workload: at least `min_steps` timed steps and `min_time_s`, at most
    `max_steps` steps or `max_time_s`, after `warmup_steps` that are kept apart."""

    warmup_steps: int = Field(default=2, ge=0, le=1000)
    min_steps: int = Field(default=3, ge=1, le=100_000)
    min_time_s: float = Field(default=0.3, ge=0, le=3600)
    max_steps: int = Field(default=1000, ge=1, le=1_000_000)
    max_time_s: float = Field(default=2.0, gt=0, le=86400)


class Task(Frozen):
    """What one fresh process does. `kind` 'ceilings' measures the host instead of a model (`variant` is None then,
    and `precisions` names the matrix products to time)."""

    kind: Literal["variant", "ceilings"]
    round: int = Field(ge=0)
    variant: Variant | None = None
    workloads: tuple[Workload, ...] = ()
    precisions: tuple[RunPrecision, ...] = ()
    threads: int = Field(gt=0, le=1024)
    timing: Timing = Timing()


class Needs(Frozen):
    """Modelled needs of a plan, before anything is built."""

    peak_bytes: int = Field(description="largest resident size of one measuring process")
    duration_s: float = Field(description="modelled wall time of the whole plan")
    basis: str = Field(description="what the figures were derived from")


class Plan(Frozen):
    """Exactly what will run, in order."""

    name: str
    tasks: tuple[Task, ...]
    needs: Needs
    notes: tuple[str, ...] = Field(default=(), description="choices made for this host, in words")
