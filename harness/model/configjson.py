"""A Hugging Face config.json as a spec. What a family leaves to its code is filled in; features that are not computed
here are refused by name, and so are unknown families."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from harness.errors import UsageError
from harness.model.modelled import MODELLED, modelled_fields
from harness.model.spec import RopeScaling, Spec

Config = Mapping[str, Any]

_LONGEST = 300  # letters of a message

_RUN = ("deepseek_v2", "deepseek_v3", "mixtral", "qwen3", "qwen3_moe", "gpt_oss", "llama")
FAMILIES = (*_RUN, "kimi_k2", "kimi_k25", *MODELLED)
_SAME_AS = {"kimi_k2": "deepseek_v3"}
"""Other names under which a family is released."""

_ABSENT: dict[str, dict[str, Any]] = {
    "deepseek_v2": {"max_position_embeddings": 2048, "n_shared_experts": 2},
    "deepseek_v3": {
        "n_group": 8,
        "topk_group": 4,
        "n_shared_experts": 1,
        "first_k_dense_replace": 3,
        "routed_scaling_factor": 2.5,
    },
    "mixtral": {"max_position_embeddings": 131072},
    "qwen3": {"max_position_embeddings": 32768},
    "qwen3_moe": {"max_position_embeddings": 32768},
    "llama": {"max_position_embeddings": 2048},
    "gpt_oss": {"max_position_embeddings": 131072, "num_experts_per_tok": 4},
}
"""What a key that is left out stands for, where that is not the spec's own default. Source: transformers 5."""

_GPT_OSS_ROPE = {
    "rope_type": "yarn",
    "factor": 32.0,
    "truncate": False,
    "original_max_position_embeddings": 4096,
}
_ROPE_KEYS = frozenset(("rope_type", "type", "rope_theta", "partial_rotary_factor", "finetuned"))


def spec_from_config(config: Config, where: str = "config.json") -> Spec:
    """The architecture that a config.json describes. Raises UsageError for families and features that are not known,
    naming the file as `where`."""
    try:
        return _spec(config)
    except UsageError as error:
        reason = str(error)  # with untrusted text in it, which may be a million letters long
        raise UsageError(f"{where}: {reason if len(reason) <= _LONGEST else reason[:_LONGEST] + '...'}") from None


def _text(config: Config) -> tuple[object, Config]:
    """Family and configuration of the language model, which releases that see images too keep one level down."""
    family, inner = config.get("model_type"), config.get("text_config")
    if not isinstance(inner, dict):
        return _known_as(family), config
    if _known_as(family) not in MODELLED:
        family = inner.get("model_type")
    tied = {name: config[name] for name in ("tie_word_embeddings",) if name in config}
    return _known_as(family), {**tied, **inner}


def _known_as(family: object) -> object:
    return _SAME_AS.get(family, family) if isinstance(family, str) else family


def _spec(config: Config) -> Spec:
    family, config = _text(config)
    if family not in (*_RUN, *MODELLED):
        raise UsageError(f"has the model_type {family!r}; known are {', '.join(FAMILIES)}")
    fields = modelled_fields(str(family), config) if family in MODELLED else _run_fields(str(family), config)
    try:
        return Spec.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        raise UsageError(f"{'.'.join(map(str, first['loc'])) or 'the whole'}: {first['msg']}") from None


def _run_fields(family: str, config: Config) -> dict[str, Any]:
    _only_known(family, config)
    given = {name: value for name, value in config.items() if value is not None}
    fields = {name: value for name, value in _ABSENT[family].items() if name not in config}
    fields |= {name: given[name] for name in Spec.model_fields if name in given and name != "rope_scaling"}
    fields["model_type"] = family
    if family == "gpt_oss" and "sliding_window" in config:
        fields["sliding_window"] = config["sliding_window"]
    fields |= _rope(family, config)
    return fields | (_mla(family, given) if family.startswith("deepseek") else _grouped(family, given))


