"""What must hold of every architecture of a family: checked for random ones, of shapes that nobody chose."""

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.errors import UsageError
from harness.model.configjson import spec_from_config
from harness.model.counts import dense_equal_active, dense_equal_total, parameters
from harness.model.family import Family
from harness.model.reference import RoutingTrace, forward
from harness.model.spec import Spec
from harness.model.tensors import tensor_layout
from harness.model.weights import dequantised, generate
from harness.runtime.engine import Engine
from harness.vocabulary import RunPrecision
from tests.parity import shapes
from tests.parity.test_reference import FP32_TOLERANCE, QUANTISED_TOLERANCE, scaled_error

NEAR_TIE = 1e-5
DEFAULT = 2
SLOW = 30


def cases(every: int) -> list[object]:
    """Families with numbers of architectures; all but the first few are slow."""
    return [
        pytest.param(family, number, id=f"{family}-{number}", marks=[pytest.mark.slow] if number >= DEFAULT else [])
        for family in shapes.FAMILIES
        for number in range(0, SLOW, every)
    ]


def spec_of(family: Family, number: int) -> Spec:
    return spec_from_config(shapes.config(family, number))


def prompt_of(spec: Spec, number: int) -> NDArray[np.int64]:
    return np.random.default_rng(number).integers(0, spec.vocab_size, (2, 13), dtype=np.int64)


def exact(spec: Spec, precision: RunPrecision, seed: int) -> dict[str, NDArray[np.float64]]:
    return {name: values.astype(np.float64) for name, values in dequantised(generate(spec, precision, seed))}


@pytest.mark.parametrize(("family", "number"), cases(every=1))
def test_both_phases_equal_the_reference(family: Family, number: int) -> None:
    """Prefill expands keys and values at once; decode goes token by token through an absorbed or grouped cache."""
    spec = spec_of(family, number)
    prompt, trace = prompt_of(spec, number), RoutingTrace()
    expected = forward(spec, exact(spec, "fp32", number), prompt, trace=trace)[:, -1]
    if (tie := closest_tie(trace, spec.num_experts_per_tok)) < NEAR_TIE:
        pytest.skip(f"two experts are only {tie:.1e} apart: both choices are right")
    engine = Engine.load(spec, "fp32", threads=1, seed=number)
    prefilled, decoded = engine.prefill(prompt), engine.decode(prompt)
    assert scaled_error(prefilled, expected) < FP32_TOLERANCE
    assert scaled_error(decoded, expected) < FP32_TOLERANCE
    assert scaled_error(decoded, prefilled) < FP32_TOLERANCE
    assert scaled_error(prefilled, np.concatenate([engine.prefill(row[None]) for row in prompt])) < FP32_TOLERANCE


def closest_tie(trace: RoutingTrace, k: int) -> float:
    """The smallest distance between the last chosen expert's score and the first one's that was left out."""
    ordered = [np.sort(scores, axis=-1)[..., ::-1] for scores in trace.scores.values() if k < scores.shape[-1]]
    return float(min(((s[..., k - 1] - s[..., k]).min() for s in ordered), default=np.inf))


@pytest.mark.parametrize(("family", "number"), cases(every=3))
@pytest.mark.parametrize("precision", ["int8", "int4"])
def test_quantised_graphs_equal_their_rounded_weights(family: Family, number: int, precision: RunPrecision) -> None:
    spec = spec_of(family, number)
    prompt, weights = prompt_of(spec, number), exact(spec, precision, number)
    engine = Engine.load(spec, precision, threads=1, seed=number)
    for logits, chosen in (engine.prefill_traced(prompt), engine.decode_traced(prompt)):
        expected = forward(spec, weights, prompt, forced=chosen)[:, -1]
        error = np.sqrt(((logits - expected) ** 2).mean()) / expected.std()
        assert error < QUANTISED_TOLERANCE[precision] * max(1, spec.num_hidden_layers / 3), "errors add up over layers"


@pytest.mark.parametrize("family", shapes.FAMILIES)
def test_counts_and_controls(family: Family) -> None:
    """Parameters are those of the tensors; controls have none but dense layers, the same attention and equal counts."""
    for number in range(40):
        spec = spec_of(family, number)
        count = parameters(spec)
        assert sum(tensor.count for tensor in tensor_layout(spec)) == count.total
        for control, what in ((dense_equal_total(spec), "total"), (dense_equal_active(spec), "active")):
            found = parameters(control)
            assert getattr(found, what) == pytest.approx(getattr(count, what), rel=0.01)
            assert found.attention == count.attention
            assert found.experts_total == found.router == found.shared == 0
            assert sum(tensor.count for tensor in tensor_layout(control)) == found.total


