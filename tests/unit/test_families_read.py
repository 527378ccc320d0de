"""A config.json of a family that is modelled and not run: what is read, and what is refused in one message."""

from typing import Any

import pytest

from harness.catalog.models import released
from harness.errors import UsageError
from harness.model.configjson import spec_from_config
from harness.model.tensors import why_not_run
from tests.by_tensors import NAMES, config
from tests.released import RELEASED


def of_catalog(name: str, **beside: Any) -> dict[str, Any]:
    """A config that names everything as a spec does."""
    return {**released(name).spec.model_dump(mode="json", exclude_none=True), **beside}


def test_names_that_a_spec_has_too_are_taken_as_they_are() -> None:
    v32 = {**RELEASED["deepseek-v3"], "model_type": "deepseek_v32"}
    v32 |= {"index_n_heads": 64, "index_head_dim": 128, "index_topk": 2048}
    assert spec_from_config(v32) == released("deepseek-v3.2").spec
    v4 = of_catalog("deepseek-v4-flash")
    v4["compress_ratios"].append(0)  # of the layer that predicts several tokens
    assert spec_from_config(v4) == released("deepseek-v4-flash").spec
    glm = of_catalog("glm-5.2", head_dim=192, num_key_value_heads=64, mlp_layer_types=["dense"] * 3 + ["sparse"] * 75)
    assert spec_from_config(glm) == released("glm-5.2").spec
    m2 = of_catalog("minimax-m2.5", intermediate_size=1536, num_local_experts=256)
    assert spec_from_config(m2) == released("minimax-m2.5").spec


def test_a_language_model_inside_another_is_read() -> None:
    inner = {**RELEASED["deepseek-v3"], "model_type": "kimi_k2"}
    spec = spec_from_config({"model_type": "kimi_k25", "text_config": inner, "vision_config": {"hidden_size": 8}})
    assert spec == spec_from_config(RELEASED["deepseek-v3"])


def test_dense_families_are_read() -> None:
    plain = of_catalog("qwen3-8b", use_sliding_window=False, layer_types=["full_attention"] * 36)
    assert spec_from_config(plain) == released("qwen3-8b").spec
    assert spec_from_config(of_catalog("llama-3.1-8b")) == released("llama-3.1-8b").spec


@pytest.mark.parametrize("name", NAMES)
def test_what_is_only_counted_is_not_run(name: str) -> None:
    assert "modelled here and not run" in (why_not_run(released(name).spec) or "")


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("qwen3-next-80b-a3b", {"model_type": "longcat_flash"}, "model_type 'longcat_flash'; known are .*qwen3_next"),
        ("qwen3-next-80b-a3b", {"linear_num_value_heads": None}, "linear_attention need linear_num_value_heads"),
        ("qwen3-next-80b-a3b", {"shared_expert_intermediate_size": 700}, "multiples of moe_intermediate_size"),
        ("qwen3-next-80b-a3b", {"layer_types": ["full_attention"]}, "no layer_types for each of the 48 layers"),
        ("qwen3-next-80b-a3b", {"layer_types": [{}] * 48}, "no layer_types for each of the 48 layers"),
        ("qwen3-next-80b-a3b", {"layer_types": ["fast"] * 48}, r"layer_types\.0: Input should be"),
        ("nemotron-3-nano-30b-a3b", {"hybrid_override_pattern": "MX" * 26}, "has layers 'X'"),
        ("nemotron-3-nano-30b-a3b", {"n_groups": "eight"}, "n_groups 'eight'; a count of nemotron_h needs a whole"),
        ("step-3.7-flash", {"attention_other_setting": {"num_attention_heads": 96}}, "expected none"),
        ("mimo-v2-flash", {"swa_num_attention_heads": 96}, "for mimo_v2_flash only 64 is modelled"),
        ("minimax-m3", {"sparse_attention_config": 3}, "expected an object"),
        ("minimax-m3", {"num_hidden_layers": 10**9}, "expected at most 10000"),
        ("glm-4.7", {"num_experts_per_tok": 161}, "between 1 and n_routed_experts"),
    ],
)
def test_what_is_not_modelled_is_refused_by_name(name: str, change: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        spec_from_config({**config(name), **change})
