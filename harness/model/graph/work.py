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


def count_work(model: onnx.ModelProto, executed: Iterable[Executed]) -> GraphWork:
    """Count one step of `model` from the shapes with which its operators ran.

    Raises ValueError for an operator that multiplies and is not known here.
    """
    weights = {initialiser.name for initialiser in model.graph.initializer}
    nodes = {node.name: node for node in model.graph.node}
    linear = context = 0.0
    for run in executed:
        node = nodes.get(run.node)
        if run.operator in ("MoE", "QMoE"):
            assert node is not None, f"{run.node} is not in the graph"
            tokens, hidden, width = math.prod(run.inputs[0][:-1]), run.inputs[0][-1], run.inputs[2][1] // 2
            chosen = next(a.i for a in node.attribute if a.name == "k")
            linear += 2.0 * tokens * chosen * 3 * hidden * width
        elif run.operator in _PRODUCTS:
            flop = 2.0 * math.prod(run.outputs[0]) * run.inputs[0][-1]
            if node is None or node.input[1] in weights:
                linear += flop
            else:
                context += flop
        elif run.operator == "MultiHeadAttention":
            (batch, tokens, query), (_, _, value) = run.inputs[0], run.outputs[0]
            context += 2.0 * batch * (query + value) * tokens * (tokens + 1) / 2
        elif "MatMul" in run.operator or "Attention" in run.operator or run.operator in ("Gemm", "Einsum"):
            raise ValueError(f"the work of {run.operator} is not known")
    return GraphWork(linear_flop=linear, context_flop=context)
