"""A model's architecture in Hugging Face's field names, and the parameter counts that follow from it.

Knows no chip, no precision and no runtime. Symbols as in the papers: L layers, d hidden, H heads, E routed experts,
k chosen, s shared, f expert width, r latent KV rank, p rope dim, dn no-rope dim, dv value dim, rq query rank.
"""

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from harness.frozen import Frozen
from harness.model.family import USUAL, Family, LayerType, family_defaults

Precision = Literal["fp32", "int8", "int4"]
Phase = Literal["prefill", "decode"]
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

    # latent attention (DeepSeek V2, section 2.1)
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
    layer_types: tuple[LayerType, ...] | None = None

    # mixture of experts
    n_routed_experts: int = Field(default=0, ge=0)
    num_experts_per_tok: int = Field(default=0, ge=0)
    n_shared_experts: int = Field(default=0, ge=0)
    moe_intermediate_size: int | None = Field(default=None, gt=0)
    first_k_dense_replace: int = Field(default=0, ge=0)
    scoring_func: Literal["sigmoid", "softmax"] = Field(default=USUAL["scoring_func"])
    topk_method: Literal["greedy", "group_limited_greedy", "noaux_tc"] = Field(default=USUAL["topk_method"])
    n_group: int = Field(default=1, gt=0)
    topk_group: int = Field(default=1, gt=0)
    norm_topk_prob: bool = Field(default=USUAL["norm_topk_prob"])
    routed_scaling_factor: float = Field(default=1.0, gt=0)
    moe_bias: bool = Field(default=USUAL["moe_bias"], description="router and experts carry biases (gpt-oss)")

    # sparse attention over the context (V3.2, V4)
    index_n_heads: int | None = Field(default=None, gt=0)
    index_head_dim: int | None = Field(default=None, gt=0)
    index_topk: int | None = Field(default=None, gt=0)
    o_lora_rank: int | None = Field(default=None, gt=0)
    o_groups: int | None = Field(default=None, gt=0)
    compress_ratios: tuple[int, ...] | None = Field(
        default=None, description="V4, one a layer: 0 window only, 4 indexed, 128 dense over compressed entries"
    )
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
        return self.num_hidden_layers - self.first_k_dense_replace if self.is_sparse else 0

    @property
    def dense_layers(self) -> int:
        return self.num_hidden_layers - self.moe_layers

    def slides(self, layer: int) -> bool:
        """Whether attention of `layer` sees only a sliding window: all layers with one, unless `layer_types` says."""
        if self.layer_types is not None:
            return self.layer_types[layer] == "sliding_attention"
        return self.sliding_window is not None

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
        needs: dict[str, tuple[str, ...]] = {
            "mla": ("kv_lora_rank", "qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim"),
            "gqa": ("num_key_value_heads", "head_dim"),
            "v4": ("q_lora_rank", "head_dim", "qk_rope_head_dim", "o_lora_rank", "o_groups"),
        }
        missing = [name for name in needs[self.attention] if getattr(self, name) is None]
        if missing:
            raise ValueError(f"{self.attention} attention needs {', '.join(missing)}")
        if self.first_k_dense_replace > self.num_hidden_layers:
            raise ValueError("first_k_dense_replace exceeds num_hidden_layers")
        if self.dense_layers and self.intermediate_size is None:
            raise ValueError("dense layers need intermediate_size")
        if self.is_sparse:
            self._routable()
        if self.attention == "mla":
            grouped = ("attention_bias", "use_qk_norm", "attention_sinks", "sliding_window", "layer_types")
            if given := [name for name in grouped if getattr(self, name)]:
                raise ValueError(f"latent attention has no {', '.join(given)}")
        elif self.attention == "gqa" and self.num_attention_heads % (self.num_key_value_heads or 1):
            raise ValueError("num_key_value_heads must divide num_attention_heads")
        turned = "head_dim" if self.attention == "gqa" else "qk_rope_head_dim"
        if getattr(self, turned) % 2:
            raise ValueError(f"{turned} must be even: rotary positions turn pairs")
        for name in ("layer_types", "compress_ratios"):
            value = getattr(self, name)
            if value is not None and len(value) != self.num_hidden_layers:
                raise ValueError(f"{name} must name each of the {self.num_hidden_layers} layers")
        if "sliding_attention" in (self.layer_types or ()) and self.sliding_window is None:
            raise ValueError("layers of sliding_attention need sliding_window")
        return self

    def _routable(self) -> None:
        """Raise ValueError for routing that no implementation defines."""
        if self.moe_intermediate_size is None:
            raise ValueError("experts need moe_intermediate_size")
        if not 1 <= self.num_experts_per_tok <= self.n_routed_experts:
            raise ValueError("num_experts_per_tok must lie between 1 and n_routed_experts")
        if self.n_routed_experts % self.n_group or self.topk_group > self.n_group:
            raise ValueError("n_group must divide n_routed_experts and be at least topk_group")
        size = self.n_routed_experts // self.n_group
        if self.n_group > 1:
            if self.topk_method == "greedy":
                raise ValueError("topk_method greedy has no groups; expected n_group 1, or another topk_method")
            if self.topk_method == "noaux_tc" and size < 2:
                raise ValueError("noaux_tc ranks groups by their two best experts; expected at least 2 in each n_group")
            if self.num_experts_per_tok > self.topk_group * size:
                raise ValueError("num_experts_per_tok exceeds the experts of topk_group groups")
        plain = (self.scoring_func, self.topk_method, self.n_shared_experts) == ("softmax", "greedy", 0)
        if self.moe_bias and not plain:
            raise ValueError("moe_bias goes with softmax scoring, greedy choice and no shared experts (gpt-oss)")


