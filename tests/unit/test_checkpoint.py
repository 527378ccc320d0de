"""Checkpoint folders: what is read, and what is refused before anything is."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from harness.errors import UsageError
from harness.model.checkpoint import open_checkpoint, spec_from_config
from harness.model.spec import parameters
from harness.runtime import Engine

CONFIG: dict[str, Any] = {
    "model_type": "mixtral",
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "vocab_size": 48,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "intermediate_size": 32,
    "num_local_experts": 4,
    "num_experts_per_tok": 2,
    "rms_norm_eps": 1e-5,
    "rope_theta": 1e6,
    "max_position_embeddings": 32,
}


def tensors() -> dict[str, np.ndarray[Any, np.dtype[np.float32]]]:
    at, random = "model.layers.0", np.random.default_rng(0)
    shapes: dict[str, tuple[int, ...]] = {
        "model.embed_tokens.weight": (48, 32),
        f"{at}.input_layernorm.weight": (32,),
        f"{at}.self_attn.q_proj.weight": (32, 32),
        f"{at}.self_attn.k_proj.weight": (16, 32),
        f"{at}.self_attn.v_proj.weight": (16, 32),
        f"{at}.self_attn.o_proj.weight": (32, 32),
        f"{at}.post_attention_layernorm.weight": (32,),
        f"{at}.block_sparse_moe.gate.weight": (4, 32),
        "model.norm.weight": (32,),
        "lm_head.weight": (48, 32),
    }
    for expert in range(4):
        for part in ("w1", "w2", "w3"):
            shapes[f"{at}.block_sparse_moe.experts.{expert}.{part}.weight"] = (32, 32)
    return {name: random.standard_normal(shape, dtype=np.float32) for name, shape in shapes.items()}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    save_file(tensors(), tmp_path / "model.safetensors")
    return tmp_path


def test_a_checkpoint_in_parts_is_the_checkpoint_in_one(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    parts = tmp_path_factory.mktemp("parts")
    placed: dict[str, str] = {}
    (parts / "config.json").write_text(json.dumps(CONFIG))
    for number, names in enumerate((list(tensors())[::2], list(tensors())[1::2])):
        file = f"model-{number}.safetensors"
        save_file({name: tensors()[name] for name in names}, parts / file)
        placed |= dict.fromkeys(names, file)
    (parts / "model.safetensors.index.json").write_text(json.dumps({"weight_map": placed}))
    prompt = np.arange(6, dtype=np.int64)[None]
    logits = [
        Engine.of_checkpoint(open_checkpoint(path), "int8", threads=1).prefill(prompt) for path in (folder, parts)
    ]
    assert np.array_equal(logits[0], logits[1])


def test_parameters_of_the_spec_are_those_of_the_files(folder: Path) -> None:
    assert parameters(open_checkpoint(folder).spec).total == sum(t.size for t in tensors().values())


@pytest.mark.parametrize("file", ["../secret.safetensors", "/etc/passwd", "sub/model.safetensors", "model.bin", 3])
def test_an_index_may_not_name_files_outside_the_folder(folder: Path, file: object) -> None:
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"lm_head.weight": file}}))
    with pytest.raises(UsageError, match=r"expected a \.safetensors file of that folder"):
        open_checkpoint(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model_type": "bert"}, "model_type 'bert'; known are"),
        ({"rope_scaling": {"rope_type": "yarn", "factor": 4}}, "scales rotary positions by 'yarn'"),
        ({"quantization_config": {"quant_method": "fp8"}}, "bf16 or fp32"),
        ({"hidden_size": -4}, "hidden_size"),
        ({"num_experts_per_tok": 9}, "num_experts_per_tok"),
    ],
)
def test_what_is_not_known_is_refused_by_name(change: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        spec_from_config({**CONFIG, **change})


def test_missing_and_misshapen_tensors_are_named(folder: Path) -> None:
    kept = tensors()
    del kept["lm_head.weight"]
    save_file(kept, folder / "model.safetensors")
    with pytest.raises(UsageError, match=r"lacks the tensor lm_head\.weight"):
        open_checkpoint(folder).weights("fp32")
    save_file({**kept, "lm_head.weight": np.zeros((48, 16), np.float32)}, folder / "model.safetensors")
    with pytest.raises(UsageError, match=r"\(48, 16\) in the checkpoint, but its config makes it \(48, 32\)"):
        open_checkpoint(folder).weights("fp32")


def test_unreadable_files_are_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"config\.json: No such file"):
        open_checkpoint(tmp_path / "nowhere")
    (folder / "config.json").write_text("{")
    with pytest.raises(UsageError, match="not valid JSON"):
        open_checkpoint(folder)
    (folder / "config.json").write_text("[1]")
    with pytest.raises(UsageError, match="expected a JSON object"):
        open_checkpoint(folder)
    (folder / "config.json").write_text(json.dumps(CONFIG))
    (folder / "model.safetensors").write_bytes(b"not safetensors")
    with pytest.raises(UsageError, match="cannot be read as safetensors"):
        open_checkpoint(folder)
