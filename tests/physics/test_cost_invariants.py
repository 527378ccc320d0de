"""What must hold of any work, ceiling and projection, whatever the model and the chip."""

import math
import random
import statistics

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.catalog.chips import Chip, chip, chips
from harness.catalog.citation import Figure
from harness.catalog.models import released, released_names
from harness.errors import UsageError
from harness.model.context import over_context
from harness.model.routing import experts_touched, skewed, touched_deviation
from harness.roofline.bound import highest
from harness.roofline.ceiling import Ceiling, ceiling, most_generous, runs
from harness.roofline.deployment import Deployment
from harness.roofline.overheads import activation_bytes
from harness.roofline.parts import parts
from harness.roofline.practice import draws, missing
from harness.roofline.projection import Spread, project
from harness.roofline.work import work
from harness.vocabulary import RatePhase

NEAR = 1e-9
FULL = Deployment(
    precision="int8",
    batch=96,
    context_tokens=4096,
    prompt_tokens=4096,
    output_tokens=1024,
    chips=160,
    mtp_drafts=1,
    mtp_acceptance=0.7,
)


def relative_width(spread: Spread) -> float:
    return math.log(spread.high / spread.low)


def step_s(limits: Ceiling) -> float:
    return max(limits.compute_s, limits.memory_s, limits.link_s or 0.0)


def scaled(figures: tuple[Figure, ...], by: float) -> tuple[Figure, ...]:
    return tuple(f.model_copy(update={"value": f.value * by}) for f in figures)


def faster(made: Chip, *, compute: float = 1, bandwidth: float = 1, link: float = 1, memory: float = 1) -> Chip:
    """The chip with its figures multiplied."""
    return made.model_copy(
        update={
            "peaks": tuple(p.model_copy(update={"dense_flop_s": scaled(p.dense_flop_s, compute)}) for p in made.peaks),
            "bandwidth_bytes_s": scaled(made.bandwidth_bytes_s, bandwidth),
            "link_bytes_s": scaled(made.link_bytes_s, link),
            "scale_out_bytes_s": scaled(made.scale_out_bytes_s, link),
            "memory_bytes": scaled(made.memory_bytes, memory),
        }
    )


@settings(max_examples=40, deadline=None)
@given(
    c=st.floats(0.1, 10),
    phase=st.sampled_from(["prefill", "decode", "output_all", "total_all"]),
    model=st.sampled_from(["deepseek-r1", "deepseek-v4-flash", "qwen3-30b-a3b", "mixtral-8x7b"]),
)
def test_scaling_every_figure_of_a_chip_scales_its_ceilings(c: float, phase: str, model: str) -> None:
    spec, made = released(model).spec, chip("ascend-910c")
    bigger = faster(made, compute=c, bandwidth=c, link=c)
    for generous in (False, True):
        before = ceiling(spec, made, FULL, phase, generous=generous)  # type: ignore[arg-type]
        after = ceiling(spec, bigger, FULL, phase, generous=generous)  # type: ignore[arg-type]
        assert after.rate_tok_s == pytest.approx(before.rate_tok_s * c, rel=NEAR)
        assert after.serial_tok_s == pytest.approx(before.serial_tok_s * c, rel=NEAR)
        assert after.binding == before.binding


@settings(max_examples=40, deadline=None)
@given(more=st.floats(1, 20), part=st.sampled_from(["compute", "bandwidth", "link", "memory"]))
def test_more_of_anything_never_lowers_a_ceiling(more: float, part: str) -> None:
    spec, made = released("deepseek-r1").spec, chip("h100-sxm")
    found = FULL.model_copy(update={"precision": "fp8", "chips": 72})
    better = faster(made, **{part: more})
    for phase in ("prefill", "decode", "output_all"):
        assert ceiling(spec, better, found, phase).rate_tok_s >= ceiling(spec, made, found, phase).rate_tok_s * (
            1 - NEAR
        )


@settings(max_examples=60, deadline=None)
@given(
    batch=st.floats(0.125, 2000),
    more=st.floats(1.01, 4),
    context=st.floats(64, 100_000),
    chips_=st.sampled_from([1, 8, 32, 160, 320]),
)
def test_more_batch_never_lowers_the_rate_nor_the_time(batch: float, more: float, context: float, chips_: int) -> None:
    spec, made = released("deepseek-r1").spec, chip("ascend-910c")
    few = FULL.model_copy(update={"batch": batch, "context_tokens": context, "chips": chips_})
    many = few.model_copy(update={"batch": batch * more})
    a, b = ceiling(spec, made, few, "decode"), ceiling(spec, made, many, "decode")
    assert b.rate_tok_s >= a.rate_tok_s * (1 - NEAR)
    assert step_s(b) >= step_s(a) * (1 - NEAR)
    assert b.memory_bytes > a.memory_bytes


