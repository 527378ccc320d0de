"""The pieces that every block is made of: linear maps, norms, gated activations, rotary tables, causal attention.

Causal attention of whole prompts runs in blocks of queries, each over the keys up to its own end: one operator over all
queries multiplies every query with every key, half of which lie after it. Four blocks of queries skip three eighths.
"""

import itertools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.model.graph.nodes import CONTRIB, Nodes
from harness.model.graph.packing import operator_block
from harness.model.spec import RopeScaling, Spec
from harness.model.tensors import Tensor

ACCURACY_LEVEL = 4
"""MatMulNBits and QMoE round activations to 8 bits by blocks at this level; lower ones compute in fp32 and slower."""


_TINY = 1e-30
"""Keeps a row of zeros from being divided by zero; its square root is far below any activation."""


def linear(
    nodes: Nodes,
    tensor: Tensor,
    x: str,
    *,
    bias: Tensor | None = None,
    to: str | None = None,
    uneven: bool = False,
) -> str:
    """[..., in] -> [..., out], with the weights at the graph's precision. `uneven`: rows of x differ in size, as where
    no norm made them."""
    added = "" if bias is None else nodes.weight(bias, "values")
    bits = tensor.bits(nodes.precision)
    if bits == 32:
        return _linear_fp32(nodes, tensor, x, added, to)
    if nodes.wide and tensor.role != "router":  # which one scale for all activations would make choose otherwise
        return _linear_wide(nodes, tensor, x, added, to, uneven)
    out, width = math.prod(tensor.shape[:-1]), tensor.shape[-1]
    return nodes.ms(
        "MatMulNBits",
        *(x, nodes.weight(tensor, "codes"), nodes.weight(tensor, "scales"), *(("", "", added) if added else ())),
        to=to,
        K=width,
        N=out,
        bits=bits,
        block_size=operator_block(tensor, nodes.precision),
        accuracy_level=ACCURACY_LEVEL,
    )


def _linear_wide(nodes: Nodes, tensor: Tensor, x: str, bias: str, to: str | None, uneven: bool) -> str:
    """Many rows go through a product of 8-bit integers with one scale a row of the weights, 4-bit ones widened when
    they are loaded: twice as fast as MatMulNBits (754 against 422 GFLOP/s for 8 bits and 344 for 4, at 512 rows on two
    Zen 4 cores). It rounds all activations on one scale, where MatMulNBits has one for each block: an error of 0.9 % of
    the product's deviation against 0.7 % (normal activations, 1,024 wide). Rows of unlike size are therefore brought to
    one first, or small ones would vanish: what attention returns at the end of a prompt is a mean of many values, at
    its beginning of few."""
    columns, scales = nodes.weight(tensor, "columns"), nodes.weight(tensor, "column_scales")
    if not uneven:
        return integer_product(nodes, x, columns, scales, bias, to=to)
    ones = nodes.constant(np.ones(tensor.shape[-1], dtype=np.float32))
    even, inverse = nodes.many("SimplifiedLayerNormalization", x, ones, outputs=2, axis=-1, epsilon=_TINY)
    product = integer_product(nodes, even, columns, scales)
    if not bias:
        return nodes("Div", product, inverse, to=to)
    return nodes("Add", nodes("Div", product, inverse), bias, to=to)


def integer_product(nodes: Nodes, x: str, codes: str, scales: str, bias: str = "", *, to: str | None = None) -> str:
    """[..., in] x 8-bit codes [..., in, out] times their scales -> [..., out], with x rounded on one scale."""
    return nodes.ms("DynamicQuantizeMatMul", x, codes, scales, nodes.zero(), *((bias,) if bias else ()), to=to)


def _linear_fp32(nodes: Nodes, tensor: Tensor, x: str, bias: str, to: str | None) -> str:
    y = nodes("MatMul", x, nodes.weight(tensor, "transposed"), to=None if bias else to)
    return nodes("Add", y, bias, to=to) if bias else y


def norm(nodes: Nodes, gain: Tensor, x: str, residual: str | None, eps: float) -> tuple[str, str]:
    """RMS norm of x + residual (Zhang and Sennrich, 2019), and that sum."""
    weight = nodes.weight(gain, "values")
    if residual is None:
        return nodes("SimplifiedLayerNormalization", x, weight, axis=-1, epsilon=eps), x
    inputs = ("SkipSimplifiedLayerNormalization", x, residual, weight)
    normed, _, _, total = nodes.many(*inputs, outputs=4, domain=CONTRIB, epsilon=eps)
    return normed, total


def rotated(nodes: Nodes, spec: Spec, x: str, positions: str, tables: tuple[str, str], heads: int) -> str:
    """The first numbers of each head of x [B, S, heads*c] rotated (RoPE), the others as they are."""
    return nodes.ms(
        "RotaryEmbedding",
        *(x, positions, *tables),
        num_heads=heads,
        rotary_embedding_dim=rotary_width(spec),
        interleaved=int(spec.rope_interleave),
    )


def rotary_width(spec: Spec) -> int:
    """How many numbers of a head are rotated."""
    return (spec.qk_rope_head_dim if spec.attention == "mla" else spec.head_dim) or 0


