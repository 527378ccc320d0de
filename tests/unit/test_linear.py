"""Products of many rows in 8 bits: rows of unlike size keep their digits, and the graph brings those to one size."""

import numpy as np
import pytest

from harness.catalog.models import preset
from harness.model.graph.decoder import build
from harness.model.graph.nodes import Nodes
from harness.model.graph.packing import packed_array
from harness.model.graph.parts import linear
from harness.model.tensors import Tensor
from harness.model.weights import dequantise, quantise
from harness.runtime.session import exact_byte, open_session
from harness.vocabulary import RunPrecision

_OUT, _IN = 32, 64


def relative_errors(precision: RunPrecision, *, uneven: bool) -> list[float]:
    """Of each row of a product, the largest error over the row's largest number. The second row is a thousandth of the
    first in size, the third is zero."""
    random, tensor = np.random.default_rng(0), Tensor("w", (_OUT, _IN), "matrix")
    stored = quantise(random.standard_normal((_OUT, _IN), dtype=np.float32), precision, tensor.block(precision))
    x = random.standard_normal((3, _IN), dtype=np.float32) * np.array([[1], [1e-3], [0]], dtype=np.float32)
    nodes = Nodes(precision, wide=True, byte=exact_byte())
    linear(nodes, tensor, nodes.input("x", np.float32, ("R", _IN)), to="y", uneven=uneven)
    nodes.output("y", np.float32, ("R", _OUT))
    program = nodes.program("one product")
    arrays = {b.name: packed_array(tensor, stored, b.packing, precision, b.factor, b.dtype) for b in program.bindings}
    session = open_session(program.model, arrays, 1)
    session.bind_input("x", x)
    session.bind_output("y")
    session.run()
    y, expected = session.outputs(["y"])[0], x @ dequantise(stored).T
    assert not y[2].any()
    return [float(np.abs(y[i] - expected[i]).max() / np.abs(expected[i]).max()) for i in range(2)]


@pytest.mark.parametrize("precision", ["int8", "int4"])
def test_a_small_row_beside_a_large_one_keeps_its_digits(precision: RunPrecision) -> None:
    assert max(relative_errors(precision, uneven=True)) < 0.03
    large, small = relative_errors(precision, uneven=False)
    assert large < 0.03 and small > 0.5  # what it would lose otherwise


@pytest.mark.parametrize("precision", ["int8", "int4"])
def test_prefill_evens_the_rows_of_what_no_norm_made(precision: RunPrecision) -> None:
    """Attention's output, and what a gated activation returns, differ in size from token to token."""
    graph = build(preset("moe-tiny"), precision, "prefill", positions=32).model.graph
    makers = {name: node.op_type for node in graph.node for name in node.output}
    products = {node.input[1]: node.input[0] for node in graph.node if node.op_type == "DynamicQuantizeMatMul"}
    outward = {weight: makers[x] for weight, x in products.items() if ".out:" in weight}
    assert set(outward.values()) == {"SimplifiedLayerNormalization"}
    assert {weight.split(".")[2] for weight in outward} == {"attention", "dense", "shared"}
