"""The products of a decode step alone: what the runtime's own operators allow if all others took no time.

The graph keeps the operators that multiply by weights or by the cache, with the same weights and threads; what they
read of others lies ready, as one step left it. So a step takes what the kernels take, and the runtime's call of each.
"""

from collections.abc import Callable

import numpy as np
import onnx
from onnx import helper

from harness.model.graph.nodes import Program
from harness.runtime.engine import Engine
from harness.runtime.runner import Decoder
from harness.runtime.session import Array

MULTIPLYING = ("MatMul", "FusedMatMul", "MatMulNBits", "DynamicQuantizeMatMul", "MoE", "QMoE")


def products_alone(engine: Engine, *, batch: int, tokens: int, depth: int) -> Callable[[], float]:
    """Each call is one step of the products of a decode workload, and its seconds. Closes the engine's own session."""
    engine.close()
    program = engine.program("decode", batch)
    graph = program.model.graph
    nodes = [node for node in graph.node if node.op_type in MULTIPLYING]
    weights = {initialiser.name for initialiser in graph.initializer}
    read = {name for node in nodes for name in node.input if name} - weights
    values = _values(engine, program, read, batch=batch, capacity=depth + tokens)
    kept = _alone(program, nodes, {name: values[name] for name in read})
    session = engine.opened(kept)
    for name, array in values.items():
        session.bind_input(_ready(name), array)
    for output in kept.model.graph.output:
        session.bind_output(output.name)
    scores = [values[name] for name in _scores(nodes)]
    random, experts = np.random.default_rng(0), engine.spec.n_routed_experts

    def step() -> float:
        order = random.permutation(experts)
        for array in scores:  # other experts in each step; the parts of one that was cut have one score
            array[...] = array.reshape(batch, -1, experts)[..., order].reshape(array.shape)
        before = session.run_s
        session.run()
        return session.run_s - before

    return step


def _ready(name: str) -> str:
    """The input that stands for the value `name`, which may also be a product's output."""
    return f"{name}, ready"


def _scores(nodes: list[onnx.NodeProto]) -> set[str]:
    """By which experts are chosen, and mixed."""
    experts = [node for node in nodes if node.op_type in ("MoE", "QMoE")]
    return {name for node in experts for name in (node.input[1], *node.input[14:15])}


def _values(engine: Engine, program: Program, names: set[str], *, batch: int, capacity: int) -> dict[str, Array]:
    """What a step behind a full cache leaves in the tensors `names`."""
    model = onnx.ModelProto()
    model.CopyFrom(program.model)
    outputs = {output.name for output in model.graph.output}
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in sorted(names - outputs))
    session = engine.opened(Program(model, program.bindings))
    decoder = Decoder(engine.spec, engine.precision, session, batch=batch, capacity=capacity)
    decoder.fill(capacity - 1, np.random.default_rng(1))
    for name in sorted(names):
        if not name.endswith("_new"):  # caches are bound already
            session.bind_output(name)
    decoder.step(np.arange(batch))
    values = dict(zip(sorted(names), session.outputs(sorted(names)), strict=True))
    session.close()
    return values


def _alone(program: Program, nodes: list[onnx.NodeProto], values: dict[str, Array]) -> Program:
    """The graph of `nodes`, each of which reads `values` and no other node."""
    apart, used = [], set[str]()
    for node in nodes:
        one = onnx.NodeProto()
        one.CopyFrom(node)
        used |= set(node.input)
        one.input[:] = [_ready(name) if name in values else name for name in node.input]
        apart.append(one)
    ready = [
        helper.make_tensor_value_info(_ready(name), helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
        for name, array in values.items()
    ]
    made = [onnx.ValueInfoProto(name=node.output[0]) for node in apart]
    held = [initialiser for initialiser in program.model.graph.initializer if initialiser.name in used]
    model = helper.make_model(
        helper.make_graph(apart, "products", ready, made, held),
        opset_imports=list(program.model.opset_import),
        ir_version=program.model.ir_version,
    )
    return Program(model, tuple(binding for binding in program.bindings if binding.name in used))
