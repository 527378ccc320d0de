"""Checkpoint folders: what is read, and what is refused before anything is."""

import json
import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from harness.catalog.models import released
from harness.errors import UsageError
from harness.model.checkpoint import open_checkpoint, read_spec
from harness.model.configjson import spec_from_config
from harness.model.counts import parameters
from harness.runtime.engine import Engine
from tests.released import RELEASED

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
        ({"rope_scaling": {"rope_type": "longrope", "factor": 4}}, "scales rotary positions by 'longrope'"),
        ({"rope_scaling": {"rope_type": "yarn", "factor": 4, "ext_factor": 2}}, "with ext_factor, which is not known"),
        ({"rope_scaling": {"rope_type": "yarn"}}, r"rope_scaling\.factor: Field required"),
        ({"partial_rotary_factor": 0.5}, "partial_rotary_factor 0.5"),
        ({"hidden_act": "gelu"}, "hidden_act 'gelu'; for mixtral only 'silu'"),
        ({"model_type": "gpt_oss", "swiglu_limit": 3.0}, "swiglu_limit"),
        ({"model_type": "deepseek_v2", "scoring_func": "sigmoid"}, "scoring_func 'sigmoid'"),
        ({"model_type": "deepseek_v3", "attention_bias": True}, "attention_bias True"),
        ({"model_type": "qwen3_moe", "mlp_only_layers": [1]}, "expected none but leading ones"),
        ({"model_type": "qwen3_moe", "decoder_sparse_step": 2}, "decoder_sparse_step 2"),
        ({"hidden_size": -4}, "hidden_size"),
        ({"num_experts_per_tok": 9}, "num_experts_per_tok"),
    ],
)
def test_what_is_not_known_is_refused_by_name(change: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        spec_from_config({**CONFIG, **change})


def test_quantised_weights_are_refused(folder: Path) -> None:
    (folder / "config.json").write_text(json.dumps({**CONFIG, "quantization_config": {"quant_method": "fp8"}}))
    with pytest.raises(UsageError, match="weights are quantised; expected weights in bf16 or fp32"):
        open_checkpoint(folder)


def test_missing_and_misshapen_tensors_are_named(folder: Path) -> None:
    kept = tensors()
    del kept["lm_head.weight"]
    save_file(kept, folder / "model.safetensors")
    with pytest.raises(UsageError, match=r"lacks the tensor lm_head\.weight"):
        open_checkpoint(folder).weights("fp32")
    save_file({**kept, "lm_head.weight": np.zeros((48, 16), np.float32)}, folder / "model.safetensors")
    with pytest.raises(UsageError, match=r"\(48, 16\) in the checkpoint, but its config makes it \(48, 32\)"):
        open_checkpoint(folder).weights("fp32")


@pytest.mark.parametrize(
    ("head", "message"),
    [
        (np.full((48, 32), np.nan, np.float32), "holds NaN or infinity"),
        (np.full((48, 32), 1e39), "holds NaN or infinity"),
        (np.zeros((48, 32), np.int8), "it is in int8"),
        (np.zeros((4800, 32), np.float32), "more values than the whole model"),
    ],
    ids=["nan", "beyond fp32", "int8", "larger than the model"],
)
def test_values_that_are_no_weights_are_refused(folder: Path, head: np.ndarray[Any, Any], message: str) -> None:
    save_file({**tensors(), "lm_head.weight": head}, folder / "model.safetensors")
    with pytest.raises(UsageError, match=message):
        open_checkpoint(folder).weights("int8")


def test_unreadable_files_are_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"config\.json: No such file"):
        open_checkpoint(tmp_path / "nowhere")
    (folder / "config.json").write_text("{")
    with pytest.raises(UsageError, match=r"config\.json:1:2: not JSON"):
        open_checkpoint(folder)
    (folder / "config.json").write_text("[1]")
    with pytest.raises(UsageError, match="expected a JSON object"):
        open_checkpoint(folder)
    (folder / "config.json").write_text(json.dumps(CONFIG))
    (folder / "model.safetensors").write_bytes(b"not safetensors")
    with pytest.raises(UsageError, match="cannot be read as safetensors"):
        open_checkpoint(folder)


def linked(home: Path, folder: Path, names: tuple[str, ...]) -> Path:
    """`home` with links to the files of `folder`."""
    home.mkdir(parents=True)
    for name in names:
        (home / name).symlink_to(os.path.relpath(folder / name, home))
    return home


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_links_may_not_lead_out_of_the_folder(folder: Path, name: str) -> None:
    secret = folder.parent / f"secret-{folder.name}"
    (folder / name).rename(secret)
    (folder / name).symlink_to(secret)
    with pytest.raises(UsageError, match="outside the folder"):
        open_checkpoint(folder)


