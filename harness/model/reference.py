"""The same model in plain numpy, written from the papers to be read. Slow; shares no code with the graph.

It takes real weights by name (harness.model.tensors names them) and computes in the precision of those weights.
Letters: B sequences, S tokens, d hidden, H heads, E routed experts, k chosen, f expert width, r latent rank, p rotary
head width, n plain head width, v value head width, V vocabulary.
DeepSeek-V2 is arXiv:2405.04434, DeepSeek-V3 arXiv:2412.19437.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from harness.model.spec import Spec

Real = NDArray[np.floating]
Chosen = NDArray[np.int64]


@dataclass
class RoutingTrace:
    """What routers saw and did, layer by layer, for comparison with another implementation.

    `scores` [B, S, E] are those that experts were selected by, `chosen` [B, S, k] the selected, best first.
    """

    scores: dict[int, Real] = field(default_factory=dict)
    chosen: dict[int, Chosen] = field(default_factory=dict)


def forward(
    spec: Spec,
    weights: Mapping[str, Real],
    tokens: NDArray[np.int64],
    *,
    trace: RoutingTrace | None = None,
    forced: Mapping[int, Chosen] | None = None,
) -> Real:
    """Logits [B, S, V] of tokens [B, S].

    `forced` names the experts of some layers instead of the router: near ties then cannot hide an error of arithmetic.
    """
    x = weights["embedding"][tokens]
    for layer in range(spec.num_hidden_layers):
        at = f"layers.{layer}"
        x = x + _attention(spec, weights, layer, _norm(x, weights[f"{at}.attention.norm"], spec))
        y = _norm(x, weights[f"{at}.mlp_norm"], spec)
        if layer < spec.dense_layers:
            x = x + _gated(y, weights[f"{at}.dense.in"], weights[f"{at}.dense.out"])
        else:
            x = x + _mixture(spec, weights, layer, y, trace, None if forced is None else forced.get(layer))
    head = weights["embedding" if spec.tie_word_embeddings else "head"]
    return _norm(x, weights["norm"], spec) @ head.T


def _norm(x: Real, gain: Real, spec: Spec, eps: float | None = None) -> Real:
    y: Real = x / np.sqrt((x * x).mean(-1, keepdims=True) + (spec.rms_norm_eps if eps is None else eps)) * gain
    return y


def _softmax(x: Real) -> Real:
    e: Real = np.exp(x - x.max(-1, keepdims=True))
    shares: Real = e / e.sum(-1, keepdims=True)
    return shares


def _sigmoid(x: Real) -> Real:
    positive: Real = 1 / (1 + np.exp(-x))
    return positive


def _attention(spec: Spec, weights: Mapping[str, Real], layer: int, x: Real) -> Real:
    w = {key: weights.get(f"layers.{layer}.attention.{key}") for key in _ATTENTION}
    query, keys, values, scale = (_mla if spec.attention == "mla" else _grouped)(spec, w, x)
    scores = np.einsum("bshc,bthc->bhst", query, keys) * scale
    scores = np.where(_visible(spec, layer, x.shape[1]), scores, -np.inf)
    if (sinks := w["sinks"]) is not None:  # a score that takes attention and gives nothing (gpt-oss)
        column = np.broadcast_to(sinks[None, :, None, None], (*scores.shape[:-1], 1))
        shares = _softmax(np.concatenate([scores, column], axis=-1))[..., :-1]
    else:
        shares = _softmax(scores)
    mixed = np.einsum("bhst,bthv->bshv", shares, values)
    out, bias = w["out"], w["out_bias"]
    assert out is not None
    y: Real = mixed.reshape(*x.shape[:2], -1) @ out.T
    return y if bias is None else y + bias


_ATTENTION = ("in", "in_bias", "q_norm", "k_norm", "q", "kv_norm", "kv", "sinks", "out", "out_bias")

_LATENT_EPS = 1e-6
"""Of the norms of latent queries, keys and values: DeepSeek's code builds them without the config's rms_norm_eps."""

_Weight = Mapping[str, Real | None]


def _mla(spec: Spec, w: _Weight, x: Real) -> tuple[Real, Real, Real, float]:
    """DeepSeek-V2, equations 9 to 19: keys and values of all heads come from one latent of rank r a token, and one
    rotary key is shared by the heads."""
    heads, r, p = spec.num_attention_heads, spec.kv_lora_rank, spec.qk_rope_head_dim
    n, rank = spec.qk_nope_head_dim, spec.q_lora_rank
    assert r is not None and p is not None and n is not None
    assert w["in"] is not None and w["kv"] is not None and w["kv_norm"] is not None
    fused = x @ w["in"].T
    query, latent, key = np.split(fused, [fused.shape[-1] - r - p, fused.shape[-1] - p], axis=-1)
    if rank is not None:
        assert w["q"] is not None and w["q_norm"] is not None
        query = _norm(query, w["q_norm"], spec, _LATENT_EPS) @ w["q"].T
    query = query.reshape(*x.shape[:2], heads, p + n)  # each head [rotary | plain]
    query = np.concatenate([_rotated(spec, query[..., :p]), query[..., p:]], axis=-1)
    up = np.einsum("bsr,hcr->bshc", _norm(latent, w["kv_norm"], spec, _LATENT_EPS), w["kv"])
    shared = np.broadcast_to(_rotated(spec, key[:, :, None, :]), (*x.shape[:2], heads, p))
    return query, np.concatenate([shared, up[..., :n]], axis=-1), up[..., n:], (p + n) ** -0.5 * _sharpened(spec)


def _grouped(spec: Spec, w: _Weight, x: Real) -> tuple[Real, Real, Real, float]:
    """Grouped-query attention (Ainslie et al., 2023): consecutive heads share a key and a value."""
    heads, shared, width = spec.num_attention_heads, spec.num_key_value_heads, spec.head_dim
    assert shared is not None and width is not None and w["in"] is not None
    fused = x @ w["in"].T
    if w["in_bias"] is not None:
        fused = fused + w["in_bias"]
    fused = fused.reshape(*x.shape[:2], heads + 2 * shared, width)
    query: Real
    key: Real
    query, key, value = np.split(fused, [heads, heads + shared], axis=2)
    if w["q_norm"] is not None and w["k_norm"] is not None:
        query, key = _norm(query, w["q_norm"], spec), _norm(key, w["k_norm"], spec)
    copies = heads // shared
    key, value = np.repeat(_rotated(spec, key), copies, axis=2), np.repeat(value, copies, axis=2)
    return _rotated(spec, query), key, value, width**-0.5


def _rotated(spec: Spec, x: Real) -> Real:
    """Rotary positions (Su et al., 2021) over the last axis of x [B, S, heads, width]: pairs (2i, 2i+1) where the
    family interleaves, (i, i + width/2) elsewhere."""
    width = x.shape[-1]
    angle: Real = np.arange(x.shape[1])[:, None, None] * _frequencies(spec, width)
    gain = _gain(spec)
    cos, sin = (np.cos(angle) * gain).astype(x.dtype), (np.sin(angle) * gain).astype(x.dtype)
    if spec.rope_interleave:
        a, b = x[..., 0::2], x[..., 1::2]
        return np.stack([a * cos - b * sin, b * cos + a * sin], axis=-1).reshape(x.shape)
    a, b = x[..., : width // 2], x[..., width // 2 :]
    return np.concatenate([a * cos - b * sin, b * cos + a * sin], axis=-1)


def _frequencies(spec: Spec, width: int) -> Real:
    """Radians that each pair rotates a position, [width/2]. YaRN (arXiv:2309.00071, section 3.2) divides slow ones by
    the factor, keeps fast ones, and mixes those between along a ramp over the pairs."""
    pair = np.arange(width // 2)
    plain: Real = spec.rope_theta ** (-2.0 * pair / width)
    if (yarn := spec.rope_scaling) is None:
        return plain

    def pair_that_rotates(times: float) -> float:
        return width / 2 * math.log(yarn.original_max_position_embeddings / (2 * math.pi * times), spec.rope_theta)

    first, last = pair_that_rotates(yarn.beta_fast), pair_that_rotates(yarn.beta_slow)
    if yarn.truncate:
        first, last = math.floor(first), math.ceil(last)
    first, last = max(first, 0), min(last, width - 1)
    slow = np.clip((pair - first) / (last - first if last != first else 0.001), 0, 1)
    mixed: Real = plain * (1 - slow) + plain / yarn.factor * slow
    return mixed


def _temperature(factor: float, weight: float = 1.0) -> float:
    """YaRN, equation 22, for a factor above 1."""
    return 1 + 0.1 * weight * math.log(factor)


def _gain(spec: Spec) -> float:
    """What YaRN multiplies rotated queries and keys by."""
    if (yarn := spec.rope_scaling) is None:
        return 1.0
    if yarn.attention_factor is not None:
        return yarn.attention_factor
    if yarn.mscale and yarn.mscale_all_dim:
        return _temperature(yarn.factor, yarn.mscale) / _temperature(yarn.factor, yarn.mscale_all_dim)
    return _temperature(yarn.factor)


def _sharpened(spec: Spec) -> float:
    """What YaRN multiplies the scores of MLA by, beside `_gain` (DeepSeek's `mscale_all_dim`)."""
    yarn = spec.rope_scaling
    return 1.0 if yarn is None else _temperature(yarn.factor, yarn.mscale_all_dim or 0.0) ** 2


def _visible(spec: Spec, layer: int, tokens: int) -> NDArray[np.bool_]:
    """[S, S]: which key each query sees. Itself and the past; in a sliding layer, the last `sliding_window` of them."""
    distance = np.arange(tokens)[:, None] - np.arange(tokens)
    window = spec.sliding_window if spec.slides(layer) else None
    return (distance >= 0) & (distance < (window or tokens))


def _gated(x: Real, inner: Real, outer: Real) -> Real:
    """down(SiLU(gate(x)) * up(x)); gate rows before up rows (Shazeer, arXiv:2002.05202)."""
    gate, up = np.split(x @ inner.T, 2, axis=-1)
    return (gate * _sigmoid(gate) * up) @ outer.T


def _mixture(
    spec: Spec, weights: Mapping[str, Real], layer: int, x: Real, trace: RoutingTrace | None, forced: Chosen | None
) -> Real:
    """DeepSeek-V3, equation 12: the shared expert's output plus the chosen experts' weighted outputs."""
    w = {key: weights.get(f"layers.{layer}.{key}") for key in _MIXTURE}
    scores, selection = _scores(spec, w, x)
    chosen = np.argsort(-selection, axis=-1, kind="stable")[..., : spec.num_experts_per_tok]
    if trace is not None:
        trace.scores[layer], trace.chosen[layer] = selection, chosen
    if forced is not None:
        chosen = forced
    share = np.take_along_axis(scores, chosen, axis=-1)
    if spec.norm_topk_prob:
        share = share / share.sum(-1, keepdims=True)
    share = share * spec.routed_scaling_factor
    y = np.zeros_like(x)
    for expert in range(spec.n_routed_experts):
        b, s, slot = np.nonzero(chosen == expert)
        y[b, s] += share[b, s, slot][:, None] * _expert(spec, w, expert, x[b, s])
    if spec.n_shared_experts:
        assert w["shared.in"] is not None and w["shared.out"] is not None
        y = y + _gated(x, w["shared.in"], w["shared.out"])
    return y


_MIXTURE = (
    *("router", "router_bias", "shared.in", "shared.out"),
    *("experts.in", "experts.in_bias", "experts.out", "experts.out_bias"),
)


def _scores(spec: Spec, w: _Weight, x: Real) -> tuple[Real, Real]:
    """What experts are mixed by and selected by, [B, S, E]. A selection bias changes who is chosen, not their share."""
    assert w["router"] is not None
    logits = x @ w["router"].T
    bias = w["router_bias"]
    if spec.moe_bias:
        assert bias is not None
        logits, bias = logits + bias, None
    scores = _sigmoid(logits) if spec.scoring_func == "sigmoid" else _softmax(logits)
    selection = scores if bias is None else scores + bias
    return scores, _best_groups(spec, selection) if spec.n_group > 1 else selection


def _best_groups(spec: Spec, selection: Real) -> Real:
    """Selection scores with all but the best `topk_group` groups out of reach. A group is as good as its two best
    experts together (DeepSeek-V3) or its best one (DeepSeek-V2)."""
    grouped = selection.reshape(*selection.shape[:-1], spec.n_group, -1)
    top = 2 if spec.topk_method == "noaux_tc" else 1
    merit = np.sort(grouped, axis=-1)[..., -top:].sum(-1)
    kept = np.argsort(-merit, axis=-1, kind="stable")[..., : spec.topk_group]
    inside = np.zeros(merit.shape, dtype=bool)
    np.put_along_axis(inside, kept, values=True, axis=-1)
    return np.where(inside[..., None], grouped, -np.inf).reshape(selection.shape)


def _expert(spec: Spec, w: _Weight, expert: int, x: Real) -> Real:
    """One expert on tokens x [T, d]. Row 2i of `experts.in` is gate i, row 2i+1 is up i. gpt-oss bounds both, shifts
    the up part by 1 and uses a steeper gate (its model card, arXiv:2508.10925)."""
    assert w["experts.in"] is not None and w["experts.out"] is not None
    both: Real = x @ w["experts.in"][expert].T
    if not spec.moe_bias:
        gate, up = both[:, 0::2], both[:, 1::2]
        y: Real = (gate * _sigmoid(gate) * up) @ w["experts.out"][expert].T
        return y
    assert w["experts.in_bias"] is not None and w["experts.out_bias"] is not None
    both = both + w["experts.in_bias"][expert]
    gate, up = np.minimum(both[:, 0::2], 7.0), np.clip(both[:, 1::2], -7.0, 7.0)
    y = (gate * _sigmoid(1.702 * gate) * (up + 1)) @ w["experts.out"][expert].T
    y += w["experts.out_bias"][expert]
    return y
