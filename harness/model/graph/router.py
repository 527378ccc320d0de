"""Routing as ONNX operators: from router logits to what experts are selected and mixed by.

Letters: T tokens (all sequences' together), E routed experts, k chosen, G groups.
"""

from dataclasses import dataclass

import numpy as np

from harness.model.graph.nodes import CONTRIB, Nodes
from harness.model.graph.parts import linear
from harness.model.spec import Spec
from harness.model.tensors import Tensor

NEVER = -1e9
"""Score of an expert that must not be chosen; the softmax of it is zero in fp32."""


@dataclass(frozen=True)
class Routing:
    """Names of tensors [T, E] for the expert operator. `selection` ranks experts; `mixing` weighs the chosen, or is
    empty where the softmax of `selection` does. `normalise`: divide the weights by their sum. `total` [T, 1], where it
    is needed, multiplies the operator's output. `masked`: all but the chosen score NEVER."""

    selection: str
    mixing: str = ""
    normalise: bool = True
    total: str = ""
    masked: bool = False


def router_logits(spec: Spec, nodes: Nodes, tensors: dict[str, Tensor], layer: int, x: str) -> str:
    """[B, S, d] -> [B, S, E]"""
    bias = tensors[f"layers.{layer}.router_bias"] if spec.moe_bias else None
    return linear(nodes, tensors[f"layers.{layer}.router"], x, bias=bias)


def route(spec: Spec, nodes: Nodes, tensors: dict[str, Tensor], layer: int, logits: str) -> Routing:
    """The routing of one layer; the scores by which it selects are the graph's output selection_LAYER."""
    bias = tensors.get(f"layers.{layer}.router_bias")
    nodes.output(f"selection_{layer}", np.float32, ("tokens", spec.n_routed_experts))
    if (spec.scoring_func == "sigmoid") != (spec.topk_method == "noaux_tc"):
        return _composed(spec, nodes, layer, logits, bias)
    if spec.scoring_func == "sigmoid":
        assert bias is not None
        return _sigmoid(spec, nodes, layer, logits, nodes.weight(bias, "values"))
    flat = nodes.ints(-1, spec.n_routed_experts)
    if spec.n_group > 1:
        return _grouped_softmax(spec, nodes, layer, nodes("Reshape", logits, flat))
    selection = nodes("Reshape", logits, flat, to=f"selection_{layer}")
    if spec.norm_topk_prob or nodes.precision == "fp32":
        return Routing(selection, normalise=spec.norm_topk_prob)
    # QMoE's own softmax runs over the chosen, so unnormalised weights, whose softmax runs over all, are given apart
    return Routing(selection, nodes("Softmax", selection, axis=-1), normalise=False)


def _sigmoid(spec: Spec, nodes: Nodes, layer: int, logits: str, bias: str) -> Routing:
    """DeepSeek-V3 (arXiv:2412.19437), equations 12 to 16. Without groups, QMoE takes scores for selection and for
    mixing apart. MoE, and QMoE with groups, are fed the chosen scores' logarithms, whose softmax is their
    normalised score."""
    selection, mixing = f"selection_{layer}", f"mixing_{layer}"
    top = {"n_group": spec.n_group, "topk_group": spec.topk_group, "group_topk": 2, "top_k": spec.num_experts_per_tok}
    if nodes.precision != "fp32" and spec.n_group == 1:
        nodes.many("MoEGroupRouter", logits, bias, outputs=("", selection, mixing), domain=CONTRIB, **top)
        return Routing(selection, mixing, normalise=spec.norm_topk_prob)
    nodes.ms("MoEGroupRouter", logits, bias, to=selection, router_sentinel=NEVER, **top)
    if spec.norm_topk_prob:
        return Routing(selection, masked=True)
    axis = nodes.ints(-1)
    return Routing(selection, total=nodes("ReduceSum", nodes("Exp", selection), axis, keepdims=1), masked=True)


def _grouped_softmax(spec: Spec, nodes: Nodes, layer: int, logits: str) -> Routing:
    """DeepSeek-V2 (arXiv:2405.04434), section 2.2.2: only the groups with the best single experts may be chosen from.
    The softmax runs over all experts, so the operator's own, over the chosen, is scaled by the chosen ones' share."""
    size = spec.n_routed_experts // spec.n_group
    grid = nodes.ints(-1, spec.n_group, size)
    flat = nodes.ints(-1, spec.n_routed_experts)
    last = nodes.ints(-1)
    grouped = nodes("Reshape", nodes("LogSoftmax", logits, axis=-1), grid)  # [T, G, E/G]
    best = nodes("ReduceMax", grouped, last, keepdims=0)  # [T, G]
    kth = nodes.ints(spec.topk_group)
    bars, _ = nodes.many("TopK", best, kth, outputs=2, axis=-1)
    bar = nodes("ReduceMin", bars, last, keepdims=1)  # [T, 1]: the worst group that is kept
    kept = nodes("Unsqueeze", nodes("GreaterOrEqual", best, bar), last)
    masked = nodes("Where", kept, grouped, nodes.constant(np.array(NEVER, dtype=np.float32)))
    selection = nodes("Reshape", masked, flat, to=f"selection_{layer}")
    if spec.norm_topk_prob:
        return Routing(selection)
    k = nodes.ints(spec.num_experts_per_tok)
    top, _ = nodes.many("TopK", selection, k, outputs=2, axis=-1)
    return Routing(selection, total=nodes("ReduceSum", nodes("Exp", top), last, keepdims=1))


def _composed(spec: Spec, nodes: Nodes, layer: int, logits: str, bias: Tensor | None) -> Routing:
    """Any scoring with any top-k method, from plain operators: for pairs that no release has. The expert operator is
    fed the chosen scores' logarithms, whose softmax is their normalised score."""
    size, last = spec.n_routed_experts // spec.n_group, nodes.ints(-1)
    flat = nodes.ints(-1, spec.n_routed_experts)
    never = nodes.constant(np.array(NEVER, dtype=np.float32))
    rows = nodes("Reshape", logits, flat)
    scores = nodes("Sigmoid", rows) if spec.scoring_func == "sigmoid" else nodes("Softmax", rows, axis=-1)
    merit = nodes("Add", scores, nodes.weight(bias, "values")) if bias is not None else scores
    if spec.n_group > 1:
        top = 2 if spec.topk_method == "noaux_tc" else 1
        grouped = nodes("Reshape", merit, nodes.ints(-1, spec.n_group, size))
        best = nodes("ReduceSum", _largest(nodes, grouped, top), last, keepdims=0)  # [T, G]
        bar = nodes("ReduceMin", _largest(nodes, best, spec.topk_group), last, keepdims=1)
        kept = nodes("Unsqueeze", nodes("GreaterOrEqual", best, bar), last)
        merit = nodes("Reshape", nodes("Where", kept, grouped, never), flat)
    bar = nodes("ReduceMin", _largest(nodes, merit, spec.num_experts_per_tok), last, keepdims=1)
    chosen = nodes("GreaterOrEqual", merit, bar)
    selection = nodes("Where", chosen, nodes("Log", scores), never, to=f"selection_{layer}")
    if spec.norm_topk_prob:
        return Routing(selection)
    return Routing(selection, total=nodes("ReduceSum", nodes("Exp", selection), last, keepdims=1))


def _largest(nodes: Nodes, x: str, count: int) -> str:
    """The largest `count` numbers along the last axis."""
    return nodes.many("TopK", x, nodes.ints(count), outputs=2, axis=-1)[0]