@pytest.mark.parametrize("model", released_names())
@pytest.mark.parametrize("phase", ["prefill", "decode", "output_all", "total_all"])
def test_serial_below_ceiling_below_generous(model: str, phase: str) -> None:
    spec = released(model).spec
    for made in chips():
        precision = next(p for p in ("int8", "fp8", "bf16") if made.supports(p))
        found = FULL.model_copy(update={"precision": precision, "chips": 8})
        nominal = ceiling(spec, made, found, phase)  # type: ignore[arg-type]
        assert nominal.serial_tok_s <= nominal.rate_tok_s * (1 + NEAR)
        assert nominal.rate_tok_s <= most_generous(spec, made, found, phase).rate_tok_s * (1 + NEAR)  # type: ignore[arg-type]
        assert nominal.compute_s == pytest.approx(sum(s.compute_s for s in nominal.shares))
        assert nominal.memory_s == pytest.approx(sum(s.memory_s for s in nominal.shares))


def test_rate_times_floor_is_the_batch() -> None:
    limits = ceiling(released("deepseek-r1").spec, chip("ascend-910c"), FULL, "decode")
    assert limits.tpot_floor_s is not None
    assert limits.rate_tok_s * limits.tpot_floor_s == pytest.approx(96)


def test_total_is_output_and_input_together() -> None:
    spec, made = released("deepseek-r1").spec, chip("ascend-910c")
    output = ceiling(spec, made, FULL, "output_all")
    total = ceiling(spec, made, FULL, "total_all")
    assert total.rate_tok_s == pytest.approx(output.rate_tok_s * (1 + 4096 / 1024))
    decode = ceiling(spec, made, FULL, "decode")
    assert output.rate_tok_s < decode.rate_tok_s


def test_experts_touched_against_a_draw() -> None:
    rng = random.Random(7)
    for experts, chosen, tokens in ((64, 6, 5), (256, 8, 40), (8, 2, 3)):
        seen = [len({e for _ in range(tokens) for e in rng.sample(range(experts), chosen)}) for _ in range(4000)]
        assert experts_touched(experts, chosen, tokens) == pytest.approx(sum(seen) / len(seen), rel=0.01)
        deviation = touched_deviation(experts, chosen, tokens)
        assert deviation == pytest.approx(statistics.stdev(seen), rel=0.05)  # 4,000 draws: 1.1 % one deviation
    assert touched_deviation(256, 8, 1) == pytest.approx(0, abs=1e-4) and touched_deviation(8, 8, 3) == 0
    assert experts_touched(256, 8, 1) == pytest.approx(8)
    assert experts_touched(8, 8, 1) == 8
    assert experts_touched(256, 8, 1e9) == pytest.approx(256)


def test_absorbed_decode_costs_more_per_token_than_prefill() -> None:
    spec = released("deepseek-r1").spec
    decode, prefill = over_context(spec, 4096, "decode"), over_context(spec, 4096, "prefill")
    assert decode.core_flop / (2 * prefill.core_flop) == pytest.approx(3.4, rel=0.01)  # per context token
    assert decode.core_flop == pytest.approx(69.6e9, rel=0.001)


def test_a_missing_condition_is_refused_by_a_point_ceiling_and_named() -> None:
    spec, made = released("deepseek-r1").spec, chip("ascend-910c")
    for name, phase in (
        ("precision", "decode"),
        ("chips", "decode"),
        ("batch", "decode"),
        ("prompt_tokens", "prefill"),
    ):
        with pytest.raises(UsageError, match=name.split("_")[0]):
            ceiling(spec, made, FULL.model_copy(update={name: None}), phase)  # type: ignore[arg-type]


def test_unsupported_precision_is_refused_with_what_there_is() -> None:
    with pytest.raises(UsageError, match=r"910c has no .*fp8.*int8"):
        project(
            released("deepseek-r1").spec, chip("ascend-910c"), FULL.model_copy(update={"precision": "fp8"}), "decode"
        )


