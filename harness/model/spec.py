"""A model's architecture in Hugging Face's field names.

Symbols as in the papers: L layers, d hidden, H heads, E routed experts, k chosen, s shared, f expert width, r latent KV
rank, p rope dim, dn no-rope dim, dv value dim, rq query rank.
"""

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Literal, Self

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from harness.model.family import NO_ATTENTION, USUAL, Family, FeedForwardType, LayerType, family_defaults
from harness.vocabulary import Frozen

Attention = Literal["mla", "gqa", "v4"]


class RopeScaling(Frozen):
    """Rotary positions stretched beyond the context of pretraining by YaRN, arXiv:2309.00071 (names of config.json)."""

    rope_type: Literal["yarn"] = "yarn"
    factor: float = Field(ge=1, le=1e6, description="how much longer the context is")
    original_max_position_embeddings: int = Field(gt=0, description="tokens of context in pretraining")
    beta_fast: float = Field(default=32.0, gt=0, description="turns over that context from which frequencies stay")
    beta_slow: float = Field(default=1.0, gt=0, description="turns up to which frequencies are divided by the factor")
    mscale: float | None = Field(default=None, ge=0)
    mscale_all_dim: float | None = Field(default=None, ge=0)
    attention_factor: float | None = Field(default=None, gt=0, description="None: follows from the factor")
    truncate: bool = Field(default=True, description="round the bounds of the ramp to whole dimensions")


