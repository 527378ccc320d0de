"""A model's tensors: their generation from a seed, and how they are stored.

A matrix is stored as [..., out, in]. At int4 it becomes symmetric blocks along `in` with one fp32 scale each, at int8
symmetric rows.
The three precisions of one seed are roundings of the same real weights: a weight is `(n + m/16 + j) * scale` with
integers n and m in -7..7 and a jitter j below half of 1/16, so that n is its nearest 4-bit code on that scale, 16n + m
its nearest 8-bit code, and the quantisation error that is measured is that of rounding. Codes have zero mean, and token
embeddings deviate by 1: with smaller ones a random model routes every token alike.
"""

import hashlib
import math
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from harness.model.spec import Spec
from harness.model.tensors import Tensor, tensor_layout
from harness.vocabulary import RunPrecision

_CHUNK = 1 << 18
"""Weights drawn from one random stream. Small enough that the temporary arrays stay in a core's second-level cache."""

_CODE_DEVIATION = math.sqrt(2 * sum(n * n for n in range(1, 8)) / 16)
"""Standard deviation of a 4-bit code that takes 0 with 2/16 and each of ±1..±7 with 1/16."""

_MIXING_GAIN = 0.25
"""Of attention's output. What attention adds is alike at the positions of a sequence and pulls them to the same
experts: at a gain of a half, prompts of 8, 16 and 64 tokens touched 3.7, 3.8 and 2.4 % fewer experts of moe-1b than
independent tokens do (24 prompts each, standard errors of 0.2 to 0.4 %), at a quarter 0.6, 1.3 and 0.7 % fewer.
Trained models damp what a layer adds to the residual as well, for stability (GPT-2, section 2.3)."""

_BIAS_DEVIATION = 0.003
"""Of the selection bias: large enough to change selections, too small to unbalance them (coverage within 1 %)."""


@dataclass(frozen=True)
class Plain:
    """A tensor stored as fp32."""

    values: NDArray[np.float32]


@dataclass(frozen=True)
class Blocks:
    """Symmetric codes with zero point 2**(bits-1). `codes` is uint8 [..., out, in*bits/8], low nibble first;
    `scales` is fp32 [..., out, in/block]."""

    codes: NDArray[np.uint8]
    scales: NDArray[np.float32]
    bits: Literal[4, 8]

    @property
    def block(self) -> int:
        return int(self.codes.shape[-1]) * 8 // self.bits // int(self.scales.shape[-1])


@dataclass(frozen=True)
class PerHead:
    """Symmetric 8-bit codes [heads, out, in], int8, with one fp32 scale a head [heads]."""

    codes: NDArray[np.int8]
    scales: NDArray[np.float32]


Stored = Plain | Blocks | PerHead
Weights = Mapping[str, Stored]


def generate(spec: Spec, precision: RunPrecision, seed: int, *, skew: float = 0.0) -> dict[str, Stored]:
    """All tensors of `spec`, drawn from `seed`. The same on every machine and for every number of threads.

    `skew` adds to the routers a preference that falls from the first expert to the last: 0 is balanced.
    """
    with ThreadPoolExecutor(2) as pool:
        weights = {tensor.name: _draw(tensor, precision, seed, pool) for tensor in tensor_layout(spec)}
    return _skewed(spec, precision, weights, skew) if skew else weights


def _skewed(spec: Spec, precision: RunPrecision, weights: dict[str, Stored], skew: float) -> dict[str, Stored]:
    """Favour experts by their index. A router's input has deviation 1 and zero mean, so a preference that does not
    depend on the token needs a constant: channel 0 of the embeddings becomes one, and each router weighs it."""
    embedding = weights["embedding"]
    assert isinstance(embedding, Plain)
    embedding.values[:, 0] = 4.0
    routers = {tensor.name: tensor for tensor in tensor_layout(spec) if tensor.role == "router"}
    preference = np.linspace(1.0, -1.0, spec.n_routed_experts, dtype=np.float32) * np.float32(skew / 4.0)
    for name, stored in list(weights.items()):
        if name.endswith(".router"):
            values = dequantise(stored)
            values[:, 0] = preference
            weights[name] = rounded(routers[name], values, precision)
    return weights


def _draw(tensor: Tensor, precision: RunPrecision, seed: int, pool: ThreadPoolExecutor) -> Stored:
    key = [seed, int.from_bytes(hashlib.blake2s(tensor.name.encode(), digest_size=8).digest(), "little")]
    random = np.random.Generator(np.random.SFC64([*key, 0]))
    if tensor.role in ("matrix", "latent"):
        return _draw_matrix(tensor, precision, key, random, pool)
    values = random.standard_normal(tensor.shape, dtype=np.float32)
    if tensor.role == "norm":
        values = 1 + np.float32(0.1) * values
    elif tensor.role == "router":
        values /= np.float32(math.sqrt(tensor.shape[-1]))
        return rounded(tensor, values, precision)
    elif tensor.role == "bias":
        values *= np.float32(_BIAS_DEVIATION)
    return Plain(values)


