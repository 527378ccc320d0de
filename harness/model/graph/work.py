"""The work of one step, counted operator by operator from the shapes that really ran. Shares no code with closed forms.

Knows what each operator of these graphs multiplies. Norms, softmax, rotary turns and additions are left out, as usual.
"""

import math
from collections.abc import Iterable

import onnx
from pydantic import Field

from harness.frozen import Frozen
from harness.model.operators import Executed

_PRODUCTS = ("MatMul", "FusedMatMul", "MatMulNBits", "DynamicQuantizeMatMul")


class GraphWork(Frozen):
    """Floating-point operations of one step: two for each multiplication with an addition."""

    linear_flop: float = Field(description="products with weights, the chosen experts' only")
    context_flop: float = Field(description="attention over the keys that each query may see")

    @property
    def flop(self) -> float:
        return self.linear_flop + self.context_flop


def count_work(model: onnx.ModelProto, executed: Iterable[Executed], *, decoded_behind: int | None = None) -> GraphWork:
    """Count one step of `model` from the shapes with which its operators ran.

    `decoded_behind`: cached tokens of each sequence when the step began. Grouped attention is handed this number as a
    value, which no shape tells; latent attention multiplies by all rows of its cache.
    Raises ValueError for an operator that multiplies and is not known here.
    """
    weights = {initialiser.name for initialiser in model.graph.initializer}
    nodes = {node.name: node for node in model.graph.node}
    linear = context = 0.0
    for run in executed:
        # a node that the runtime fused keeps the name of one of its parts in front of its own
        node = nodes.get(run.node) or nodes.get("/".join(run.node.split("/")[:2]))
        if run.operator in ("MoE", "QMoE"):
            assert node is not None, f"{run.node} is not in the graph"
            tokens, hidden, width = math.prod(run.inputs[0][:-1]), run.inputs[0][-1], run.inputs[2][1] // 2
            chosen = next(a.i for a in node.attribute if a.name == "k")
            linear += 2.0 * tokens * chosen * 3 * hidden * width
        elif run.operator in _PRODUCTS:
            flop = 2.0 * math.prod(run.outputs[0]) * run.inputs[0][-1]
            if node is None or node.input[1] in weights:
                linear += flop
            elif run.part == "attention":
                context += flop
        elif run.operator == "MultiHeadAttention":
            (batch, tokens, query), keys, (_, _, value) = run.inputs[0], run.inputs[1][1], run.outputs[0]
            context += 2.0 * batch * (query + value) * tokens * (keys - (tokens - 1) / 2)
        elif run.operator == "GroupQueryAttention":
            assert node is not None, f"{run.node} is not in the graph"
            context += _grouped_flop(node, run, decoded_behind)
        elif "MatMul" in run.operator or "Attention" in run.operator or run.operator in ("Gemm", "Einsum"):
            raise ValueError(f"the work of {run.operator} is not known")
    return GraphWork(linear_flop=linear, context_flop=context)


def _grouped_flop(node: onnx.NodeProto, run: Executed, decoded_behind: int | None) -> float:
    """Scores and mixed values of each query over the keys that it sees: itself and the past, within a window."""
    (batch, tokens, width), window = run.inputs[0], next(a.i for a in node.attribute if a.name == "local_window_size")
    behind = decoded_behind if node.input[3] else 0
    if behind is None:
        raise ValueError("how many tokens a decode step has behind it is not given, and no shape tells")
    seen = (behind + 1 + query for query in range(tokens))
    return 2.0 * batch * 2 * width * sum(min(keys, window) if window > 0 else keys for keys in seen)
