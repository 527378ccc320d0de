"""Grouped-query attention (Ainslie et al., 2023) as ONNX operators, for both phases: Mixtral, Qwen3-MoE, gpt-oss.

The operator rotates queries and keys of some widths, extends the cache in place and applies windows and sinks.
Letters: B sequences, S tokens, T capacity of the cache, H heads, G key and value heads, c head width.
"""

import math
from dataclasses import dataclass, field

import numpy as np

from harness.model.graph.nodes import CONTRIB, Nodes
from harness.model.graph.parts import linear, norm, rotated
from harness.model.spec import Spec
from harness.model.tensors import Tensor
from harness.vocabulary import Phase


@dataclass
class GroupedAttention:
    """Attention of every layer of one graph; declares the inputs that its layers share when it is built."""

    spec: Spec
    nodes: Nodes
    tensors: dict[str, Tensor]
    phase: Phase
    tables: tuple[str, str]
    _lengths: tuple[str, str] = field(init=False)
    _positions: str = field(init=False, default="")

    def __post_init__(self) -> None:
        """Lengths: tokens of each sequence before this call's last one, int32 [B], and the longest total, int32 [1]."""
        nodes = self.nodes
        if self.phase == "decode":
            self._lengths = nodes.input("lengths", np.int32, ("B",)), nodes.input("total", np.int32, (1,))
            if not self._rotates_itself:
                column = nodes.ints(-1, 1)
                self._positions = nodes("Reshape", nodes("Cast", self._lengths[0], to_type=np.int64), column)
            return
        self._positions = nodes.ints(0)
        batch = nodes("Shape", "tokens", start=0, end=1)
        total = nodes("Cast", nodes("Shape", "tokens", start=1, end=2), to_type=np.int32)
        last = nodes("Sub", total, nodes.constant(np.array([1], dtype=np.int32)))
        self._lengths = nodes("Expand", last, batch), total

    @property
    def _rotates_itself(self) -> bool:
        """GroupQueryAttention rotates heads of widths that are multiples of 16, and takes others rotated, down to 8."""
        return (self.spec.head_dim or 0) % 16 == 0

    def __call__(self, layer: int, x: str) -> str:
        """[B, S, d] -> [B, S, d]"""
        at, spec, nodes = f"layers.{layer}.attention", self.spec, self.nodes
        heads, groups, width = spec.num_attention_heads, spec.num_key_value_heads, spec.head_dim
        assert groups is not None and width is not None
        bias = self.tensors.get(f"{at}.in_bias")
        fused = linear(nodes, self.tensors[f"{at}.in"], x, bias=bias)
        sizes = nodes.ints(heads * width, groups * width, groups * width)
        query, key, value = nodes.many("Split", fused, sizes, outputs=3, axis=-1)
        if spec.use_qk_norm:
            query = self._normed(query, self.tensors[f"{at}.q_norm"], heads, width)
            key = self._normed(key, self.tensors[f"{at}.k_norm"], groups, width)
        if not self._rotates_itself:
            query, key = self._rotated(query, heads), self._rotated(key, groups)
        mixed = self._mixed(layer, query, key, value)
        return linear(nodes, self.tensors[f"{at}.out"], mixed, uneven=True, bias=self.tensors.get(f"{at}.out_bias"))

    def _normed(self, x: str, gain: Tensor, heads: int, width: int) -> str:
        """RMS norm of each head of x [B, S, heads*c]."""
        nodes = self.nodes
        split = nodes("Reshape", x, nodes.ints(0, 0, heads, width))
        normed, _ = norm(nodes, gain, split, None, self.spec.rms_norm_eps)
        return nodes("Reshape", normed, nodes.ints(0, 0, heads * width))

    def _rotated(self, x: str, heads: int) -> str:
        return rotated(self.nodes, self.spec, x, self._positions, self.tables, heads)

    def _mixed(self, layer: int, query: str, key: str, value: str) -> str:
        """[B, S, H*c] from queries, keys and values, and the cache where there is one."""
        spec, nodes, names = self.spec, self.nodes, (f"key_{layer}", f"value_{layer}")
        groups, width = spec.num_key_value_heads, spec.head_dim
        assert groups is not None and width is not None
        shape = ("B", groups, "T", width)
        past = ["", ""]
        if self.phase == "decode":
            past = [nodes.input(name, np.float32, shape) for name in names]
        sinks = self.tensors.get(f"layers.{layer}.attention.sinks")
        tail = ["", "", nodes.weight(sinks, "values")] if sinks is not None else []
        mixed = f"{nodes.part}/mixed_{layer}"
        nodes.many(
            "GroupQueryAttention",
            *(query, key, value, *past, *self._lengths, *(self.tables if self._rotates_itself else ("", "")), *tail),
            outputs=(mixed, *(f"{name}_new" for name in names)),
            domain=CONTRIB,
            num_heads=spec.num_attention_heads,
            kv_num_heads=groups,
            scale=1 / math.sqrt(width),
            do_rotary=int(self._rotates_itself),
            rotary_interleaved=int(spec.rope_interleave),
            local_window_size=(spec.sliding_window or -1) if spec.slides(layer) else -1,
        )
        if self.phase == "decode":
            for name in names:
                nodes.output(f"{name}_new", np.float32, shape)
        return mixed
