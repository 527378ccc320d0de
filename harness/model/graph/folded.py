"""The up-projection of keys folded into that of queries, for decode (DeepSeek-V2, arXiv:2405.04434, section 2.1.2).

What a head's query is multiplied by on its way to the latent space, first [n, q] and then [n, r], becomes one matrix
[r, q]. It is rounded once, to 8 bits where weights are quantised, and what lies between the two is rounded no more.
Knows how to make the matrix, not what multiplies by it.
Letters: H heads, q query rank, r latent rank, p rotary and n plain head width.
"""

from collections.abc import Collection, Iterator, Mapping

import numpy as np

from harness.model.graph.forms import operator_block
from harness.model.graph.parts import score_gain
from harness.model.layout import Tensor
from harness.model.spec import Precision, Spec
from harness.model.weights import Stored, dequantise, quantise

_NAME = "attention.folded_q"


def folds(spec: Spec) -> bool:
    """Whether one matrix costs as many operations as the two: r * q = n * (r + q). Else they stay apart, so that the
    work of a step is what the architecture says."""
    q, r, n = spec.q_lora_rank, spec.kv_lora_rank, spec.qk_nope_head_dim
    return spec.attention == "mla" and bool(q and r and n) and (q or 0) * (r or 0) == (n or 0) * ((q or 0) + (r or 0))


def score_scale(spec: Spec) -> float:
    """What attention scores are multiplied by."""
    return score_gain(spec) / float(np.sqrt((spec.qk_rope_head_dim or 0) + (spec.qk_nope_head_dim or 0)))


def folded_query(spec: Spec, layer: int) -> Tensor:
    """The folded projection of one layer: each head's p rotary rows, then its r latent ones."""
    rows = spec.num_attention_heads * ((spec.qk_rope_head_dim or 0) + (spec.kv_lora_rank or 0))
    return Tensor(f"layers.{layer}.{_NAME}", (rows, spec.q_lora_rank or 0), "latent")


def fold(spec: Spec, precision: Precision, query: Stored, up: Stored) -> Stored:
    """[H*(p+r), q] from the queries' [H*(p+n), q] and the latent's [H, n+v, r], scores' scale included."""
    heads, p, n = spec.num_attention_heads, spec.qk_rope_head_dim or 0, spec.qk_nope_head_dim or 0
    apart = dequantise(query).reshape(heads, p + n, -1)
    keys = dequantise(up)[:, :n]
    joint = np.concatenate([apart[:, :p], keys.transpose(0, 2, 1) @ apart[:, p:]], axis=1) * np.float32(
        score_scale(spec)
    )
    tensor = folded_query(spec, 0)
    return quantise(
        joint.reshape(tensor.shape), "fp32" if precision == "fp32" else "int8", operator_block(tensor, precision)
    )


def folded_queries(
    spec: Spec, precision: Precision, weights: Mapping[str, Stored], wanted: Collection[str]
) -> Iterator[tuple[Tensor, Stored]]:
    """Those folded projections that are `wanted` by name, made from a model's weights."""
    for layer in range(spec.num_hidden_layers):
        tensor = folded_query(spec, layer)
        if tensor.name in wanted:
            query, up = (weights[f"layers.{layer}.attention.{name}"] for name in ("q", "kv"))
            yield tensor, fold(spec, precision, query, up)
