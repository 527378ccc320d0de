"""Multi-head latent attention (MLA: DeepSeek-V2, arXiv:2405.04434, section 2.1) as ONNX operators, for both phases.

Prefill expands the latent to keys and values of each head. Decode absorbs the up-projections instead: the query is
brought into the latent space, so that all heads read one cache row of r + p numbers a token.
Letters: B sequences, S tokens, T cached tokens, H heads, r latent rank, p rotary and n plain head width, v value width.
A head's query is laid out [p | n], because the RoPE operator rotates the first p numbers of a head and copies the rest.
"""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from harness.model.graph.derived import absorbed_query, absorbs, key_scale, query_balance, score_scale
from harness.model.graph.nodes import Nodes
from harness.model.graph.parts import CausalBlocks, integer_product, linear, norm, rotated
from harness.model.spec import Spec
from harness.model.tensors import Cache, Tensor, layer_cache
from harness.vocabulary import Phase

LATENT_EPS = 1e-6
"""Of the norms of latents, whatever rms_norm_eps is: so DeepSeek's released code has it, and transformers' too."""


@dataclass
class MLAttention:
    """Attention of every layer of one graph; declares the inputs that its layers share when it is built."""

    spec: Spec
    nodes: Nodes
    tensors: dict[str, Tensor]
    phase: Phase
    tables: tuple[str, str]
    _blocks: CausalBlocks | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        if self.phase == "prefill":
            self._blocks = CausalBlocks.of(self.nodes, "tokens")
        else:
            self.nodes.input("positions", np.int64, ("B", 1))
            self.nodes.input("rows", np.int64, ("B",))
            self.nodes.input("mask", np.float32, ("T",))

    def __call__(self, layer: int, x: str) -> str:
        """[B, S, d] -> [B, S, d]"""
        at = f"layers.{layer}.attention"
        mixed = self._prefill(layer, at, x) if self.phase == "prefill" else self._decode(layer, at, x)
        return linear(self.nodes, self.tensors[f"{at}.out"], mixed, uneven=True)

    @property
    def _dims(self) -> tuple[int, int, int, int, int]:
        s = self.spec
        assert s.kv_lora_rank and s.qk_rope_head_dim and s.qk_nope_head_dim and s.v_head_dim
        return s.num_attention_heads, s.kv_lora_rank, s.qk_rope_head_dim, s.qk_nope_head_dim, s.v_head_dim

    @property
    def _scale(self) -> float:
        return score_scale(self.spec)

    @property
    def _query_absorbed(self) -> bool:
        """Whether queries leave their projection in the latent space, scaled as scores are."""
        return self.phase == "decode" and absorbs(self.spec)

    def _projected(self, layer: int, x: str, positions: str) -> tuple[str, str, str]:
        """Queries [B, S, H*(p+n)], or [B, S, H*(p+r)] if absorbed, and rotary keys [B, S, p], both rotated, and the
        normed latent [B, S, r]."""
        at = f"layers.{layer}.attention"
        heads, r, p, n, _ = self._dims
        nodes, eps, rank = self.nodes, LATENT_EPS, self.spec.q_lora_rank
        fused = linear(nodes, self.tensors[f"{at}.in"], x)
        widths = nodes.ints(rank or heads * (p + n), r, p)
        query, latent, key = nodes.many("Split", fused, widths, outputs=3, axis=-1)
        if rank:
            query, _ = norm(nodes, self.tensors[f"{at}.q_norm"], query, None, eps)
            up = absorbed_query(self.spec, layer) if self._query_absorbed else self.tensors[f"{at}.q"]
            query = linear(nodes, up, query)
        latent, _ = norm(nodes, self.tensors[f"{at}.kv_norm"], latent, None, eps)
        query = rotated(nodes, self.spec, query, positions, self.tables, heads)
        return query, rotated(nodes, self.spec, key, positions, self.tables, 1), latent

    def _reshape(self, x: str, *shape: int) -> str:
        return self.nodes("Reshape", x, self.nodes.ints(*shape))

    def _prefill(self, layer: int, at: str, x: str) -> str:
        heads, _, p, n, v = self._dims
        nodes = self.nodes
        start = nodes.ints(0)
        query, key, latent = self._projected(layer, x, start)
        up = self._reshape(linear(nodes, self.tensors[f"{at}.kv"], latent), 0, 0, heads, n + v)
        plain, value = nodes.many("Split", up, nodes.ints(n, v), outputs=2, axis=-1)
        copies = nodes.ints(1, 1, heads, 1)
        key = nodes("Tile", self._reshape(key, 0, 0, 1, p), copies)
        keys = self._reshape(nodes("Concat", key, plain, axis=-1), 0, 0, heads * (p + n))
        assert self._blocks is not None
        values = self._reshape(value, 0, 0, heads * v)
        return self._blocks.attend(nodes, query, keys, values, heads=heads, scale=self._scale)

    def _decode(self, layer: int, at: str, x: str) -> str:
        heads, _, _, _, v = self._dims
        up = self.tensors[f"{at}.kv"]
        mix = self._mixed if self.nodes.precision == "fp32" else self._mixed_int8
        mixed = mix(layer, *self._projected(layer, x, "positions"), up)  # [B, H, r]
        values = self._by_head(mixed, up, "value")  # [H, B, v]
        return self._reshape(self.nodes("Transpose", values, perm=[1, 0, 2]), 0, 1, heads * v)

    def _mixed(self, layer: int, query: str, key: str, latent: str, up: Tensor) -> str:
        """[B, H, r]: the cached latents of all tokens, weighed by each head."""
        nodes, (latents_of, keys_of) = self.nodes, layer_cache(self.spec, "fp32", layer)
        keys = self._extended(keys_of, self._reshape(key, 0, keys_of.width, 1))  # [B, p, T]
        rotary, absorbed = self._absorbed(query, up)
        rotary = nodes.ms("FusedMatMul", rotary, keys, alpha=1.0 if self._query_absorbed else self._scale)
        latents = self._extended(latents_of, latent)  # [B, T, r]
        scores = nodes.ms("FusedMatMul", absorbed, latents, transB=1)
        weights = nodes("Softmax", nodes("Sum", scores, rotary, "mask"), axis=-1)
        return nodes("MatMul", weights, latents)

    def _absorbed(self, query: str, up: Tensor) -> tuple[str, str]:
        """Rotated queries [B, H, p], and those in the latent space [B, H, r], scaled as scores are."""
        heads, r, p, n, _ = self._dims
        width = r if self._query_absorbed else n
        by_head, widths = self._reshape(query, 0, heads, p + width), self.nodes.ints(p, width)
        rotary, other = self.nodes.many("Split", by_head, widths, outputs=2, axis=-1)
        if not self._query_absorbed:
            other = self.nodes("Transpose", self._by_head(other, up, "key"), perm=[1, 0, 2])
        return rotary, other

    def _mixed_int8(self, layer: int, query: str, key: str, latent: str, up: Tensor) -> str:
        """The same from products of integers with the 8-bit cache. Each head's weights are scaled to a largest one of 1
        before they are rounded to 8 bits, or a head that attends evenly would vanish beside one that does not."""
        nodes, (rows, columns) = self.nodes, layer_cache(self.spec, self.nodes.precision, layer)
        scale = nodes.weight(self.tensors[f"layers.{layer}.attention.kv_norm"], "cache_scale")
        zero = nodes.zero()
        codes = nodes("QuantizeLinear", latent, scale, zero)
        key_codes = nodes("QuantizeLinear", key, nodes.weight(key_scale(layer), "values"), zero)
        column = self._reshape(nodes("Concat", key_codes, codes, axis=-1), 0, columns.width, 1)
        cached = self._extended(columns, column)  # [B, p+r, T]
        scores = integer_product(nodes, self._balanced(layer, query, up), cached, scale, "mask")
        weights = nodes("Softmax", scores, axis=-1)
        last = nodes.ints(-1)
        largest = nodes("ReduceMax", weights, last, keepdims=1)
        even = nodes("Mul", weights, nodes("Reciprocal", largest))
        mixed = integer_product(nodes, even, self._extended(rows, codes), scale)
        return nodes("Mul", mixed, largest)

    def _balanced(self, layer: int, query: str, up: Tensor) -> str:
        """[B, H, p+r]: queries that meet rotary keys and latents in one product, whose scale is the latents'."""
        heads, r, p, _, _ = self._dims
        if self._query_absorbed:
            return self._reshape(query, 0, heads, p + r)
        rotary, absorbed = self._absorbed(query, up)
        rotary = self.nodes("Mul", rotary, self.nodes.weight(query_balance(layer), "values", self._scale))
        return self.nodes("Concat", rotary, absorbed, axis=-1)

    def _by_head(self, x: str, up: Tensor, side: Literal["key", "value"]) -> str:
        """[B, H, a] x [H, a, b] -> [H, B, b], with the keys times the scores' scale. In fp32 transBatchA reads the
        first two axes swapped, without a copy; quantised, one dynamic scale for all of `x` and the head's own for the
        weights make a product of integers."""
        nodes, scale = self.nodes, self._scale if side == "key" else 1.0
        if nodes.precision == "fp32":
            weight = nodes.weight(up, "absorb_key" if side == "key" else "absorb_value")
            return nodes.ms("FusedMatMul", x, weight, transBatchA=1, alpha=scale)
        codes = nodes.weight(up, "absorb_key_codes" if side == "key" else "absorb_value_codes")
        scales = nodes.weight(up, "absorb_key_scales" if side == "key" else "absorb_value_scales", scale)
        return integer_product(nodes, nodes("Transpose", x, perm=[1, 0, 2]), codes, scales)

    def _extended(self, cache: Cache, new: str) -> str:
        """The cache with `new`, [B, 1, width] or [B, width, 1], written at each sequence's row."""
        nodes = self.nodes
        element = nodes.byte.type if cache.bits == 8 else np.float32
        shape, to = cache.shape("B", "T"), f"{cache.name}_new"
        past = nodes.input(cache.name, element, shape)
        extended = nodes("TensorScatter", past, new, "rows", axis=cache.token_axis, to=to)
        nodes.output(to, element, shape)
        return str(extended)
