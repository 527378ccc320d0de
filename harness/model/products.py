"""How many weights a token is multiplied with, part by part, at two operations each. Norms and biases are no products.

Knows no context, so no attention over it.
"""

from harness.model.spec import Spec, attention_parameters, parameters


def attention_products(spec: Spec) -> int:
    """Of one layer's projections."""
    heads, kv_heads, width = spec.num_attention_heads, spec.num_key_value_heads or 0, spec.head_dim or 0
    bias = (heads + 2 * kv_heads) * width + spec.hidden_size if spec.attention_bias else 0
    return attention_parameters(spec) - bias - (heads if spec.attention_sinks else 0)


def expert_products(spec: Spec) -> int:
    """Of one expert, routed or shared."""
    return 3 * spec.hidden_size * (spec.moe_intermediate_size or 0)


def token_products(spec: Spec) -> int:
    """Of all layers, for one token, without the head."""
    experts = (spec.num_experts_per_tok + spec.n_shared_experts) * expert_products(spec)
    router = spec.hidden_size * spec.n_routed_experts
    dense = spec.dense_layers * 3 * spec.hidden_size * (spec.intermediate_size or 0)
    attention = spec.num_hidden_layers * attention_products(spec) + parameters(spec).indexer
    return attention + dense + spec.moe_layers * (experts + router)


def head_products(spec: Spec) -> int:
    """Of the head, for one position."""
    return spec.vocab_size * spec.hidden_size