class Spec(Frozen):
    """One architecture. Fields that a family does not have are `None` (or zero where zero is the truth).

    Names are those of the family's config.json where families agree, and DeepSeek's where they do not
    (`n_routed_experts` is Mixtral's `num_local_experts` and Qwen's `num_experts`). What a family leaves to its code,
    or does not write down where it is usual, has the family's default.
    """

    model_type: Family
    hidden_size: int = Field(gt=0)
    num_hidden_layers: int = Field(gt=0)
    vocab_size: int = Field(gt=0)
    num_attention_heads: int = Field(gt=0)
    intermediate_size: int | None = Field(default=None, gt=0, description="width of a dense feed-forward layer")
    tie_word_embeddings: bool = False
    rms_norm_eps: float = Field(default=USUAL["rms_norm_eps"], gt=0)
    rope_theta: float = Field(default=USUAL["rope_theta"], gt=1)
    rope_interleave: bool = Field(default=USUAL["rope_interleave"])
    rope_scaling: RopeScaling | None = None
    max_position_embeddings: int = Field(default=4096, gt=0)

    # MLA, multi-head latent attention (DeepSeek V2, section 2.1)
    q_lora_rank: int | None = Field(default=None, gt=0, description="None: queries are projected directly")
    kv_lora_rank: int | None = Field(default=None, gt=0)
    qk_nope_head_dim: int | None = Field(default=None, gt=0)
    qk_rope_head_dim: int | None = Field(default=None, gt=0)
    v_head_dim: int | None = Field(default=None, gt=0)

    # grouped-query attention
    num_key_value_heads: int | None = Field(default=None, gt=0)
    head_dim: int | None = Field(default=None, gt=0)
    attention_bias: bool = Field(default=USUAL["attention_bias"])
    use_qk_norm: bool = Field(default=USUAL["use_qk_norm"])
    attention_sinks: bool = Field(default=USUAL["attention_sinks"])
    sliding_window: int | None = Field(default=USUAL["sliding_window"], gt=0)
    swa_num_key_value_heads: int | None = Field(
        default=None, gt=0, description="of sliding layers; None: as the others"
    )
    swa_head_dim: int | None = Field(default=None, gt=0, description="of sliding layers; None: as the others")
    attention_chunk_size: int | None = Field(default=None, gt=0, description="tokens that see each other (Llama 4)")
    attention_k_eq_v: bool = Field(
        default=False, description="full attention projects keys and values as one (Gemma 4)"
    )
    attn_output_gate: bool = Field(
        default=USUAL["attn_output_gate"], description="a gate as wide as the heads' outputs"
    )
    layer_types: tuple[LayerType, ...] | None = Field(default=None, description="what mixes tokens, one a layer")

    # recurrent layers: gated delta net and Kimi delta attention (linear_attention), Mamba-2 (mamba: groups are its key
    # heads, the state's size their width, its heads the value heads)
    linear_num_key_heads: int | None = Field(default=None, gt=0)
    linear_num_value_heads: int | None = Field(default=None, gt=0)
    linear_key_head_dim: int | None = Field(default=None, gt=0)
    linear_value_head_dim: int | None = Field(default=None, gt=0)
    linear_conv_kernel_dim: int | None = Field(default=None, gt=0)

    # mixture of experts
    n_routed_experts: int = Field(default=0, ge=0)
    num_experts_per_tok: int = Field(default=0, ge=0)
    n_shared_experts: int = Field(default=0, ge=0)
    moe_intermediate_size: int | None = Field(default=None, gt=0)
    first_k_dense_replace: int = Field(default=0, ge=0)
    scoring_func: Literal["sigmoid", "softmax", "sqrtsoftplus"] = Field(default=USUAL["scoring_func"])
    topk_method: Literal["greedy", "group_limited_greedy", "noaux_tc"] = Field(default=USUAL["topk_method"])
    n_group: int = Field(default=1, gt=0)
    topk_group: int = Field(default=1, gt=0)
    norm_topk_prob: bool = Field(default=USUAL["norm_topk_prob"])
    routed_scaling_factor: float = Field(default=1.0, gt=0)
    moe_bias: bool = Field(default=USUAL["moe_bias"], description="router and experts carry biases (gpt-oss)")
    mlp_layer_types: tuple[FeedForwardType, ...] | None = Field(
        default=None, description="one a layer; None: experts in all but the first first_k_dense_replace"
    )
    moe_latent_size: int | None = Field(default=None, gt=0, description="width in which routed experts work; None: d")
    shared_expert_gate: bool = Field(default=USUAL["shared_expert_gate"])

    # sparse attention over the context (V3.2, V4)
    index_n_heads: int | None = Field(default=None, gt=0)
    index_head_dim: int | None = Field(default=None, gt=0)
    index_topk: int | None = Field(default=None, gt=0)
    indexer_types: tuple[Literal["full", "shared", "none"], ...] | None = Field(
        default=None, description="one a layer: an index of its own, the choice of the last layer with one, or none"
    )
    o_lora_rank: int | None = Field(default=None, gt=0)
    o_groups: int | None = Field(default=None, gt=0)
    compress_ratios: tuple[int, ...] | None = Field(
        default=None, description="V4, one a layer: 0 window only, 4 indexed, 128 dense over compressed entries"
    )
    hc_mult: int | None = Field(default=None, gt=0, description="V4: residual streams of its hyper-connections")
    num_nextn_predict_layers: int = Field(default=0, ge=0, description="multi-token-prediction layers, not counted")

    @property
    def attention(self) -> Attention:
        if self.model_type == "deepseek_v4":
            return "v4"
        return "mla" if self.kv_lora_rank is not None else "gqa"

    @property
    def is_sparse(self) -> bool:
        return self.n_routed_experts > 0

    @property
    def moe_layers(self) -> int:
        if self.mlp_layer_types is not None:
            return self.mlp_layer_types.count("sparse")
        return self.num_hidden_layers - self.first_k_dense_replace if self.is_sparse else 0

    @property
    def dense_layers(self) -> int:
        if self.mlp_layer_types is not None:
            return self.mlp_layer_types.count("dense")
        return self.num_hidden_layers - self.moe_layers

    @property
    def mixers(self) -> Mapping[LayerType, int]:
        """Layers of each kind, by what mixes tokens in them."""
        return Counter(self.layer_types) if self.layer_types else {self.mixer(0): self.num_hidden_layers}

    @property
    def attention_layers(self) -> int:
        """Layers that keep keys and values, or latents, of tokens."""
        return sum(count for kind, count in self.mixers.items() if kind not in NO_ATTENTION)

    @property
    def parts(self) -> int:
        """Mixers and feed-forward networks of all layers: two a layer, unless `layer_types` or `mlp_layer_types` has
        `none`."""
        empty = self.mixers.get("none", 0) + (self.mlp_layer_types or ()).count("none")
        return 2 * self.num_hidden_layers - empty

    @property
    def recurrence(self) -> Literal["gated_delta", "kimi_delta"]:
        """Of layers of linear_attention."""
        return "kimi_delta" if self.model_type == "kimi_k3" else "gated_delta"

    @property
    def matrices(self) -> int:
        """Of a feed-forward network: gate, up and down; up and down where it squares a ReLU (Nemotron)."""
        return 2 if self.model_type == "nemotron_h" else 3

    def grouped(self, kind: LayerType) -> tuple[int, int, int]:
        """Key and value heads of a layer with grouped-query attention, and the widths of a key and of a value."""
        heads, width = self.num_key_value_heads or 0, self.head_dim or 0
        if kind != "sliding_attention":
            return heads, width, self.v_head_dim or width
        own = self.swa_head_dim
        return self.swa_num_key_value_heads or heads, own or width, own or self.v_head_dim or width

    def attended(self) -> Mapping[tuple[LayerType, bool], int]:
        """Layers by their kind, and by whether attention sees what an index chose, its own or another layer's."""
        if self.index_topk is None or self.indexer_types is None:
            return {(kind, self.index_topk is not None): count for kind, count in self.mixers.items()}
        kinds = (self.mixer(layer) for layer in range(self.num_hidden_layers))
        return Counter(zip(kinds, (which != "none" for which in self.indexer_types), strict=True))

    @property
    def index_layers(self) -> int:
        """Layers with an index over the context: every one where the model has an index, unless the spec says which."""
        if self.index_n_heads is None:
            return 0
        if self.indexer_types is not None:
            return self.indexer_types.count("full")
        return self.num_hidden_layers if self.compress_ratios is None else self.compress_ratios.count(4)

    def mixer(self, layer: int) -> LayerType:
        """What mixes tokens in `layer`; unless `layer_types` says, a sliding window wherever the model has one."""
        if self.layer_types is not None:
            return self.layer_types[layer]
        return "full_attention" if self.sliding_window is None else "sliding_attention"

    def slides(self, layer: int) -> bool:
        """Whether attention of `layer` sees only a sliding window."""
        return self.mixer(layer) == "sliding_attention"

    @model_validator(mode="before")
    @classmethod
    def _completed(cls, data: Any) -> Any:
        """Fill in what the family leaves out, where fields are not given."""
        if not isinstance(data, Mapping):
            return data
        # a list of a strict reader's document is a tuple here, as it would be without this step
        given = {name: tuple(value) if isinstance(value, list) else value for name, value in data.items()}
        return {**family_defaults(given), **given}

    @model_serializer(mode="wrap")
    def _whole(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Where defaults are left out, keep those that are not the family's, or they would be filled in otherwise."""
        written: dict[str, Any] = write(self)
        own = family_defaults({"model_type": self.model_type, **written}).items()
        other = (name for name, value in own if name not in written and value != getattr(self, name))
        return written | {name: getattr(self, name) for name in other}

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        """Raise ValueError with the first thing that no implementation defines."""
        missing = [name for name in _NEEDED[self.attention] if getattr(self, name) is None]
        if missing:
            raise ValueError(f"{self.attention} attention needs {', '.join(missing)}")
        checks = (self._layer_checks(), self._routing_checks() if self.is_sparse else (), self._attention_checks())
        for wrong, problem in itertools.chain(*checks):
            if wrong:
                raise ValueError(problem)
        return self

    def _layer_checks(self) -> Iterator[tuple[bool, str]]:
        layers = self.num_hidden_layers
        yield self.first_k_dense_replace > layers, "first_k_dense_replace exceeds num_hidden_layers"
        yield bool(self.dense_layers) and self.intermediate_size is None, "dense layers need intermediate_size"
        for name in ("layer_types", "mlp_layer_types", "compress_ratios", "indexer_types"):
            value = getattr(self, name)
            yield value is not None and len(value) != layers, f"{name} must name each of the {layers} layers"
        two = self.mlp_layer_types is not None and self.first_k_dense_replace > 0
        yield two, "mlp_layer_types says which layers are dense; expected no first_k_dense_replace beside it"
        yield "sparse" in (self.mlp_layer_types or ()) and not self.is_sparse, "sparse layers need n_routed_experts"
        slides = "sliding_attention" in (self.layer_types or ())
        yield slides and self.sliding_window is None, "layers of sliding_attention need sliding_window"

    def _attention_checks(self) -> Iterator[tuple[bool, str]]:
        kinds = self.mixers
        if self.attention == "mla":
            given = [name for name in _GROUPED_ONLY if getattr(self, name)]
            yield bool(given), f"MLA has no {', '.join(given)}"
            other = sorted(kinds.keys() - NO_ATTENTION - {"full_attention"})
            yield bool(other), f"MLA has no layers of {', '.join(other)}"
        recurrent = [kind for kind in ("linear_attention", "mamba") if kind in kinds]
        absent = [name for name in _RECURRENT if getattr(self, name) is None]
        yield bool(recurrent and absent), f"layers of {', '.join(recurrent)} need {', '.join(absent)}"
        yield (
            "chunked_attention" in kinds and self.attention_chunk_size is None,
            ("layers of chunked_attention need attention_chunk_size"),
        )
        if self.attention == "gqa":
            uneven = self.num_attention_heads % (self.num_key_value_heads or 1)
            yield uneven != 0, "num_key_value_heads must divide num_attention_heads"
        rotated = "head_dim" if self.attention == "gqa" else "qk_rope_head_dim"
        yield getattr(self, rotated) % 2 != 0, f"{rotated} must be even: rotary positions rotate pairs"

    def _routing_checks(self) -> Iterator[tuple[bool, str]]:
        chosen, experts, groups = self.num_experts_per_tok, self.n_routed_experts, self.n_group
        yield self.moe_intermediate_size is None, "experts need moe_intermediate_size"
        yield not 1 <= chosen <= experts, "num_experts_per_tok must lie between 1 and n_routed_experts"
        uneven = experts % groups != 0 or self.topk_group > groups
        yield uneven, "n_group must divide n_routed_experts and be at least topk_group"
        if groups > 1:
            size, method = experts // groups, self.topk_method
            yield method == "greedy", "topk_method greedy has no groups; expected n_group 1, or another topk_method"
            single = method == "noaux_tc" and size < 2
            yield single, "noaux_tc ranks groups by their two best experts; expected at least 2 in each n_group"
            yield chosen > self.topk_group * size, "num_experts_per_tok exceeds the experts of topk_group groups"
        plain = (self.scoring_func, self.topk_method, self.n_shared_experts) == ("softmax", "greedy", 0)
        problem = "moe_bias goes with softmax scoring, greedy choice and no shared experts (gpt-oss)"
        yield self.moe_bias and not plain, problem


_NEEDED: dict[Attention, tuple[str, ...]] = {
    "mla": ("kv_lora_rank", "qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim"),
    "gqa": ("num_key_value_heads", "head_dim"),
    "v4": ("q_lora_rank", "head_dim", "qk_rope_head_dim", "o_lora_rank", "o_groups"),
}
_GROUPED_ONLY = ("attention_bias", "use_qk_norm", "attention_sinks", "sliding_window")
_RECURRENT = (
    "linear_num_key_heads",
    "linear_num_value_heads",
    "linear_key_head_dim",
    "linear_value_head_dim",
    "linear_conv_kernel_dim",
)
