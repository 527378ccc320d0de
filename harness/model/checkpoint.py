"""A Hugging Face checkpoint folder as a spec and stored weights: config.json and safetensors files, nothing executed.

8-bit and MXFP4 weights are refused by name; multi-token-prediction layers are left unread.
"""

import math
import os
import stat
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import UsageError
from harness.files import strict, validation
from harness.files.strict import StrictJsonError
from harness.model.configjson import spec_from_config
from harness.model.counts import parameters
from harness.model.spec import Spec
from harness.model.tensors import Tensor, tensor_layout
from harness.model.weights import Stored, rounded
from harness.vocabulary import RunPrecision

Real = NDArray[np.float32]

_KINDS = frozenset(("float16", "bfloat16", "float32", "float64"))
"""What weights are kept in. Fewer bits, or whole numbers, come with scales that are not read here."""
_LARGEST_CONFIG_BYTES = 1 << 20
"""A config.json has some kilobytes."""
_LARGEST_INDEX_BYTES = 64 << 20
"""An index of tensor names has about a hundred bytes a tensor, a tensor for each matrix of each expert."""


@dataclass(frozen=True)
class Checkpoint:
    """A readable checkpoint: its architecture, and which file of its folder holds each tensor."""

    spec: Spec
    files: Mapping[str, Path]

    def weights(self, precision: RunPrecision) -> dict[str, Stored]:
        """All tensors of the spec at `precision`, read and rounded one at a time."""
        weights = {}
        with ExitStack() as closing:  # a file is opened once: its header may name many tensors
            opened: dict[Path, Any] = {}
            for tensor in tensor_layout(self.spec):
                values = self._values(tensor, lambda name: self._read(name, opened, closing))
                weights[tensor.name] = rounded(tensor, np.ascontiguousarray(values, dtype=np.float32), precision)
        return weights

    def _values(self, tensor: Tensor, read: Callable[[str], Real]) -> Real:
        values = translate(self.spec, tensor, read, self.files)
        if values.shape != tensor.shape:
            raise UsageError(
                f"{tensor.name} has the shape {values.shape} in the checkpoint, but its config makes it {tensor.shape}"
            )
        return values

    def _read(self, name: str, opened: dict[Path, Any], closing: ExitStack) -> Real:
        """One tensor. Raises UsageError before memory is taken for one that is larger than the model, and for values
        that are no numbers or not of a kind that weights are kept in."""
        from safetensors import SafetensorError, safe_open

        if name not in self.files:
            raise UsageError(f"the checkpoint lacks the tensor {name}, which its config asks for")
        path = self.files[name]
        try:
            if path not in opened:
                opened[path] = closing.enter_context(safe_open(path, framework="numpy"))
            if math.prod(opened[path].get_slice(name).get_shape()) > parameters(self.spec).total:
                raise ValueError("it has more values than the whole model")
            values = np.asarray(opened[path].get_tensor(name))
            if values.dtype.name not in _KINDS:
                raise ValueError(f"it is in {values.dtype.name}")
            with np.errstate(over="ignore"):  # what fp32 cannot hold is found below
                values = values.astype(np.float32)
        except (OSError, MemoryError, SafetensorError, TypeError, ValueError, AttributeError) as error:
            raise UsageError(f"{path}: {name} cannot be read ({error}); expected a tensor in bf16 or fp32") from None
        if not np.isfinite(values).all():
            raise UsageError(f"{path}: {name} holds NaN or infinity, expected finite numbers")
        return values


def open_checkpoint(folder: Path) -> Checkpoint:
    """Read a folder's config and the names of its tensors; no weight is read yet.

    Raises UsageError where a file is missing or unreadable, links outside the folder, or asks for what is not computed
    here. A header of safetensors is bounded, and its shapes are checked against the file's length, by that library.
    """
    config = _json(_own(folder, "config.json"), _LARGEST_CONFIG_BYTES)
    spec = spec_from_config(config, str(folder / "config.json"))
    if config.get("quantization_config"):
        raise UsageError(f"{folder}: config.json says that the weights are quantised; expected weights in bf16 or fp32")
    index = folder / "model.safetensors.index.json"
    if index.exists():
        placed = _json(_own(folder, index.name), _LARGEST_INDEX_BYTES).get("weight_map")
        if not isinstance(placed, dict):
            raise UsageError(f"{index}: expected an object 'weight_map' from tensor names to file names")
        names = {name: _plain_name(folder, file) for name, file in placed.items()}
        paths = {file: _own(folder, file) for file in set(names.values())}
        files = {name: paths[file] for name, file in names.items()}
    else:
        whole = _own(folder, "model.safetensors")
        files = dict.fromkeys(_names(whole), whole)
    if spec.num_hidden_layers > len(files):
        raise UsageError(
            f"{folder}: config.json has num_hidden_layers {spec.num_hidden_layers}, but the checkpoint has only "
            f"{len(files)} tensors; expected at least one a layer"
        )
    return Checkpoint(spec, files)


