"""Small architectures, one for each way that a supported family computes, with shapes that no preset has."""

from harness.model.spec import Spec

_LATENT = {
    "hidden_size": 96,
    "num_hidden_layers": 3,
    "vocab_size": 160,
    "num_attention_heads": 3,
    "intermediate_size": 80,
    "q_lora_rank": 48,
    "kv_lora_rank": 32,
    "qk_nope_head_dim": 24,
    "qk_rope_head_dim": 16,
    "v_head_dim": 32,
    "n_routed_experts": 12,
    "num_experts_per_tok": 3,
    "n_shared_experts": 1,
    "moe_intermediate_size": 48,
    "first_k_dense_replace": 1,
    "max_position_embeddings": 64,
}
_V3 = {
    **_LATENT,
    "model_type": "deepseek_v3",
    "scoring_func": "sigmoid",
    "topk_method": "noaux_tc",
    "routed_scaling_factor": 2.5,
}
_V2 = {**_LATENT, "model_type": "deepseek_v2", "norm_topk_prob": False, "routed_scaling_factor": 1.5}
_GROUPED = {
    "hidden_size": 96,
    "num_hidden_layers": 2,
    "vocab_size": 160,
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
    "head_dim": 32,
    "rope_interleave": False,
    "n_routed_experts": 8,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 64,
    "max_position_embeddings": 64,
}

ARCHITECTURES: dict[str, Spec] = {
    name: Spec.model_validate(fields)
    for name, fields in {
        "deepseek-v3": _V3,
        "deepseek-v3-folded": {**_V3, "kv_lora_rank": 48},
        "deepseek-v3-no-query-rank": {**_V3, "q_lora_rank": None, "n_shared_experts": 2},
        "deepseek-v3-groups": {**_V3, "n_group": 4, "topk_group": 2},
        "deepseek-v3-unnormalised": {**_V3, "norm_topk_prob": False},
        "deepseek-v3-half-rotary": {**_V3, "rope_interleave": False, "rope_theta": 500.0},
        "deepseek-v3-dense": {
            **{k: v for k, v in _V3.items() if "expert" not in k and not k.startswith(("moe", "first"))},
            "topk_method": "greedy",
        },
        "deepseek-v2-lite": _V2,
        "deepseek-v2-groups": {**_V2, "topk_method": "group_limited_greedy", "n_group": 3, "topk_group": 2},
        "mixtral": {**_GROUPED, "model_type": "mixtral"},
        "mixtral-window": {**_GROUPED, "model_type": "mixtral", "sliding_window": 5},
        "qwen3-moe": {**_GROUPED, "model_type": "qwen3_moe", "norm_topk_prob": True, "num_experts_per_tok": 3},
        "qwen3-moe-unnormalised": {
            **_GROUPED,
            "model_type": "qwen3_moe",
            "use_qk_norm": True,
            "norm_topk_prob": False,
        },
        "gpt-oss": {
            **_GROUPED,
            "model_type": "gpt_oss",
            "attention_bias": True,
            "attention_sinks": True,
            "moe_bias": True,
            "sliding_window": 4,
            "layer_types": ("sliding_attention", "full_attention"),
        },
    }.items()
}
