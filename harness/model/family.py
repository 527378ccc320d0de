"""Defaults of each family of models: values of fields that its config.json need not state.

Source: the configuration classes of the families' implementations in transformers 5.
"""

from collections.abc import Mapping
from typing import Any, Literal

Family = Literal[
    "deepseek_v2",
    "deepseek_v3",
    "deepseek_v32",
    "deepseek_v4",
    "glm4_moe",
    "glm_moe_dsa",
    "minimax_m2",
    "minimax_m3",
    "mixtral",
    "qwen3",
    "qwen3_moe",
    "qwen3_next",
    "qwen3_5_moe",
    "kimi_k3",
    "nemotron_h",
    "mimo_v2_flash",
    "step3p7",
    "gemma4",
    "gpt_oss",
    "llama",
    "llama4",
]
LayerType = Literal[
    "full_attention", "sliding_attention", "chunked_attention", "linear_attention", "mamba", "none",
]  # fmt: skip
FeedForwardType = Literal["dense", "sparse", "none"]
NO_ATTENTION: frozenset[LayerType] = frozenset(("linear_attention", "mamba", "none"))
"""Kinds of layers that keep nothing of each token: a state of fixed size, or only a feed-forward network."""

USUAL: dict[str, Any] = {
    "rms_norm_eps": 1e-6,
    "rope_theta": 10000.0,
    "rope_interleave": True,
    "attention_bias": False,
    "use_qk_norm": False,
    "attention_sinks": False,
    "attn_output_gate": False,
    "sliding_window": None,
    "shared_expert_gate": False,
    "scoring_func": "softmax",
    "topk_method": "greedy",
    "norm_topk_prob": True,
    "moe_bias": False,
}
_SIGMOID = {"scoring_func": "sigmoid", "topk_method": "noaux_tc"}
_QWEN_HYBRID = {"rope_interleave": False, "use_qk_norm": True, "attn_output_gate": True, "shared_expert_gate": True}
_OWN: dict[str, dict[str, Any]] = {
    "deepseek_v2": {"norm_topk_prob": False},
    "deepseek_v3": _SIGMOID,
    "deepseek_v32": _SIGMOID,
    "deepseek_v4": {**_SIGMOID, "scoring_func": "sqrtsoftplus"},
    "glm_moe_dsa": _SIGMOID,
    "glm4_moe": {**_SIGMOID, "rope_interleave": False, "rms_norm_eps": 1e-5},
    "minimax_m3": {**_SIGMOID, "rope_interleave": False, "use_qk_norm": True},
    "minimax_m2": {**_SIGMOID, "rope_interleave": False, "use_qk_norm": True},
    "mixtral": {"rope_interleave": False, "rope_theta": 1e6, "rms_norm_eps": 1e-5},
    "qwen3": {"rope_interleave": False, "use_qk_norm": True},
    "qwen3_moe": {"rope_interleave": False, "use_qk_norm": True, "norm_topk_prob": False},
    "qwen3_next": _QWEN_HYBRID,
    "qwen3_5_moe": _QWEN_HYBRID,
    "kimi_k3": {**_SIGMOID, "attn_output_gate": True},
    "nemotron_h": {**_SIGMOID, "rope_interleave": False, "rms_norm_eps": 1e-5},
    "mimo_v2_flash": {**_SIGMOID, "rope_interleave": False, "rms_norm_eps": 1e-5},
    "step3p7": {**_SIGMOID, "rope_interleave": False, "use_qk_norm": True},
    "gemma4": {"rope_interleave": False, "use_qk_norm": True},
    "llama4": {"scoring_func": "sigmoid", "rms_norm_eps": 1e-5},
    "gpt_oss": {
        "rope_interleave": False,
        "rope_theta": 150000.0,
        "rms_norm_eps": 1e-5,
        "attention_bias": True,
        "attention_sinks": True,
        "sliding_window": 128,
        "moe_bias": True,
    },
    "llama": {"rope_interleave": False},
}
_OF_EXPERTS = frozenset(("scoring_func", "topk_method", "moe_bias", "shared_expert_gate"))
"""Fields that a dense model of the family does without."""

_LAYERS_LIMIT = 10_000
"""More layers than any model has are not spelled out; whoever runs a model bounds them."""


def family_defaults(given: Mapping[str, Any]) -> dict[str, Any]:
    """The fields in which the family of `given` differs from `USUAL`; the rest of `given` says whether it has experts
    and windows. Empty for a family that is not known."""
    family = given.get("model_type")
    found = dict(_OWN.get(family, {})) if isinstance(family, str) else {}
    if not given.get("n_routed_experts"):
        found = {name: value for name, value in found.items() if name not in _OF_EXPERTS}
    layers, window = given.get("num_hidden_layers"), given.get("sliding_window", found.get("sliding_window"))
    if family == "gpt_oss" and window is not None and isinstance(layers, int) and layers < _LAYERS_LIMIT:
        # every other layer slides, beginning with the first
        found["layer_types"] = tuple("full_attention" if i % 2 else "sliding_attention" for i in range(layers))
    return found
