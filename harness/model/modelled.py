"""The config.json of families that are modelled and not run, as fields of a spec.

Read is what parameters, work and caches depend on. What a release names in its own way is translated; a feature that
would change a count and is not modelled is refused by name.
"""

from collections.abc import Callable, Mapping
from typing import Any

from harness.errors import UsageError
from harness.model.spec import Spec

Config = Mapping[str, Any]

_LAYERS_LIMIT = 10_000
_OWN_WORDS: dict[str, tuple[str, ...]] = {
    "n_routed_experts": ("num_local_experts", "num_experts"),
    "num_experts_per_tok": ("num_experts_per_token", "top_k_experts"),
    "n_shared_experts": ("num_shared_experts",),
    "rms_norm_eps": ("layernorm_epsilon", "norm_eps"),
    "num_nextn_predict_layers": ("mtp_num_hidden_layers", "num_mtp_modules"),
    "routed_scaling_factor": ("moe_router_scaling_factor",),
    "norm_topk_prob": ("moe_renormalize",),
    "moe_latent_size": ("routed_expert_hidden_size",),
}
"""Names of our fields in other families' files."""
_NOT_TAKEN = frozenset(("model_type", "rope_scaling", "moe_bias", "scoring_func", "topk_method", "intermediate_size"))


class _Reader:
    """One config, with messages that name what it lacks."""

    def __init__(self, family: str, config: Config) -> None:
        self._family, self._config = family, config

    def get(self, name: str, absent: Any = None) -> Any:
        value = self._config.get(name)
        return absent if value is None else value

    def number(self, name: str, absent: int | None = None) -> int:
        """A whole number of the file. Raises UsageError for anything else."""
        value = self.get(name, absent)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**53:
            raise UsageError(f"has {name} {value!r}; a count of {self._family} needs a whole number there")
        return value

    def of_layers(self, name: str) -> list[Any]:
        """A list with an entry for each layer."""
        layers, value = self.layers(), self.get(name)
        if (
            not isinstance(value, (list, str))
            or len(value) < layers
            or not all(isinstance(x, (int, str)) for x in value)
        ):
            raise UsageError(f"has no {name} for each of the {layers} layers, which a count of {self._family} needs")
        return list(value[:layers])

    def layers(self) -> int:
        layers = self.number("num_hidden_layers")
        if layers > _LAYERS_LIMIT:
            raise UsageError(f"has {layers} layers; expected at most {_LAYERS_LIMIT}")
        return layers

    def only(self, **wanted: tuple[Any, ...]) -> None:
        """Refuse values that would change a count. Raises UsageError for the first."""
        for name, known in wanted.items():
            value = self._config.get(name)
            if value is not None and value not in known:
                words = f"for {self._family} only {' or '.join(map(repr, known))} is modelled here"
                raise UsageError(f"has {name} {value!r}; {words if known else 'expected none, which is modelled here'}")

    def same_names(self) -> dict[str, Any]:
        """Fields that the file calls as a spec does, or by one of the words that families have for them."""
        fields = {name: self.get(name) for name in Spec.model_fields if name not in _NOT_TAKEN}
        for name, words in _OWN_WORDS.items():
            for word in words:
                fields[name] = self.get(word) if fields[name] is None else fields[name]
        rope = self.get("rope_parameters")
        if isinstance(rope, dict) and fields["rope_theta"] is None:
            fields["rope_theta"] = rope.get("rope_theta")
        return {name: value for name, value in fields.items() if value is not None}


def _dense_width(c: _Reader) -> dict[str, Any]:
    return {"intermediate_size": c.number("intermediate_size")}


def _by_frequency(c: _Reader, name: str) -> tuple[str, ...]:
    return tuple("sparse" if entry else "dense" for entry in c.of_layers(name))


def _latent(c: _Reader) -> dict[str, Any]:
    """DeepSeek-V3.2, and GLM-5, whose later releases say for each layer whether it has an index."""
    c.only(attention_bias=(False,), moe_layer_freq=(1,))
    return {**_dense_width(c), "num_key_value_heads": None, "head_dim": None, "mlp_layer_types": None}


def _v4(c: _Reader) -> dict[str, Any]:
    c.only(attention_bias=(False,))
    return {"compress_ratios": c.of_layers("compress_ratios")}


def _glm4_moe(c: _Reader) -> dict[str, Any]:
    return _dense_width(c)