@pytest.mark.parametrize("family", shapes.FAMILIES)
def test_specs_survive_being_written(family: Family) -> None:
    """With and without defaults: what the family fills in must not replace what was said."""
    for number in range(40):
        spec = spec_of(family, number)
        for one in (spec, dense_equal_active(spec), spec.model_copy(update={"rope_interleave": True})):
            assert Spec.model_validate_json(one.model_dump_json()) == one
            assert Spec.model_validate_json(one.model_dump_json(exclude_defaults=True)) == one


CHOICES = [
    (scoring, method, groups, normalised)
    for scoring in ("sigmoid", "softmax")
    for method in ("greedy", "group_limited_greedy", "noaux_tc")
    for groups in (1, 3)
    for normalised in (True, False)
    if groups == 1 or method != "greedy"
]


@pytest.mark.parametrize("precision", ["fp32", "int8"])
@pytest.mark.parametrize(("scoring", "method", "groups", "normalised"), CHOICES)
def test_every_way_to_route(scoring: str, method: str, groups: int, normalised: bool, precision: RunPrecision) -> None:
    """Scoring, choice, groups and normalisation are independent of each other, also in pairs that no release has."""
    routing = {"scoring_func": scoring, "topk_method": method, "norm_topk_prob": normalised}
    made = shapes.config("deepseek_v3", 4)
    spec = spec_from_config({**made, "num_hidden_layers": 2, "n_routed_experts": 12, "num_experts_per_tok": 3} | ONE)
    spec = Spec.model_validate({**spec.model_dump(), **routing, "n_group": groups, "topk_group": min(groups, 2)})
    prompt, weights = prompt_of(spec, 1), exact(spec, precision, 1)
    engine, trace = Engine.load(spec, precision, threads=1, seed=1), RoutingTrace()
    for logits, chosen in (engine.prefill_traced(prompt), engine.decode_traced(prompt)):
        expected = forward(spec, weights, prompt, forced=chosen)[:, -1]
        error = np.sqrt(((logits - expected) ** 2).mean()) / expected.std()
        assert error < (FP32_TOLERANCE if precision == "fp32" else QUANTISED_TOLERANCE[precision])
    if precision == "fp32":
        forward(spec, weights, prompt, trace=trace)
        for layer, ours in trace.chosen.items():
            assert np.array_equal(np.sort(ours, -1), np.sort(chosen[layer], -1))


ONE = {"n_group": 1, "topk_group": 1, "first_k_dense_replace": 1, "norm_topk_prob": True}


ODD = {"hidden_size": 50, "num_hidden_layers": 2, "vocab_size": 101, "max_position_embeddings": 16}
ODD_EXPERTS = {"n_routed_experts": 5, "num_experts_per_tok": 2, "moe_intermediate_size": 18, "num_attention_heads": 3}
ODD_LATENT = {
    "model_type": "deepseek_v3",
    "kv_lora_rank": 7,
    "q_lora_rank": 9,
    "qk_nope_head_dim": 5,
    "qk_rope_head_dim": 2,
    "v_head_dim": 3,
}
ODD_GROUPED = {"model_type": "mixtral", "num_key_value_heads": 1, "head_dim": 8}


@pytest.mark.parametrize(
    "fields",
    [
        ODD_LATENT,
        {**ODD_LATENT, "v_head_dim": 11, "qk_rope_head_dim": 6},
        {**ODD_LATENT, "kv_lora_rank": 1, "num_attention_heads": 1},
        {**ODD_LATENT, "n_routed_experts": 40, "num_experts_per_tok": 33},
        ODD_GROUPED,
        {**ODD_GROUPED, "head_dim": 24, "num_key_value_heads": 3},
    ],
)
def test_fp32_takes_any_width(fields: dict[str, object]) -> None:
    spec = Spec.model_validate({**ODD, **ODD_EXPERTS, **fields})
    prompt, engine = prompt_of(spec, 1), Engine.load(spec, "fp32", threads=1, seed=1)
    expected = forward(spec, exact(spec, "fp32", 1), prompt)[:, -1]
    assert scaled_error(engine.prefill(prompt), expected) < FP32_TOLERANCE
    assert scaled_error(engine.decode(prompt), expected) < FP32_TOLERANCE


def test_heads_that_no_operator_takes_are_refused() -> None:
    spec = Spec.model_validate({**ODD, **ODD_EXPERTS, **ODD_GROUPED, "head_dim": 20})
    with pytest.raises(UsageError, match=r"head_dim of 20; .*GQA.* runs with heads of a multiple of 8"):
        Engine.load(spec, "fp32", threads=1, seed=1)
