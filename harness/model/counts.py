"""Parameter counts of an architecture, the products that a token takes, and dense counterparts of equal size.

A token is multiplied once with each weight that it uses, at two operations each; norms and biases are no products, and
attention over the context is counted elsewhere.
"""

from collections.abc import Callable
from functools import lru_cache

from harness.model.family import NO_ATTENTION, LayerType
from harness.model.recurrent import RECURRENT, recurrent_parameters, recurrent_products
from harness.model.spec import Spec
from harness.vocabulary import Frozen

INDEX_STRIDE = 4  # V4 keeps one compressed entry for four tokens in indexed layers (V4 report, CSA)


class Parameters(Frozen):
    """Parameter counts by component. `active` counts the head and leaves out the embedding look-up."""

    embedding: int
    head: int
    attention: int
    indexer: int
    compressor: int
    hyper_connections: int
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
        own = self.compressor + self.hyper_connections
        return own + self.head + self.attention + self.indexer + self.dense + self.router + self.shared + self.norms


def attention_parameters(spec: Spec, kind: LayerType = "full_attention") -> int:
    """Weights (and biases) of the attention projections of one layer of a kind, without norms and indexer."""
    d, heads = spec.hidden_size, spec.num_attention_heads
    if spec.attention == "mla":
        dn, p, dv, r, rq = _mla_dims(spec)
        query = d * heads * (dn + p) if rq is None else d * rq + rq * heads * (dn + p)
        gate = d * heads * dv if spec.attn_output_gate else 0
        return query + d * (r + p) + r * heads * (dn + dv) + heads * dv * d + gate
    if spec.attention == "v4":
        hd, rq, ro, groups = spec.head_dim, spec.q_lora_rank, spec.o_lora_rank, spec.o_groups
        assert hd is not None and rq is not None and ro is not None and groups is not None
        return d * rq + rq * heads * hd + d * hd + heads * hd * ro + groups * ro * d
    kv_heads, key, value = spec.grouped(kind)
    made = key if spec.attention_k_eq_v and kind == "full_attention" else key + value
    gate = heads * value if spec.attn_output_gate else 0
    bias = heads * key + kv_heads * (key + value) + d if spec.attention_bias else 0
    sinks = heads if spec.attention_sinks else 0
    return d * (heads * (key + value) + kv_heads * made + gate) + bias + sinks


def mixer_parameters(spec: Spec) -> int:
    """Weights of all layers' attention projections, and of recurrent layers."""
    return sum(count * _mixer_parameters(spec, kind) for kind, count in spec.mixers.items())


def _mixer_parameters(spec: Spec, kind: LayerType) -> int:
    if kind == "none":
        return 0
    return recurrent_parameters(spec, kind) if kind in RECURRENT else attention_parameters(spec, kind)


def _mla_dims(spec: Spec) -> tuple[int, int, int, int, int | None]:
    dn, p, dv, r = spec.qk_nope_head_dim, spec.qk_rope_head_dim, spec.v_head_dim, spec.kv_lora_rank
    assert dn is not None and p is not None and dv is not None and r is not None
    return dn, p, dv, r, spec.q_lora_rank


def expert_parameters(spec: Spec) -> int:
    """Weights of one routed expert: gate, up and down projections (`X = 3*d*f`)."""
    d, f = spec.hidden_size, spec.moe_intermediate_size or 0
    return expert_products(spec) + (2 * f + d if spec.moe_bias else 0)


def shared_products(spec: Spec) -> int:
    """Weights of one layer that each token meets beside its routed experts: shared experts, in the full width, and the
    projections into the width of routed ones and back, where theirs is another."""
    d, f, latent = spec.hidden_size, spec.moe_intermediate_size or 0, spec.moe_latent_size
    return spec.n_shared_experts * spec.matrices * d * f + (0 if latent is None else 2 * d * latent)


def dense_products(spec: Spec) -> int:
    """Of one dense feed-forward network."""
    return spec.matrices * spec.hidden_size * (spec.intermediate_size or 0)


def router_parameters(spec: Spec) -> int:
    """Weights of one layer's router, with its selection bias and the gate of shared experts where the family has
    them."""
    bias = spec.n_routed_experts if spec.topk_method == "noaux_tc" or spec.moe_bias else 0
    return _router_products(spec) + bias


