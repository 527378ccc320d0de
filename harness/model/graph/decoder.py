"""A decoder-only model as an ONNX graph, one for each phase: Spec and precision in, Program out.

Letters: B sequences, S tokens of each, T cached tokens, d hidden, V vocabulary. Prefill takes B x S tokens without a
past and returns the logits of the last one. Decode takes a token of each sequence and a cache that it extends in place.
"""

import numpy as np

from harness.errors import UsageError
from harness.model.graph import feedforward
from harness.model.graph.dispatch import Strategy
from harness.model.graph.grouped import GroupedAttention
from harness.model.graph.mla import MLAttention
from harness.model.graph.nodes import Nodes, Program
from harness.model.graph.packing import Byte
from harness.model.graph.parts import linear, norm, rope_tables
from harness.model.spec import Spec
from harness.model.tensors import tensor_layout, why_not_run
from harness.vocabulary import Phase, RunPrecision


def build(
    spec: Spec,
    precision: RunPrecision,
    phase: Phase,
    *,
    positions: int,
    experts: Strategy = "operator",
    byte: Byte = "int8",
    threads: int = 1,
) -> Program:
    """The graph of one phase. `positions` bounds the rotary tables; `experts` is the dispatch strategy of routed ones
    (see `dispatch`); `byte` is the type of 8-bit codes; `threads` is how many will run it.

    Inputs of prefill: tokens int64 [B, S]. Of decode: tokens int64 [B, 1], each layer's cache, and where it ends:
    positions int64 [B, 1], rows int64 [B] and mask fp32 [T] for MLA, lengths int32 [B] and total int32 [1] for GQA.
    Outputs: logits fp32 [B, V], and of each layer with experts the scores [tokens, E] by which it selects them, as
    selection_LAYER. Raises UsageError for an architecture that is not computed here.
    """
    if (why := why_not_run(spec)) is not None:
        raise UsageError(f"{spec.model_type} {why}")
    nodes = Nodes(precision, wide=phase == "prefill", byte=byte, threads=threads)
    tensors = {tensor.name: tensor for tensor in tensor_layout(spec)}
    d, eps = spec.hidden_size, spec.rms_norm_eps
    nodes.part = "embedding"
    tokens = nodes.input("tokens", np.int64, ("B", "S" if phase == "prefill" else 1))
    attention = MLAttention if spec.attention == "mla" else GroupedAttention
    block = attention(spec, nodes, tensors, phase, rope_tables(spec, nodes, positions))
    hidden = nodes("Gather", nodes.weight(tensors["embedding"], "values"), tokens)
    residual: str | None = None
    for layer in range(spec.num_hidden_layers):
        nodes.part = "attention"
        normed, residual = norm(nodes, tensors[f"layers.{layer}.attention.norm"], hidden, residual, eps)
        hidden = block(layer, normed)
        nodes.part = "norm"
        normed, residual = norm(nodes, tensors[f"layers.{layer}.mlp_norm"], hidden, residual, eps)
        hidden = feedforward.feed_forward(spec, nodes, tensors, layer, normed, experts)
    nodes.part, nodes.wide = "head", False
    if phase == "prefill":
        hidden, residual = (_last(nodes, x) for x in (hidden, residual or hidden))
    normed, _ = norm(nodes, tensors["norm"], hidden, residual, eps)
    rows = nodes("Reshape", normed, nodes.ints(-1, d))
    linear(nodes, tensors["embedding" if spec.tie_word_embeddings else "head"], rows, to="logits")
    nodes.output("logits", np.float32, ("B", spec.vocab_size))
    return nodes.program(f"{spec.model_type}-{phase}-{precision}")


def _last(nodes: Nodes, hidden: str) -> str:
    """[B, S, d] -> [B, 1, d]: only the last position's logits are needed."""
    ends = [nodes.ints(v) for v in (-1, np.iinfo(np.int64).max, 1)]
    return nodes("Slice", hidden, *ends)
