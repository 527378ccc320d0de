"""Dimensionless groups by hand, what leaves them alone, and the search for the closest case."""

import math

import pytest

from harness.catalog.chips import Chip
from harness.catalog.collection import builtin
from harness.catalog.models import preset, released
from harness.errors import UsageError
from harness.model.spec import Spec
from harness.roofline.deployment import Deployment
from harness.roofline.matched_case import (
    CaseCost,
    CaseGrid,
    ScaleCase,
    candidates,
    closest,
    scale_models,
)
from harness.roofline.similarity import WEIGHTS, Groups, distance, groups, link_share, log_ratios

R1 = released("deepseek-r1").spec
DECODE = Deployment(
    precision="int8", chips=160, batch=96, context_tokens=4096, mtp_drafts=1, mtp_acceptance=0.7, kv_bytes=2
)
PREFILL = Deployment(precision="int8", chips=16, batch=4, prompt_tokens=4096)
SMALL = preset("moe-article-s")
FREE = CaseCost(1e12, 1e9)


def chip(name: str) -> Chip:
    return builtin().chip(name)


def faster(of: Chip, times: float) -> Chip:
    """The chip with every rate times as high."""

    def scaled(field: str) -> object:
        return tuple(f.model_copy(update={"value": f.value * times}) for f in getattr(of, field))

    peaks = tuple(
        p.model_copy(
            update={"dense_flop_s": tuple(f.model_copy(update={"value": f.value * times}) for f in p.dense_flop_s)}
        )
        for p in of.peaks
    )
    rates = {f: scaled(f) for f in ("bandwidth_bytes_s", "link_bytes_s", "scale_out_bytes_s")}
    return of.model_copy(update={"peaks": peaks, **rates})


# R1 by hand, from its config: 61 layers (58 of experts), d 7,168, experts of 3 * 7,168 * 2,048 weights, 256 of them and
# a shared one, 8 chosen, 128 heads, ranks 1,536 and 512, rope 64, no-rope and value 128, dense layers 18,432,
# vocabulary 129,280.
EXPERT = 3 * 7168 * 2048
PROJECTIONS = 7168 * 1536 + 1536 * 128 * 192 + 7168 * 576 + 512 * 128 * 256 + 128 * 128 * 7168
DENSE = 3 * 3 * 7168 * 18432
ROUTER = 7168 * 256
HEAD = 129280 * 7168
PRODUCTS = 58 * (9 * EXPERT + ROUTER) + 61 * PROJECTIONS + DENSE


def test_decode_of_r1_on_910c_by_hand() -> None:
    found = groups(R1, chip("ascend-910c"), DECODE, "decode")
    core = 61 * 2 * 128 * (2 * 512 + 64) * 4096  # absorbed scores and sums over 4,096 latents
    assert found.attention == pytest.approx(core / (2 * (PRODUCTS + HEAD) + core), rel=0.01)
    # EP320 on 320 dies: one copy a die, 320 for 256 experts; 96 * 2 * 160 positions choose 8 each
    assert found.rows == pytest.approx(96 * 2 * 160 * 8 / 320, rel=1e-6)
    assert found.experts == pytest.approx(1.0)
    # two dies hold a copy of projections, dense layers and head (16 bits) each; one expert a die and layer; no shared
    weights = 2 * (61 * PROJECTIONS + DENSE + 58 * ROUTER * 2 + HEAD * 2) + 2 * 58 * EXPERT
    cache = 96 * 4096 * 61 * 576 * 2
    assert found.cache == pytest.approx(cache / (cache + weights), rel=0.01)
    positions = 96 * 2
    arithmetic_s = positions * (2 * (PRODUCTS + HEAD) / 1504e12 + core / 752e12)  # INT8, the core in BF16
    assert found.balance == pytest.approx(arithmetic_s / ((cache + weights) / 3.2e12), rel=0.02)
    assert found.positions == 2
    assert found.active == pytest.approx(37.5e9 / 671e9, rel=0.03)


def test_prefill_of_r1_on_h100_by_hand() -> None:
    given = Deployment(precision="fp8", chips=32, batch=4, prompt_tokens=4096)
    found = groups(R1, chip("h100-sxm"), given, "prefill")
    core = 61 * 2 * 128 * (192 + 128) * 4097 / 2  # keys and values expanded, half of the context on average
    assert found.attention == pytest.approx(core / (2 * PRODUCTS + core), rel=0.01)
    assert found.rows == pytest.approx(16384 * 32 * 8 / 256)
    weights = 61 * PROJECTIONS + DENSE + 58 * ROUTER * 2 + 58 * EXPERT * (256 / 32 + 1)
    cache = 4 * 4096 * 61 * 576 * 2
    assert found.cache == pytest.approx(cache / (cache + weights), rel=0.01)
    arithmetic_s = 16384 * (2 * PRODUCTS / 1979e12 + core / 989e12)
    assert found.balance == pytest.approx(arithmetic_s / ((cache + weights) / 3.35e12), rel=0.02)
    assert found.positions == 4096


def test_a_faster_chip_leaves_the_groups_alone() -> None:
    slow = chip("ascend-910c")
    for phase, given in (("decode", DECODE), ("prefill", PREFILL)):
        assert groups(R1, slow, given, phase) == pytest.approx(groups(R1, faster(slow, 7.0), given, phase))  # type: ignore[arg-type]
        assert link_share(R1, slow, given, phase) == pytest.approx(link_share(R1, faster(slow, 7.0), given, phase))  # type: ignore[arg-type]


