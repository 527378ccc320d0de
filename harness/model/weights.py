"""A model's tensors: their layout, their generation from a seed, and how they are stored. Knows no operator.

A matrix is stored as [..., out, in]. At int8 and int4 it becomes symmetric blocks along `in` with one fp32 scale each.
The three precisions of one seed are roundings of the same real weights: a weight is `(n + m/16 + j) * scale` with
integers n and m in -7..7 and a jitter j below half of 1/16, so that n is its nearest 4-bit code on that scale, 16n + m
its nearest 8-bit code, and the quantisation error that is measured is that of rounding. Codes have zero mean, and token
embeddings deviate by 1: with smaller ones a random model routes every token alike.
"""

import hashlib
import math
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from harness.model.spec import Precision, Spec

Role = Literal["embedding", "norm", "bias", "router", "matrix", "latent", "sink"]
Progress = Callable[[str, float], None]

BLOCK = 32
"""Weights that share a scale: the block of GGUF's Q4_0 and Q8_0, so that peers are compared at equal bits."""

_CHUNK = 1 << 18
"""Weights drawn from one random stream. Small enough that the temporary arrays stay in a core's second-level cache."""

_CODE_DEVIATION = math.sqrt(2 * sum(n * n for n in range(1, 8)) / 16)
"""Standard deviation of a 4-bit code that takes 0 with 2/16 and each of ±1..±7 with 1/16."""

_BIAS_DEVIATION = 0.003
"""Of the selection bias: large enough to change selections, too small to unbalance them (coverage within 1 %)."""


@dataclass(frozen=True)
class Tensor:
    """One named tensor of a layout. `latent` is the up-projection of the latent cache, scaled per head, because
    absorbed decoding contracts it along the other axis than prefill does."""

    name: str
    shape: tuple[int, ...]
    role: Role
    split: int = 0
    """Of a latent up-projection: rows of each head that make keys; the others make values."""

    @property
    def count(self) -> int:
        return int(math.prod(self.shape))


@dataclass(frozen=True)
class Plain:
    """A tensor stored as fp32."""

    values: NDArray[np.float32]

    @property
    def stored_bytes(self) -> int:
        return self.values.nbytes


@dataclass(frozen=True)
class Blocks:
    """Symmetric codes with zero point 2**(bits-1). `codes` is uint8 [..., out, in*bits/8], low nibble first;
    `scales` is fp32 [..., out, in/block]."""

    codes: NDArray[np.uint8]
    scales: NDArray[np.float32]
    bits: Literal[4, 8]

    @property
    def stored_bytes(self) -> int:
        return self.codes.nbytes + self.scales.nbytes

    @property
    def block(self) -> int:
        return self.codes.shape[-1] * 8 // self.bits // self.scales.shape[-1]


@dataclass(frozen=True)
class PerHead:
    """Symmetric 8-bit codes [heads, out, in], int8, with one fp32 scale a head [heads]."""

    codes: NDArray[np.int8]
    scales: NDArray[np.float32]

    @property
    def stored_bytes(self) -> int:
        return self.codes.nbytes + self.scales.nbytes


Stored = Plain | Blocks | PerHead
Weights = Mapping[str, Stored]


def layout(spec: Spec) -> tuple[Tensor, ...]:
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
    tensors.append(Tensor(f"{at}.experts.in", (experts, 2 * f, d), "matrix"))
    tensors.append(Tensor(f"{at}.experts.out", (experts, d, f), "matrix"))
    if spec.moe_bias:
        tensors.append(Tensor(f"{at}.experts.in_bias", (experts, 2 * f), "bias"))
        tensors.append(Tensor(f"{at}.experts.out_bias", (experts, d), "bias"))
    if spec.n_shared_experts:
        tensors += _gated(f"{at}.shared", f * spec.n_shared_experts, d)
    return tensors


def _gated(at: str, f: int, d: int) -> list[Tensor]:
    return [Tensor(f"{at}.in", (2 * f, d), "matrix"), Tensor(f"{at}.out", (d, f), "matrix")]


def block_of(width: int) -> int:
    """The block size along an input of `width`: the largest power of two from 16 to BLOCK that divides it.

    Raises ValueError where none does.
    """
    block = BLOCK
    while width % block and block > 16:
        block //= 2
    if width % block:
        raise ValueError(f"an input width of {width} is not a multiple of 16, so it cannot be stored in blocks")
    return block


def stored_bytes(spec: Spec, precision: Precision) -> int:
    """Bytes of all tensors as stored, scales included, without building any."""
    return sum(_tensor_bytes(tensor, precision) for tensor in layout(spec))


