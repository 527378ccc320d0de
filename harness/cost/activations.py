"""Memory traffic of activations: what operators hand to one another, written once and read once. Estimates, no bound.

Fused kernels avoid part of it, so it is in no ceiling; the reference point of a band counts it, because in prefill on
fast chips it takes a fifth to a third of the time. Counted per position and layer, for kernels fused as in the
disclosed systems: one kernel a projection, one for the attention core, grouped matrix products for experts.
"""

from harness.cost.precision import Precision, format_of
from harness.model.spec import Spec

WIDE_BYTES = 2.0  # activations between kernels are BF16 where they are not an input of an 8-bit product
TWICE = 2.0  # written by one kernel, read by the next


def _feed_forward(spec: Spec, narrow_bytes: float, width: int, copies: float) -> float:
    """One gated feed-forward network: input in the narrow format, both halves, their product, and the output."""
    d = spec.hidden_size
    elements = narrow_bytes * (d + width) + WIDE_BYTES * (2 * width + d)
    return TWICE * copies * elements


def _attention(spec: Spec, decode: bool) -> float:
    """Queries, keys, values and outputs of one layer, as the core reads and leaves them."""
    heads = spec.num_attention_heads
    if spec.attention == "mla":
        dn, p = spec.qk_nope_head_dim or 0, spec.qk_rope_head_dim or 0
        dv, r = spec.v_head_dim or 0, spec.kv_lora_rank or 0
        absorbed = (dn + p) + (r + p) + r + dv  # queries before and after absorption, latent outputs, outputs
        expanded = 2 * (dn + p) + 2 * dv  # queries, keys, values, outputs
        elements = heads * (absorbed if decode else expanded)
    else:
        hd, kv = spec.head_dim or 0, spec.num_key_value_heads or 1
        elements = hd * (2 * heads + 2 * kv)
    return TWICE * WIDE_BYTES * elements


def activation_bytes(spec: Spec, precision: Precision, *, decode: bool) -> float:
    """Bytes of one position through all layers."""
    narrow = format_of(precision).dispatch_bytes
    layers = spec.num_hidden_layers
    total = layers * _attention(spec, decode)
    # Twice a layer the residual stream and its normed copy are written and read.
    total += layers * 2 * TWICE * WIDE_BYTES * 2 * spec.hidden_size
    total += spec.dense_layers * _feed_forward(spec, narrow, spec.intermediate_size or 0, 1.0)
    copies = float(spec.num_experts_per_tok + spec.n_shared_experts)
    return total + spec.moe_layers * _feed_forward(spec, narrow, spec.moe_intermediate_size or 0, copies)
