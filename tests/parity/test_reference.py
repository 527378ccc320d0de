"""The graphs against the numpy reference, which shares no code with them, and against themselves."""

from collections.abc import Mapping

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.model.graph.dispatch import strategy
from harness.model.reference import Chosen, RoutingTrace, forward
from harness.model.spec import Spec
from harness.model.weights import Plain, Stored, dequantised, generate
from harness.runtime.engine import Engine
from harness.vocabulary import RunPrecision
from tests.parity.architectures import ARCHITECTURES

FP32_TOLERANCE = 1e-5
"""Of the logits' deviation: a few hundred times the rounding of fp32."""

QUANTISED_TOLERANCE = {"int8": 0.06, "int4": 0.06}
"""Root mean square, of the logits' deviation, against the same rounded weights in fp64: what rounding activations to
8 bits costs over three layers. Experts are those that the graph chose, because a near tie that flips changes a token
entirely."""

Real = NDArray[np.float64]


def tokens(spec: Spec, batch: int = 3, length: int = 11) -> NDArray[np.int64]:
    return np.random.default_rng(5).integers(0, spec.vocab_size, (batch, length), dtype=np.int64)


def real(spec: Spec, precision: RunPrecision) -> dict[str, Real]:
    return {name: values.astype(np.float64) for name, values in dequantised(generate(spec, precision, 7))}


def engine(spec: Spec, precision: RunPrecision = "fp32") -> Engine:
    return Engine.load(spec, precision, threads=1, seed=7)


def scaled_error(measured: NDArray[np.floating], expected: NDArray[np.floating]) -> float:
    return float(np.abs(measured - expected).max() / expected.std())


@pytest.fixture(params=ARCHITECTURES, scope="module")
def spec(request: pytest.FixtureRequest) -> Spec:
    return ARCHITECTURES[request.param]


def test_prefill_and_decode_equal_the_reference(spec: Spec) -> None:
    prompt = tokens(spec)
    expected = forward(spec, real(spec, "fp32"), prompt)[:, -1]
    model = engine(spec)
    assert scaled_error(model.prefill(prompt), expected) < FP32_TOLERANCE
    assert scaled_error(model.decode(prompt), expected) < FP32_TOLERANCE


WITH_EXPERTS = [name for name, spec in ARCHITECTURES.items() if spec.is_sparse and not spec.moe_bias]


@pytest.mark.parametrize("name", WITH_EXPERTS)
def test_large_experts_of_many_sequences_equal_the_reference(name: str) -> None:
    """In fp32 they are computed in another way than those of few."""
    large = ARCHITECTURES[name].model_copy(update={"moe_intermediate_size": 512, "hidden_size": 128})
    assert strategy(large, "fp32", "decode", 30) == "sorted"
    prompt = tokens(large, batch=30, length=4)
    error = scaled_error(engine(large).decode(prompt), forward(large, real(large, "fp32"), prompt)[:, -1])
    assert error < FP32_TOLERANCE


