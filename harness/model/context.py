"""Work and memory of attention over the context, for every family.

Letters: n cached tokens, H heads, r latent rank, p rope width, dn no-rope width, dv value width, hd head width,
Hi index heads, di index width. One multiply-add counts as two operations. Softmax, norms and rope are left out: they
are below one percent of the operations and are not matrix products.
"""

import math
from typing import Literal

from harness.model.counts import INDEX_STRIDE, parameters
from harness.model.family import NO_ATTENTION, LayerType
from harness.model.recurrent import RECURRENT, recurrent_flop, state_bytes
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
    index_elements: float = 0.0
    """index keys among both: a position reads all of its sequence"""


def _mean_up_to(limit: float | None, n: float, causal: bool) -> float:
    """Entries attended to by the n-th token, itself among them: min(n, limit); if `causal`, the mean over all n."""
    if not causal:
        return n if limit is None else min(n, limit)
    if limit is None or n <= limit:
        return (n + 1) / 2
    return limit - limit * (limit - 1) / (2 * n)


def _mean_in_chunk(chunk: float, n: float, causal: bool, least: bool) -> float:
    """Entries attended to where tokens see no further back than the start of their chunk.

    In the first chunk all before the token; after it half a chunk, the mean over where a token may stand in its own.
    `least`: no more than this mean anywhere, so that a longer context never takes less.
    """
    if not causal:
        return min(n, (chunk + 1) / 2) if least or n > chunk else n
    whole, rest = divmod(n, chunk)
    return (whole * chunk * (chunk + 1) + rest * (rest + 1)) / (2 * n)


def _mla(spec: Spec, n: float, causal: bool) -> ContextWork:
    heads, layers = spec.num_attention_heads, spec.attention_layers
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
        core_flop=core + _recurrences(spec),
        indexer_flop=index_flop,
        read_elements=read,
        stored_elements=stored + index_elements,
        index_elements=index_elements,
    )


def _recurrences(spec: Spec) -> float:
    """Operations of all recurrent layers for one token, in a context of any length."""
    return sum(spec.mixers.get(kind, 0) * recurrent_flop(spec, kind) for kind in RECURRENT)


def _v4(spec: Spec, n: float, causal: bool) -> ContextWork:
    heads, hd = spec.num_attention_heads, spec.head_dim or 0
    window = spec.sliding_window or 0
    ratios = spec.compress_ratios or (0,) * spec.num_hidden_layers
    hi, di, topk = spec.index_n_heads or 0, spec.index_head_dim or 0, spec.index_topk
    core = index_flop = read = stored = index_elements = 0.0
    for ratio in ratios:
        entries = _mean_up_to(window, n, causal)
        kept = min(n, window)
        if ratio == INDEX_STRIDE:
            entries += _mean_up_to(topk, n / ratio, causal)
            kept += n / ratio
            index_flop += 2 * hi * di * _mean_up_to(None, n / ratio, causal)
            index_elements += n / ratio * di
        elif ratio:
            entries += _mean_up_to(None, n / ratio, causal)
            kept += n / ratio
        core += 2 * heads * 2 * hd * entries
        read += entries * hd
        stored += kept * hd
    return ContextWork(
        core_flop=core,
        indexer_flop=index_flop,
        read_elements=read + index_elements,
        stored_elements=stored + index_elements,
        index_elements=index_elements,
    )


def _gqa(spec: Spec, n: float, causal: bool, least: bool) -> ContextWork:
    """Grouped-query attention, all of the context or what a window, a chunk or an index leaves of it.

    An index chooses whole blocks of `index_topk` tokens together, of which the last is not full (MiniMax-M3).
    """
    core = read = stored = 0.0
    for (kind, indexed), layers in spec.attended().items():
        if kind in NO_ATTENTION:
            continue
        kv_heads, key, value = spec.grouped(kind)
        attended, kept = _seen(spec, kind, spec.index_topk if indexed else None, n, causal, least)
        core += layers * 2 * spec.num_attention_heads * (key + value) * attended
        read += layers * kv_heads * (key + value) * attended
        stored += layers * kv_heads * (key + value) * kept
    hi, di, whole = spec.index_n_heads or 0, spec.index_head_dim or 0, _mean_up_to(None, n, causal)
    index_elements = spec.index_layers * n * di
    return ContextWork(
        core_flop=core + _recurrences(spec),
        indexer_flop=2 * hi * di * whole * spec.index_layers,
        read_elements=read + index_elements,
        stored_elements=stored + index_elements,
        index_elements=index_elements,
    )