def _router_products(spec: Spec) -> int:
    return spec.hidden_size * (spec.n_routed_experts + (1 if spec.shared_expert_gate else 0))


def _indexer_parameters(spec: Spec) -> int:
    """Index projections of the layers that have an index (V3.2: every layer; V4: the layers that compress by 4, where
    a compressor makes the keys; MiniMax-M3: heads without weights of their own)."""
    if spec.index_n_heads is None or spec.index_head_dim is None:
        return 0
    query_rank = spec.q_lora_rank or spec.hidden_size
    heads, width = spec.index_n_heads, spec.index_head_dim
    beside = (0 if spec.attention == "v4" else width) + (0 if spec.attention == "gqa" else heads)
    return spec.index_layers * (query_rank * heads * width + spec.hidden_size * beside)


def compressor_products(spec: Spec) -> int:
    """V4's compressors, all layers: keys and gates for an entry, and for an index key where a layer has an index. An
    indexed layer forms two series, so that entries overlap (V4 report, compressed sparse attention)."""
    d, hd, di = spec.hidden_size, spec.head_dim or 0, spec.index_head_dim or 0
    ratios = spec.compress_ratios or ()
    indexed = ratios.count(INDEX_STRIDE)
    plain = sum(ratio > INDEX_STRIDE for ratio in ratios)
    return 2 * d * (indexed * 2 * (hd + di) + plain * hd)


def _compressor_parameters(spec: Spec) -> int:
    """Those, a bias for each token of an entry, and a norm of the entry."""
    hd, di = spec.head_dim or 0, spec.index_head_dim or 0
    small = 0
    for ratio in spec.compress_ratios or ():
        if ratio == INDEX_STRIDE:
            small += (2 * ratio + 1) * (hd + di)
        elif ratio:
            small += (ratio + 1) * hd
    return compressor_products(spec) + small


def hyper_connection_products(spec: Spec) -> int:
    """V4's hyper-connections: N streams are mixed before and after attention and feed-forward of each layer by N read,
    N write and N*N mixing weights, made from all streams; before the head by N read weights alone."""
    n, d = spec.hc_mult or 0, spec.hidden_size
    return spec.num_hidden_layers * 2 * (2 * n + n * n) * n * d + n * n * d


def _hyper_connection_parameters(spec: Spec) -> int:
    """Those, a bias for each weight that they make, and a scale for each kind of weight."""
    n = spec.hc_mult
    if n is None:
        return 0
    return hyper_connection_products(spec) + spec.num_hidden_layers * 2 * (2 * n + n * n + 3) + n + 1


def _norm_parameters(spec: Spec) -> int:
    """Norm gains: one before each part of a layer and the final one, those of the latent ranks, and those of query and
    key heads. Gemma norms what leaves a part too, and the inputs and outputs of its experts apart."""
    outer = 7 * spec.num_hidden_layers if spec.model_type == "gemma4" else spec.parts
    inner = (spec.moe_latent_size or 0) * spec.moe_layers if spec.model_type == "kimi_k3" else 0
    if spec.attention == "mla":
        inner += spec.attention_layers * ((spec.q_lora_rank or 0) + (spec.kv_lora_rank or 0))
    elif spec.use_qk_norm:
        inner += sum(2 * spec.grouped(k)[1] * count for k, count in spec.mixers.items() if k not in NO_ATTENTION)
    return (outer + 1) * spec.hidden_size + inner


@lru_cache(maxsize=512)
def parameters(spec: Spec) -> Parameters:
    """Count the parameters of `spec` by component, in closed form."""
    expert = expert_parameters(spec)
    return Parameters(
        embedding=spec.vocab_size * spec.hidden_size if not spec.tie_word_embeddings else 0,
        head=spec.vocab_size * spec.hidden_size,
        attention=mixer_parameters(spec),
        indexer=_indexer_parameters(spec),
        compressor=_compressor_parameters(spec),
        hyper_connections=_hyper_connection_parameters(spec),
        dense=spec.dense_layers * dense_products(spec),
        router=spec.moe_layers * router_parameters(spec) if spec.is_sparse else 0,
        experts_total=spec.moe_layers * spec.n_routed_experts * expert,
        experts_active=spec.moe_layers * spec.num_experts_per_tok * expert,
        shared=spec.moe_layers * shared_products(spec),
        norms=_norm_parameters(spec),
    )


