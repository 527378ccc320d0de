"""Dimensionless groups of a workload on a chip, and how far two workloads are apart in them.

Two machines of any size behave alike where every group is alike (Reynolds' similarity; Buckingham's pi theorem): the
groups are ratios of times, rows, shares and counts, so that a faster chip or another unit leaves them as they are.
`docs/explanation/similarity.md` derives them. A decode step and a prefill are never compared: they are other kernels.
"""

import math
from typing import NamedTuple

from harness.catalog.chips import Chip
from harness.model.counts import parameters
from harness.model.spec import Spec
from harness.roofline.ceiling import Share, timed_step
from harness.roofline.deployment import Deployment
from harness.roofline.work import Work, placement
from harness.vocabulary import Phase


class Groups(NamedTuple):
    """The groups of one step, all without a unit. None: the model has no experts to count."""

    balance: float
    """time of all arithmetic over time of all memory traffic, each at the chip's limits"""
    rows: float | None
    """rows of the product of each copy of an expert that is touched"""
    experts: float | None
    """experts of a layer that the step touches, over all"""
    attention: float
    """share of scores, sums over the context and indexer in the operations"""
    cache: float
    """share of the cache in the bytes read"""
    positions: float
    """of a sequence in a step: those of its prompt, or one and its drafts"""
    active: float
    """parameters used for a token over all"""


NEGLIGIBLE = {"attention": 0.02, "cache": 0.02}
"""Added on both sides before shares of the work and of the bytes are compared: a part that makes less than that cannot
move a step by more, however many times larger it is elsewhere."""

WEIGHTS = {
    "balance": 1.0,
    "rows": 0.25,
    "experts": 1.0,
    "attention": 1.0,
    "cache": 1.0,
    "positions": 0.25,
    "active": 1.0,
}
"""What a difference in each group counts. What says how the parts of a step stand to one another counts in full: parts
reach unlike fractions of their limits, so a share that is off by a tenth is an error of that order. Rows and positions
only move the efficiency of a part, and by less than they move themselves: over 887 pairs of 76 steps (four models, two
Zen 4 cores, int8) the fraction of the serial limits that a step reached differed by 0.05 to 0.08 for each unit of the
logarithm of rows, and by 0.02 to 0.04 for positions (least squares of squared differences, no weight below zero). A
quarter leaves room for chips that need more rows. A distance orders cases; it is no interval."""

_ATTENTION = ("attention_core", "indexer")


def groups(spec: Spec, chip: Chip, deployment: Deployment, phase: Phase) -> Groups:
    """The groups of one step, at the chip's preferred figures.

    The deployment must give what the phase needs. Raises UsageError for a condition that is missing, and for
    arithmetic that the chip does not have.
    """
    step, shares, *_ = timed_step(spec, chip, deployment, phase)
    memory = math.fsum(s.memory_s for s in shares)
    flop = math.fsum(c.flop for c in step.components)
    rows, experts = _of_experts(spec, deployment, step, chip.devices_per_package)
    positions = deployment.positions if phase == "decode" else deployment.prompt_tokens
    counted = parameters(spec)
    return Groups(
        balance=math.fsum(s.compute_s for s in shares) / memory,
        rows=rows,
        experts=experts,
        attention=math.fsum(c.flop for c in step.components if c.name in _ATTENTION) / flop,
        cache=_cache_s(shares) / memory,
        positions=positions or 1.0,
        active=counted.active / counted.total,
    )


def _cache_s(shares: tuple[Share, ...]) -> float:
    return math.fsum(s.memory_s for s in shares if s.name == "kv_cache")


def _of_experts(
    spec: Spec, deployment: Deployment, step: Work, devices_per_package: int
) -> tuple[float | None, float | None]:
    """Rows of the product of each touched copy of an expert, and the share of experts touched."""
    if step.experts_touched is None:
        return None, None
    packages = deployment.chips or 1
    copies = max(1.0, placement(spec, deployment, devices_per_package).slots * packages / spec.n_routed_experts)
    chosen = step.positions * packages * spec.num_experts_per_tok
    return chosen / (step.experts_touched * copies), step.experts_touched / spec.n_routed_experts


def link_share(spec: Spec, chip: Chip, deployment: Deployment, phase: Phase) -> float:
    """Share of links in the time of a step, one part after another at the limits: what one host has no part of."""
    shares = timed_step(spec, chip, deployment, phase).shares
    link_s = math.fsum(s.link_s for s in shares)
    return link_s / (link_s + math.fsum(s.compute_s + s.memory_s for s in shares))


def log_ratios(there: Groups, here: Groups) -> dict[str, float]:
    """`ln(here / there)` of each group that both have, shares floored (see `NEGLIGIBLE`)."""
    out = {}
    for name, a, b in zip(Groups._fields, there, here, strict=True):
        if a is not None and b is not None:
            least = NEGLIGIBLE.get(name, 0.0)
            out[name] = math.log((b + least) / (a + least))
    return out


def distance(there: Groups, here: Groups) -> float:
    """Root of the weighted squares of the log-ratios: 0 where every group is alike.

    Infinite where one workload has experts and the other has none.
    """
    if (there.rows is None) != (here.rows is None):
        return math.inf
    apart = log_ratios(there, here)
    return math.sqrt(math.fsum((WEIGHTS[name] * value) ** 2 for name, value in apart.items()))