class Parameters(Frozen):
    """Parameter counts by component. `active` counts the head and leaves out the embedding look-up."""

    embedding: int
    head: int
    attention: int
    indexer: int
    dense: int
    router: int
    experts_total: int
    experts_active: int
    shared: int
    norms: int

    @property
    def total(self) -> int:
        """All parameters of the model, without multi-token-prediction layers."""
        return self._common + self.embedding + self.experts_total

    @property
    def active(self) -> int:
        """Parameters used for one token, with the head, without the embedding look-up."""
        return self._common + self.experts_active

    @property
    def active_with_embedding(self) -> int:
        return self.active + self.embedding

    @property
    def _common(self) -> int:
        return self.head + self.attention + self.indexer + self.dense + self.router + self.shared + self.norms


def attention_parameters(spec: Spec) -> int:
    """Weights (and biases) of one layer's attention projections, without norms and indexer."""
    d, heads = spec.hidden_size, spec.num_attention_heads
    if spec.attention == "mla":
        dn, p, dv, r, rq = _mla_dims(spec)
        query = d * heads * (dn + p) if rq is None else d * rq + rq * heads * (dn + p)
        return query + d * (r + p) + r * heads * (dn + dv) + heads * dv * d
    if spec.attention == "v4":
        hd, rq, ro, groups = spec.head_dim, spec.q_lora_rank, spec.o_lora_rank, spec.o_groups
        assert hd is not None and rq is not None and ro is not None and groups is not None
        return d * rq + rq * heads * hd + d * hd + heads * hd * ro + groups * ro * d
    hd, kv_heads = spec.head_dim, spec.num_key_value_heads
    assert hd is not None and kv_heads is not None
    bias = (heads + 2 * kv_heads) * hd + d if spec.attention_bias else 0
    sinks = heads if spec.attention_sinks else 0
    return 2 * d * heads * hd + 2 * d * kv_heads * hd + bias + sinks


def _mla_dims(spec: Spec) -> tuple[int, int, int, int, int | None]:
    dn, p, dv, r = spec.qk_nope_head_dim, spec.qk_rope_head_dim, spec.v_head_dim, spec.kv_lora_rank
    assert dn is not None and p is not None and dv is not None and r is not None
    return dn, p, dv, r, spec.q_lora_rank


def expert_parameters(spec: Spec) -> int:
    """Weights of one expert: gate, up and down projections (`X = 3*d*f`)."""
    d, f = spec.hidden_size, spec.moe_intermediate_size or 0
    return 3 * d * f + (2 * f + d if spec.moe_bias else 0)