def _minimax_m2(c: _Reader) -> dict[str, Any]:
    c.only(shared_intermediate_size=(0,))
    return {"moe_intermediate_size": c.number("intermediate_size")}


def _minimax_m3(c: _Reader) -> dict[str, Any]:
    width = c.number("moe_intermediate_size", c.number("intermediate_size"))
    c.only(attention_output_gate=(False,), shared_intermediate_size=(width,))
    sparse = c.get("sparse_attention_config", {})
    if not isinstance(sparse, dict):
        raise UsageError(f"describes sparse attention by {sparse!r}; expected an object")
    inner = _Reader("minimax_m3", {**sparse, "num_hidden_layers": c.layers()})
    return {
        "intermediate_size": c.number("dense_intermediate_size"),
        "moe_intermediate_size": width,
        "first_k_dense_replace": 0,
        "mlp_layer_types": _by_frequency(c, "moe_layer_freq"),
        "index_n_heads": inner.number("sparse_num_index_heads"),
        "index_head_dim": inner.number("sparse_index_dim"),
        "index_topk": inner.number("sparse_topk_blocks") * inner.number("sparse_block_size"),
        "indexer_types": tuple("full" if on else "none" for on in inner.of_layers("sparse_attention_freq")),
    }


def _qwen_hybrid(c: _Reader) -> dict[str, Any]:
    c.only(mlp_only_layers=([],), decoder_sparse_step=(1,), attn_output_gate=(True,))
    width, shared = c.number("moe_intermediate_size"), c.number("shared_expert_intermediate_size")
    interval = max(c.number("full_attention_interval", 4), 1)
    spelt = tuple("linear_attention" if (i + 1) % interval else "full_attention" for i in range(c.layers()))
    return {
        "layer_types": tuple(c.of_layers("layer_types")) if c.get("layer_types") else spelt,
        "n_shared_experts": _multiple(shared, width, "shared_expert_intermediate_size"),
        "sliding_window": None,
    }


def _multiple(shared: int, width: int, name: str) -> int:
    """Shared experts as a number of routed ones' widths."""
    if width < 1 or shared % width:
        raise UsageError(f"has {name} {shared}; modelled here are multiples of moe_intermediate_size ({width})")
    return shared // width


def _kimi_k3(c: _Reader) -> dict[str, Any]:
    linear = c.get("linear_attn_config", {})
    if not isinstance(linear, dict):
        raise UsageError(f"describes linear attention by {linear!r}; expected an object")
    c.only(mla_use_output_gate=(True,), moe_layer_freq=(1,))
    inner = _Reader("kimi_k3", linear)
    inner.only(use_full_rank_gate=(True,))
    full = inner.get("full_attn_layers", [])
    if not isinstance(full, list):
        raise UsageError(f"has full_attn_layers {full!r}; expected the numbers of layers")
    heads, width = inner.number("num_heads"), inner.number("head_dim")
    return {
        **_dense_width(c),
        "num_key_value_heads": None,
        "layer_types": tuple("full_attention" if i + 1 in full else "linear_attention" for i in range(c.layers())),
        "linear_num_key_heads": heads,
        "linear_num_value_heads": heads,
        "linear_key_head_dim": width,
        "linear_value_head_dim": width,
        "linear_conv_kernel_dim": inner.number("short_conv_kernel_size"),
    }


def _nemotron_h(c: _Reader) -> dict[str, Any]:
    c.only(attention_bias=(False,), mlp_bias=(False,), use_bias=(False,), mamba_proj_bias=(False,))
    c.only(mlp_hidden_act=("relu2",), use_conv_bias=(True,), n_shared_experts=(1,))
    pattern = c.of_layers("hybrid_override_pattern")
    unknown = sorted(set(pattern) - set("M*E-"))
    if unknown:
        raise UsageError(
            f"has layers {', '.join(map(repr, unknown))} in hybrid_override_pattern; known are M, *, E and -"
        )
    width = c.number("moe_intermediate_size")
    return {
        **_dense_width(c),
        "layer_types": tuple({"M": "mamba", "*": "full_attention"}.get(mark, "none") for mark in pattern),
        "mlp_layer_types": tuple({"E": "sparse", "-": "dense"}.get(mark, "none") for mark in pattern),
        "n_shared_experts": _multiple(
            c.number("moe_shared_expert_intermediate_size"), width, "moe_shared_expert_intermediate_size"
        ),
        "linear_num_key_heads": c.number("n_groups"),
        "linear_num_value_heads": c.number("mamba_num_heads"),
        "linear_key_head_dim": c.number("ssm_state_size"),
        "linear_value_head_dim": c.number("mamba_head_dim"),
        "linear_conv_kernel_dim": c.number("conv_kernel"),
    }