def dense_equal_total(spec: Spec) -> Spec:
    """A dense counterpart with the attention of `spec` and, within 1 %, as many parameters in total.

    Raises ValueError where no width of the feed-forward layers comes that close.
    """
    return _dense(spec, parameters(spec).total - parameters(spec).active, "total")


def dense_equal_active(spec: Spec) -> Spec:
    """A dense counterpart with the attention of `spec` and, within 1 %, as many parameters active for one token."""
    return _dense(spec, 0, "active")


def _dense(spec: Spec, inactive: int, what: str) -> Spec:
    """`spec` without experts, every layer with one feed-forward width so that the active count grows by `inactive`."""
    if not spec.is_sparse:
        raise ValueError("a dense counterpart is derived from a sparse architecture")
    count = parameters(spec)
    feed_forward = count.dense + count.router + count.experts_active + count.shared + inactive
    if what == "total":
        feed_forward -= count.embedding
    width = feed_forward / (3 * spec.hidden_size * spec.num_hidden_layers)
    wanted = getattr(count, what)
    for step in (s for s in _STEPS if s <= max(16, 0.01 * width)):
        counterpart = _with_width(spec, max(step, round(width / step) * step))
        if abs(getattr(parameters(counterpart), what) / wanted - 1) <= 0.01:
            return counterpart
    raise ValueError(f"no dense counterpart comes within 1 % of {wanted:,} {what} parameters")


_STEPS = (128, 64, 32, 16, 8, 4, 2, 1)
"""Widths of a counterpart are multiples of the largest of these that comes close; below 16 it runs in fp32 only."""


def _with_width(spec: Spec, width: int) -> Spec:
    """`spec` without experts, each layer with a feed-forward of `width`."""
    update = {
        "intermediate_size": width,
        "first_k_dense_replace": 0,
        "mlp_layer_types": None,
        "moe_latent_size": None,
        "shared_expert_gate": False,
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


COUNTERPART_OF: dict[str, Callable[[Spec], Spec]] = {
    "equal-total": dense_equal_total,
    "equal-active": dense_equal_active,
}
"""The dense counterparts of a mixture of experts, by what they have in common with it (`vocabulary.Counterpart`)."""


def attention_products(spec: Spec, kind: LayerType = "full_attention") -> int:
    """Of the attention projections of one layer of a kind."""
    heads, (kv_heads, key, value) = spec.num_attention_heads, spec.grouped(kind)
    bias = heads * key + kv_heads * (key + value) + spec.hidden_size if spec.attention_bias else 0
    return attention_parameters(spec, kind) - bias - (heads if spec.attention_sinks else 0)


def mixer_products(spec: Spec) -> int:
    """Of all layers' attention projections, and of recurrent layers."""
    return sum(count * _mixer_products(spec, kind) for kind, count in spec.mixers.items())


def _mixer_products(spec: Spec, kind: LayerType) -> int:
    if kind == "none":
        return 0
    return recurrent_products(spec, kind) if kind in RECURRENT else attention_products(spec, kind)


def expert_products(spec: Spec) -> int:
    """Of one routed expert."""
    return spec.matrices * (spec.moe_latent_size or spec.hidden_size) * (spec.moe_intermediate_size or 0)


def token_products(spec: Spec) -> int:
    """Of all layers, for one token, without the head."""
    experts = spec.num_experts_per_tok * expert_products(spec) + shared_products(spec)
    attention = mixer_products(spec) + parameters(spec).indexer
    attention += compressor_products(spec) + hyper_connection_products(spec)
    feed_forward = spec.dense_layers * dense_products(spec) + spec.moe_layers * (experts + _router_products(spec))
    return attention + feed_forward


def head_products(spec: Spec) -> int:
    """Of the head, for one position."""
    return spec.vocab_size * spec.hidden_size
