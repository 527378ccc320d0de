"""Placement of experts against brute force and naive loops, invariants of load and time, and what they cost a step."""

import itertools

import numpy as np
import pytest

from harness.catalog.collection import builtin
from harness.catalog.models import released
from harness.errors import UsageError
from harness.roofline.deployment import Deployment
from harness.roofline.expert_load import (
    Assumed,
    Factor,
    copies,
    expert_load,
    ideal_gain,
    pack,
    place,
    popularity,
)

R1 = released("deepseek-r1").spec
CHIP = builtin().chip("ascend-910c")
PREFILL = Deployment(precision="int8", chips=16, batch=4, prompt_tokens=4096)
DECODE = Deployment(
    precision="int8", chips=160, batch=96, context_tokens=4096, mtp_drafts=1, mtp_acceptance=0.7, kv_bytes=2
)
SMALL = R1.model_copy(
    update={"n_routed_experts": 16, "num_experts_per_tok": 2, "n_group": 1, "topk_group": 1, "num_hidden_layers": 4}
)


def loads(seed: int, size: int) -> np.ndarray:
    return np.random.default_rng(seed).lognormal(0.0, 1.0, size)


@pytest.mark.parametrize("seed", range(20))
def test_copies_leave_no_lower_peak_to_any_other_share(seed: int) -> None:
    """Every way to share out the copies is tried: none has a lower load of the busiest copy."""
    load, slots = loads(seed, 4), 9
    ways = (way for way in itertools.product(range(1, slots), repeat=4) if sum(way) == slots)
    best = min(max(load / np.array(way)) for way in ways)
    found = copies(load, slots)
    assert found.sum() == slots and found.min() >= 1
    assert max(load / found) == pytest.approx(best)


