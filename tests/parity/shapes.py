"""Random small architectures of each family, as the config.json that a release would have. Seeded, so each is named by
its family and number.

Widths that weights are rounded along are multiples of 16, the smallest block of a 4-bit kernel; all else is free.
"""

from typing import Any

import numpy as np

FAMILIES = ("deepseek_v3", "deepseek_v2", "mixtral", "qwen3_moe", "gpt_oss")

Config = dict[str, Any]


def config(family: str, number: int) -> Config:
    """The config.json of random architecture `number` of `family`."""
    random = np.random.default_rng([FAMILIES.index(family), number])
    made = {**_common(random), "model_type": family}
    return made | (_latent(random, family) if family.startswith("deepseek") else _grouped(random, family))


def _one(random: np.random.Generator, *values: Any) -> Any:
    return values[int(random.integers(len(values)))]


def _common(random: np.random.Generator) -> Config:
    return {
        "vocab_size": int(random.integers(50, 300)),
        "num_hidden_layers": int(random.integers(2, 5)),
        "max_position_embeddings": 64,
        "rms_norm_eps": _one(random, 1e-6, 1e-5, 1e-3),
        "tie_word_embeddings": bool(random.random() < 0.3),
    }


def _rope(random: np.random.Generator, family: str) -> Config:
    """Plain rotary positions, or stretched ones (YaRN), as releases of the family write them."""
    theta = float(_one(random, 500.0, 10000.0, 150000.0))
    if random.random() < 0.5:
        return {"rope_type": "default", "rope_theta": theta}
    rope: Config = {
        "rope_type": "yarn",
        "rope_theta": theta,
        "factor": float(_one(random, 2.0, 8.0, 40.0)),
        "original_max_position_embeddings": int(_one(random, 8, 32, 64)),
        "beta_fast": float(_one(random, 4.0, 32.0)),
        "beta_slow": 1.0,
    }
    if family.startswith("deepseek"):
        all_dim = float(_one(random, 0.707, 1.0))
        rope |= {"mscale": float(_one(random, 1.0, 0.707)), "mscale_all_dim": all_dim}
    elif random.random() < 0.5:
        rope["truncate"] = False
    return rope


def _experts(random: np.random.Generator) -> tuple[int, int]:
    experts = int(random.integers(3, 17))
    return experts, int(random.integers(1, min(experts, 5)))


def _latent(random: np.random.Generator, family: str) -> Config:
    heads = int(random.integers(1, 6))
    groups, size = int(_one(random, 1, 1, 2, 3, 4)), int(random.integers(2, 6))
    kept = int(random.integers(1, groups + 1))
    made = {
        "hidden_size": 16 * heads * int(random.integers(1, 4)),
        "num_attention_heads": heads,
        "num_key_value_heads": heads,
        "intermediate_size": 16 * int(random.integers(2, 9)),
        "q_lora_rank": _one(random, None, 16, 48, 80),
        "kv_lora_rank": 16 * int(random.integers(1, 6)),
        "qk_nope_head_dim": int(_one(random, 8, 16, 24, 40)),
        "qk_rope_head_dim": int(_one(random, 4, 8, 16, 32)),
        "v_head_dim": 16 * int(random.integers(1, 4)),
        "n_routed_experts": groups * size,
        "num_experts_per_tok": int(random.integers(1, min(5, kept * size) + 1)),
        "n_shared_experts": int(random.integers(1, 4)),
        "moe_intermediate_size": 16 * int(random.integers(1, 6)),
        "first_k_dense_replace": int(random.integers(0, 3)),
        "routed_scaling_factor": float(_one(random, 1.0, 1.5, 2.5, 16.0)),
        "n_group": groups,
        "topk_group": kept,
        "rope_parameters": _rope(random, family),
    }
    if family == "deepseek_v3":
        return made | {"norm_topk_prob": bool(random.random() < 0.7), "rope_interleave": bool(random.random() < 0.7)}
    return made | {"topk_method": "group_limited_greedy" if groups > 1 else "greedy"}


def _grouped(random: np.random.Generator, family: str) -> Config:
    shared, ratio = int(random.integers(1, 4)), int(random.integers(1, 5))
    experts, chosen = _experts(random)
    width = 16 * int(random.integers(1, 6))
    made = {
        "hidden_size": 16 * int(random.integers(2, 10)),
        "num_attention_heads": shared * ratio,
        "num_key_value_heads": shared,
        "head_dim": int(
            _one(random, *(width for width in (8, 16, 24, 32, 40, 48) if shared * ratio * width % 16 == 0))
        ),
        "num_experts_per_tok": chosen,
        "num_local_experts": experts,
        "intermediate_size": width,
        "rope_parameters": _rope(random, family),
    }
    if family == "mixtral":
        return made | {"sliding_window": _one(random, None, 1, 3, 7, 40)}
    if family == "gpt_oss":
        return made | {"sliding_window": int(_one(random, 1, 4, 9, 40))}
    del made["num_local_experts"]
    return made | {
        "num_experts": experts,
        "moe_intermediate_size": width,
        "intermediate_size": 48,
        "norm_topk_prob": bool(random.random() < 0.5),
        "attention_bias": bool(random.random() < 0.5),
        "use_sliding_window": bool(random.random() < 0.5),
        "sliding_window": int(_one(random, 3, 40)),
        "mlp_only_layers": _one(random, [], [], [0], [0, 1]),
    }