def read_spec(path: Path) -> Spec:
    """The architecture of a checkpoint's folder or of a config.json alone; weights are not read and may be missing or
    quantised. A JSON file with only our own fields is a spec as `Spec` writes it."""
    path = _own(path, "config.json") if os.path.isdir(path) else path
    content = _json(path, _LARGEST_CONFIG_BYTES)
    if content.keys() <= Spec.model_fields.keys():
        return validation.read(path, Spec, what="model spec")
    return spec_from_config(content, str(path))


def _names(path: Path) -> tuple[str, ...]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            return tuple(file.keys())
    except (OSError, MemoryError, SafetensorError) as error:
        raise UsageError(f"{path}: cannot be read as safetensors ({error}); expected a checkpoint's weights") from None


def _plain_name(folder: Path, file: object) -> str:
    """The name of a weight file, which must be plain: a checkpoint may not reach outside its folder."""
    if not isinstance(file, str) or Path(file).name != file or not file.endswith(".safetensors"):
        raise UsageError(f"{folder}: the index names the file {file!r}; expected a .safetensors file of that folder")
    return file


def _own(folder: Path, name: str) -> Path:
    """A file of the folder, with links followed. They may not lead out of it, save into the blobs of the Hugging Face
    cache (`models--x/snapshots/REVISION/` links into `models--x/blobs/`).
    """
    path, wanted = folder / name, "expected the folder of a Hugging Face checkpoint"
    try:
        home, target = folder.resolve(), path.resolve(strict=True)
        regular = target.is_file()
    except (OSError, RuntimeError, ValueError) as error:  # a circle of links, before Python 3.13, is a RuntimeError
        reason = error.strerror if isinstance(error, OSError) else error
        raise UsageError(f"{path}: {reason}; {wanted}") from None
    homes = (home, home.parent.parent / "blobs") if home.parent.name == "snapshots" else (home,)
    if not any(target.is_relative_to(one) for one in homes):
        raise UsageError(f"{path}: links to {target}, outside the folder; {wanted}, with its files in it")
    if not regular:
        raise UsageError(f"{path}: is not a regular file; {wanted}")
    return path


def _json(path: Path, limit_bytes: int) -> dict[str, Any]:
    """A JSON object from a regular file (a pipe would never end, nor would a device) of bounded size."""
    wanted = "expected the folder of a Hugging Face checkpoint, or its config.json"
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise UsageError(f"{path}: is not a regular file; {wanted}")
        with path.open("rb") as file:
            raw = file.read(limit_bytes + 1)
        if len(raw) > limit_bytes:
            raise UsageError(f"{path}: larger than {limit_bytes >> 20} MiB, so not a checkpoint's JSON")
        content = strict.decode_json(raw.decode(), what="checkpoint's JSON", finite=False)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}; {wanted}") from None
    except StrictJsonError as error:
        raise UsageError(f"{error.place(str(path))}: {error}; {wanted}") from None
    except ValueError as error:  # not UTF-8, or a name that no file can have
        raise UsageError(f"{path}: not valid JSON ({error}); {wanted}") from None
    if not isinstance(content, dict):
        raise UsageError(f"{path}: expected a JSON object, not {type(content).__name__}")
    return content


