"""Expert parallelism under uneven routing: how much the busiest device carries and takes over the even case.

All devices wait for the busiest one in every layer of experts. Popularity follows Zipf's law, each layer with its own
order of experts; a placement is made from a popularity that was measured some time ago, and has moved since. Both are
assumptions: no source publishes the popularity of its experts, so they are ranged over. Letters: E experts, k chosen,
T positions of the group in a step, D devices, S slots (copies of experts that the group holds).

Copies go to the most loaded expert, one after the other, and then the heaviest copies first to the lightest device with
room, as many on each device (the published balancer of DeepSeek, EPLB, places so within one group).
"""

import heapq
import math
from collections.abc import Callable
from functools import cache
from typing import Annotated, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from harness.catalog.chips import Chip
from harness.errors import UsageError
from harness.model.counts import expert_parameters, expert_products
from harness.model.routing import inclusion
from harness.model.spec import Spec
from harness.roofline.ceiling import Share, arithmetic_of, peak_flop_s, timed_step
from harness.roofline.deployment import Deployment, number_format
from harness.vocabulary import Frozen, Phase

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
NotNegative = Annotated[float, Field(ge=0, le=10)]
Kind = Literal["as numbered", "greedy", "replicated"]
"""Experts in the order of their numbers, one copy each; one copy each, packed by load; with redundant copies."""

SKEWS = (0.0, 1.0)
"""Zipf exponents that are ranged over where none is given: even, and the most preferred expert in every token's choice
(256 experts, 8 chosen). An assumption, no measurement of a served model."""
STALENESS = (0.0, 0.3)
"""Standard deviation of the logarithm of an expert's popularity against the one that the placement was made from."""
MOST_SLOTS = 4096
"""Copies of experts that are simulated at most."""
DRAWS = 40
LAYERS = 6
"""Layers of a draw; a step sums over its layers, so their mean counts."""
LEVEL = 0.90


class Assumed(Frozen):
    """What no source says of a deployment's routing. Draws range evenly over both ranges."""

    replicas: int = Field(default=0, ge=0, le=MOST_SLOTS, description="redundant copies of experts in the group")
    skew: tuple[NotNegative, NotNegative] = SKEWS
    staleness: tuple[NotNegative, NotNegative] = STALENESS
    seed: int = Field(default=0, ge=0)


class Factor(Frozen):
    """Over the even case: the middle of all draws, and the interval of `LEVEL` of them."""

    low: float
    mid: float
    high: float


class Imbalance(Frozen):
    """What one placement costs under uneven routing."""

    kind: Kind
    slots: int
    """copies of experts of a layer in the group"""
    load: Factor
    """positions of the busiest device over the mean"""
    experts_time: Factor
    """time of the routed experts on the slowest device over that of the even case"""
    step_time: Factor
    """time of a step over that of the even case, one part after the other: experts and their messages wait for the
    busiest device"""


class ExpertLoad(Frozen):
    """Every placement of one deployment, and the ranges of what is assumed."""

    devices: int
    positions: float
    """of the group in a step"""
    assumed: Assumed
    placements: tuple[Imbalance, ...]


def popularity(experts: int, skew: float) -> Floats:
    """Zipf's law: the expert of rank i is wanted in proportion to `i^-skew`; [E], sums to 1."""
    weights = np.arange(1.0, experts + 1) ** -skew
    return np.asarray(weights / weights.sum(), np.float64)


def copies(load: Floats, slots: int) -> Counts:
    """How many copies each expert has: every further one goes to the expert with the most load a copy. [E] of S."""
    found = np.ones(len(load), np.int64)
    for _ in range(slots - len(load)):
        found[np.argmax(load / found)] += 1
    return found


