"""The closed form against the graphs that run here: operations counted node by node from the shapes in the graph.

The count knows ONNX only: a product with an initialiser costs two operations for each of its numbers, a mixture runs k
of its E experts, and a product with a cache costs two operations for each number of the cache that a head reads.
"""

import math
from collections import defaultdict
from typing import get_args

import onnx
import pytest

from harness.catalog.models import preset, preset_names
from harness.model.configjson import spec_from_config
from harness.model.family import Family
from harness.model.graph.decoder import build
from harness.model.graph.dispatch import Strategy, strategy
from harness.model.operators import count_work
from harness.model.spec import Spec
from harness.results.counting import counts
from harness.results.plan import Variant, Workload
from harness.roofline.deployment import Deployment
from harness.roofline.work import ComponentName, work
from harness.runtime.engine import Engine
from harness.vocabulary import Phase, RunPrecision
from tests.parity import shapes
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
            out["core"] += 2 * context * max(read[0])  # a head's share; all heads below. Only the width is known
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
    for part, component in PARTS.items():
        assert graph[part] == pytest.approx(closed.get(component, 0.0), rel=1e-12), part


def ran(spec: Spec, precision: RunPrecision, phase: Phase, batch: int = 3, threads: int = 1) -> None:
    """The work of a step that really ran is the closed form's, and the one that a row of `harness bench` states."""
    depth, prompt = 9, 14
    engine = Engine.load(spec, precision, threads=threads, seed=0, first=phase)
    deployment = Deployment(precision="bf16", batch=batch, context_tokens=depth + 2, prompt_tokens=prompt, chips=1)
    step = work(spec, deployment.model_copy(update={"mtp_drafts": 0, "mtp_acceptance": 0}), phase)
    closed = {c.name: c.flop for c in step.components}
    core, linear = closed.pop("attention_core"), math.fsum(closed.values())
    load = Workload(phase=phase, batch=batch, prompt_tokens=prompt, decode_tokens=0)
    if phase == "prefill":
        executed = engine.profile(
            Workload(phase=phase, batch=batch, prompt_tokens=prompt, decode_tokens=0), seed=0, steps=1
        )
        linear += 2 * batch * spec.vocab_size * spec.hidden_size  # logits of the last position of each prompt
    else:  # the first of two steps is left out, so that the second fills the cache
        executed = engine.profile(
            Workload(phase=phase, batch=batch, prompt_tokens=0, decode_tokens=2, depth=depth), seed=0, steps=1
        )
        load = Workload(phase=phase, batch=batch, prompt_tokens=0, decode_tokens=1, depth=depth + 1)
    found = count_work(engine.program(phase, batch).model, executed, decoded_behind=depth + 1)
    assert found.linear_flop == pytest.approx(linear, rel=1e-12)
    assert found.context_flop == pytest.approx(core, rel=1e-12)
    variant = Variant(model="one", spec=spec, precision=precision, threads=1)
    tokens = batch * (prompt if phase == "prefill" else 1)
    assert counts(variant, load).flop_per_token == pytest.approx(found.flop / tokens, rel=1e-12)


RUN = ("deepseek-v3-groups", "deepseek-v2-lite", "mixtral-window", "qwen3-moe", "gpt-oss", "deepseek-v3-dense")


@pytest.mark.parametrize("phase", ["prefill", "decode"])
@pytest.mark.parametrize("name", RUN)
def test_work_that_ran_is_the_closed_form(name: str, phase: Phase) -> None:
    for precision in get_args(RunPrecision):
        ran(ARCHITECTURES[name], precision, phase)


@pytest.mark.parametrize(("batch", "expected"), [(2, "operator"), (30, "sorted")])
def test_work_is_the_same_however_large_experts_are_computed(batch: int, expected: Strategy) -> None:
    base = ARCHITECTURES["deepseek-v3"]
    spec = base.model_copy(update={"moe_intermediate_size": 512, "hidden_size": 128, "n_routed_experts": 48})
    assert strategy(spec, "fp32", "decode", batch) == expected and strategy(spec, "int4", "decode", batch) == "operator"
    for threads in (1, 2):  # with two, those of the operator are cut in half
        ran(spec, "fp32", "decode", batch, threads)


@pytest.mark.slow
@pytest.mark.parametrize("phase", ["prefill", "decode"])
@pytest.mark.parametrize("name", preset_names())
def test_work_of_every_preset_that_ran_is_the_closed_form(name: str, phase: Phase) -> None:
    ran(preset(name), "int4", phase)


@pytest.mark.slow
@pytest.mark.parametrize("phase", ["prefill", "decode"])
@pytest.mark.parametrize("number", range(8))
@pytest.mark.parametrize("family", shapes.FAMILIES)
def test_work_of_random_shapes_that_ran_is_the_closed_form(family: Family, number: int, phase: Phase) -> None:
    ran(spec_from_config(shapes.config(family, number)), "fp32" if number % 2 else "int4", phase)