def _only_known(family: str, config: Config) -> None:
    """Refuse what would change the result and is not computed here."""
    wanted: dict[str, tuple[Any, ...]] = {
        "hidden_act": ("silu",),
        "swiglu_alpha": (1.702,),
        "swiglu_limit": (7.0,),
        "mlp_bias": (False,),
        "partial_rotary_factor": (1.0,),
        "decoder_sparse_step": (1,),
    }
    if family.startswith("deepseek"):
        wanted |= {"attention_bias": (False,), "moe_layer_freq": (1,)}
        wanted["scoring_func"] = ("sigmoid",) if family == "deepseek_v3" else ("softmax",)
        wanted["topk_method"] = ("noaux_tc",) if family == "deepseek_v3" else ("greedy", "group_limited_greedy")
    if family == "gpt_oss":
        del wanted["hidden_act"]  # written down, and not read by its code
    for name, known in wanted.items():
        value = config.get(name)
        if value is not None and value not in known:
            words = " or ".join(map(repr, known))
            raise UsageError(f"has {name} {value!r}; for {family} only {words} is computed here")


def _rope(family: str, config: Config) -> dict[str, Any]:
    """Base and stretching of rotary positions: plain, or by YaRN."""
    rope = config.get("rope_scaling") or config.get("rope_parameters")
    if rope is None and family == "gpt_oss":
        rope = _GPT_OSS_ROPE
    rope = {} if rope is None else rope
    if not isinstance(rope, dict):
        raise UsageError(f"describes rotary positions by {rope!r}; expected an object")
    theta = rope.get("rope_theta", config.get("rope_theta"))
    fields = {} if theta is None else {"rope_theta": theta}
    kind = rope.get("rope_type", rope.get("type", "default"))
    if kind not in ("default", "yarn"):
        raise UsageError(f"scales rotary positions by {kind!r}; only 'default' and 'yarn' are computed here")
    if rope.get("partial_rotary_factor", 1.0) != 1.0:
        raise UsageError("rotates a part of each head only (partial_rotary_factor); expected whole heads")
    if kind == "default":
        return fields
    unknown = sorted(rope.keys() - RopeScaling.model_fields.keys() - _ROPE_KEYS)
    if unknown:
        raise UsageError(f"scales rotary positions with {', '.join(unknown)}, which is not known here")
    scaling = {name: rope[name] for name in RopeScaling.model_fields if rope.get(name) is not None}
    scaling["rope_type"] = "yarn"
    scaling.setdefault("original_max_position_embeddings", config.get("max_position_embeddings"))
    return {**fields, "rope_scaling": scaling}


def _mla(family: str, given: Config) -> dict[str, Any]:
    """DeepSeek. transformers' V2 has no normalised top-k, and groups only where `topk_method` limits to them."""
    fields: dict[str, Any] = {"num_key_value_heads": None, "head_dim": None}
    if family == "deepseek_v3":
        return fields
    fields["norm_topk_prob"] = False
    if given.get("topk_method", "greedy") == "greedy":
        fields |= {"n_group": 1, "topk_group": 1}
    return fields


def _grouped(family: str, given: Config) -> dict[str, Any]:
    heads, hidden = given.get("num_attention_heads"), given.get("hidden_size")
    divided = hidden // heads if isinstance(hidden, int) and isinstance(heads, int) and heads > 0 else None
    fields = {
        "head_dim": given.get("head_dim") or (64 if family == "gpt_oss" else divided),
        "num_key_value_heads": given.get("num_key_value_heads", heads),
        "n_routed_experts": given.get("num_local_experts", given.get("num_experts", 0)),
        "moe_intermediate_size": given.get("moe_intermediate_size" if family == "qwen3_moe" else "intermediate_size"),
    }
    if family in ("qwen3", "llama"):
        fields |= {"n_routed_experts": 0, "moe_intermediate_size": None}
    if family.startswith("qwen3") and not given.get("use_sliding_window"):
        fields |= {"sliding_window": None, "layer_types": None}
    if family == "qwen3_moe":
        fields["first_k_dense_replace"] = _leading(given.get("mlp_only_layers", []))
    elif family == "mixtral":
        fields["attention_bias"] = False
    return fields


def _leading(dense: object) -> int:
    """How many leading layers are dense. Raises UsageError where others are."""
    if not isinstance(dense, list) or sorted(dense, key=repr) != list(range(len(dense))):
        raise UsageError(f"leaves the layers {dense!r} dense (mlp_only_layers); expected none but leading ones")
    return len(dense)
