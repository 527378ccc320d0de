"""The closed form against the graphs that run here: operations counted node by node from the shapes in the graph.

The count knows ONNX only: a product with an initialiser costs two operations for each of its numbers, a mixture runs k
of its E experts, and a product with a cache costs two operations for each number of the cache that a head reads.
"""

import math
from collections import defaultdict

import onnx
import pytest

from harness.cost import Deployment, work
from harness.cost.work import ComponentName
from harness.model.graph import build
from harness.model.spec import Spec
from harness.models import preset, preset_names
from tests.parity.architectures import ARCHITECTURES

CONTEXT = 640
PARTS: dict[str, ComponentName] = {
    "attention": "attention_projections",
    "routed experts": "experts",
    "shared expert": "shared_experts",
    "router": "router",
    "dense": "dense_layers",
    "head": "head",
}
PRODUCTS = ("MatMul", "Gemm", "FusedMatMul")


def attribute(node: onnx.NodeProto, name: str) -> int:
    return next(int(a.i) for a in node.attribute if a.name == name)


def counted(model: onnx.ModelProto, context: int) -> dict[str, float]:
    """Operations of one decode position by part of the graph, split into 'linear' and 'core'."""
    weights = {t.name: tuple(t.dims) for t in model.graph.initializer if t.data_location == onnx.TensorProto.EXTERNAL}
    caches = {
        i.name: tuple(d.dim_value for d in i.type.tensor_type.shape.dim)
        for i in model.graph.input
        if len(i.type.tensor_type.shape.dim) >= 3 and i.name != "mask"
    }
    out: dict[str, float] = defaultdict(float)
    for node in model.graph.node:
        held = [weights[name] for name in node.input if name in weights]
        read = [caches[name.removesuffix("_new")] for name in node.input if name.removesuffix("_new") in caches]
        part = node.name.split("/")[0]
        if node.op_type == "MoE":
            experts = [shape for shape in held if len(shape) == 3]
            chosen = attribute(node, "k")
            out[part] += sum(2 * chosen * math.prod(shape[1:]) for shape in experts)
        elif node.op_type == "GroupQueryAttention":
            window = attribute(node, "local_window_size")
            seen = context if window < 0 else min(context, window)
            out["core"] += 2 * 2 * attribute(node, "num_heads") * seen * read[0][-1]
        elif node.op_type in PRODUCTS and held:
            out[part] += 2 * math.prod(held[0])
        elif node.op_type in PRODUCTS and read:
            out["core"] += 2 * context * read[0][-1]  # a head's share; all heads below
    return out


SPECS: dict[str, Spec] = {**{name: preset(name) for name in preset_names()}, **ARCHITECTURES}


@pytest.mark.parametrize("name", SPECS)
def test_decode_graph(name: str) -> None:
    spec = SPECS[name]
    found = Deployment(precision="bf16", batch=1, context_tokens=CONTEXT, chips=1, mtp_drafts=0)
    closed = {c.name: c.flop for c in work(spec, found, "decode").components}
    graph = counted(build(spec, "fp32", "decode", positions=CONTEXT).model, CONTEXT)
    core = graph["core"] * (spec.num_attention_heads if spec.attention == "mla" else 1)
    assert core == pytest.approx(closed["attention_core"], rel=1e-12)
    biased = spec.moe_bias or spec.attention_bias  # biases are added; the closed form counts them with the weights
    for part, component in PARTS.items():
        rel = 0.04 if biased else 1e-12
        assert graph[part] == pytest.approx(closed.get(component, 0.0), rel=rel), part