def test_a_balance_moves_with_one_rate_alone() -> None:
    slow = chip("h100-sxm")
    wide = slow.model_copy(update={"bandwidth_bytes_s": faster(slow, 2.0).bandwidth_bytes_s})
    given = DECODE.model_copy(update={"precision": "fp8"})
    a, b = groups(R1, slow, given, "decode"), groups(R1, wide, given, "decode")
    assert b.balance == pytest.approx(2 * a.balance)
    assert b._replace(balance=0.0) == pytest.approx(a._replace(balance=0.0))


def test_a_distance_is_symmetric_and_zero_for_the_same() -> None:
    a = groups(R1, chip("ascend-910c"), DECODE, "decode")
    b = groups(R1, chip("ascend-910c"), DECODE.model_copy(update={"batch": 24.0}), "decode")
    assert distance(a, a) == 0
    assert distance(a, b) == pytest.approx(distance(b, a))
    assert distance(a, b) > 0
    twice = a._replace(balance=2 * a.balance)
    assert distance(a, twice) == pytest.approx(WEIGHTS["balance"] * math.log(2))
    assert distance(a, a._replace(rows=None, experts=None)) == math.inf


def test_a_dense_model_has_no_experts_to_compare() -> None:
    found = groups(preset("moe-article:equal-active"), chip("h100-sxm"), _alone("fp8"), "decode")
    assert found.rows is None and found.experts is None
    assert "rows" not in log_ratios(found, found)


def _alone(precision: str) -> Deployment:
    return Deployment(precision=precision, chips=1, batch=16, context_tokens=512, mtp_drafts=0, kv_bytes=2)  # type: ignore[arg-type]


GRID = CaseGrid((1, 8, 64), (64, 256), (1, 2))


def cost(case: ScaleCase) -> CaseCost:
    """Memory by cached tokens, time by positions: enough to choose by."""
    return CaseCost(1e3 * case.batch * case.tokens, 1e-3 * case.batch * case.positions)


@pytest.mark.parametrize("index", [0, 5, 11, 23])
def test_an_exact_match_is_found_where_there_is_one(index: int) -> None:
    models = [("moe-article-s", SMALL), ("moe-article", preset("moe-article"))]
    tried = candidates(models, chip("h100-sxm"), "decode", GRID, cost)
    assert len(tried) == 24
    match = closest(tried[index].groups, tried, chip("h100-sxm"), FREE, cost)
    assert match.distance == 0 and match.candidate == tried[index] and match.unmatched == ()


def test_the_closest_is_the_closest_of_all() -> None:
    tried = candidates([("moe-article-s", SMALL)], chip("h100-sxm"), "decode", GRID, cost)
    there = groups(R1, chip("ascend-910c"), DECODE, "decode")
    match = closest(there, tried, chip("h100-sxm"), FREE, cost)
    assert match.distance <= min(distance(there, c.groups) for c in tried)
    assert match == closest(there, tried, chip("h100-sxm"), FREE, cost)


def test_a_tighter_limit_never_comes_closer_and_names_what_is_short() -> None:
    tried = candidates([("moe-article-s", SMALL)], chip("h100-sxm"), "decode", GRID, cost)
    there = next(c for c in tried if (c.shape.batch, c.shape.tokens, c.shape.positions) == (64, 256, 1)).groups
    free = closest(there, tried, chip("h100-sxm"), FREE, cost)
    short = closest(there, tried, chip("h100-sxm"), CaseCost(1e6, 1e9), cost)
    hasty = closest(there, tried, chip("h100-sxm"), CaseCost(1e12, 0.02), cost)
    assert free.distance == 0 < min(short.distance, hasty.distance)
    assert "memory" in {u.cause for u in short.unmatched}
    assert "time" in {u.cause for u in hasty.unmatched}
    assert short.candidate.cost.memory_bytes <= 1e6 and hasty.candidate.cost.time_s <= 0.02
    with pytest.raises(UsageError, match="no case fits"):
        closest(there, tried, chip("h100-sxm"), CaseCost(1.0, 1.0), cost)


def test_what_no_case_reaches_is_named_so() -> None:
    tried = candidates([("moe-article-s", SMALL)], chip("h100-sxm"), "decode", GRID, cost)
    there = tried[0].groups._replace(rows=1e9)
    unmatched = closest(there, tried, chip("h100-sxm"), FREE, cost).unmatched
    assert [(u.group, u.cause) for u in unmatched if u.group == "rows"] == [("rows", "grid")]


def test_a_model_with_experts_is_matched_with_none_without() -> None:
    dense = candidates([("dense", preset("moe-article-s:equal-active"))], chip("h100-sxm"), "decode", GRID, cost)
    there = groups(R1, chip("ascend-910c"), DECODE, "decode")
    with pytest.raises(UsageError, match="has experts, and none"):
        closest(there, dense, chip("h100-sxm"), FREE, cost)


def test_scale_models_can_be_run_and_have_names_of_their_own() -> None:
    found = scale_models([(name, preset(name)) for name in ("moe-article", "moe-article-s")])
    names = [name for name, _ in found]
    assert len(set(names)) == len(names) > 20
    assert all(isinstance(spec, Spec) and spec.is_sparse for _, spec in found)


def test_groups_name_every_field_once() -> None:
    assert set(WEIGHTS) == set(Groups._fields)