def _mimo_v2_flash(c: _Reader) -> dict[str, Any]:
    c.only(attention_bias=(False,), swa_num_attention_heads=(c.number("num_attention_heads"),))
    c.only(swa_head_dim=(c.number("head_dim"),), swa_v_head_dim=(c.number("v_head_dim"),))
    slides = c.of_layers("hybrid_layer_pattern")
    return {
        **_dense_width(c),
        "layer_types": tuple("sliding_attention" if on else "full_attention" for on in slides),
        "mlp_layer_types": _by_frequency(c, "moe_layer_freq"),
        "attention_chunk_size": None,
        "swa_head_dim": None,
    }


def _step3p7(c: _Reader) -> dict[str, Any]:
    c.only(use_head_wise_attn_gate=(False,), attention_other_setting=())
    shared = c.number("share_expert_dim", 0)
    return {
        **_dense_width(c),
        "layer_types": tuple(c.of_layers("layer_types")),
        "n_shared_experts": _multiple(shared, c.number("moe_intermediate_size"), "share_expert_dim"),
    }


def _gemma4(c: _Reader) -> dict[str, Any]:
    """A dense network stands beside the experts of each layer, as shared experts do."""
    c.only(enable_moe_block=(True,), hidden_size_per_layer_input=(0,), num_kv_shared_layers=(0,))
    c.only(attention_bias=(False,), use_double_wide_mlp=(False,))
    width = c.number("moe_intermediate_size")
    return {
        "layer_types": tuple(c.of_layers("layer_types")),
        "n_shared_experts": _multiple(c.number("intermediate_size"), width, "intermediate_size"),
        "head_dim": c.number("global_head_dim", c.number("head_dim")),
        "num_key_value_heads": c.number("num_global_key_value_heads", c.number("num_key_value_heads")),
        "swa_head_dim": c.number("head_dim"),
        "swa_num_key_value_heads": c.number("num_key_value_heads"),
        "tie_word_embeddings": c.get("tie_word_embeddings", True),
    }


def _llama4(c: _Reader) -> dict[str, Any]:
    """Each fourth layer sees all of the context, without positions; the others see their chunk. `use_qk_norm` has no
    weights here."""
    c.only(attention_bias=(False,))
    step, layers = max(c.number("interleave_moe_layer_step", 1), 1), c.layers()
    full = c.get("no_rope_layers") or [0 if (i + 1) % 4 == 0 else 1 for i in range(layers)]
    if not isinstance(full, list) or len(full) != layers:
        raise UsageError(f"has no_rope_layers {full!r}; expected one entry for each of the {layers} layers")
    return {
        "intermediate_size": c.number("intermediate_size_mlp"),
        "moe_intermediate_size": c.number("intermediate_size"),
        "n_shared_experts": 1,
        "use_qk_norm": False,
        "layer_types": tuple("chunked_attention" if rope else "full_attention" for rope in full),
        "mlp_layer_types": tuple("dense" if (i + 1) % step else "sparse" for i in range(layers)),
    }


_TRANSLATED: dict[str, Callable[[_Reader], dict[str, Any]]] = {
    "deepseek_v32": _latent,
    "deepseek_v4": _v4,
    "glm4_moe": _glm4_moe,
    "glm_moe_dsa": _latent,
    "minimax_m2": _minimax_m2,
    "minimax_m3": _minimax_m3,
    "qwen3_next": _qwen_hybrid,
    "qwen3_5_moe": _qwen_hybrid,
    "kimi_k3": _kimi_k3,
    "nemotron_h": _nemotron_h,
    "mimo_v2_flash": _mimo_v2_flash,
    "step3p7": _step3p7,
    "gemma4": _gemma4,
    "llama4": _llama4,
}
MODELLED = tuple(_TRANSLATED)


def modelled_fields(family: str, config: Config) -> dict[str, Any]:
    """Fields of a spec of one of `MODELLED`. Raises UsageError for what is lacking and for what is not modelled."""
    reader = _Reader(family, config)
    fields = {**reader.same_names(), **_TRANSLATED[family](reader), "model_type": family}
    return {name: value for name, value in fields.items() if value is not None}