def _draw_matrix(
    tensor: Tensor, precision: RunPrecision, key: list[int], random: np.random.Generator, pool: ThreadPoolExecutor
) -> Stored:
    """Codes by chunks in parallel, scales that vary by a quarter around the one that keeps a unit input's deviation."""
    width, per_head = tensor.shape[-1], tensor.role == "latent"
    scales = random.random(tensor.shape[:1] if per_head else tensor.shape[:-1], dtype=np.float32)
    scales = (0.75 + 0.5 * scales) * np.float32(1 / (_CODE_DEVIATION * math.sqrt(width)))
    if tensor.name.endswith(".attention.out"):
        scales *= np.float32(_MIXING_GAIN)
    form = "int8" if per_head and precision == "int4" else precision
    drawn = np.empty((tensor.count // width, width // 2 if form == "int4" else width), dtype=_ELEMENT[form])
    rows = max(1, _CHUNK // width)
    starts = range(0, len(drawn), rows)
    list(pool.map(lambda i: _fill(drawn[i * rows : (i + 1) * rows], form, [*key, 1 + i]), range(len(starts))))
    if form == "fp32":
        row_scales = np.repeat(scales, tensor.shape[1]) if per_head else scales.reshape(-1)
        for start in starts:
            drawn[start : start + rows] *= row_scales[start : start + rows, None]
        return Plain(drawn.reshape(tensor.shape))
    if form == "int8":
        if per_head:
            return PerHead((drawn ^ np.uint8(128)).view(np.int8).reshape(tensor.shape), scales / np.float32(16))
        return Blocks(drawn.reshape(tensor.shape), scales[..., None] / np.float32(16), 8)
    blocks = width // tensor.block("int4")
    return Blocks(drawn.reshape(*tensor.shape[:-1], width // 2), np.repeat(scales[..., None], blocks, -1), 4)


_ELEMENT: dict[RunPrecision, type[np.generic]] = {"fp32": np.float32, "int8": np.uint8, "int4": np.uint8}


def _fill(out: NDArray[Any], form: RunPrecision, key: list[int]) -> None:
    """Fill some rows: 4-bit codes from one random stream, refined to 8 bits by a second, to fp32 by a third."""
    pairs = out.size if form == "int4" else -(-out.size // 2)
    coarse = _nibbles(key, 0, pairs)
    if form == "int4":
        out.reshape(-1)[:] = coarse
        return
    spread = coarse.astype(np.uint16)
    codes = (spread & 0x0F) << 4 | (spread & 0xF0) << 8
    spread = _nibbles(key, 1, pairs).astype(np.uint16)
    codes += (spread & 0x0F) | (spread & 0xF0) << 4
    codes -= 0x0808
    if form == "int8":
        out.reshape(-1)[:] = codes.view(np.uint8)[: out.size]
        return
    jitter = _words(key, 2, -(-out.size // 4)).view(np.uint16)  # of 1/16, from -1/2 to 1/2
    values = codes.view(np.uint8)[: out.size] * np.float32(1 / 16)
    values += np.float32(-128 / 16 - 1 / 32 + 2.0**-21)
    values += jitter[: out.size] * np.float32(2.0**-20)
    out.reshape(-1)[:] = values


def _words(key: list[int], stream: int, count: int) -> NDArray[np.uint64]:
    random = np.random.Generator(np.random.SFC64([*key, stream]))
    return random.integers(0, 1 << 64, size=count, dtype=np.uint64)


def _nibbles(key: list[int], stream: int, pairs: int) -> NDArray[np.uint8]:
    """Pairs of random nibbles in 1..15, of mean 8: a nibble that was drawn as 0 becomes 8."""
    words = _words(key, stream, -(-pairs // 8))
    some = words | words >> 1
    some |= some >> 2
    words |= (~some & np.uint64(0x1111111111111111)) << 3
    return words.view(np.uint8)[:pairs]


def one_of(stored: Stored, index: int) -> Plain:
    """One matrix of a stack in fp32, as a view."""
    assert isinstance(stored, Plain), "experts are taken apart in fp32 only"
    return Plain(stored.values[index])


def rounded(tensor: Tensor, values: NDArray[np.float32], precision: RunPrecision) -> Stored:
    """The real numbers of `tensor` as they are stored at `precision`."""
    bits = tensor.bits(precision)
    if bits == 32:
        return Plain(values)
    if tensor.role == "latent":
        return quantise_heads(values)
    return quantise(values, "int4" if bits == 4 else "int8", tensor.block(precision))


def quantise(values: NDArray[np.float32], precision: RunPrecision, block: int) -> Stored:
    """Round a matrix [..., out, in] to symmetric blocks whose largest magnitude takes the largest code."""
    if precision == "fp32":
        return Plain(np.ascontiguousarray(values, dtype=np.float32))
    bits: Literal[4, 8] = 4 if precision == "int4" else 8
    top = 2 ** (bits - 1) - 1
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
