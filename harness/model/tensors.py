"""The tensors of an architecture: names, shapes, and the bytes that each takes at a precision."""

import math
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

from harness.model.spec import Spec
from harness.vocabulary import RunPrecision

Role = Literal["embedding", "norm", "bias", "router", "matrix", "latent", "sink"]

Axis = TypeVar("Axis", int, str)
"""A length, or the name of one that is not known yet."""

BLOCK = 256
"""Most 4-bit weights that share a scale, twice the group of GPTQ's and AWQ's releases; at int8 a row shares one. The
expert operator holds each scale three times. With half as many of them moe-1b takes 1.26 in place of 1.31 times its
stored bytes in decode, and a step is faster, 1.06 times for one sequence and 1.14 for sixteen. Rounding normal weights
is off by 12.6 % of their deviation, with 128 by 11.7 %."""


@dataclass(frozen=True)
class Tensor:
    """One named tensor of a layout. `latent` is the up-projection of the latent cache, scaled per head, because
    absorbed decoding contracts it along the other axis than prefill does. A `router` is small and chooses, so it keeps
    8 bits at int4 too."""

    name: str
    shape: tuple[int, ...]
    role: Role
    split: int = 0
    """Of a latent up-projection: rows of each head that make keys; the others make values."""
    partner: int = 0
    """Of an expert's matrix: width of its other matrix, because both must be stored in blocks of one size."""

    @property
    def count(self) -> int:
        count: int = math.prod(self.shape)
        return count

    def matrix(self) -> "Tensor":
        """One of a stack of matrices."""
        return replace(self, shape=self.shape[1:])

    def bits(self, precision: RunPrecision) -> Literal[4, 8, 32]:
        """In which a weight is stored: where it is not 32, matrices take the model's, the others 8."""
        if precision == "fp32" or self.role not in ("matrix", "latent", "router"):
            return 32
        return 4 if precision == "int4" and self.role == "matrix" else 8

    def block(self, precision: RunPrecision) -> int:
        """Weights that share a scale along `in`: the whole row at 8 bits, at 4 the largest power of two up to BLOCK.

        Raises ValueError where that is below 16: no kernel takes such blocks.
        """
        width = self.shape[-1]
        block = math.gcd(width, self.partner, BLOCK)
        if block < 16:
            raise ValueError(f"{self.name} has an input width of {width}, which is not a multiple of 16 as blocks need")
        return width if self.bits(precision) == 8 else block


def tensor_layout(spec: Spec) -> tuple[Tensor, ...]:
    """Every tensor of `spec`, in the order in which a token meets them."""
    d = spec.hidden_size
    tensors = [Tensor("embedding", (spec.vocab_size, d), "embedding")]
    for layer in range(spec.num_hidden_layers):
        tensors += _attention(spec, f"layers.{layer}.attention")
        tensors += _feed_forward(spec, layer)
    tensors.append(Tensor("norm", (d,), "norm"))
    if not spec.tie_word_embeddings:
        tensors.append(Tensor("head", (spec.vocab_size, d), "matrix"))
    return tuple(tensors)


def _attention(spec: Spec, at: str) -> list[Tensor]:
    d, heads = spec.hidden_size, spec.num_attention_heads
    norm = Tensor(f"{at}.norm", (d,), "norm")
    if spec.attention == "mla":
        p, dn = spec.qk_rope_head_dim or 0, spec.qk_nope_head_dim or 0
        dv, r, rq = spec.v_head_dim or 0, spec.kv_lora_rank or 0, spec.q_lora_rank
        wide = heads * (p + dn)
        query = [Tensor(f"{at}.q_norm", (rq,), "norm"), Tensor(f"{at}.q", (wide, rq), "matrix")] if rq else []
        return [
            norm,
            Tensor(f"{at}.in", ((rq or wide) + r + p, d), "matrix"),
            *query,
            Tensor(f"{at}.kv_norm", (r,), "norm"),
            Tensor(f"{at}.kv", (heads, dn + dv, r), "latent", split=dn),
            Tensor(f"{at}.out", (d, heads * dv), "matrix"),
        ]
    hd, kv = spec.head_dim or 0, spec.num_key_value_heads or 0
    rows = (heads + 2 * kv) * hd
    tensors = [norm, Tensor(f"{at}.in", (rows, d), "matrix")]
    if spec.attention_bias:
        tensors += [Tensor(f"{at}.in_bias", (rows,), "bias"), Tensor(f"{at}.out_bias", (d,), "bias")]
    if spec.use_qk_norm:
        tensors += [Tensor(f"{at}.q_norm", (hd,), "norm"), Tensor(f"{at}.k_norm", (hd,), "norm")]
    if spec.attention_sinks:
        tensors.append(Tensor(f"{at}.sinks", (heads,), "sink"))
    return [*tensors, Tensor(f"{at}.out", (d, heads * hd), "matrix")]