def naive_pack(load: list[float], devices: int) -> list[int]:
    """The published balancer's rule in plain loops, without a heap."""
    room, total = [len(load) // devices] * devices, [0.0] * devices
    where = [-1] * len(load)
    for copy in sorted(range(len(load)), key=lambda i: (-load[i], i)):
        device = min((d for d in range(devices) if room[d]), key=lambda d: (total[d], d))
        where[copy] = device
        total[device] += load[copy]
        room[device] -= 1
    return where


@pytest.mark.parametrize("seed", range(50))
def test_packing_is_the_published_rule(seed: int) -> None:
    size = np.random.default_rng(seed)
    devices, each = int(size.integers(1, 33)), int(size.integers(1, 10))
    load = loads(seed, devices * each)
    assert pack(load, devices).tolist() == naive_pack(load.tolist(), devices)


@pytest.mark.parametrize("seed", range(20))
def test_packing_comes_near_the_best_of_all_placements(seed: int) -> None:
    load, devices = loads(seed, 6), 3
    ways = set(itertools.permutations([0, 0, 1, 1, 2, 2]))
    best = min(np.bincount(way, load).max() for way in ways)
    found = np.bincount(pack(load, devices), load)
    assert best <= found.max() * (1 + 1e-12) <= best * 4 / 3  # Graham's bound for the longest first


@pytest.mark.parametrize("kind", ["as numbered", "greedy", "replicated"])
def test_a_placement_holds_every_expert_and_as_many_copies_on_each_device(kind: str) -> None:
    for seed, (experts, slots, devices) in enumerate([(256, 288, 32), (256, 320, 320), (64, 64, 16), (8, 8, 1)]):
        expert, device = place(loads(seed, experts), devices, slots, kind)  # type: ignore[arg-type]
        assert set(expert.tolist()) == set(range(experts))
        assert np.bincount(device, minlength=devices).tolist() == [slots // devices] * devices


def test_popularity_is_even_or_falls() -> None:
    assert popularity(8, 0.0) == pytest.approx(np.full(8, 1 / 8))
    steep = popularity(256, 1.0)
    assert steep[0] / steep[9] == pytest.approx(10) and steep.sum() == pytest.approx(1)


def at(skew: float, stale: float = 0.0, replicas: int = 0) -> Assumed:
    return Assumed(skew=(skew, skew), staleness=(stale, stale), replicas=replicas)


def test_even_routing_of_many_positions_costs_next_to_nothing() -> None:
    found = expert_load(R1, CHIP, PREFILL, "prefill", at(0.0))
    for placement in found.placements:
        assert 1 <= placement.load.low <= placement.load.high < 1.03
        assert placement.step_time.high < 1.02
    assert found.devices == 32 and found.positions == 16384 * 16


def test_one_device_carries_all_whatever_the_skew() -> None:
    alone = PREFILL.model_copy(update={"chips": 1})
    found = expert_load(SMALL, builtin().chip("h100-sxm"), alone.model_copy(update={"precision": "fp8"}), "prefill")
    assert found.devices == 1
    assert all(p.load == Factor(low=1, mid=1, high=1) for p in found.placements)


def test_placement_and_copies_help_and_staleness_hurts() -> None:
    fresh = {p.kind: p for p in expert_load(R1, CHIP, PREFILL, "prefill", at(0.8, replicas=32)).placements}
    stale = {p.kind: p for p in expert_load(R1, CHIP, PREFILL, "prefill", at(0.8, 0.5, replicas=32)).placements}
    assert fresh["replicated"].load.mid < fresh["greedy"].load.mid < fresh["as numbered"].load.mid
    assert stale["replicated"].load.low > fresh["replicated"].load.high
    assert fresh["replicated"].slots == 288
    for placement in fresh.values():
        # a step has other parts too, which do not wait
        assert 1 < placement.step_time.mid < placement.experts_time.mid
        assert placement.experts_time.mid == pytest.approx(placement.load.mid, rel=0.02), "arithmetic binds in prefill"


def test_where_memory_binds_time_is_less_uneven_than_load() -> None:
    few = DECODE.model_copy(update={"chips": 16, "batch": 4.0})
    (numbered, _) = expert_load(R1, CHIP, few, "decode", at(0.6)).placements
    assert numbered.experts_time.mid < numbered.load.mid, "weights are read once, however many positions choose them"


def test_the_busiest_device_by_hand() -> None:
    """Sixteen experts, two chosen, one more wanted than all others together: it takes half of all choices."""
    given = PREFILL.model_copy(update={"chips": 4, "precision": "fp8"})
    found = expert_load(SMALL, builtin().chip("h100-sxm"), given, "prefill", at(8.0))
    assert found.devices == 4
    # Zipf's exponent of 8: the first two experts are in every choice; packed by load they are on two devices of four
    greedy = next(p for p in found.placements if p.kind == "greedy")
    assert greedy.load.mid == pytest.approx(2.0, rel=0.01)


def test_the_same_seed_gives_the_same() -> None:
    given = PREFILL.model_copy(update={"chips": 4})
    a, b = (expert_load(SMALL, CHIP, given, "prefill", at(0.5)) for _ in range(2))
    assert a == b
    assert a != expert_load(SMALL, CHIP, given, "prefill", at(0.5).model_copy(update={"seed": 1}))


def test_what_ideal_balance_over_default_asks_of_the_routing() -> None:
    """6,688 over 5,655 of CloudMatrix384, table 2: EP32 with experts as they come."""
    found = ideal_gain(R1, CHIP, PREFILL, "prefill", 6688 / 5655)
    assert found.holds("as numbered") and found.holds("greedy")
    numbered, greedy = found.skews["as numbered"], found.skews["greedy"]
    assert numbered is not None and greedy is not None
    assert 0 < numbered[0] <= numbered[1] < greedy[0] <= greedy[1] < 1
    middle = expert_load(R1, CHIP, PREFILL, "prefill", at(sum(numbered) / 2, 0.15)).placements[0].step_time
    assert middle.low <= 6688 / 5655 <= middle.high
    none = ideal_gain(SMALL, CHIP, PREFILL, "prefill", 50.0)
    assert none.skews == {"as numbered": None, "greedy": None} and not none.holds("greedy")


def test_wrong_use_is_said() -> None:
    dense = released("qwen3-8b").spec
    with pytest.raises(UsageError, match="dense model"):
        expert_load(dense, CHIP, DECODE, "decode")
    with pytest.raises(UsageError, match="simulated up to"):
        expert_load(R1, CHIP, DECODE.model_copy(update={"chips": 9999}), "decode")
