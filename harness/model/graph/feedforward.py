"""Feed-forward blocks as ONNX operators: dense, or a mixture of experts beside a shared one.

Letters: T tokens (all sequences' together), E routed experts, k chosen, d hidden, f expert width.
"""

from typing import Any

from harness.model.graph.derived import fused_input, fuses
from harness.model.graph.dispatch import Strategy, parts, sorted_experts
from harness.model.graph.nodes import Nodes
from harness.model.graph.packing import operator_block
from harness.model.graph.parts import ACCURACY_LEVEL, linear
from harness.model.graph.router import Routing, route, router_logits
from harness.model.spec import Spec
from harness.model.tensors import Tensor


def feed_forward(spec: Spec, nodes: Nodes, tensors: dict[str, Tensor], layer: int, x: str, strategy: Strategy) -> str:
    """[B, S, d] -> [B, S, d]"""
    at = f"layers.{layer}"
    if layer < spec.dense_layers:
        nodes.part = "dense"
        return gated(nodes, tensors, f"{at}.dense", x)
    shared: tuple[str, str] | None = None
    nodes.part = "router"
    if not nodes.wide and fuses(spec, nodes.precision):
        f = (spec.moe_intermediate_size or 0) * spec.n_shared_experts
        widths = nodes.ints(spec.n_routed_experts, f, f)
        logits, *halves = nodes.many("Split", linear(nodes, fused_input(spec, layer), x), widths, outputs=3, axis=-1)
        shared = halves[0], halves[1]
    else:
        logits = router_logits(spec, nodes, tensors, layer, x)
    routing = route(spec, nodes, tensors, layer, logits)
    nodes.part = "routed experts"
    routed = _experts(spec, nodes, tensors, at, x, routing, strategy)
    if routing.total:
        flat = nodes("Reshape", routed, nodes.ints(-1, spec.hidden_size))
        routed = nodes("Reshape", nodes("Mul", flat, routing.total), nodes("Shape", x))
    if not spec.n_shared_experts:
        return routed
    nodes.part = "shared expert"
    gate, up = shared or _gate_and_up(nodes, tensors, f"{at}.shared", x)
    return nodes("Add", _down(nodes, tensors, f"{at}.shared", gate, up), routed)


def gated(nodes: Nodes, tensors: dict[str, Tensor], at: str, x: str) -> str:
    """down(SiLU(gate(x)) * up(x)), gate and up in one product."""
    return _down(nodes, tensors, at, *_gate_and_up(nodes, tensors, at, x))


def _gate_and_up(nodes: Nodes, tensors: dict[str, Tensor], at: str, x: str) -> tuple[str, str]:
    gate, up = nodes.many("Split", linear(nodes, tensors[f"{at}.in"], x), outputs=2, axis=-1, num_outputs=2)
    return gate, up


def _down(nodes: Nodes, tensors: dict[str, Tensor], at: str, gate: str, up: str) -> str:
    active = nodes("Mul", nodes.ms("QuickGelu", gate, alpha=1.0), up)
    return linear(nodes, tensors[f"{at}.out"], active, uneven=True)


def _activation(spec: Spec) -> dict[str, float]:
    """SiLU gating, or gpt-oss's: a steeper gate, an up part shifted by 1, both bounded by 7 (arXiv:2508.10925)."""
    if spec.moe_bias:
        return {"activation_alpha": 1.702, "activation_beta": 1.0, "swiglu_limit": 7.0}
    return {"activation_alpha": 1.0, "activation_beta": 0.0}


def _experts(
    spec: Spec, nodes: Nodes, tensors: dict[str, Tensor], at: str, x: str, routing: Routing, strategy: Strategy
) -> str:
    """The weighted sum of the chosen experts' outputs. Routed scaling is absorbed into the down projections.

    `MoE` deals experts to threads by their number, each thread a range of them, so that of few chosen ones one thread
    often gets most. In fp32 each is therefore cut by its width into a part for each thread, all first parts before all
    second ones: every thread computes its part of each chosen expert. A part has its expert's score, so its
    weight is its expert's over the number of parts. Only where those not chosen cannot be: among equal scores some
    parts of one expert and some of another could be taken.
    """
    inner, outer, scale = tensors[f"{at}.experts.in"], tensors[f"{at}.experts.out"], spec.routed_scaling_factor
    if strategy == "sorted":
        return sorted_experts(spec, nodes, inner, outer, x, routing)
    biases = ["", ""]
    if spec.moe_bias:
        biases = [nodes.weight(tensors[f"{at}.experts.{end}"], "values") for end in ("in_bias", "out_bias")]
    attributes: dict[str, Any] = {
        "k": spec.num_experts_per_tok,
        "activation_type": "swiglu",
        "swiglu_fusion": 1,
        "normalize_routing_weights": int(routing.normalise),
        **_activation(spec),
    }
    if nodes.precision == "fp32":
        cuts = parts(outer.shape[-1], nodes.threads) if routing.masked and not spec.moe_bias else 1
        wide = nodes.weight(inner, "rows_apart", parts=cuts)
        narrow = nodes.weight(outer, "columns_apart", scale * cuts, parts=cuts)
        scores = nodes("Concat", *[routing.selection] * cuts, axis=-1) if cuts > 1 else routing.selection
        attributes["k"] *= cuts
        return nodes.ms("MoE", x, scores, wide, biases[0], narrow, biases[1], **attributes)
    return nodes.ms(
        "QMoE",
        *(x, routing.selection),
        *(nodes.weight(inner, "expert_codes"), nodes.weight(inner, "expert_scales"), biases[0]),
        *(nodes.weight(outer, "expert_codes"), nodes.weight(outer, "expert_scales", scale), biases[1]),
        *("", "", "", "", "", "", routing.mixing),
        expert_weight_bits=4 if nodes.precision == "int4" else 8,
        block_size=operator_block(inner, nodes.precision),
        accuracy_level=ACCURACY_LEVEL,
        weights_prepacked=0,
        **attributes,
    )