def rope_tables(spec: Spec, nodes: Nodes, positions: int) -> tuple[str, str]:
    """Cosines and sines [positions, dim/2] of rotary position embeddings (Su et al., 2021)."""
    cos, sin = rope_angles(spec, positions)
    return nodes.constant(cos), nodes.constant(sin)


def rope_angles(spec: Spec, positions: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    dim = rotary_width(spec)
    frequency = spec.rope_theta ** (-np.arange(0, dim, 2, dtype=np.float64) / dim)
    if spec.rope_scaling is not None:
        kept = _kept_share(spec.rope_scaling, dim, spec.rope_theta)
        frequency *= kept + (1 - kept) / spec.rope_scaling.factor
    angles = np.arange(positions, dtype=np.float64)[:, None] * frequency
    gain = rope_gain(spec)
    return (gain * np.cos(angles)).astype(np.float32), (gain * np.sin(angles)).astype(np.float32)


def _kept_share(scaling: RopeScaling, dim: int, theta: float) -> NDArray[np.float64]:
    """Of each frequency, the share that YaRN leaves unstretched: falls from 1 to 0 between the frequencies that rotate
    beta_fast and beta_slow times over the original context (arXiv:2309.00071, section 3.2)."""
    context = scaling.original_max_position_embeddings
    ends = [
        dim * math.log(context / (turns * 2 * math.pi)) / (2 * math.log(theta))
        for turns in (scaling.beta_fast, scaling.beta_slow)
    ]
    low, high = (math.floor(ends[0]), math.ceil(ends[1])) if scaling.truncate else ends
    low, high = max(low, 0), min(high, dim - 1)
    share: NDArray[np.float64] = 1 - np.clip((np.arange(dim // 2) - low) / ((high - low) or 0.001), 0.0, 1.0)
    return share


def rope_gain(spec: Spec) -> float:
    """Factor of rotated queries and keys under YaRN, unless given: its equation 22, or DeepSeek's ratio of two such."""
    scaling = spec.rope_scaling
    if scaling is None:
        return 1.0
    if scaling.attention_factor is not None:
        return scaling.attention_factor
    stretch, own, all_dim = 0.1 * math.log(scaling.factor), scaling.mscale, scaling.mscale_all_dim
    return (1 + own * stretch) / (1 + all_dim * stretch) if own and all_dim else 1 + stretch


def score_gain(spec: Spec) -> float:
    """Factor of the scores of MLA under YaRN (DeepSeek-V2 and V3, `mscale_all_dim`)."""
    scaling = spec.rope_scaling
    return 1.0 if scaling is None else (1 + 0.1 * (scaling.mscale_all_dim or 0.0) * math.log(scaling.factor)) ** 2


_BLOCKS = 4
_HIDDEN = -1e9
"""Added to the score of a later key; the softmax of it is zero in fp32."""


@dataclass(frozen=True)
class CausalBlocks:
    """Where each block of queries ends, int64 [1], and what is added to its scores, fp32 [1, 1, Q, K]: computed once
    from the shape of `tokens` [B, S] and shared by all layers. Blocks of fewer than four tokens may be empty."""

    ends: tuple[str, ...]
    masks: tuple[str, ...]

    @classmethod
    def of(cls, nodes: Nodes, tokens: str) -> "CausalBlocks":
        length, count = nodes("Shape", tokens, start=1, end=2), nodes.ints(_BLOCKS)
        zero, one = (nodes.constant(np.array(v, dtype=np.int64)) for v in (0, 1))
        first, second = (nodes.ints(v) for v in (0, 1))
        hidden, seen = (nodes.constant(np.array(v, dtype=np.float32)) for v in (_HIDDEN, 0))
        bounds = [first]
        bounds += [nodes("Div", nodes("Mul", length, nodes.ints(i)), count) for i in range(1, _BLOCKS)]
        bounds.append(length)
        edges = [nodes("Squeeze", bound, first) for bound in bounds]
        masks = []
        for start, end in itertools.pairwise(edges):
            queries = nodes("Unsqueeze", nodes("Range", start, end, one), second)
            keys = nodes("Unsqueeze", nodes("Range", zero, end, one), first)
            mask = nodes("Where", nodes("Greater", keys, queries), hidden, seen)  # [Q, K]
            masks.append(nodes("Unsqueeze", mask, nodes.ints(0, 1)))
        return cls(tuple(bounds[1:]), tuple(masks))

    def attend(self, nodes: Nodes, query: str, keys: str, values: str, *, heads: int, scale: float) -> str:
        """[B, S, H*v] from queries and keys [B, S, H*c] and values [B, S, H*v]."""
        start, axis = (nodes.ints(v) for v in (0, 1))
        mixed, begin = [], start
        for end, mask in zip(self.ends, self.masks, strict=True):
            part = nodes("Slice", query, begin, end, axis)
            seen = [keys, values]
            if end != self.ends[-1]:
                seen = [nodes("Slice", x, start, end, axis) for x in seen]
            mixed.append(nodes.ms("MultiHeadAttention", part, *seen, "", "", mask, num_heads=heads, scale=scale))
            begin = end
        return nodes("Concat", *mixed, axis=1)