def _seen(spec: Spec, kind: LayerType, topk: int | None, n: float, causal: bool, least: bool) -> tuple[float, float]:
    """Entries that the n-th token attends to in a layer of a kind, and those that the layer keeps of n tokens."""
    if kind == "chunked_attention":
        chunk = float(spec.attention_chunk_size or 0)
        return _mean_in_chunk(chunk, n, causal, least), min(n, chunk)
    if kind == "sliding_attention":
        window = float(spec.sliding_window or 0)
        return _mean_up_to(window, n, causal), min(n, window)
    return _mean_up_to(topk, n, causal), n


def over_context(spec: Spec, tokens: float, mode: Literal["decode", "prefill"], *, least: bool = False) -> ContextWork:
    """Attention over `tokens` of context: one decode position, or the mean position of a causal prefill.

    In prefill, `core_flop` and `indexer_flop` are means over the prompt's positions; `stored_elements` is what the
    whole prompt leaves in the cache. `least`: never more than a longer context takes, as a bound has to count.
    """
    causal = mode == "prefill"
    if spec.attention == "gqa":
        return _gqa(spec, tokens, causal, least)
    return (_mla if spec.attention == "mla" else _v4)(spec, tokens, causal)


def kv_bytes(spec: Spec, tokens: float, element_bytes: float = 2.0) -> float:
    """What one sequence of `tokens` keeps, in bytes: caches, index keys, and the states of recurrent layers."""
    return over_context(spec, tokens, "decode").stored_elements * element_bytes + state_bytes(spec)


class CacheFormat(Frozen):
    """Bytes of a cached element, scales included."""

    entry: float
    index: float
    """of an index key's"""

    def size(self, elements: float, index_elements: float) -> float:
        return (elements - index_elements) * self.entry + index_elements * self.index


def cache_format(spec: Spec, element_bytes: float | None) -> CacheFormat:
    """How a cache with `element_bytes` is kept: 16 bits an element where that is not given, and as deployed where it
    is one byte and the attention DeepSeek's sparse one. V4 is released in its layout, so that stands where nothing is
    given."""
    deployed = _deployed(spec)
    if deployed is not None and (element_bytes == 1.0 or (element_bytes is None and spec.attention == "v4")):
        return deployed
    plain = 2.0 if element_bytes is None else element_bytes
    return CacheFormat(entry=plain, index=plain)


def _deployed(spec: Spec) -> CacheFormat | None:
    """The layout of FP8 deployments of DeepSeek's sparse attention, 16-bit rotary parts included; else None.

    V3.2: a latent in 512 + 4 * 4 + 64 * 2 = 656 bytes, an index key in 128 + 4. V4: an entry in 448 + 8 + 64 * 2 = 584,
    an index key in FP4 with a scale for 32 values, 64 + 4.
    """
    p, di = spec.qk_rope_head_dim or 0, spec.index_head_dim or 0
    if spec.attention == "mla" and spec.index_layers:
        r = spec.kv_lora_rank or 0
        return CacheFormat(entry=(r + r / 128 * 4 + 2 * p) / (r + p), index=(di + 4) / di)
    if spec.attention != "v4":
        return None
    hd = spec.head_dim or 0
    scales = math.ceil((hd - p) / 64 / 8) * 8  # one byte for 64 values, filled up to eight
    return CacheFormat(entry=(hd - p + scales + 2 * p) / hd, index=1 / 2 + 1 / 32)


def deployed_bytes(spec: Spec, tokens: float) -> float | None:
    """Cache of one sequence of `tokens` as FP8 deployments of DeepSeek's sparse attention keep it; None for other
    attention."""
    deployed, context = _deployed(spec), over_context(spec, tokens, "decode")
    return None if deployed is None else deployed.size(context.stored_elements, context.index_elements)


def flop_per_token(spec: Spec, tokens: float) -> float:
    """Decode operations of one token at `tokens` of context: twice the active weights, and attention."""
    context = over_context(spec, tokens, "decode")
    return 2 * parameters(spec).active + context.core_flop + context.indexer_flop