def pack(load: Floats, devices: int) -> Counts:
    """The device of each copy: heaviest first, to the lightest device with room; as many copies on each. [S]."""
    room = [len(load) // devices] * devices
    where = np.zeros(len(load), np.int64)
    lightest = [(0.0, device) for device in range(devices)]  # a heap, equal loads by number
    for copy in np.argsort(-load, kind="stable"):
        total, device = heapq.heappop(lightest)
        where[copy] = device
        room[device] -= 1
        if room[device]:
            heapq.heappush(lightest, (total + float(load[copy]), device))
    return where


def place(known: Floats, devices: int, slots: int, kind: Kind) -> tuple[Counts, Counts]:
    """The expert and the device of each slot, placed from popularity as it is `known`. Two arrays of [S]."""
    count = copies(known, slots)
    expert = np.repeat(np.arange(len(known)), count)
    if kind == "as numbered":
        return expert, np.arange(slots) * devices // slots
    return expert, pack((known / count)[expert], devices)


class _Group(NamedTuple):
    """What a simulation needs of a deployment."""

    experts: int
    chosen: int
    positions: float
    devices: int
    read_s: float
    """of the weights of one expert, on one device"""
    product_s: float
    """of one position through one expert, on one device"""


def _rows(chance: Floats, group: _Group, expert: Counts, generator: np.random.Generator) -> Counts:
    """Positions of each slot: an expert's share evenly at random among its copies. [S]."""
    chosen = generator.binomial(round(group.positions), np.minimum(1.0, chance))
    count = np.bincount(expert, minlength=group.experts)
    rows = chosen[expert]
    for e in np.flatnonzero(count > 1):
        rows[expert == e] = generator.multinomial(chosen[e], np.full(count[e], 1 / count[e]))
    return rows


def _layer(
    group: _Group, slots: int, kind: Kind, skew: float, stale: float, generator: np.random.Generator
) -> tuple[float, float]:
    """Load of the busiest device over the mean, and time of the slowest over the even case, of one layer."""
    wanted = generator.permutation(popularity(group.experts, skew))
    known = wanted * np.exp(generator.normal(0.0, stale, group.experts))
    expert, device = place(known, group.devices, slots, kind)
    rows = _rows(np.array(inclusion(wanted.tolist(), group.chosen)), group, expert, generator)
    load = np.bincount(device, rows, group.devices)
    read = np.bincount(device, rows > 0, group.devices)
    took = np.maximum(read * group.read_s, load * group.product_s).max()
    return load.max() / load.mean(), took / _even_s(group, slots)


def _even_s(group: _Group, slots: int) -> float:
    """Time of one layer's routed experts where every copy has as many positions as every other."""
    positions = group.positions * group.chosen
    touched = min(slots, positions) / group.devices
    return max(touched * group.read_s, positions / group.devices * group.product_s)


def _factor(values: list[float]) -> Factor:
    low, mid, high = np.quantile(values, ((1 - LEVEL) / 2, 0.5, (1 + LEVEL) / 2))
    return Factor(low=float(low), mid=float(mid), high=float(high))


def _group(spec: Spec, chip: Chip, deployment: Deployment, positions: float) -> _Group:
    """The chip's figures for one device."""
    assert deployment.precision is not None and deployment.chips is not None and chip.bandwidth is not None
    share = chip.devices_per_package
    peak = peak_flop_s(chip, arithmetic_of(chip, deployment.precision)) / share
    return _Group(
        experts=spec.n_routed_experts,
        chosen=spec.num_experts_per_tok,
        positions=positions,
        devices=deployment.chips * share,
        read_s=expert_parameters(spec)
        * number_format(deployment.precision).weight_bytes
        / (chip.bandwidth.best / share),
        product_s=2 * expert_products(spec) / peak,
    )


def expert_load(
    spec: Spec, chip: Chip, deployment: Deployment, phase: Phase, assumed: Assumed | None = None
) -> ExpertLoad:
    """Imbalance of the experts on the devices of a deployment, by placement, at the chip's preferred figures.

    Raises UsageError for a dense model, and for a condition that is missing.
    """
    assumed = assumed or Assumed()
    group, shares = _prepared(spec, chip, deployment, phase)
    held = _held(group, assumed.replicas)
    found = tuple(_imbalance(group, (kind, slots), assumed, shares) for kind, slots in held.items())
    return ExpertLoad(devices=group.devices, positions=group.positions, assumed=assumed, placements=found)


def _prepared(spec: Spec, chip: Chip, deployment: Deployment, phase: Phase) -> tuple[_Group, tuple[Share, ...]]:
    if not spec.is_sparse:
        raise UsageError("a dense model has no experts to balance; expected a mixture-of-experts (MoE) model")
    step, shares, *_ = timed_step(spec, chip, deployment, phase)
    return _group(spec, chip, deployment, step.positions * (deployment.chips or 1)), shares


def _held(group: _Group, replicas: int) -> dict[Kind, int]:
    """Slots of each placement; none of its own for redundant copies that whole devices hold anyway."""

    def whole(copies: int) -> int:
        return math.ceil(copies / group.devices) * group.devices

    alone, more = whole(group.experts), whole(group.experts + replicas)
    if more > MOST_SLOTS:
        raise UsageError(
            f"{group.devices:,} devices would hold {more:,} copies of experts; loads are simulated up to "
            f"{MOST_SLOTS:,}: give fewer --chips or --replicas"
        )
    found: dict[Kind, int] = {"as numbered": alone, "greedy": alone}
    return found | ({"replicated": more} if more > alone else {})


def _imbalance(group: _Group, held: tuple[Kind, int], assumed: Assumed, shares: tuple[Share, ...]) -> Imbalance:
    kind, slots = held
    generator = np.random.default_rng(assumed.seed)
    loads, times = [], []
    for _ in range(DRAWS):
        skew, stale = (generator.uniform(*ends) for ends in (assumed.skew, assumed.staleness))
        layers = [_layer(group, slots, kind, skew, stale, generator) for _ in range(LAYERS)]
        load, time = np.mean(layers, axis=0)
        loads.append(float(load))
        times.append(float(time))
    whole = math.fsum(s.compute_s + s.memory_s + s.link_s for s in shares)
    experts = math.fsum(max(s.compute_s, s.memory_s) for s in shares if s.name == "experts")
    messages = math.fsum(s.link_s for s in shares if s.name == "all_to_all")
    steps = [
        1 + (experts * (time - 1) + messages * (load - 1)) / whole for load, time in zip(loads, times, strict=True)
    ]
    return Imbalance(kind=kind, slots=slots, load=_factor(loads), experts_time=_factor(times), step_time=_factor(steps))


class IdealGain(Frozen):
    """Whether a rate under ideal balance over the rate of the same system is what uneven routing costs."""

    ratio: float
    load: ExpertLoad
    """cost of each placement over the whole ranges of what is assumed"""
    skews: dict[Kind, tuple[float, float] | None]
    """least and largest Zipf exponent at which a placement may cost that much; None: at none of the range"""

    def holds(self, kind: Kind) -> bool:
        """Whether the range of this placement's cost holds the ratio."""
        return any(p.kind == kind and p.step_time.low <= self.ratio <= p.step_time.high for p in self.load.placements)


def ideal_gain(
    spec: Spec, chip: Chip, deployment: Deployment, phase: Phase, ratio: float, *, replicas: int = 0
) -> IdealGain:
    """Answers whether `ratio`, the rate under ideal balance over the default's, is what skew costs, as ranges.

    The cost is the time of a step over that of the even case, under the assumptions of `SKEWS` and `STALENESS`: the
    catalog says of such a default no more than that experts are as they come. Raises UsageError as `expert_load` does.
    """

    assumed = Assumed(replicas=replicas)
    group, shares = _prepared(spec, chip, deployment, phase)

    def skews(kind: Kind, slots: int) -> tuple[float, float] | None:
        def cost(skew: float) -> Factor:
            at = assumed.model_copy(update={"skew": (skew, skew)})
            return _imbalance(group, (kind, slots), at, shares).step_time

        return _skews(cache(cost), ratio)

    whole = expert_load(spec, chip, deployment, phase, assumed)
    held = _held(group, replicas)
    return IdealGain(ratio=ratio, load=whole, skews={kind: skews(kind, slots) for kind, slots in held.items()})


HALVINGS = 5
"""Of the range of skew: to a thirty-second of it."""


def _skews(cost: Callable[[float], Factor], ratio: float) -> tuple[float, float] | None:
    """By halving: the interval of the cost rises with skew at both ends (the same draws at each)."""

    def crossing(reached: Callable[[Factor], bool]) -> float:
        below, above = SKEWS
        for _ in range(HALVINGS):
            middle = (below + above) / 2
            below, above = (below, middle) if reached(cost(middle)) else (middle, above)
        return (below + above) / 2

    least, most = cost(SKEWS[0]), cost(SKEWS[1])
    if ratio < least.low or ratio > most.high:
        return None
    low = SKEWS[0] if least.high >= ratio else crossing(lambda f: f.high >= ratio)
    high = SKEWS[1] if most.low <= ratio else crossing(lambda f: f.low > ratio)
    return low, high