def test_a_shard_may_not_be_a_link_that_leads_out(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "a.safetensors"
    save_file(tensors(), elsewhere)
    (folder / "a.safetensors").symlink_to(elsewhere)
    (folder / "model.safetensors.index.json").write_text(
        json.dumps({"weight_map": dict.fromkeys(tensors(), "a.safetensors")})
    )
    with pytest.raises(UsageError, match=r"a\.safetensors: links to .*, outside the folder"):
        open_checkpoint(folder)


def test_links_inside_the_folder_and_into_the_caches_blobs_are_followed(folder: Path, tmp_path: Path) -> None:
    cache = tmp_path / "models--x"
    blobs = cache / "blobs"
    blobs.mkdir(parents=True)
    for name in ("config.json", "model.safetensors"):
        (folder / name).rename(blobs / name)
    snapshot = linked(cache / "snapshots" / "0123abcd", blobs, ("config.json", "model.safetensors"))
    assert open_checkpoint(snapshot).weights("fp32")
    with pytest.raises(UsageError, match="outside the folder"):
        open_checkpoint(linked(tmp_path / "not-a-cache" / "x", blobs, ("config.json", "model.safetensors")))


def test_pipes_folders_and_circles_are_no_files(folder: Path) -> None:
    for make, words in (
        (os.mkfifo, "not a regular file"),
        (os.mkdir, "not a regular file"),
        (lambda path: path.symlink_to(path.name), "links|loop"),
    ):
        (folder / "model.safetensors").rename(folder / "kept")
        make(folder / "model.safetensors")
        with pytest.raises(UsageError, match=words):
            open_checkpoint(folder)
        path = folder / "model.safetensors"
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
        (folder / "kept").rename(path)


def header(text: bytes, size: int | None = None) -> bytes:
    """A safetensors file that holds only a header."""
    return struct.pack("<Q", len(text) if size is None else size) + text


@pytest.mark.parametrize(
    "content",
    [
        header(b"{}", size=1 << 62),
        header(b"{" * 100_000),
        header(b'{"a": {"dtype": "F32", "shape": [4294967296, 4294967296, 4], "data_offsets": [0, 0]}}'),
        header(b'{"a": {"dtype": "F32", "shape": [1099511627776], "data_offsets": [0, 4398046511104]}}'),
        header(b'{"a": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}}') + b"1234",
        header(b'{"a": {"dtype": "F32", "shape": [1], "data_offsets": [8, 4]}}') + b"1234",
    ],
    ids=["huge header", "nested", "overflowing shape", "longer than the file", "negative", "backwards"],
)
def test_sizes_that_overflow_are_refused_before_anything_is_allocated(folder: Path, content: bytes) -> None:
    (folder / "model.safetensors").write_bytes(content)
    with pytest.raises(UsageError, match=r"model\.safetensors: cannot be read as safetensors"):
        open_checkpoint(folder)


def test_more_layers_than_tensors_are_refused_before_they_are_laid_out(folder: Path) -> None:
    (folder / "config.json").write_text(json.dumps({**CONFIG, "num_hidden_layers": 10**12}))
    with pytest.raises(UsageError, match="num_hidden_layers 1000000000000, but the checkpoint has only"):
        open_checkpoint(folder)


def test_shards_that_are_missing_cut_or_hold_something_else_are_named(folder: Path) -> None:
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": dict.fromkeys(tensors(), "b.safetensors")}))
    with pytest.raises(UsageError, match=r"b\.safetensors: No such file"):
        open_checkpoint(folder)
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "b.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UsageError, match=r"b\.safetensors: model\.embed_tokens\.weight cannot be read"):
        open_checkpoint(folder).weights("fp32")
    save_file({"other": np.zeros(1, np.float32)}, folder / "b.safetensors")
    with pytest.raises(UsageError, match=r"b\.safetensors: model\.embed_tokens\.weight cannot be read"):
        open_checkpoint(folder).weights("fp32")


@pytest.mark.parametrize(
    "change",
    [
        {"num_attention_heads": 0},
        {"num_attention_heads": "two"},
        {"hidden_size": None},
        {"hidden_size": 1e999},
        {"rope_theta": float("nan")},
        {"rope_scaling": [1]},
        {"vocab_size": -(10**40)},
        {"num_local_experts": {}},
    ],
)
def test_a_config_of_odd_values_is_refused_in_words(folder: Path, change: dict[str, Any]) -> None:
    (folder / "config.json").write_text(json.dumps({**CONFIG, **change}))
    with pytest.raises(UsageError, match=r"config\.json"):
        open_checkpoint(folder)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 200_000, "nested too deeply"),
        ('{"model_type": "mixtral", "model_type": "bert"}', "key 'model_type' stands twice"),
        ('{"a": ' + "9" * 9999, "holds a whole number of thousands of digits"),
        (" " * ((1 << 20) + 1), "larger than 1 MiB"),
    ],
    ids=["deep", "twice", "digits", "large"],
)
def test_a_config_that_exhausts_the_parser_is_refused(folder: Path, text: str, message: str) -> None:
    (folder / "config.json").write_text(text)
    for read in (open_checkpoint, read_spec):
        with pytest.raises(UsageError, match=rf"config\.json: {message}"):
            read(folder)


@pytest.mark.timeout(10)
def test_a_pipe_or_a_device_is_no_config(tmp_path: Path) -> None:
    """Either would be read without end."""
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "device.json").symlink_to("/dev/zero")
    for name in ("pipe.json", "device.json"):
        with pytest.raises(UsageError, match="is not a regular file"):
            read_spec(tmp_path / name)


def test_a_name_that_no_file_can_have_is_no_config(tmp_path: Path) -> None:
    for name, reason in (("a" * 300 + ".json", "File name too long"), ("a\0.json", "null (byte|character)")):
        with pytest.raises(UsageError, match=reason):
            read_spec(tmp_path / name)


@pytest.mark.parametrize("name", RELEASED)
def test_released_configs_are_the_catalogs_models(name: str, tmp_path: Path) -> None:
    """Source: the config.json files of the releases, less fields that no computation reads."""
    (tmp_path / "config.json").write_text(json.dumps(RELEASED[name]))
    spec, listed = read_spec(tmp_path), released(name).spec
    assert parameters(spec) == parameters(listed)
    differing = {field for field in type(spec).model_fields if getattr(spec, field) != getattr(listed, field)}
    assert differing <= {"rope_scaling", "max_position_embeddings", "intermediate_size"}, "the catalog has no use for"


def test_a_json_file_with_our_fields_alone_is_a_spec(tmp_path: Path) -> None:
    spec = spec_from_config(CONFIG)
    (tmp_path / "mine.json").write_text(spec.model_dump_json(exclude_defaults=True))
    assert read_spec(tmp_path / "mine.json") == spec