OPEN = {
    "batch": {"batch": None},
    "chips": {"chips": None},
    "precision": {"precision": None},
    "context": {"context_tokens": None, "prompt_tokens": None, "output_tokens": None},
    "mtp": {"mtp_drafts": None, "mtp_acceptance": None},
}


@pytest.mark.parametrize("first", sorted(OPEN))
@pytest.mark.parametrize("second", sorted(OPEN))
def test_giving_a_condition_never_raises_the_ceiling(first: str, second: str) -> None:
    """The range narrows as well here; in general it can widen, where a condition is of software that varies more."""
    spec, made = released("deepseek-r1").spec, chip("ascend-910c")
    more = FULL.model_copy(update=OPEN[first] | OPEN[second])
    fewer = FULL.model_copy(update=OPEN[first])
    wide, narrow = project(spec, made, more, "decode"), project(spec, made, fewer, "decode")
    assert set(narrow.missing) <= set(wide.missing)
    assert first in narrow.missing
    assert relative_width(narrow.usual90_tok_s) <= 1.2 * relative_width(wide.usual90_tok_s)
    assert narrow.ceiling_tok_s <= wide.ceiling_tok_s * (1 + NEAR)


def test_nothing_missing_is_its_own_only_draw() -> None:
    spec, made = released("deepseek-r1").spec, chip("ascend-910c")
    assert missing(spec, FULL, "decode") == ()
    assert draws(spec, made, FULL, "decode", 16) == (FULL,)


def test_a_model_without_draft_layers_misses_no_drafts() -> None:
    found = missing(released("kimi-k2").spec, Deployment(context_tokens=2000), "decode")
    assert found == ("precision", "chips", "batch")


def test_draws_fit_the_chip() -> None:
    spec, made = released("kimi-k2").spec, chip("h200")
    given = Deployment(context_tokens=2000, mtp_drafts=0, mtp_acceptance=0.0)
    for deployment in draws(spec, made, given, "decode", 16):
        assert highest(spec, made, deployment, "decode").fits


def test_a_model_that_fits_nowhere_says_so() -> None:
    spec = released("kimi-k2").spec.model_copy(update={"num_hidden_layers": 61, "hidden_size": 7168 * 64})
    found = project(spec, chip("h100-sxm"), Deployment(chips=320), "decode")
    assert found.fits is False
    assert found.binding == "capacity"
    open_ = project(spec, chip("h100-sxm"), Deployment(), "decode")  # a group grows until the model fits
    assert open_.fits is True and (open_.typical.chips or 0) > 320


def test_capacity_is_separate_from_speed() -> None:
    spec, made = released("deepseek-r1").spec, chip("h100-sxm")
    eight = FULL.model_copy(update={"precision": "fp8", "chips": 8})
    assert most_generous(spec, made, eight, "decode").fits is False  # 671 GB on 8 x 80 GB
    assert most_generous(spec, made, eight.model_copy(update={"chips": 16}), "decode").fits is True


def test_devices_of_a_package_hold_their_own_weights() -> None:
    spec = released("deepseek-r1").spec
    one = work(spec, FULL, "decode", devices_per_package=1)
    two = work(spec, FULL, "decode", devices_per_package=2)
    name = "attention_projections"
    read = [next(c.read_bytes for c in step.components if c.name == name) for step in (one, two)]
    assert read[1] == pytest.approx(2 * read[0])
    assert sum(c.flop for c in one.components) == pytest.approx(sum(c.flop for c in two.components))


def test_activation_traffic_is_a_part_and_in_no_ceiling() -> None:
    spec, made = released("deepseek-r1").spec, chip("ascend-910c")
    limits = ceiling(spec, made, FULL, "prefill")
    tokens = limits.rate_tok_s * step_s(limits)
    assert limits.activation_s > 0
    assert limits.serial_tok_s == pytest.approx(tokens / (limits.compute_s + limits.memory_s + (limits.link_s or 0.0)))
    assert parts(spec, made, FULL, "prefill").prompt_activations == pytest.approx(limits.activation_s / tokens)


def test_activation_traffic_by_hand() -> None:
    """Qwen3-30B-A3B in BF16, one position: 48 layers, written and read once, two bytes an element."""
    attention = 128 * (32 + 4 + 4 + 32)  # queries, keys, values, outputs
    residual = 2 * 2 * 2048
    experts = 8 * (2048 + 2 * 768 + 768 + 2048)  # input, both halves, their product, output
    by_hand = 48 * 2 * 2 * (attention + residual + experts)
    assert activation_bytes(released("qwen3-30b-a3b").spec, "bf16", decode=True) == pytest.approx(by_hand)


