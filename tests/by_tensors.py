"""A release's layers, tensor by tensor, from its config.json and its implementation's names; nothing of `harness`."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Matrix = tuple[int, int]
Config = dict[str, Any]
FOLDER = Path(__file__).parent / "configs"
NAMES = tuple(sorted(path.stem for path in FOLDER.glob("*.json")))


@dataclass
class Layer:
    mixer: list[Matrix] = field(default_factory=list)
    router: list[Matrix] = field(default_factory=list)
    index: list[Matrix] = field(default_factory=list)
    expert: list[Matrix] = field(default_factory=list)
    shared: list[Matrix] = field(default_factory=list)
    dense: list[Matrix] = field(default_factory=list)
    small: int = 0
    """gains, biases and decays"""
    seen: Callable[[int], int] = lambda _: 0
    """entries that the i-th token attends to, itself among them"""
    entry_flop: int = 0
    prefill_entry_flop: int | None = None
    cached: int = 0
    """elements kept of a token"""
    keeps: int | None = None
    """tokens of which elements are kept; None: all"""
    index_flop: int = 0
    index_cached: int = 0
    recurrent_flop: int = 0
    state_bytes: int = 0


@dataclass
class Model:
    layers: list[Layer]
    experts: int
    chosen: int
    outer: int
    """embedding and final norm, and a head of its own"""
    head: int


def config(name: str) -> Config:
    whole: Config = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return whole


def size(matrices: list[Matrix]) -> int:
    return sum(a * b for a, b in matrices)


def model(name: str) -> Model:
    whole = config(name)
    c = whole.get("text_config", whole)
    d, v = c["hidden_size"], c["vocab_size"]
    tied = whole.get("tie_word_embeddings", False)
    experts = next(c[n] for n in ("num_experts", "num_local_experts", "n_routed_experts") if n in c)
    chosen = next(c[n] for n in ("num_experts_per_tok", "num_experts_per_token", "top_k_experts") if n in c)
    layers = [_LAYERS[whole["model_type"]](c, i) for i in range(c["num_hidden_layers"])]
    return Model(layers, experts, chosen, (1 if tied else 2) * v * d + d, v * d)


def gated(d: int, f: int) -> list[Matrix]:
    """gate_proj, up_proj, down_proj"""
    return [(d, f), (d, f), (f, d)]


def grouped(d: int, heads: int, kv: int, k: int, v: int) -> Layer:
    """q_proj, k_proj, v_proj, o_proj; all of the context"""
    mixer = [(d, heads * k), (d, kv * k), (d, kv * v), (heads * v, d)]
    return Layer(mixer, seen=lambda i: i, entry_flop=2 * heads * (k + v), cached=kv * (k + v), small=2 * d)


def see_window(layer: Layer, window: int) -> None:
    layer.seen, layer.keeps = (lambda i: min(i, window)), window


def gated_delta(d: int, hk: int, hv: int, dk: int, dv: int) -> Layer:
    """in_proj_qkvz, in_proj_ba, conv1d, A_log, dt_bias, norm, out_proj"""
    convolved = 2 * hk * dk + hv * dv
    mixer = [(d, convolved + hv * dv), (d, 2 * hv), (convolved, 4), (hv * dv, d)]
    # three products with the state: what it holds of the key, the update, what the query finds
    return Layer(
        mixer, small=2 * hv + dv + 2 * d, recurrent_flop=3 * 2 * hv * dk * dv,
        state_bytes=4 * hv * dk * dv + 2 * 4 * convolved,
    )  # fmt: skip


def qwen(c: Config, i: int) -> Layer:
    d, heads, hd = c["hidden_size"], c["num_attention_heads"], c["head_dim"]
    if (i + 1) % 4:
        layer = gated_delta(
            d, c["linear_num_key_heads"], c["linear_num_value_heads"], c["linear_key_head_dim"],
            c["linear_value_head_dim"],
        )  # fmt: skip
    else:
        layer = grouped(d, heads, c["num_key_value_heads"], hd, hd)
        layer.mixer[0] = (d, 2 * heads * hd)  # queries, and the gate of the output
        layer.small += 2 * hd
    layer.router = [(d, c["num_experts"]), (d, 1)]  # gate, shared_expert_gate
    layer.expert, layer.shared = gated(d, c["moe_intermediate_size"]), gated(d, c["shared_expert_intermediate_size"])
    return layer


def minimax_m3(c: Config, i: int) -> Layer:
    d, hd = c["hidden_size"], c["head_dim"]
    layer = grouped(d, c["num_attention_heads"], c["num_key_value_heads"], hd, hd)
    layer.small += 2 * hd
    sparse = c["sparse_attention_config"]
    if sparse["sparse_attention_freq"][i]:
        heads, width = sparse["sparse_num_index_heads"], sparse["sparse_index_dim"]
        layer.index = [(d, heads * width), (d, width)]  # index_q_proj, index_k_proj
        layer.index_flop, layer.index_cached = 2 * heads * width, width
        layer.seen = lambda i: min(i, 16 * 128)
    if c["moe_layer_freq"][i]:
        layer.router, layer.expert = [(d, 128)], gated(d, c["intermediate_size"])
        layer.shared, layer.small = gated(d, c["shared_intermediate_size"]), layer.small + 128
    else:
        layer.dense = gated(d, c["dense_intermediate_size"])
    return layer


def llama4(c: Config, i: int) -> Layer:
    d, hd, chunk = c["hidden_size"], c["head_dim"], c["attention_chunk_size"]
    layer = grouped(d, c["num_attention_heads"], c["num_key_value_heads"], hd, hd)
    if (i + 1) % 4:
        layer.seen, layer.keeps = (lambda i: (i - 1) % chunk + 1), chunk
    if i % c["interleave_moe_layer_step"] == c["interleave_moe_layer_step"] - 1:
        layer.router = [(d, c["num_local_experts"])]
        layer.expert = layer.shared = gated(d, c["intermediate_size"])
    else:
        layer.dense = gated(d, c["intermediate_size_mlp"])
    return layer


def kimi_k3(c: Config, i: int) -> Layer:
    d, heads = c["hidden_size"], c["num_attention_heads"]
    linear = c["linear_attn_config"]
    if i + 1 in linear["full_attn_layers"]:
        rq, r, p, dn, dv = (
            c[n] for n in ("q_lora_rank", "kv_lora_rank", "qk_rope_head_dim", "qk_nope_head_dim", "v_head_dim")
        )
        # q_a_proj, q_b_proj, kv_a_proj_with_mqa, kv_b_proj, g_proj, o_proj
        mixer = [(d, rq), (rq, heads * (dn + p)), (d, r + p), (r, heads * (dn + dv)), (d, heads * dv), (heads * dv, d)]
        layer = Layer(
            mixer, seen=lambda i: i, entry_flop=2 * heads * (2 * r + p), cached=r + p, small=rq + r + 2 * d,
            prefill_entry_flop=2 * heads * (dn + p + dv),
        )  # fmt: skip
    else:
        h, w = linear["num_heads"], linear["head_dim"]
        # q, k, v, g_proj, f_a, f_b, b_proj, three conv1d, o_proj; A_log, dt_bias, o_norm
        mixer = [(d, h * w)] * 4 + [(d, w), (w, h * w), (d, h)] + [(h * w, 4)] * 3 + [(h * w, d)]
        layer = Layer(mixer, small=w + h * w + w + 2 * d, recurrent_flop=6 * h * w * w)
        layer.state_bytes = 4 * h * w * w + 2 * 4 * 3 * h * w
    if i == 0:
        layer.dense = gated(d, c["intermediate_size"])
        return layer
    latent, f = c["routed_expert_hidden_size"], c["moe_intermediate_size"]
    layer.router, layer.expert = [(d, c["num_experts"])], gated(latent, f)
    layer.shared = [*gated(d, 2 * f), (d, latent), (latent, d)]
    layer.small += c["num_experts"] + latent
    return layer


def nemotron_h(c: Config, i: int) -> Layer:
    d, kind = c["hidden_size"], c["hybrid_override_pattern"][i]
    if kind == "M":
        h, w, n, g = c["mamba_num_heads"], c["mamba_head_dim"], c["ssm_state_size"], c["n_groups"]
        convolved = h * w + 2 * g * n
        # in_proj (z, x, B, C, dt), conv1d, out_proj; conv bias, A_log, D, dt_bias, norm
        mixer = [(d, h * w + convolved + h), (convolved, c["conv_kernel"]), (h * w, d)]
        return Layer(
            mixer, small=convolved + 3 * h + h * w + d, recurrent_flop=2 * 2 * h * w * n,
            state_bytes=4 * h * w * n + 2 * c["conv_kernel"] * convolved,
        )  # fmt: skip
    if kind == "*":
        layer = grouped(d, c["num_attention_heads"], c["num_key_value_heads"], c["head_dim"], c["head_dim"])
        layer.small = d
        return layer
    latent, f, wide = c.get("moe_latent_size"), c["moe_intermediate_size"], c["moe_shared_expert_intermediate_size"]
    shared = [(d, wide), (wide, d)] + ([(d, latent), (latent, d)] if latent else [])
    expert = [(latent or d, f), (f, latent or d)]
    return Layer(router=[(d, c["n_routed_experts"])], expert=expert, shared=shared, small=c["n_routed_experts"] + d)


def mimo(c: Config, i: int) -> Layer:
    d, slides = c["hidden_size"], c["hybrid_layer_pattern"][i]
    kv = c["swa_num_key_value_heads"] if slides else c["num_key_value_heads"]
    layer = grouped(d, c["num_attention_heads"], kv, c["head_dim"], c["v_head_dim"])
    if slides:
        see_window(layer, c["sliding_window"])
    if c["moe_layer_freq"][i]:
        layer.router, layer.small = [(d, c["n_routed_experts"])], layer.small + c["n_routed_experts"]
        layer.expert = gated(d, c["moe_intermediate_size"])
    else:
        layer.dense = gated(d, c["intermediate_size"])
    return layer


def step(c: Config, i: int) -> Layer:
    d, hd = c["hidden_size"], c["head_dim"]
    layer = grouped(d, c["num_attention_heads"], c["num_key_value_heads"], hd, hd)
    layer.small += 2 * hd
    if c["layer_types"][i] == "sliding_attention":
        see_window(layer, c["sliding_window"])
    if i < c["first_k_dense_replace"]:
        layer.dense = gated(d, c["intermediate_size"])
        return layer
    layer.router, layer.expert = [(d, c["num_experts"])], gated(d, c["moe_intermediate_size"])
    layer.shared, layer.small = gated(d, c["share_expert_dim"]), layer.small + c["num_experts"]
    return layer


def gemma4(c: Config, i: int) -> Layer:
    """Seven norms a layer; in layers of full attention the values are the keys before their norm."""
    d, heads = c["hidden_size"], c["num_attention_heads"]
    if c["layer_types"][i] == "sliding_attention":
        layer = grouped(d, heads, c["num_key_value_heads"], c["head_dim"], c["head_dim"])
        see_window(layer, c["sliding_window"])
        layer.small += 2 * c["head_dim"]
    else:
        layer = grouped(d, heads, c["num_global_key_value_heads"], c["global_head_dim"], c["global_head_dim"])
        del layer.mixer[2]
        layer.small += 2 * c["global_head_dim"]
    layer.small += 5 * d
    layer.router, layer.expert = [(d, c["num_experts"])], gated(d, c["moe_intermediate_size"])
    layer.shared = gated(d, c["intermediate_size"])
    return layer


def glm4_moe(c: Config, i: int) -> Layer:
    d, hd = c["hidden_size"], c["head_dim"]
    layer = grouped(d, c["num_attention_heads"], c["num_key_value_heads"], hd, hd)
    if i < c["first_k_dense_replace"]:
        layer.dense = gated(d, c["intermediate_size"])
        return layer
    layer.router, layer.small = [(d, c["n_routed_experts"])], layer.small + c["n_routed_experts"]
    layer.expert = layer.shared = gated(d, c["moe_intermediate_size"])
    return layer


_LAYERS: dict[str, Callable[[Config, int], Layer]] = {
    "qwen3_5_moe": qwen,
    "qwen3_next": qwen,
    "minimax_m3": minimax_m3,
    "llama4": llama4,
    "kimi_k3": kimi_k3,
    "nemotron_h": nemotron_h,
    "mimo_v2_flash": mimo,
    "step3p7": step,
    "gemma4": gemma4,
    "glm4_moe": glm4_moe,
}
