"""The pieces that every block is made of: linear maps, norms, gated activations, rotary tables. Knows one precision."""

import math

import numpy as np
from numpy.typing import NDArray

from harness.model.graph.forms import operator_block
from harness.model.graph.nodes import Nodes
from harness.model.layout import Tensor
from harness.model.spec import Spec

ACCURACY_LEVEL = 4
"""MatMulNBits and QMoE round activations to 8 bits by blocks at this level; lower ones compute in fp32 and slower."""


def linear(
    nodes: Nodes, tensor: Tensor, x: str, *, bias: Tensor | None = None, to: tuple[str, ...] | None = None
) -> str:
    """[..., in] -> [..., out], with the weights at the graph's precision.

    With many rows, 8-bit weights of one scale a row go through an integer product that is twice as fast (754 against
    422 GFLOP/s at 512 rows on two Zen 4 cores) and rounds all activations on one scale, where MatMulNBits has one for
    each block: an error of 0.9 % of the product's deviation against 0.7 % (normal activations, 1,024 wide).
    """
    added = "" if bias is None else nodes.weight(bias, "values")
    if nodes.precision == "fp32" or tensor.role not in ("matrix", "latent"):
        return _linear_fp32(nodes, tensor, x, added, to)
    bits = 4 if nodes.precision == "int4" and tensor.role == "matrix" else 8
    if nodes.wide and bits == 8:
        columns, scales = nodes.weight(tensor, "columns"), nodes.weight(tensor, "column_scales")
        return str(nodes.ms("DynamicQuantizeMatMul", x, columns, scales, *(("", added) if added else ()), to=to))
    out, width = math.prod(tensor.shape[:-1]), tensor.shape[-1]
    y: str = nodes.ms(
        "MatMulNBits",
        x,
        nodes.weight(tensor, "codes"),
        nodes.weight(tensor, "scales"),
        *(("", "", added) if added else ()),
        to=to,
        K=width,
        N=out,
        bits=bits,
        block_size=operator_block(tensor, nodes.precision),
        accuracy_level=ACCURACY_LEVEL,
    )
    return y


def _linear_fp32(nodes: Nodes, tensor: Tensor, x: str, bias: str, to: tuple[str, ...] | None) -> str:
    y: str = nodes("MatMul", x, nodes.weight(tensor, "transposed"), to=None if bias else to)
    return nodes("Add", y, bias, to=to) if bias else y


def norm(nodes: Nodes, gain: Tensor, x: str, residual: str | None, eps: float) -> tuple[str, str]:
    """RMS norm of x + residual (Zhang and Sennrich, 2019), and that sum."""
    weight = nodes.weight(gain, "values")
    if residual is None:
        return nodes("SimplifiedLayerNormalization", x, weight, axis=-1, epsilon=eps), x
    normed, _, _, total = nodes.ms("SkipSimplifiedLayerNormalization", x, residual, weight, outputs=4, epsilon=eps)
    return normed, total


def rope_tables(spec: Spec, nodes: Nodes, positions: int) -> tuple[str, str]:
    """Cosines and sines [positions, dim/2] of rotary position embeddings (Su et al., 2021)."""
    cos, sin = rope_angles(spec, positions)
    return nodes.constant(cos), nodes.constant(sin)


def rope_angles(spec: Spec, positions: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    dim = spec.qk_rope_head_dim if spec.attention == "mla" else spec.head_dim
    assert dim is not None
    frequency = spec.rope_theta ** (-np.arange(0, dim, 2, dtype=np.float64) / dim)
    angles = np.arange(positions, dtype=np.float64)[:, None] * frequency
    return np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)