@pytest.mark.parametrize(("threads", "parts"), [(1, 1), (2, 2), (3, 1), (4, 4), (6, 2), (64, 4)])
@pytest.mark.parametrize("name", ["deepseek-v3", "deepseek-v3-unnormalised"])
def test_experts_cut_for_threads_equal_the_reference(name: str, threads: int, parts: int) -> None:
    """Those of few sequences in fp32: in parts of 64 at least, and as many threads for each."""
    spec = ARCHITECTURES[name].model_copy(update={"moe_intermediate_size": 256})
    prompt, model = tokens(spec), Engine(spec, "fp32", threads, lambda: generate(spec, "fp32", 7))
    experts = [b for b in model.program("decode", 3).bindings if b.packing == "columns_apart"]
    assert {b.shape[0] // spec.n_routed_experts for b in experts} == {parts}
    assert scaled_error(model.decode(prompt), forward(spec, real(spec, "fp32"), prompt)[:, -1]) < FP32_TOLERANCE


def test_rows_of_a_batch_do_not_see_each_other(spec: Spec) -> None:
    prompt, model = tokens(spec), engine(spec)
    together = model.prefill(prompt)
    alone = np.concatenate([model.prefill(row[None]) for row in prompt])
    assert scaled_error(together, alone) < FP32_TOLERANCE


@pytest.mark.parametrize("precision", ["int8", "int4"])
def test_quantised_graphs_equal_their_rounded_weights(spec: Spec, precision: RunPrecision) -> None:
    prompt, model, weights = tokens(spec), engine(spec, precision), real(spec, precision)
    for logits, chosen in (model.prefill_traced(prompt), model.decode_traced(prompt)):
        expected = forward(spec, weights, prompt, forced=chosen)[:, -1]
        error = np.sqrt(((logits - expected) ** 2).mean()) / expected.std()
        assert error < QUANTISED_TOLERANCE[precision]


@pytest.mark.parametrize("precision", ["int8", "int4"])
@pytest.mark.parametrize("name", ["deepseek-v3", "deepseek-v3-folded"])
def test_codes_128_higher_are_right_on_every_processor(
    name: str, precision: RunPrecision, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those without VNNI need them; on the others nothing else would meet such graphs."""
    monkeypatch.setattr("harness.runtime.engine.exact_byte", lambda: "uint8")
    test_quantised_graphs_equal_their_rounded_weights(ARCHITECTURES[name], precision)


def test_the_graph_chooses_the_experts_that_the_reference_chooses(spec: Spec) -> None:
    if not spec.is_sparse:
        pytest.skip("a dense architecture chooses none")
    prompt, trace = tokens(spec), RoutingTrace()
    forward(spec, real(spec, "fp32"), prompt, trace=trace)
    _, chosen = engine(spec).prefill_traced(prompt)
    assert {layer: _sets(c) for layer, c in chosen.items()} == {layer: _sets(c) for layer, c in trace.chosen.items()}


def _sets(chosen: Chosen) -> list[frozenset[int]]:
    return [frozenset(row) for row in chosen.reshape(-1, chosen.shape[-1]).tolist()]


def _engine_of(spec: Spec, weights: Mapping[str, Stored]) -> Engine:
    return Engine(spec, "fp32", 1, lambda: dict(weights))


def test_choosing_all_experts_is_the_dense_mixture() -> None:
    """With k = E nothing is selected: the layer is the mixture of all experts, which einsum writes in one line."""
    base = ARCHITECTURES["deepseek-v3"]
    spec = base.model_copy(update={"num_experts_per_tok": base.n_routed_experts, "n_shared_experts": 0})
    weights, prompt = real(spec, "fp32"), tokens(spec)
    trace = RoutingTrace()
    expected = forward(spec, weights, prompt, trace=trace)[:, -1]
    assert scaled_error(engine(spec).prefill(prompt), expected) < FP32_TOLERANCE
    assert all(set(c.reshape(-1, c.shape[-1])[0]) == set(range(spec.n_routed_experts)) for c in trace.chosen.values())


def test_permuting_experts_changes_nothing(spec: Spec) -> None:
    if not spec.is_sparse or spec.n_group > 1:
        pytest.skip("no experts, or experts whose group matters")
    weights = generate(spec, "fp32", 7)
    order = np.random.default_rng(1).permutation(spec.n_routed_experts)
    permuted = {
        name: Plain(np.ascontiguousarray(stored.values[order]))
        if isinstance(stored, Plain) and (".router" in name or ".experts." in name)
        else stored
        for name, stored in weights.items()
    }
    prompt = tokens(spec)
    before, after = _engine_of(spec, weights).prefill(prompt), _engine_of(spec, permuted).prefill(prompt)
    assert scaled_error(after, before) < FP32_TOLERANCE


def test_the_same_seed_gives_the_same_logits(spec: Spec) -> None:
    prompt = tokens(spec)
    assert np.array_equal(engine(spec, "int4").prefill(prompt), engine(spec, "int4").prefill(prompt))


def test_only_chosen_experts_are_computed() -> None:
    """Weights of experts that no token chose may be anything, even not a number; those of a chosen one may not."""
    spec = ARCHITECTURES["deepseek-v3"].model_copy(update={"n_routed_experts": 48, "num_hidden_layers": 2})
    weights, prompt = generate(spec, "fp32", 7), tokens(spec, batch=1, length=4)
    logits, chosen = _engine_of(spec, weights).prefill_traced(prompt)
    used = set(np.unique(chosen[1]).tolist())
    assert len(used) <= 4 * spec.num_experts_per_tok < 48
    poisoned = dict(weights)
    for end in ("in", "out"):
        stored = weights[f"layers.1.experts.{end}"]
        assert isinstance(stored, Plain)
        values = stored.values.copy()
        values[[e for e in range(48) if e not in used]] = np.nan
        poisoned[f"layers.1.experts.{end}"] = Plain(values)
    assert np.array_equal(_engine_of(spec, poisoned).prefill(prompt), logits)
