"""The forms in which a stored tensor enters an operator: as it is, its codes, its scales, or split for absorption.

Knows how operators want their weights laid out, and no operator. Each form is a view or a cheap copy.
"""

import math
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from harness.model.spec import Precision
from harness.model.weights import Blocks, PerHead, Plain, Stored, Tensor, block_of, dequantise

Form = Literal["values", "transposed", "codes", "scales", "expert_codes", "absorb_key", "absorb_value"]
"""values: fp32 as stored. transposed: fp32 [in, out], for MatMul. codes and scales: MatMulNBits, [out, in/block, bytes]
and [out, in/block]. expert_codes: QMoE, [E, out, in*bits/8]. absorb_key and absorb_value: fp32 [H, n, r] and [H, r, v] of
the latent up-projection."""


def form_shape(tensor: Tensor, form: Form, precision: Precision) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and element type of `tensor` in `form`, without its data."""
    shape, bits, split = tensor.shape, 4 if precision == "int4" else 8, tensor.split
    if form == "values":
        return shape, np.dtype(np.float32)
    if form == "transposed":
        return (shape[-1], math.prod(shape[:-1])), np.dtype(np.float32)
    if form == "absorb_key":
        return (shape[0], split, shape[2]), np.dtype(np.float32)
    if form == "absorb_value":
        return (shape[0], shape[2], shape[1] - split), np.dtype(np.float32)
    if form == "expert_codes":
        return (*shape[:-1], shape[-1] * bits // 8), np.dtype(np.uint8)
    if tensor.role == "latent":
        bits, shape = 8, (shape[0] * shape[1], shape[2])
    block = block_of(shape[-1])
    if form == "scales":
        return (*shape[:-1], shape[-1] // block), np.dtype(np.float32)
    return (*shape[:-1], shape[-1] // block, block * bits // 8), np.dtype(np.uint8)


def form_array(tensor: Tensor, stored: Stored, form: Form, factor: float = 1.0) -> NDArray[Any]:
    """The data of a stored tensor in `form`, its real values times `factor`."""
    array = _form_array(tensor, stored, form)
    return array if factor == 1.0 or form in ("codes", "expert_codes") else array * np.float32(factor)


def _form_array(tensor: Tensor, stored: Stored, form: Form) -> NDArray[Any]:
    if form == "values":
        return np.ascontiguousarray(dequantise(stored))
    if form == "transposed":
        return np.ascontiguousarray(dequantise(stored).reshape(-1, tensor.shape[-1]).T)
    if form == "absorb_key":
        return np.ascontiguousarray(dequantise(stored)[:, : tensor.split])
    if form == "absorb_value":
        return np.ascontiguousarray(dequantise(stored)[:, tensor.split :].transpose(0, 2, 1))
    if isinstance(stored, PerHead):
        return _head_blocks(stored, form)
    if isinstance(stored, Plain):
        raise ValueError(f"an fp32 tensor has no {form}")
    if form == "scales":
        return stored.scales
    if form == "expert_codes":
        return stored.codes
    return _grouped(stored)


def _grouped(stored: Blocks) -> NDArray[np.uint8]:
    return stored.codes.reshape(*stored.scales.shape, -1)


def _head_blocks(stored: PerHead, form: Form) -> NDArray[Any]:
    """The latent up-projection for MatMulNBits: each head's scale repeated over its blocks."""
    heads, out, width = stored.codes.shape
    block = block_of(width)
    if form == "scales":
        return np.repeat(stored.scales, out * width // block).reshape(heads * out, width // block)
    return (stored.codes.view(np.uint8) ^ np.uint8(128)).reshape(heads * out, width // block, block)
