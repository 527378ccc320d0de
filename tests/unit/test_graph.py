"""Graphs as documents: what they declare, without running them."""

import numpy as np
import pytest

from harness.catalog.models import preset
from harness.model.graph.decoder import build
from harness.model.graph.derived import derived
from harness.model.graph.packing import Byte, packed_array
from harness.model.tensors import tensor_layout
from harness.model.weights import generate, one_of
from harness.vocabulary import Phase, RunPrecision
from tests.parity.architectures import ARCHITECTURES

TRILLION = preset("moe-article-l").model_copy(
    update={"hidden_size": 7168, "num_hidden_layers": 61, "n_routed_experts": 384, "moe_intermediate_size": 2048}
)


@pytest.mark.parametrize("precision", ["fp32", "int8", "int4"])
@pytest.mark.parametrize("phase", ["prefill", "decode"])
@pytest.mark.parametrize(("name", "byte"), [*((name, "int8") for name in ARCHITECTURES), ("deepseek-v3", "uint8")])
def test_weights_arrive_in_the_declared_packing(name: str, byte: Byte, phase: Phase, precision: RunPrecision) -> None:
    spec = ARCHITECTURES[name]
    program, tensors = build(spec, precision, phase, positions=32, byte=byte), {t.name: t for t in tensor_layout(spec)}
    weights, asked = generate(spec, precision, 0), {b.tensor for b in program.bindings}
    for tensor, made in derived(spec, precision, weights, frozenset(asked)):
        tensors[tensor.name], weights[tensor.name] = tensor, made
        at = tensor.name.rpartition(".")[0]
        if tensor.name.endswith(".absorbed_q"):
            asked.add(f"{at}.q")
        if tensor.name.endswith(".mlp_in"):
            asked |= {f"{at}.router", f"{at}.shared.in"}
    for b in program.bindings:
        tensor, stored = tensors[b.tensor], weights[b.tensor]
        if b.one is not None:
            tensor, stored = tensor.matrix(), one_of(stored, b.one)
        array = packed_array(tensor, stored, b.packing, precision, b.factor, b.dtype, b.parts)
        assert (array.shape, array.dtype) == (b.shape, b.dtype), b.name
        assert array.flags.c_contiguous and (b.dtype != np.int8 or byte == "int8"), b.name
    assert asked == set(tensors)


def test_a_graph_holds_no_weights() -> None:
    """A model of a trillion parameters is a document of a few hundred kilobytes, built at once."""
    program = build(TRILLION, "int4", "decode", positions=64)
    assert program.model.ByteSize() < 2_000_000
    assert sum(int(np.prod(b.shape)) * b.dtype.itemsize for b in program.bindings) > 400e9


def test_names_are_unique_and_every_part_is_named() -> None:
    graph = build(preset("moe-tiny"), "int4", "decode", positions=64).model.graph
    names = [node.name for node in graph.node]
    assert len(names) == len(set(names))
    parts = {name.split("/")[0] for name in names}
    assert parts == {"embedding", "attention", "norm", "dense", "router", "routed experts", "shared expert", "head"}
