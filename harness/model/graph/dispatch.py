"""The dispatch strategy of routed experts, and the sorted one: for many tokens in fp32, assignments sorted by expert,
one product an expert, and back. SiLU gating.

Exact, and faster than the operator that does all of it, which deals experts to threads by their number: of moe-1b on
two Zen 4 cores a layer took 26 in place of 40 ms at 512 tokens, and a decode step of 16 sequences was 1.1 times as
fast. With 4 or 8 bits it is not (17.0 against 14.7 ms, 16.6 against 13.8), where `QMoE` stays.
Letters: T tokens, k chosen of each, A = T*k assignments, E experts, d hidden, f expert width.
"""

from typing import Literal

import numpy as np

from harness.model.graph.nodes import Nodes
from harness.model.graph.packing import Packing
from harness.model.graph.router import Routing
from harness.model.spec import Spec
from harness.model.tensors import Tensor
from harness.vocabulary import Phase, RunPrecision

Strategy = Literal["operator", "sorted"]

_LEAST_PART = 64
"""Columns that a part keeps. With 128 a step was faster (moe-1b, two threads); thinner parts were not tried."""

_LARGE_BYTES = 512 << 10
"""Least that sorting must read of each expert, on average over all: an expert whom no token chose costs an operator
twice 2 us, which is what 0.1 MB take to be read."""


def strategy(spec: Spec, precision: RunPrecision, phase: Phase, batch: int) -> Strategy:
    """By which the experts of a step are computed."""
    if precision != "fp32" or spec.moe_bias or not spec.is_sparse:
        return "operator"
    expert_bytes = 4 * 3 * spec.hidden_size * (spec.moe_intermediate_size or 0)
    missed = (1 - spec.num_experts_per_tok / spec.n_routed_experts) ** batch
    return "sorted" if phase == "prefill" or (1 - missed) * expert_bytes >= _LARGE_BYTES else "operator"


def parts(width: int, threads: int) -> int:
    """Into how many parts an expert of this width is cut, so that threads share each one: a divisor of both."""
    shared = (n for n in range(1, threads + 1) if threads % n == 0 and width % n == 0 and width // n >= _LEAST_PART)
    return max(shared, default=1)


def sorted_experts(spec: Spec, nodes: Nodes, inner: Tensor, outer: Tensor, x: str, routing: Routing) -> str:
    """[B, S, d] -> [B, S, d]: the weighted sum of the chosen experts' outputs, routed scaling included."""
    d, k = spec.hidden_size, spec.num_experts_per_tok
    last = nodes.ints(-1)
    weights, chosen = _mixing(nodes, routing, k)
    if spec.routed_scaling_factor != 1:
        weights = nodes("Mul", weights, nodes.constant(spec.routed_scaling_factor))
    order, owners = _sorted(nodes, nodes("Reshape", chosen, last))
    counts = _counts(nodes, owners, spec.n_routed_experts)
    rows = nodes("Reshape", x, nodes.ints(-1, d))
    tokens = nodes("Div", order, nodes.constant(np.array(k)))
    fused = _products(nodes, nodes("Gather", rows, tokens, axis=0), counts, inner)  # [A, 2f]
    gate, up = nodes.many("Split", fused, outputs=2, axis=-1, num_outputs=2)
    active = nodes("Mul", nodes.ms("QuickGelu", gate, alpha=1.0), up)
    out = _products(nodes, active, counts, outer)  # [A, d]
    back, _ = _sorted(nodes, order)
    by_token = nodes("Reshape", nodes("Gather", out, back, axis=0), nodes.ints(-1, k, d))
    mixed = nodes("MatMul", nodes("Unsqueeze", weights, nodes.ints(1)), by_token)  # [T, 1, d]
    return nodes("Reshape", mixed, nodes("Shape", x))


def _mixing(nodes: Nodes, routing: Routing, chosen: int) -> tuple[str, str]:
    """Weights and indices of each token's experts, [T, k]: the softmax runs over the chosen, or over all."""
    k = nodes.ints(chosen)
    if routing.normalise:
        scores, experts = nodes.many("TopK", routing.selection, k, outputs=2, axis=-1)
        return nodes("Softmax", scores, axis=-1), experts
    shares = nodes("Softmax", routing.selection, axis=-1)
    scores, experts = nodes.many("TopK", shares, k, outputs=2, axis=-1)
    return scores, experts


def _sorted(nodes: Nodes, values: str) -> tuple[str, str]:
    """Where each of the sorted values came from, and the sorted values, int64 [A]."""
    ordered, order = nodes.many("TopK", values, nodes("Shape", values), outputs=2, axis=0, largest=0)
    return order, ordered


def _counts(nodes: Nodes, owners: str, experts: int) -> str:
    """Assignments of each expert, int64 [E]."""
    each = nodes.constant(np.arange(experts)[:, None])
    hits = nodes("Cast", nodes("Equal", each, owners), to_type=np.int32)
    return nodes("Cast", nodes("ReduceSum", hits, nodes.ints(1), keepdims=0), to_type=np.int64)


def _products(nodes: Nodes, x: str, counts: str, tensor: Tensor) -> str:
    """Each expert's rows of x times its own matrix."""
    experts = range(tensor.shape[0])
    parts = nodes.many("Split", x, counts, outputs=len(experts), axis=0)
    packing: Packing = "halves" if tensor.name.endswith(".in") else "values"
    products = [
        nodes.ms("FusedMatMul", part, nodes.weight(tensor, packing, one=e), transB=1)
        for e, part in zip(experts, parts, strict=True)
    ]
    return nodes("Concat", *products, axis=0)