def router_parameters(spec: Spec) -> int:
    """Weights of one layer's router, with its selection bias where the family has one."""
    bias = spec.n_routed_experts if spec.topk_method == "noaux_tc" or spec.moe_bias else 0
    return spec.hidden_size * spec.n_routed_experts + bias


def _indexer_parameters(spec: Spec) -> int:
    """All layers' index projections (V3.2: every layer; V4: the layers that compress by 4)."""
    if spec.index_n_heads is None or spec.index_head_dim is None:
        return 0
    layers = spec.num_hidden_layers
    if spec.compress_ratios is not None:
        layers = spec.compress_ratios.count(4)
    query_rank = spec.q_lora_rank or spec.hidden_size
    heads, width = spec.index_n_heads, spec.index_head_dim
    return layers * (query_rank * heads * width + spec.hidden_size * (width + heads))


def _norm_parameters(spec: Spec) -> int:
    """Norm gains: two a layer and the final one, those of the latent ranks, and those of query and key heads."""
    inner = 0
    if spec.attention == "mla":
        inner = (spec.q_lora_rank or 0) + (spec.kv_lora_rank or 0)
    elif spec.use_qk_norm:
        inner = 2 * (spec.head_dim or 0)
    return spec.num_hidden_layers * (2 * spec.hidden_size + inner) + spec.hidden_size


def parameters(spec: Spec) -> Parameters:
    """Count the parameters of `spec` by component, in closed form."""
    expert = expert_parameters(spec)
    return Parameters(
        embedding=spec.vocab_size * spec.hidden_size if not spec.tie_word_embeddings else 0,
        head=spec.vocab_size * spec.hidden_size,
        attention=spec.num_hidden_layers * attention_parameters(spec),
        indexer=_indexer_parameters(spec),
        dense=spec.dense_layers * 3 * spec.hidden_size * (spec.intermediate_size or 0),
        router=spec.moe_layers * router_parameters(spec) if spec.is_sparse else 0,
        experts_total=spec.moe_layers * spec.n_routed_experts * expert,
        experts_active=spec.moe_layers * spec.num_experts_per_tok * expert,
        shared=spec.moe_layers * spec.n_shared_experts * expert,
        norms=_norm_parameters(spec),
    )


def dense_equal_total(spec: Spec) -> Spec:
    """A dense control with the attention of `spec` and, within 1 %, as many parameters in total.

    Raises ValueError where no width of the feed-forward layers comes that close.
    """
    return _dense(spec, parameters(spec).total - parameters(spec).active, "total")


def dense_equal_active(spec: Spec) -> Spec:
    """A dense control with the attention of `spec` and, within 1 %, as many parameters active for one token."""
    return _dense(spec, 0, "active")


def _dense(spec: Spec, inactive: int, what: str) -> Spec:
    """`spec` without experts, every layer with one feed-forward width so that the active count grows by `inactive`."""
    if not spec.is_sparse:
        raise ValueError("a dense control is derived from a sparse architecture")
    count = parameters(spec)
    feed_forward = count.dense + count.router + count.experts_active + count.shared + inactive
    if what == "total":
        feed_forward -= count.embedding
    width = feed_forward / (3 * spec.hidden_size * spec.num_hidden_layers)
    wanted = getattr(count, what)
    for step in (s for s in _STEPS if s <= max(16, 0.01 * width)):
        control = _with_width(spec, max(step, round(width / step) * step))
        if abs(getattr(parameters(control), what) / wanted - 1) <= 0.01:
            return control
    raise ValueError(f"no dense control comes within 1 % of {wanted:,} {what} parameters")


_STEPS = (128, 64, 32, 16, 8, 4, 2, 1)
"""Widths of a control are multiples of the largest of these that comes close; below 16 it runs in fp32 only."""


def _with_width(spec: Spec, width: int) -> Spec:
    """`spec` without experts, each layer with a feed-forward of `width`."""
    update = {
        "intermediate_size": width,
        "first_k_dense_replace": 0,
        "n_routed_experts": 0,
        "num_experts_per_tok": 0,
        "n_shared_experts": 0,
        "moe_intermediate_size": None,
        "n_group": 1,
        "topk_group": 1,
        "topk_method": "greedy",
        "moe_bias": False,
    }
    return Spec.model_validate(spec.model_copy(update=update).model_dump())