def _tensor_bytes(tensor: Tensor, precision: Precision) -> int:
    if precision == "fp32" or tensor.role not in ("matrix", "latent"):
        return 4 * tensor.count
    if tensor.role == "latent":
        return tensor.count + 4 * tensor.shape[0]
    bits = 4 if precision == "int4" else 8
    return tensor.count * bits // 8 + 4 * tensor.count // block_of(tensor.shape[-1])


def generate(
    spec: Spec, precision: Precision, seed: int, *, skew: float = 0.0, progress: Progress | None = None
) -> dict[str, Stored]:
    """All tensors of `spec`, drawn from `seed`. The same on every machine and for every number of threads.

    `skew` adds to the routers a preference that falls from the first expert to the last: 0 is balanced.
    """
    tensors, total, done = layout(spec), sum(t.count for t in layout(spec)), 0
    weights: dict[str, Stored] = {}
    with ThreadPoolExecutor(2) as pool:
        for tensor in tensors:
            weights[tensor.name] = _draw(tensor, precision, seed, pool)
            done += tensor.count
            if progress is not None:
                progress("weights", done / total)
    return _skewed(spec, weights, skew) if skew else weights


def _skewed(spec: Spec, weights: dict[str, Stored], skew: float) -> dict[str, Stored]:
    """Favour experts by their index. A router's input has deviation 1 and zero mean, so a preference that does not
    depend on the token needs a constant: channel 0 of the embeddings becomes one, and each router weighs it."""
    embedding = weights["embedding"]
    assert isinstance(embedding, Plain)
    embedding.values[:, 0] = 4.0
    preference = np.linspace(1.0, -1.0, spec.n_routed_experts, dtype=np.float32) * np.float32(skew / 4.0)
    for name, stored in weights.items():
        if name.endswith(".router"):
            assert isinstance(stored, Plain)
            stored.values[:, 0] = preference
    return weights


def _draw(tensor: Tensor, precision: Precision, seed: int, pool: ThreadPoolExecutor) -> Stored:
    key = [seed, int.from_bytes(hashlib.blake2s(tensor.name.encode(), digest_size=8).digest(), "little")]
    random = np.random.Generator(np.random.SFC64([*key, 0]))
    if tensor.role in ("matrix", "latent"):
        return _draw_matrix(tensor, precision, key, random, pool)
    values = random.standard_normal(tensor.shape, dtype=np.float32)
    if tensor.role == "norm":
        values = 1 + np.float32(0.1) * values
    elif tensor.role == "router":
        values /= np.float32(math.sqrt(tensor.shape[-1]))
    elif tensor.role == "bias":
        values *= np.float32(_BIAS_DEVIATION)
    return Plain(values)