def translate(spec: Spec, tensor: Tensor, read: Callable[[str], Real], names: Mapping[str, object]) -> Real:
    """The values of one of our tensors from a checkpoint's, whose names `read` takes."""
    outer = {"embedding": "model.embed_tokens.weight", "norm": "model.norm.weight", "head": "lm_head.weight"}
    if tensor.name in outer:
        return read(outer[tensor.name])
    _, layer, part = tensor.name.split(".", 2)
    at = f"model.layers.{layer}"
    if part == "mlp_norm":
        return read(f"{at}.post_attention_layernorm.weight")
    if part.startswith("attention."):
        attention = _mla if spec.attention == "mla" else _grouped
        return attention(spec, f"{at}.", part.removeprefix("attention."), read)
    mlp = f"{at}.block_sparse_moe" if f"{at}.block_sparse_moe.gate.weight" in names else f"{at}.mlp"
    if part.startswith("experts."):
        return _experts(spec, f"{mlp}.experts", part.removeprefix("experts."), read, names)
    if part == "router":
        return read(f"{mlp}.router.weight" if spec.moe_bias else f"{mlp}.gate.weight")
    if part == "router_bias":
        return read(f"{mlp}.router.bias" if spec.moe_bias else f"{mlp}.gate.e_score_correction_bias")
    block, _, end = part.partition(".")
    source = f"{mlp}.shared_experts" if block == "shared" else mlp
    if end == "out":
        return read(f"{source}.down_proj.weight")
    return np.concatenate([read(f"{source}.gate_proj.weight"), read(f"{source}.up_proj.weight")])


def _mla(spec: Spec, at: str, part: str, read: Callable[[str], Real]) -> Real:
    """Releases lay a head's query out [plain | rotary]; here the rotary part comes first."""
    heads, n, p = spec.num_attention_heads, spec.qk_nope_head_dim or 0, spec.qk_rope_head_dim or 0

    def rotary_first(query: Real) -> Real:
        by_head = query.reshape(heads, n + p, -1)
        return np.concatenate([by_head[:, n:], by_head[:, :n]], axis=1).reshape(query.shape)

    if part == "norm":
        return read(f"{at}input_layernorm.weight")
    own = f"{at}self_attn"
    if part == "in":
        query = read(f"{own}.q_a_proj.weight") if spec.q_lora_rank else rotary_first(read(f"{own}.q_proj.weight"))
        return np.concatenate([query, read(f"{own}.kv_a_proj_with_mqa.weight")])
    if part == "q":
        return rotary_first(read(f"{own}.q_b_proj.weight"))
    if part == "kv":
        return read(f"{own}.kv_b_proj.weight").reshape(heads, n + (spec.v_head_dim or 0), -1)
    return read(
        {"q_norm": f"{own}.q_a_layernorm", "kv_norm": f"{own}.kv_a_layernorm"}.get(part, f"{own}.o_proj") + ".weight"
    )


def _grouped(_spec: Spec, at: str, part: str, read: Callable[[str], Real]) -> Real:
    if part == "norm":
        return read(f"{at}input_layernorm.weight")
    own = f"{at}self_attn"
    if part in ("in", "in_bias"):
        kind = "bias" if part == "in_bias" else "weight"
        return np.concatenate([read(f"{own}.{x}_proj.{kind}") for x in "qkv"])
    plain = {"out": "o_proj.weight", "out_bias": "o_proj.bias", "sinks": "sinks"}
    return read(f"{own}.{plain.get(part, f'{part}.weight')}")


def _experts(spec: Spec, at: str, part: str, read: Callable[[str], Real], names: Mapping[str, object]) -> Real:
    """Routed experts: one tensor for all (gpt-oss, whose matrices are [E, in, out] with gate and up in turn), or three
    an expert. Here gate and up rows alternate."""
    if spec.moe_bias:
        source = "gate_up_proj" if part.startswith("in") else "down_proj"
        return read(f"{at}.{source}_bias") if part.endswith("bias") else read(f"{at}.{source}").transpose(0, 2, 1)
    gate, up, down = ("w1", "w3", "w2") if f"{at}.0.w1.weight" in names else ("gate_proj", "up_proj", "down_proj")
    experts = range(spec.n_routed_experts)
    if part == "out":
        return np.stack([read(f"{at}.{e}.{down}.weight") for e in experts])
    pairs = [np.stack([read(f"{at}.{e}.{gate}.weight"), read(f"{at}.{e}.{up}.weight")], axis=1) for e in experts]
    return np.stack(pairs).reshape(spec.n_routed_experts, -1, spec.hidden_size)