def _feed_forward(spec: Spec, layer: int) -> list[Tensor]:
    """Of routed experts' `in`, row 2i is gate i and row 2i+1 up i; elsewhere all gate rows come before all up rows."""
    at, d = f"layers.{layer}", spec.hidden_size
    tensors = [Tensor(f"{at}.mlp_norm", (d,), "norm")]
    if layer < spec.dense_layers:
        f = spec.intermediate_size or 0
        return [*tensors, *_gated(f"{at}.dense", f, d)]
    f, experts = spec.moe_intermediate_size or 0, spec.n_routed_experts
    tensors.append(Tensor(f"{at}.router", (experts, d), "router"))
    if spec.topk_method == "noaux_tc" or spec.moe_bias:
        tensors.append(Tensor(f"{at}.router_bias", (experts,), "bias"))
    tensors.append(Tensor(f"{at}.experts.in", (experts, 2 * f, d), "matrix", partner=f))
    tensors.append(Tensor(f"{at}.experts.out", (experts, d, f), "matrix", partner=d))
    if spec.moe_bias:
        tensors.append(Tensor(f"{at}.experts.in_bias", (experts, 2 * f), "bias"))
        tensors.append(Tensor(f"{at}.experts.out_bias", (experts, d), "bias"))
    if spec.n_shared_experts:
        tensors += _gated(f"{at}.shared", f * spec.n_shared_experts, d)
    return tensors


def _gated(at: str, f: int, d: int) -> list[Tensor]:
    return [Tensor(f"{at}.in", (2 * f, d), "matrix"), Tensor(f"{at}.out", (d, f), "matrix")]


@dataclass(frozen=True)
class Cache:
    """One tensor of one layer that decoding extends by a token: [B, T, width], or [B, groups, T, width] with groups, or
    [B, width, T] where it is kept in `columns`."""

    name: str
    width: int
    bits: Literal[8, 32] = 32
    groups: int = 0
    columns: bool = False

    @property
    def token_axis(self) -> int:
        """Counted from the last axis."""
        return -1 if self.columns else -2

    def shape(self, batch: Axis, capacity: Axis) -> tuple[Axis | int, ...]:
        if self.columns:
            return (batch, self.width, capacity)
        return (batch, self.groups, capacity, self.width) if self.groups else (batch, capacity, self.width)


def layer_cache(spec: Spec, precision: RunPrecision, layer: int) -> tuple[Cache, ...]:
    """What one layer keeps of every token. With quantised weights all is kept in 8 bits, and the latent twice, because
    the runtime does not transpose an integer matrix: in columns for scores, below the rotary keys, so that a query
    meets both in one product; in rows for values. In fp32 rotary keys are in columns too, which the runtime packs
    faster than rows to be transposed (42 against 62 us at 2,112 tokens)."""
    if spec.attention != "mla":
        groups, width = spec.num_key_value_heads or 0, spec.head_dim or 0
        return tuple(Cache(f"{name}_{layer}", width, groups=groups) for name in ("key", "value"))
    r, p = spec.kv_lora_rank or 0, spec.qk_rope_head_dim or 0
    if precision == "fp32":
        return Cache(f"latent_{layer}", r), Cache(f"key_{layer}", p, columns=True)
    return Cache(f"latent_{layer}", r, 8), Cache(f"key_{layer}", p + r, 8, columns=True)


def cache_token_bytes(spec: Spec, precision: RunPrecision) -> int:
    """Bytes that decoding keeps of a token of one sequence, all layers together. It reads each of them once a step, but
    the fp32 latent twice."""
    caches = layer_cache(spec, precision, 0)
    return spec.num_hidden_layers * sum(max(c.groups, 1) * c.width * c.bits // 8 for c in caches)


def stored_bytes(spec: Spec, precision: RunPrecision) -> int:
    """Bytes of all tensors as stored, scales included, without building any."""
    return sum(tensor_bytes(tensor, precision) for tensor in tensor_layout(spec))


def tensor_bytes(tensor: Tensor, precision: RunPrecision) -> int:
    """Bytes of one tensor as stored, scales included. Raises ValueError where its width takes no blocks."""
    bits = tensor.bits(precision)
    if bits == 32:
        return 4 * tensor.count
    if tensor.role == "latent":
        return tensor.count + 4 * tensor.shape[0]
    return tensor.count * bits // 8 + 4 * tensor.count // tensor.block(precision)


_MODELLED_FIELDS = (
    "swa_num_key_value_heads",
    "swa_head_dim",
    "attention_k_eq_v",
    "attn_output_gate",
    "mlp_layer_types",
    "moe_latent_size",
    "shared_expert_gate",
)
_PART_ROTATED = ("minimax_m2", "minimax_m3", "glm4_moe", "mimo_v2_flash", "step3p7")


def why_not_run(spec: Spec) -> str | None:
    """Why `spec` is modelled here and not run, as the end of a sentence about it; None where it runs."""
    modelled = "is modelled here and not run"
    if spec.attention == "v4" or spec.index_topk is not None:
        return (
            f"attends sparsely over its context ({spec.model_type}), which {modelled}; expected a "
            "model with full attention"
        )
    other = sorted(spec.mixers.keys() - {"full_attention", "sliding_attention"})
    if other:
        return f"has layers of {', '.join(other)}, which {modelled}; expected full or sliding attention"
    if spec.model_type in _PART_ROTATED:
        return f"rotates a part of each head, which {modelled}; expected a model that rotates it whole"
    given = [name for name in _MODELLED_FIELDS if getattr(spec, name)]
    if spec.attention == "gqa" and spec.v_head_dim is not None:
        given.append("v_head_dim")
    if given or spec.model_type == "gemma4":
        return f"has {', '.join(given) or 'norms after each part'}, which {modelled}; expected a model without"
    if spec.attention == "gqa" and (spec.head_dim or 0) % 8:
        return f"has a head_dim of {spec.head_dim}; grouped-query attention (GQA) runs with heads of a multiple of 8"
    return None
