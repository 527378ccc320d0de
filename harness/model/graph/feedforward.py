"""Feed-forward blocks as ONNX operators: dense, or a mixture of experts with its router and shared expert.

Letters: T tokens (all sequences' together), E routed experts, k chosen, d hidden, f expert width.
"""

from typing import Any

import numpy as np

from harness.model.graph.forms import operator_block
from harness.model.graph.nodes import Nodes
from harness.model.graph.parts import ACCURACY_LEVEL, linear
from harness.model.layout import Tensor
from harness.model.spec import Spec


def feed_forward(spec: Spec, nodes: Nodes, tensors: dict[str, Tensor], layer: int, x: str) -> str:
    """[B, S, d] -> [B, S, d]"""
    at = f"layers.{layer}"
    if layer < spec.dense_layers:
        nodes.part = "dense"
        return gated(nodes, tensors, f"{at}.dense", x)
    nodes.part = "router"
    selection, mixing = _scores(spec, nodes, tensors, layer, x)
    nodes.output(selection, np.float32, ("tokens", spec.n_routed_experts))
    nodes.part = "routed experts"
    routed = _experts(spec, nodes, tensors, at, x, selection, mixing)
    if not spec.n_shared_experts:
        return routed
    nodes.part = "shared expert"
    return str(nodes("Add", gated(nodes, tensors, f"{at}.shared", x), routed))


def gated(nodes: Nodes, tensors: dict[str, Tensor], at: str, x: str) -> str:
    """down(SiLU(gate(x)) * up(x)), gate and up in one product."""
    gate, up = nodes("Split", linear(nodes, tensors[f"{at}.in"], x), outputs=2, axis=-1, num_outputs=2)
    active = nodes("Mul", nodes.ms("QuickGelu", gate, alpha=1.0), up)
    return linear(nodes, tensors[f"{at}.out"], active)


def _scores(spec: Spec, nodes: Nodes, tensors: dict[str, Tensor], layer: int, x: str) -> tuple[str, str]:
    """What experts are selected by, and what they are mixed by, both [T, E]. Equal names mean one tensor for both.

    Sigmoid routing: DeepSeek-V3 (arXiv:2412.19437), equations 12 to 16. MoE has no input for mixing scores of its own:
    it is fed logarithms, whose softmax over the chosen is their normalised score.
    """
    at, names = f"layers.{layer}", (f"selection_{layer}", f"mixing_{layer}")
    logits = linear(nodes, tensors[f"{at}.router"], x)
    if spec.scoring_func != "sigmoid":
        raise NotImplementedError(spec.scoring_func)
    bias = nodes.weight(tensors[f"{at}.router_bias"], "values")
    grouping = {
        "n_group": spec.n_group,
        "topk_group": spec.topk_group,
        "group_topk": 2,
        "top_k": spec.num_experts_per_tok,
    }
    if nodes.precision == "fp32" or spec.n_group > 1:
        nodes.ms("MoEGroupRouter", logits, bias, to=names[:1], router_sentinel=-1e9, **grouping)
        return names[0], names[0]
    nodes.ms("MoEGroupRouter", logits, bias, to=("", *names), **grouping)
    return names


def _experts(spec: Spec, nodes: Nodes, tensors: dict[str, Tensor], at: str, x: str, selection: str, mixing: str) -> str:
    """The weighted sum of the chosen experts' outputs. Scaling is folded into the down projections."""
    inner, outer, scale = tensors[f"{at}.experts.in"], tensors[f"{at}.experts.out"], spec.routed_scaling_factor
    attributes: dict[str, Any] = {
        "k": spec.num_experts_per_tok,
        "activation_type": "swiglu",
        "swiglu_fusion": 1,
        "activation_alpha": 1.0,
        "activation_beta": 0.0,
        "normalize_routing_weights": int(spec.norm_topk_prob),
    }
    if nodes.precision == "fp32":
        wide, narrow = nodes.weight(inner, "values"), nodes.weight(outer, "values", scale)
        return str(nodes.ms("MoE", x, selection, wide, "", narrow, **attributes))
    return str(
        nodes.ms(
            "QMoE",
            x,
            selection,
            nodes.weight(inner, "expert_codes"),
            nodes.weight(inner, "expert_scales"),
            "",
            nodes.weight(outer, "expert_codes"),
            nodes.weight(outer, "expert_scales", scale),
            *[""] * 7,
            mixing if mixing != selection else "",
            expert_weight_bits=4 if nodes.precision == "int4" else 8,
            block_size=operator_block(inner, nodes.precision),
            accuracy_level=ACCURACY_LEVEL,
            weights_prepacked=0,
            **attributes,
        )
    )
