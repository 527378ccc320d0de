"""Operators that ran, with their times, shapes and the work that follows from these; and where a step's time went.

The work of a step is counted operator by operator from the shapes that really ran, and shares no code with the closed
forms that it checks. Norms, softmax, rotary positions and additions are left out, as in the closed forms.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from pydantic import Field

from harness.vocabulary import Frozen

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

Shape = tuple[int, ...]


class Executed(Frozen):
    """One run of one operator. `part` is the part of the model that it belongs to."""

    node: str
    part: str
    operator: str
    duration_s: float = Field(ge=0)
    inputs: tuple[Shape, ...]
    outputs: tuple[Shape, ...]


class ProfileRow(Frozen):
    """One kind of operator in one part of the model, over a step."""

    part: str
    operator: str
    calls: float = Field(description="runs in a step")
    duration_s: float = Field(description="time in a step, under the profiler, which slows small operators")
    share: float = Field(ge=0, le=1, description="of all operators' time")


def rows(executed: Iterable[Executed], steps: int) -> tuple[ProfileRow, ...]:
    """Time by part and operator, longest first."""
    times: dict[tuple[str, str], list[float]] = defaultdict(list)
    for run in executed:
        times[run.part, run.operator].append(run.duration_s)
    total = math.fsum(t for ts in times.values() for t in ts)
    made = [
        ProfileRow(
            part=part,
            operator=operator,
            calls=len(ts) / steps,
            duration_s=math.fsum(ts) / steps,
            share=math.fsum(ts) / total if total else 0.0,
        )
        for (part, operator), ts in times.items()
    ]
    return tuple(sorted(made, key=lambda row: (-row.duration_s, row.part, row.operator)))


def by_part(profile: Sequence[ProfileRow]) -> tuple[tuple[str, float], ...]:
    """Share of the time by part of the model, largest first."""
    shares: dict[str, float] = defaultdict(float)
    for row in profile:
        shares[row.part] += row.share
    return tuple(sorted(shares.items(), key=lambda item: -item[1]))


class GraphWork(Frozen):
    """Floating-point operations of one step: two for each multiplication with an addition."""

    linear_flop: float = Field(description="products with weights, the chosen experts' only")
    context_flop: float = Field(description="attention over the keys that each query may see")

    @property
    def flop(self) -> float:
        return self.linear_flop + self.context_flop


def count_work(model: "ModelProto", executed: Iterable[Executed], *, decoded_behind: int | None = None) -> GraphWork:
    """Count one step of `model` from the shapes with which its operators ran.

    `decoded_behind`: cached tokens of each sequence when the step began. Grouped-query attention (GQA) takes this
    number as a value, which no shape shows; MLA multiplies by all rows of its cache.
    Raises ValueError for an operator that multiplies and is not known here.
    """
    weights = {initialiser.name for initialiser in model.graph.initializer}
    nodes = {node.name: node for node in model.graph.node}
    linear = context = 0.0
    for run in executed:
        # a node that the runtime fused keeps the name of one of its parts in front of its own
        node = nodes.get(run.node) or nodes.get("/".join(run.node.split("/")[:2]))
        count = _FLOP.get(run.operator)
        if count is not None:
            flop = count(run, node, decoded_behind)
            product = count is _product_flop
            if count is _experts_flop or (product and (node is None or node.input[1] in weights)):
                linear += flop
            elif not product or run.part == "attention":
                context += flop
        elif "MatMul" in run.operator or "Attention" in run.operator or run.operator in ("Gemm", "Einsum"):
            raise ValueError(f"the work of {run.operator} is not known")
    return GraphWork(linear_flop=linear, context_flop=context)


def _attribute(run: Executed, node: "NodeProto | None", name: str) -> int:
    assert node is not None, f"{run.node} is not in the graph"
    return int(next(a.i for a in node.attribute if a.name == name))


def _product_flop(run: Executed, _node: "NodeProto | None", _behind: int | None) -> float:
    return 2.0 * math.prod(run.outputs[0]) * run.inputs[0][-1]


def _experts_flop(run: Executed, node: "NodeProto | None", _behind: int | None) -> float:
    tokens, hidden, width = math.prod(run.inputs[0][:-1]), run.inputs[0][-1], run.inputs[2][1] // 2
    return 2.0 * tokens * _attribute(run, node, "k") * 3 * hidden * width


def _causal_flop(run: Executed, _node: "NodeProto | None", _behind: int | None) -> float:
    (batch, tokens, query), keys, (_, _, value) = run.inputs[0], run.inputs[1][1], run.outputs[0]
    return 2.0 * batch * (query + value) * tokens * (keys - (tokens - 1) / 2)


def _grouped_flop(run: Executed, node: "NodeProto | None", decoded_behind: int | None) -> float:
    """Scores and mixed values of each query over the keys that it sees: itself and the past, within a window."""
    (batch, tokens, width), window = run.inputs[0], _attribute(run, node, "local_window_size")
    behind = decoded_behind if node is not None and node.input[3] else 0
    if behind is None:
        raise ValueError("how many tokens a decode step has behind it is not given, and no shape tells")
    seen = (behind + 1 + query for query in range(tokens))
    return 2.0 * batch * 2 * width * sum(min(keys, window) if window > 0 else keys for keys in seen)


_FLOP: dict[str, Callable[[Executed, "NodeProto | None", int | None], float]] = {
    **dict.fromkeys(("MatMul", "FusedMatMul", "MatMulNBits", "DynamicQuantizeMatMul"), _product_flop),
    **dict.fromkeys(("MoE", "QMoE"), _experts_flop),
    "MultiHeadAttention": _causal_flop,
    "GroupQueryAttention": _grouped_flop,
}
