"""Which case of a grid comes closest to a workload elsewhere, in the groups, within memory and time.

The search is exhaustive over the grid, then over finer batches around the best; it draws nothing at random, and of two
cases as close the cheaper one is taken. What stays apart is named with its reason: memory, time, or no case at all.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Literal, NamedTuple

from harness.catalog.chips import Chip
from harness.errors import UsageError
from harness.model.context import over_context
from harness.model.spec import Spec
from harness.model.tensors import cache_token_bytes
from harness.roofline.deployment import Deployment
from harness.roofline.similarity import Groups, distance, groups, log_ratios
from harness.units import binary, number, seconds
from harness.vocabulary import Frozen, Phase

SAME = math.log(1.1)
"""Groups within a tenth of one another count as matched."""

MOST_SEQUENCES = 4096
"""Of a case, as plans and configs limit it."""

FINER = tuple(2 ** (step / 4) for step in (-3, -2, -1, 1, 2, 3))
"""Batches tried around the best of the grid, whose own batches are a factor of two or four apart."""


class CaseGrid(NamedTuple):
    """What is tried: each batch at each length (of the prompt, or of the context in decode) and positions a step."""

    batches: tuple[int, ...]
    tokens: tuple[int, ...]
    positions: tuple[int, ...] = (1,)


GRIDS: dict[Phase, CaseGrid] = {
    "prefill": CaseGrid((1, 2, 4, 8, 16), (64, 256, 1024, 2048, 4096)),
    "decode": CaseGrid((1, 4, 16, 64, 128, 256, 512, 1024, 2048, 4096), (64, 256, 1024, 4096), (1, 2)),
}


class ScaleCase(NamedTuple):
    """A model that could run here, and one step of it, int8."""

    model: str
    spec: Spec
    phase: Phase
    batch: int
    tokens: int
    """of a prompt, or in the cache on average (decode)"""
    positions: int
    """of a sequence in one decode step"""

    @property
    def deployment(self) -> Deployment:
        """Its conditions: one package, 8-bit weights, the cache as the engine keeps it (the latent twice)."""
        element = cache_token_bytes(self.spec, "int8") / over_context(self.spec, 1, "decode").stored_elements
        alone = Deployment(chips=1, precision="int8", batch=self.batch, kv_bytes=min(4.0, element), head_bytes=1.0)
        if self.phase == "prefill":
            return alone.model_copy(update={"prompt_tokens": float(self.tokens)})
        decoding = {"context_tokens": float(self.tokens), "mtp_drafts": self.positions - 1, "mtp_acceptance": 0.0}
        return alone.model_copy(update=decoding)


class CaseCost(NamedTuple):
    """What measuring a case takes, or may take."""

    memory_bytes: float
    """of the largest process"""
    time_s: float
    """of all its processes"""


class Candidate(NamedTuple):
    """A case with its groups and its cost."""

    shape: ScaleCase
    groups: Groups
    cost: CaseCost

    def within(self, limit: CaseCost) -> bool:
        return self.cost.memory_bytes <= limit.memory_bytes and self.cost.time_s <= limit.time_s


Cause = Literal["memory", "time", "trade", "grid"]


class Unmatched(Frozen):
    """A group that stays apart."""

    group: str
    there: float
    here: float
    cause: Cause
    why: str


class Match(NamedTuple):
    """The closest case, how far it is, and what stays apart."""

    candidate: Candidate
    distance: float
    unmatched: tuple[Unmatched, ...]


CostOf = Callable[[ScaleCase], CaseCost]


def candidates(
    models: Sequence[tuple[str, Spec]], chip: Chip, phase: Phase, grid: CaseGrid, cost_of: CostOf
) -> tuple[Candidate, ...]:
    """Every case of the grid, in the order of models, lengths, batches and positions."""
    found = (
        ScaleCase(name, spec, phase, batch, tokens, positions)
        for name, spec in models
        for tokens in grid.tokens
        if tokens <= spec.max_position_embeddings
        for batch in grid.batches
        for positions in (grid.positions if phase == "decode" else (1,))
    )
    return tuple(_candidate(shape, chip, cost_of) for shape in found)


def _candidate(shape: ScaleCase, chip: Chip, cost_of: CostOf) -> Candidate:
    return Candidate(shape, groups(shape.spec, chip, shape.deployment, shape.phase), cost_of(shape))


def closest(there: Groups, tried: Sequence[Candidate], chip: Chip, limit: CaseCost, cost_of: CostOf) -> Match:
    """The case within `limit` that comes closest. Raises UsageError where none is within it, and where the models
    tried are dense and the reported one is not, or the reverse."""

    def rank(candidate: Candidate) -> tuple[float, float, float]:
        return (round(distance(there, candidate.groups), 9), candidate.cost.time_s, candidate.cost.memory_bytes)

    of_kind = [c for c in tried if distance(there, c.groups) < math.inf]
    if not of_kind:
        kind = "no experts" if there.rows is None else "experts"
        raise UsageError(f"the reported model has {kind}, and none of the models tried is such; name one with --model")
    allowed = [c for c in of_kind if c.within(limit)]
    if not allowed:
        raise UsageError(
            f"no case fits in {binary(limit.memory_bytes)} of memory and {seconds(limit.time_s)} of measuring; free "
            "memory, or give a larger --budget"
        )
    best = min(allowed, key=rank)
    finer = [_candidate(shape, chip, cost_of) for shape in _around(best.shape)]
    best = min((best, *(c for c in finer if c.within(limit))), key=rank)
    apart = log_ratios(there, best.groups)
    names = [name for name, ratio in apart.items() if abs(ratio) > SAME]
    unmatched = tuple(_unmatched(name, there, best, (*tried, *finer), limit) for name in names)
    return Match(best, distance(there, best.groups), unmatched)


def _around(shape: ScaleCase) -> Iterator[ScaleCase]:
    batches = {min(MOST_SEQUENCES, round(shape.batch * factor)) for factor in FINER} - {0, shape.batch}
    return (shape._replace(batch=batch) for batch in sorted(batches))


def _unmatched(name: str, there: Groups, best: Candidate, tried: Sequence[Candidate], limit: CaseCost) -> Unmatched:
    """Why one group stays apart: the cases that would match it, and what keeps them from being taken."""

    def off(candidate: Candidate) -> float:
        return abs(log_ratios(there, candidate.groups).get(name, math.inf))

    alike = [c for c in tried if off(c) <= SAME]
    allowed = [c for c in alike if c.within(limit)]
    unlimited = min(tried, key=lambda c: (distance(there, c.groups), c.cost.time_s))
    cause: Cause
    if not alike:
        nearest = min(tried, key=off)
        cause, why = "grid", f"no case tried comes closer than {getattr(nearest.groups, name):.3g}"
    elif not allowed:
        cause, why = _too_much(alike, limit)
    elif off(unlimited) <= SAME and not unlimited.within(limit):
        cause, why = _too_much([unlimited], limit)
    else:
        least = min(distance(there, c.groups) for c in allowed)
        cause, why = "trade", f"a case that matches it is further off in others (distance {number(least, 2)})"
    return Unmatched(group=name, there=getattr(there, name), here=getattr(best.groups, name), cause=cause, why=why)


def _too_much(alike: Sequence[Candidate], limit: CaseCost) -> tuple[Cause, str]:
    """What the least demanding of these cases takes that is not to be had."""
    fitting = [c.cost.time_s for c in alike if c.cost.memory_bytes <= limit.memory_bytes]
    if fitting:
        return "time", f"it takes {seconds(min(fitting))} to measure, {seconds(limit.time_s)} are its share"
    least = min(c.cost.memory_bytes for c in alike)
    return "memory", f"it takes {binary(least)} of memory, {binary(limit.memory_bytes)} may be used"


SIZES = ((256, 8), (128, 4), (64, 4))
"""Experts and chosen ones of scale models tried beside the presets' own: those of R1, its share, and twice
that."""
HEADS = (1, 2, 4)
"""Times the preset's heads."""
WIDE_RANK = 512
"""Latent rank of the released models; the presets have a quarter or half of it."""
LAYERS = 3
"""Of a derived scale model: one dense, two of experts. Layers repeat, so they move memory and time, hardly a group."""
LONGEST = 8192


def scale_models(presets: Sequence[tuple[str, Spec]]) -> tuple[tuple[str, Spec], ...]:
    """The presets, and others derived from them by experts, heads and rank, each with a name that says how."""
    found = [(name, spec) for name, spec in presets]
    for name, spec in presets:
        own = (spec.n_routed_experts, spec.num_experts_per_tok)
        for experts, chosen in (own, *(size for size in SIZES if size != own)):
            for times in HEADS:
                for rank in dict.fromkeys((spec.kv_lora_rank or WIDE_RANK, WIDE_RANK)):
                    fields = {
                        "n_routed_experts": experts,
                        "num_experts_per_tok": chosen,
                        "num_attention_heads": spec.num_attention_heads * times,
                        "kv_lora_rank": rank,
                        "num_hidden_layers": LAYERS,
                        "max_position_embeddings": max(LONGEST, spec.max_position_embeddings),
                    }
                    derived = Spec.model_validate(spec.model_copy(update=fields).model_dump())
                    heads = derived.num_attention_heads
                    found.append((f"{name} E{experts} k{chosen} H{heads} r{rank} L{LAYERS}", derived))
    return tuple(found)
