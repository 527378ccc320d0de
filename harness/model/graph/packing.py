"""Weight layouts: how a stored tensor enters an operator, as it is, as codes or scales, or split for absorption.

Each packing is a view or a cheap copy.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from harness.model.tensors import Tensor
from harness.model.weights import Blocks, PerHead, Stored, codes, dequantise
from harness.vocabulary import RunPrecision

Packing = Literal[
    "values",  # fp32 as stored
    "transposed",  # fp32 [in, out], for MatMul
    "halves",  # fp32 [out, in] whose rows, stored gate and up in turn, come as all gates and then all ups
    "rows_apart",  # fp32 [parts*E, out/parts, in] of E matrices: the first part of each, then the second of each, ...
    "columns_apart",  # fp32 [parts*E, out, in/parts]
    "codes",  # MatMulNBits: uint8 [out, in/block, block*bits/8]
    "scales",  # MatMulNBits: fp32 [out, in/block]
    "expert_codes",  # QMoE: uint8 [E, out, in*bits/8]
    "expert_scales",  # QMoE: fp32 [E, out, in/block]
    "columns",  # DynamicQuantizeMatMul: int8 [in, out]
    "column_scales",  # fp32 [out]
    "absorb_key",  # [H, n, r] of the latent up-projection: fp32
    "absorb_value",  # [H, r, v]
    "absorb_key_codes",  # the same as int8
    "absorb_value_codes",
    "absorb_key_scales",  # fp32 [H, 1, r]: each head's scale for every column
    "absorb_value_scales",  # fp32 [H, 1, v]
    "cache_scale",  # fp32 [1]: of the 8-bit cache of what a norm with this gain returns
]

Byte = Literal["int8", "uint8"]
"""Type of 8-bit codes around zero: signed, or unsigned and 128 higher, as products of integers need them on processors
whose product of an unsigned and a signed byte does not hold the sum of two in 16 bits."""

CACHE_DEVIATIONS = 6.0
"""Range of what is cached in 8 bits, in units of its largest deviation, which is a norm's largest gain for latents: of
normal numbers 2 in a billion lie beyond. The step is then 1/21 of a deviation, its rounding 1.4 %."""

_WIDEST_BLOCK = 256
"""Largest block in which scales are handed to an operator. MatMulNBits and QMoE ran faster the larger it was
(int8, 512 rows: 278, 377 and 422 GFLOP/s at 32, 128 and 256 on two Zen 4 cores)."""


def operator_block(tensor: Tensor, precision: RunPrecision) -> int:
    """Block size that an operator is told: that of storage at 4 bits, a divisor of the row at 8."""
    width = tensor.shape[-1]
    if tensor.bits(precision) == 4:
        return tensor.block(precision)
    return math.gcd(width, tensor.partner, _WIDEST_BLOCK)


@dataclass(frozen=True)
class PackedPart:
    """A packing of one tensor: its shape, element type, and how to make it."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    make: Callable[[Stored], NDArray[Any]]


