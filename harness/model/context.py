"""Work and memory of attention over the context, for every family.

Letters: n cached tokens, H heads, r latent rank, p rope width, dn no-rope width, dv value width, hd head width,
Hi index heads, di index width. One multiply-add counts as two operations. Softmax, norms and rope are left out: they
are below one percent of the operations and are not matrix products.
"""

import math
from typing import Literal

from harness.model.counts import INDEX_STRIDE, parameters
from harness.model.spec import Spec
from harness.vocabulary import Frozen


class ContextWork(Frozen):
    """All layers together, for one position of one sequence."""

    core_flop: float
    indexer_flop: float
    read_elements: float
    """cached elements that one position reads"""
    stored_elements: float
    """cached elements that one sequence keeps"""


def _mean_up_to(limit: float | None, n: float, causal: bool) -> float:
    """Entries attended to by the n-th token, itself among them: min(n, limit); if `causal`, the mean over all n."""
    if not causal:
        return n if limit is None else min(n, limit)
    if limit is None or n <= limit:
        return (n + 1) / 2
    return limit - limit * (limit - 1) / (2 * n)


def _mla(spec: Spec, n: float, causal: bool) -> ContextWork:
    heads, layers = spec.num_attention_heads, spec.num_hidden_layers
    r, p = spec.kv_lora_rank or 0, spec.qk_rope_head_dim or 0
    dn, dv = spec.qk_nope_head_dim or 0, spec.v_head_dim or 0
    topk = spec.index_topk
    attended = _mean_up_to(topk, n, causal)
    # Decode absorbs the expansion of keys and values and works in the latent space, r + p wide for the scores and r
    # for the values; prefill expands them, dn + p and dv wide (DeepSeek-V2, section 2.1.2). Sparse prefill picks
    # latent entries, or attends to all where that is cheaper.
    core = 2 * heads * (2 * r + p) * attended * layers
    if causal:
        expanded = 2 * heads * (dn + p + dv) * _mean_up_to(None, n, causal) * layers
        core = expanded if topk is None else min(core, expanded)
    index_flop = index_elements = 0.0
    if topk is not None:
        hi, di = spec.index_n_heads or 0, spec.index_head_dim or 0
        index_flop = 2 * hi * di * _mean_up_to(None, n, causal) * spec.index_layers
        index_elements = n * di * spec.index_layers
    stored = n * (r + p) * layers
    read = attended * (r + p) * layers + index_elements
    return ContextWork(
        core_flop=core, indexer_flop=index_flop, read_elements=read, stored_elements=stored + index_elements
    )


def _v4(spec: Spec, n: float, causal: bool) -> ContextWork:
    heads, hd = spec.num_attention_heads, spec.head_dim or 0
    window = spec.sliding_window or 0
    ratios = spec.compress_ratios or (0,) * spec.num_hidden_layers
    hi, di, topk = spec.index_n_heads or 0, spec.index_head_dim or 0, spec.index_topk
    core = index_flop = read = stored = 0.0
    for ratio in ratios:
        entries = _mean_up_to(window, n, causal)
        kept = min(n, window)
        if ratio == INDEX_STRIDE:
            entries += _mean_up_to(topk, n / ratio, causal)
            kept += n / ratio
            index_flop += 2 * hi * di * _mean_up_to(None, n / ratio, causal)
            stored += n / ratio * di
            read += n / ratio * di
        elif ratio:
            entries += _mean_up_to(None, n / ratio, causal)
            kept += n / ratio
        core += 2 * heads * 2 * hd * entries
        read += entries * hd
        stored += kept * hd
    return ContextWork(core_flop=core, indexer_flop=index_flop, read_elements=read, stored_elements=stored)


def _gqa(spec: Spec, n: float, causal: bool) -> ContextWork:
    heads, kv_heads, hd = spec.num_attention_heads, spec.num_key_value_heads or 0, spec.head_dim or 0
    sliding = sum(map(spec.slides, range(spec.num_hidden_layers)))
    core = elements = stored = 0.0
    for layers, window in ((sliding, spec.sliding_window), (spec.num_hidden_layers - sliding, None)):
        attended = _mean_up_to(window, n, causal)
        core += layers * 2 * heads * 2 * hd * attended
        elements += layers * 2 * kv_heads * hd * attended
        stored += layers * 2 * kv_heads * hd * (n if window is None else min(n, window))
    return ContextWork(core_flop=core, indexer_flop=0.0, read_elements=elements, stored_elements=stored)


def over_context(spec: Spec, tokens: float, mode: Literal["decode", "prefill"]) -> ContextWork:
    """Attention over `tokens` of context: one decode position, or the mean position of a causal prefill.

    In prefill, `core_flop` and `indexer_flop` are means over the prompt's positions; `stored_elements` is what the
    whole prompt leaves in the cache.
    """
    by_kind = {"mla": _mla, "v4": _v4, "gqa": _gqa}
    return by_kind[spec.attention](spec, tokens, mode == "prefill")


def kv_bytes(spec: Spec, tokens: float, element_bytes: float = 2.0) -> float:
    """Cache of one sequence of `tokens`, index keys included, in bytes."""
    return over_context(spec, tokens, "decode").stored_elements * element_bytes


def deployed_bytes(spec: Spec, tokens: float) -> float | None:
    """Cache of one sequence of `tokens` as FP8 deployments of DeepSeek's sparse attention keep it, scales and 16-bit
    rotary parts included; None for other attention.

    V3.2: a latent in 512 + 4 * 4 + 64 * 2 = 656 bytes, an index key in 128 + 4. V4: an entry in 448 + 8 + 64 * 2 = 584,
    an index key in FP4 with a scale for 32 values, 64 + 4.
    """
    p, di = spec.qk_rope_head_dim or 0, spec.index_head_dim or 0
    if spec.attention == "mla" and spec.index_layers:
        r = spec.kv_lora_rank or 0
        return tokens * (spec.num_hidden_layers * (r + r / 128 * 4 + 2 * p) + spec.index_layers * (di + 4))
    if spec.attention != "v4":
        return None
    ratios = spec.compress_ratios or (0,) * spec.num_hidden_layers
    entries = sum(min(tokens, spec.sliding_window or 0) + (tokens / ratio if ratio else 0.0) for ratio in ratios)
    plain = (spec.head_dim or 0) - p
    scales = math.ceil(plain / 64 / 8) * 8  # one byte for 64 values, filled up to eight
    return entries * (plain + scales + 2 * p) + spec.index_layers * tokens / INDEX_STRIDE * (di / 2 + di / 32)


def flop_per_token(spec: Spec, tokens: float) -> float:
    """Decode operations of one token at `tokens` of context: twice the active weights, and attention."""
    context = over_context(spec, tokens, "decode")
    return 2 * parameters(spec).active + context.core_flop + context.indexer_flop