def test_four_bit_weights_run_in_wider_arithmetic_where_there_is_none() -> None:
    """gpt-oss is served on H100 in MXFP4: storage alone, so at the BF16 peak; FP8 names the arithmetic itself."""
    spec = released("gpt-oss-120b").spec
    found = Deployment(precision="fp4", prompt_tokens=4096, chips=2)
    h100, b200 = (ceiling(spec, chip(name), found, "prefill") for name in ("h100-sxm", "b200"))
    assert h100.compute_s > 2 * b200.compute_s
    assert most_generous(spec, chip("a100-sxm"), found, "prefill").rate_tok_s > 0
    assert runs(chip("ascend-910c"), "fp8") is False
    assert runs(chip("tpu-v7"), "int8") is None
    assert runs(chip("gb300"), "w4a8") is True


@settings(max_examples=60, deadline=None)
@given(
    experts=st.integers(2, 400),
    share=st.floats(0.01, 1.0),
    positions=st.floats(1, 1e5),
    exponent=st.floats(0, 3),
)
def test_skew_touches_fewer_experts_and_balances_worse(
    experts: int, share: float, positions: float, exponent: float
) -> None:
    chosen = max(1, round(share * experts))
    even, uneven = skewed(experts, chosen, positions, 0.0), skewed(experts, chosen, positions, exponent)
    assert even.experts_touched == pytest.approx(experts_touched(experts, chosen, positions))
    assert even.busiest_over_mean == pytest.approx(1)
    assert uneven.experts_touched <= even.experts_touched * (1 + NEAR)
    assert uneven.busiest_over_mean >= 1 - NEAR
    assert chosen * (1 - NEAR) <= uneven.experts_touched <= experts * (1 + NEAR)


@settings(max_examples=150, deadline=None)
@given(
    model=st.sampled_from(released_names()),
    name=st.sampled_from([c.name for c in chips()]),
    precision=st.sampled_from(["bf16", "fp8", "int8", "fp4", "int4", "w4a8"]),
    count=st.sampled_from([1, 2, 8, 16, 72, 320, 1000]),
    batch=st.floats(0.125, 2000),
    context=st.floats(16, 200_000),
    drafts=st.integers(0, 3),
    phase=st.sampled_from(["prefill", "decode", "output_all"]),
)
def test_the_bound_is_above_the_nominal_ceiling_wherever_both_exist(
    model: str, name: str, precision: str, count: int, batch: float, context: float, drafts: int, phase: RatePhase
) -> None:
    made = chip(name)
    found = Deployment.model_validate(
        {
            "precision": precision,
            "chips": count,
            "batch": batch,
            "context_tokens": context,
            "prompt_tokens": context,
            "output_tokens": 500,
            "mtp_drafts": drafts,
            "mtp_acceptance": 0.7 * drafts,
        }
    )
    if not runs(made, precision):  # type: ignore[arg-type]
        with pytest.raises(UsageError):
            ceiling(released(model).spec, made, found, phase)
        return
    nominal = ceiling(released(model).spec, made, found, phase)
    bound = most_generous(released(model).spec, made, found, phase)
    assert nominal.rate_tok_s <= bound.rate_tok_s * (1 + NEAR)
    assert bound.memory_bytes <= nominal.memory_bytes * (1 + NEAR)


@pytest.mark.parametrize("batch", [1.0, 8.0, 32.0, 512.0])
def test_the_bound_reads_no_more_experts_than_a_token_chooses(batch: float) -> None:
    """Independent uniform routing touches the most experts, hence gives the least rate in decode: it is no bound."""
    spec = released("gpt-oss-120b").spec
    deployment = Deployment(precision="fp4", batch=batch, context_tokens=1024, chips=1, mtp_drafts=0)
    read = {
        fewest: sum(
            c.read_bytes
            for c in work(spec, deployment, "decode", fewest_experts=fewest).components
            if "expert" in c.name
        )
        for fewest in (True, False)
    }
    one = sum(
        c.read_bytes
        for c in work(spec, deployment.model_copy(update={"batch": 1.0}), "decode").components
        if "expert" in c.name
    )
    assert read[True] == pytest.approx(one)
    assert read[True] <= read[False] and (batch == 1.0 or read[True] < read[False])
