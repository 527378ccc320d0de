"""Tensors of the decode graph that are made from several of a model's own (DeepSeek-V2, arXiv:2405.04434, section 2.1).

Absorbed queries: what a head's query is multiplied by on its way to the latent space, first [n, q] and then [n, r],
becomes one matrix [r, q]. It is rounded once, to 8 bits where weights are quantised; the intermediate is not rounded.
Fused inputs: router and shared expert read the same tokens, and where both have 8 bits their matrices are one, because
a product of a single row takes about 8 us to come up to speed, whatever its size (two Zen 4 cores).
Key scales: the step of rotary keys in the 8-bit cache, from the weights that make them; and what queries' rotary
numbers are multiplied by, so that one scale serves the whole product of a query and a cached token.
Letters: H heads, E experts, f shared experts' width, d hidden, q query rank, r latent rank, p rotary and n plain head
width.
"""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet

import numpy as np

from harness.model.graph.packing import cache_step, operator_block
from harness.model.graph.parts import rope_gain, score_gain
from harness.model.spec import Spec
from harness.model.tensors import Tensor
from harness.model.weights import Blocks, Plain, Stored, dequantise, quantise
from harness.vocabulary import RunPrecision


def absorbs(spec: Spec) -> bool:
    """Whether one matrix costs as many operations as the two: r * q = n * (r + q). Else they stay apart, so that the
    work of a step is what the architecture says."""
    q, r, n = spec.q_lora_rank, spec.kv_lora_rank, spec.qk_nope_head_dim
    return spec.attention == "mla" and bool(q and r and n) and (q or 0) * (r or 0) == (n or 0) * ((q or 0) + (r or 0))


def score_scale(spec: Spec) -> float:
    """What attention scores are multiplied by."""
    return score_gain(spec) / float(np.sqrt((spec.qk_rope_head_dim or 0) + (spec.qk_nope_head_dim or 0)))


def absorbed_query(spec: Spec, layer: int) -> Tensor:
    """The absorbed projection of one layer: each head's p rotary rows, then its r latent ones."""
    rows = spec.num_attention_heads * ((spec.qk_rope_head_dim or 0) + (spec.kv_lora_rank or 0))
    return Tensor(f"layers.{layer}.attention.absorbed_q", (rows, spec.q_lora_rank or 0), "latent")


def key_scale(layer: int) -> Tensor:
    """The step of one layer's cached rotary keys, [1]."""
    return Tensor(f"layers.{layer}.attention.key_scale", (1,), "norm")


def query_balance(layer: int) -> Tensor:
    """What a query's rotary numbers are multiplied by, [1]: the keys' step over the latents'."""
    return Tensor(f"layers.{layer}.attention.query_balance", (1,), "norm")


def fused_input(spec: Spec, layer: int) -> Tensor:
    """The routers' E rows above the shared expert's 2f."""
    rows = spec.n_routed_experts + 2 * (spec.moe_intermediate_size or 0) * spec.n_shared_experts
    return Tensor(f"layers.{layer}.mlp_in", (rows, spec.hidden_size), "matrix")


def fuses(spec: Spec, precision: RunPrecision) -> bool:
    """Whether router and shared expert are one matrix."""
    return precision == "int8" and spec.is_sparse and bool(spec.n_shared_experts) and not spec.moe_bias


def fuse(router: Stored, shared: Stored) -> Stored:
    """One matrix above the other."""
    assert isinstance(router, Blocks) and isinstance(shared, Blocks) and router.bits == shared.bits
    codes, scales = np.concatenate([router.codes, shared.codes]), np.concatenate([router.scales, shared.scales])
    return Blocks(codes, scales, router.bits)


def absorb(spec: Spec, precision: RunPrecision, query: Stored, up: Stored, balance: float = 1.0) -> Stored:
    """[H*(p+r), q] from the queries' [H*(p+n), q] and the latent's [H, n+v, r]: scores' scale included, and the
    rotary rows times `balance`."""
    heads, p, n = spec.num_attention_heads, spec.qk_rope_head_dim or 0, spec.qk_nope_head_dim or 0
    apart = dequantise(query).reshape(heads, p + n, -1)
    keys = dequantise(up)[:, :n]
    fused = np.concatenate([apart[:, :p] * np.float32(balance), keys.transpose(0, 2, 1) @ apart[:, p:]], axis=1)
    tensor = absorbed_query(spec, 0)
    return quantise(
        (fused * np.float32(score_scale(spec))).reshape(tensor.shape),
        "fp32" if precision == "fp32" else "int8",
        operator_block(tensor, precision),
    )


def key_step(spec: Spec, gain: Stored, fused: Stored) -> float:
    """The step in which rotary keys are cached: that of a norm's outputs, times their largest deviation. `fused`
    [..., d] ends with the p rows that make them of inputs that deviate by `gain` [d]."""
    rows = dequantise(fused)[-(spec.qk_rope_head_dim or 0) :] * dequantise(gain)
    return cache_step(rope_gain(spec) * float(np.sqrt((rows * rows).sum(-1).max())))


def derived(
    spec: Spec, precision: RunPrecision, weights: Mapping[str, Stored], wanted: AbstractSet[str]
) -> Iterator[tuple[Tensor, Stored]]:
    """Those tensors that are `wanted` by name, made from a model's weights."""
    for layer in range(spec.num_hidden_layers):
        fused = fused_input(spec, layer)
        if fused.name in wanted:
            yield fused, fuse(weights[f"layers.{layer}.router"], weights[f"layers.{layer}.shared.in"])
        step, balance, absorbed = key_scale(layer), query_balance(layer), absorbed_query(spec, layer)
        if not wanted & {step.name, absorbed.name}:
            continue
        own = {name: weights[f"layers.{layer}.attention.{name}"] for name in ("norm", "in", "kv_norm", "kv")}
        ratio = 1.0
        if step.name in wanted:
            size = key_step(spec, own["norm"], own["in"])
            ratio = size / cache_step(float(np.abs(dequantise(own["kv_norm"])).max()))
            yield step, Plain(np.array([size], dtype=np.float32))
            if balance.name in wanted:
                yield balance, Plain(np.array([ratio], dtype=np.float32))
        if absorbed.name in wanted:
            yield absorbed, absorb(spec, precision, weights[f"layers.{layer}.attention.q"], own["kv"], ratio)