def _draw_matrix(
    tensor: Tensor, precision: Precision, key: list[int], random: np.random.Generator, pool: ThreadPoolExecutor
) -> Stored:
    """Codes by chunks in parallel, scales that vary by a quarter around the one that keeps a unit input's deviation."""
    width = tensor.shape[-1]
    mean_scale = 1 / (_CODE_DEVIATION * math.sqrt(width))
    per_head = tensor.role == "latent"
    grid = tensor.shape[:1] if per_head else (*tensor.shape[:-1], width // block_of(width))
    scales = random.random(grid, dtype=np.float32)
    scales *= np.float32(0.5 * mean_scale)
    scales += np.float32(0.75 * mean_scale)
    form = "int8" if per_head and precision == "int4" else precision
    kind, length = _FORMS[form]
    codes = np.empty(tensor.count * length // 2, dtype=kind)
    group = tensor.count // scales.size  # divides _CHUNK, except where scales are per head
    starts = range(0, tensor.count, _CHUNK)

    def fill(start: int) -> None:
        stop = min(start + _CHUNK, tensor.count)
        part = codes[start * length // 2 : stop * length // 2]
        _fill(part, form, [*key, 1 + start // _CHUNK])
        if form == "fp32" and not per_head:
            part.reshape(-1, group)[...] *= scales.reshape(-1)[start // group : stop // group, None]

    list(pool.map(fill, starts))
    if form == "fp32":
        values = codes.reshape(tensor.shape)
        return Plain(values * scales[:, None, None] if per_head else values)
    if form == "int8":
        scales *= np.float32(1 / 16)
        if per_head:
            return PerHead((codes ^ np.uint8(128)).view(np.int8).reshape(tensor.shape), scales)
        return Blocks(codes.reshape(tensor.shape), scales, 8)
    return Blocks(codes.reshape(*tensor.shape[:-1], width // 2), scales, 4)


_FORMS: dict[Precision, tuple[type[np.generic], int]] = {
    "fp32": (np.float32, 2),
    "int8": (np.uint8, 2),
    "int4": (np.uint8, 1),
}
"""Element type of a drawn array, and its elements for two weights."""


def _pairs(low_first: Callable[[int], int]) -> NDArray[np.uint16]:
    """A table from a byte of two nibbles to two bytes, the low nibble's first."""
    return np.array([low_first(b & 15) | low_first(b >> 4) << 8 for b in range(256)], dtype=np.uint16)


def _centred(nibble: int) -> int:
    """A random nibble as a code in 1..15 around 8, with zero mean: 0 joins 8."""
    return nibble or 8


_COARSE_NIBBLES = np.array([_centred(b & 15) | _centred(b >> 4) << 4 for b in range(256)], dtype=np.uint8)
_COARSE_BYTES = _pairs(lambda n: 128 + 16 * (_centred(n) - 8) - 8)
_FINE_BYTES = _pairs(_centred)


def _fill(out: NDArray[Any], form: Precision, key: list[int]) -> None:
    """Fill one chunk: 4-bit codes from one stream, refined to 8 bits by a second, to fp32 by a third."""
    count = out.size * 2 // _FORMS[form][1]
    coarse = _bytes(key, 0, count // 2)
    if form == "int4":
        np.take(_COARSE_NIBBLES, coarse, out=out, mode="clip")
        return
    codes = out.view(np.uint16) if form == "int8" else np.empty(count // 2, dtype=np.uint16)
    np.take(_COARSE_BYTES, coarse, out=codes, mode="clip")
    codes += np.take(_FINE_BYTES, _bytes(key, 1, count // 2))
    if form == "int8":
        return
    jitter = _bytes(key, 2, 2 * count).view(np.uint16)
    np.multiply(jitter, np.float32(2.0**-20), out=out, casting="unsafe")
    shift = np.float32(-128 / 16 - 1 / 32 + 2.0**-21)
    out += codes.view(np.uint8) * np.float32(1 / 16) + shift


def _bytes(key: list[int], stream: int, count: int) -> NDArray[np.uint8]:
    random = np.random.Generator(np.random.SFC64([*key, stream]))
    words = random.integers(0, 1 << 64, size=-(-count // 8), dtype=np.uint64)
    return words.view(np.uint8)[:count]


def quantise(values: NDArray[np.float32], precision: Precision) -> Stored:
    """Round a matrix [..., out, in] to symmetric blocks whose largest magnitude takes the largest code."""
    if precision == "fp32":
        return Plain(np.ascontiguousarray(values, dtype=np.float32))
    bits: Literal[4, 8] = 4 if precision == "int4" else 8
    block, top = block_of(values.shape[-1]), 2 ** (bits - 1) - 1
    grouped = values.reshape(*values.shape[:-1], -1, block)
    scales = (np.abs(grouped).max(-1) / top).astype(np.float32)
    safe = np.where(scales == 0, np.float32(1), scales)[..., None]
    codes = (np.rint(grouped / safe) + (top + 1)).astype(np.uint8).reshape(values.shape)
    if bits == 4:
        codes = codes[..., 0::2] | codes[..., 1::2] << 4
    return Blocks(codes, scales, bits)


def quantise_heads(values: NDArray[np.float32]) -> PerHead:
    """Round the latent up-projection [heads, out, in] to 8 bits with one scale a head."""
    scales = (np.abs(values).max((1, 2)) / 127).astype(np.float32)
    safe = np.where(scales == 0, np.float32(1), scales)
    return PerHead(np.rint(values / safe[:, None, None]).astype(np.int8), scales)


def codes(stored: Blocks) -> NDArray[np.uint8]:
    """One code a byte, [..., out, in]."""
    if stored.bits == 8:
        return stored.codes
    pairs = np.stack([stored.codes & 15, stored.codes >> 4], axis=-1)
    return pairs.reshape(*stored.codes.shape[:-1], -1)


def dequantise(stored: Stored) -> NDArray[np.float32]:
    """The real numbers that a stored tensor stands for."""
    if isinstance(stored, Plain):
        return stored.values
    if isinstance(stored, PerHead):
        return stored.codes * stored.scales[:, None, None]
    signed = codes(stored).astype(np.float32) - np.float32(2 ** (stored.bits - 1))
    return signed * np.repeat(stored.scales, stored.block, axis=-1)


def dequantised(weights: Weights) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Every tensor by name as real numbers, one at a time."""
    for name, stored in weights.items():
        yield name, dequantise(stored)