def pack(tensor: Tensor, packing: Packing, precision: RunPrecision, parts: int = 1) -> PackedPart:
    """What `tensor` looks like in `packing`, without its data."""
    shape, width, out = tensor.shape, tensor.shape[-1], math.prod(tensor.shape[:-1])
    bits = 4 if tensor.bits(precision) == 4 else 8
    f32, u8, i8 = np.dtype(np.float32), np.dtype(np.uint8), np.dtype(np.int8)
    whole: dict[Packing, PackedPart] = {
        "values": PackedPart(shape, f32, lambda s: np.ascontiguousarray(dequantise(s))),
        "transposed": PackedPart((width, out), f32, lambda s: _transposed(dequantise(s), out)),
        "halves": PackedPart(shape, f32, _halves),
        "cache_scale": PackedPart((1,), f32, _cache_scale),
        "columns": PackedPart((width, out), i8, lambda s: _transposed(_by_row(s)[0], out)),
        "column_scales": PackedPart((out,), f32, lambda s: np.ascontiguousarray(_by_row(s)[1].reshape(out))),
    }
    if packing in whole:
        return whole[packing]
    if packing in ("rows_apart", "columns_apart"):
        return _apart(tensor, packing, parts)
    if packing.startswith("absorb"):
        return _absorbed(tensor, packing)
    block = operator_block(tensor, precision)
    if packing == "codes":
        grid = (out, width // block, block * bits // 8)
        return PackedPart(grid, u8, lambda s: unsigned(s).reshape(grid))
    if packing == "expert_codes":
        return PackedPart((*shape[:-1], width * bits // 8), u8, unsigned)
    rows = (out,) if packing == "scales" else shape[:-1]
    return PackedPart((*rows, width // block), f32, lambda s: _block_scales(s, width // block).reshape(*rows, -1))


def _absorbed(tensor: Tensor, packing: Packing) -> PackedPart:
    heads, rows, r = tensor.shape
    n, is_key = tensor.split, "key" in packing
    shape = (heads, n, r) if is_key else (heads, r, rows - n)

    def part(values: NDArray[Any]) -> NDArray[Any]:
        return np.ascontiguousarray(values[:, :n] if is_key else values[:, n:].transpose(0, 2, 1))

    if packing.endswith("codes"):
        return PackedPart(shape, np.dtype(np.int8), lambda s: part(signed(s)))
    if packing.endswith("scales"):
        columns = (heads, 1, shape[-1])
        return PackedPart(
            columns, np.dtype(np.float32), lambda s: np.repeat(_row_scales(s)[:, :1, None], shape[-1], axis=2)
        )
    return PackedPart(shape, np.dtype(np.float32), lambda s: part(dequantise(s)))


def _transposed(values: NDArray[Any], out: int) -> NDArray[Any]:
    return np.ascontiguousarray(values.reshape(out, -1).T)


def _halves(stored: Stored) -> NDArray[np.float32]:
    values = dequantise(stored)
    return np.concatenate([values[0::2], values[1::2]])


def _apart(tensor: Tensor, packing: Packing, parts: int) -> PackedPart:
    experts, out, width = tensor.shape
    rows, columns = (parts, 1) if packing == "rows_apart" else (1, parts)
    grid = experts, rows, out // rows, columns, width // columns
    shape = parts * experts, out // rows, width // columns

    def make(stored: Stored) -> NDArray[np.float32]:
        return np.ascontiguousarray(dequantise(stored).reshape(grid).transpose(1, 3, 0, 2, 4)).reshape(shape)

    return PackedPart(shape, np.dtype(np.float32), make)


def _cache_scale(gain: Stored) -> NDArray[np.float32]:
    return np.array([cache_step(float(np.abs(dequantise(gain)).max()))], dtype=np.float32)


def cache_step(deviation: float) -> float:
    """The step in which numbers of this largest deviation are cached."""
    return (deviation or 1.0) * CACHE_DEVIATIONS / 127


def code_of_zero(byte: np.dtype[Any]) -> int:
    return 128 if byte == np.uint8 else 0


def unsigned(stored: Stored) -> NDArray[np.uint8]:
    """Codes around their zero point, as stored."""
    if isinstance(stored, PerHead):
        return stored.codes.view(np.uint8) ^ np.uint8(128)
    assert isinstance(stored, Blocks), "an fp32 tensor has no codes"
    return stored.codes


def signed(stored: Stored) -> NDArray[np.int8]:
    """8-bit codes around zero."""
    if isinstance(stored, PerHead):
        return stored.codes
    assert isinstance(stored, Blocks) and stored.bits == 8, "only 8-bit codes are used as signed ones"
    return (stored.codes ^ np.uint8(128)).view(np.int8)


def _by_row(stored: Stored) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """8-bit codes with one scale a row. 4-bit codes stay as they are where a row's blocks share a scale; where they do
    not they are rounded again, off by 1/254 of the row's largest weight at most, as rounding to 4 bits was by 1/14 of a
    block's."""
    if not isinstance(stored, Blocks) or stored.bits == 8:
        return signed(stored), _row_scales(stored)
    unpacked = (codes(stored) - np.uint8(8)).view(np.int8)
    scales = stored.scales
    if (scales == scales[..., :1]).all():
        return unpacked, scales[..., 0]
    values = unpacked * np.repeat(scales, stored.block, axis=-1)
    rows = (np.abs(values).max(-1) / 127).astype(np.float32)
    return np.rint(values / np.where(rows == 0, 1, rows)[..., None]).astype(np.int8), rows


def _row_scales(stored: Stored) -> NDArray[np.float32]:
    """One scale a row, [..., out]."""
    if isinstance(stored, PerHead):
        return np.repeat(stored.scales[:, None], stored.codes.shape[1], axis=1)
    assert isinstance(stored, Blocks) and stored.scales.shape[-1] == 1, "rows have several scales"
    return stored.scales[..., 0]


def _block_scales(stored: Stored, blocks: int) -> NDArray[np.float32]:
    if isinstance(stored, Blocks) and stored.scales.shape[-1] == blocks:
        return stored.scales
    return np.repeat(_row_scales(stored)[..., None], blocks, axis=-1)


def packed_array(
    tensor: Tensor,
    stored: Stored,
    packing: Packing,
    precision: RunPrecision,
    factor: float,
    dtype: np.dtype[Any],
    parts: int = 1,
) -> NDArray[Any]:
    """The data of a stored tensor in `packing` and `dtype`, its real values times `factor`."""
    array = pack(tensor, packing, precision, parts).make(stored)
    if array.dtype == np.int8 and dtype == np.uint8:
        return array.view(np.uint8) ^ np.uint8(128)
    if factor == 1.0 or packing.endswith("codes") or packing == "columns":
        return array
    return array * np.float32(factor)
