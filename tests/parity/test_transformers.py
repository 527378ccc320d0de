"""Graphs and reference against transformers' own models on the same random weights, read from a saved checkpoint."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.model.checkpoint import Checkpoint, open_checkpoint
from harness.model.reference import RoutingTrace, forward
from harness.model.weights import dequantised
from harness.runtime.engine import Engine
from tests.parity import shapes

pytestmark = pytest.mark.slow

pytest.importorskip("torch", reason="needs torch: pip install '.[parity]'")
pytest.importorskip("transformers", reason="needs transformers: pip install '.[parity]'")

LOGITS_TOLERANCE = 1e-4
NEAR_TIE = 1e-5
"""Selection scores closer than this may be ordered either way by two correct implementations in fp32."""

_SHARED = {"vocab_size": 200, "hidden_size": 96, "num_hidden_layers": 3, "max_position_embeddings": 64}
_LATENT = {
    **_SHARED,
    "num_attention_heads": 3,
    "num_key_value_heads": 3,
    "intermediate_size": 112,
    "q_lora_rank": 48,
    "kv_lora_rank": 32,
    "qk_nope_head_dim": 24,
    "qk_rope_head_dim": 16,
    "v_head_dim": 32,
    "n_routed_experts": 12,
    "num_experts_per_tok": 3,
    "moe_intermediate_size": 48,
    "first_k_dense_replace": 1,
}
_HEADS = {**_SHARED, "num_attention_heads": 6, "num_key_value_heads": 2, "head_dim": 32, "num_experts_per_tok": 2}
_UNSCALED = {"rope_theta": 10000.0, "rope_type": "default"}

CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "DeepseekV3": ("DeepseekV3", {**_LATENT, "n_group": 1, "topk_group": 1}),
    "DeepseekV3 groups": ("DeepseekV3", {**_LATENT, "n_group": 4, "topk_group": 2, "n_shared_experts": 2}),
    "DeepseekV3 no query rank": ("DeepseekV3", {**_LATENT, "q_lora_rank": None, "n_group": 1, "topk_group": 1}),
    "DeepseekV2": ("DeepseekV2", {**_LATENT, "routed_scaling_factor": 1.5}),
    "DeepseekV2 groups": (
        "DeepseekV2",
        {**_LATENT, "topk_method": "group_limited_greedy", "n_group": 3, "topk_group": 2},
    ),
    "Mixtral": ("Mixtral", {**_HEADS, "intermediate_size": 64, "num_local_experts": 6}),
    "Mixtral window": (
        "Mixtral",
        {**_HEADS, "intermediate_size": 64, "num_local_experts": 6, "sliding_window": 5},
    ),
    "Qwen3Moe": ("Qwen3Moe", {**_HEADS, "moe_intermediate_size": 64, "num_experts": 10, "norm_topk_prob": True}),
    "Qwen3Moe unnormalised": (
        "Qwen3Moe",
        {**_HEADS, "moe_intermediate_size": 64, "num_experts": 10, "norm_topk_prob": False},
    ),
    "GptOss": (
        "GptOss",
        {
            **_HEADS,
            "intermediate_size": 64,
            "num_local_experts": 6,
            "sliding_window": 4,
            "rope_parameters": _UNSCALED,
        },
    ),
}

RANDOM = 24
"""Random architectures of each family beside those above."""

CLASSES = {
    "deepseek_v3": "DeepseekV3",
    "deepseek_v2": "DeepseekV2",
    "mixtral": "Mixtral",
    "qwen3_moe": "Qwen3Moe",
    "gpt_oss": "GptOss",
}


def _fields(family: str, number: int) -> dict[str, Any]:
    return {name: value for name, value in shapes.config(family, number).items() if name != "model_type"}


CASES |= {
    f"{family} {number}": (CLASSES[family], _fields(family, number))
    for family in shapes.FAMILIES
    for number in range(RANDOM)
}


@pytest.fixture(params=CASES, scope="module")
def saved(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """A folder with a random checkpoint in several files, and the model that was saved there."""
    model = _random_model(*CASES[request.param])
    folder = tmp_path_factory.mktemp("checkpoint")
    model.save_pretrained(folder, max_shard_size="200KB")
    return folder, model


def _random_model(family: str, fields: dict[str, Any]) -> Any:
    import torch
    import transformers

    torch.manual_seed(3)
    config = getattr(transformers, f"{family}Config")(**fields)
    model = getattr(transformers, f"{family}ForCausalLM")(config).eval()
    with torch.no_grad():
        for name, tensor in (*model.named_parameters(), *model.named_buffers()):
            if "embed_tokens" in name or name.endswith("sinks"):
                tensor.normal_()
            elif name.endswith("e_score_correction_bias"):
                tensor.normal_(std=0.02)
            elif "bias" in name:
                tensor.normal_(std=0.1)
            elif "inv_freq" not in name:
                tensor.normal_(mean=float(tensor.ndim == 1), std=0.1 if tensor.ndim == 1 else tensor.shape[-1] ** -0.5)
    return model


def _engine(checkpoint: Checkpoint) -> Engine:
    return Engine(checkpoint.spec, "fp32", 1, lambda: checkpoint.weights("fp32"))


def _prompt(checkpoint: Checkpoint) -> NDArray[np.int64]:
    return np.random.default_rng(0).integers(0, checkpoint.spec.vocab_size, (2, 13), dtype=np.int64)


def test_logits_equal_transformers(saved: tuple[Path, Any]) -> None:
    import torch

    folder, model = saved
    checkpoint = open_checkpoint(folder)
    prompt = _prompt(checkpoint)
    with torch.no_grad():
        expected = model(torch.from_numpy(prompt)).logits.numpy()
    weights = {name: values.astype(np.float64) for name, values in dequantised(checkpoint.weights("fp32"))}
    trace = RoutingTrace()
    reference = forward(checkpoint.spec, weights, prompt, trace=trace)
    if (tie := _closest_tie(trace, checkpoint.spec.num_experts_per_tok)) < NEAR_TIE:
        pytest.skip(f"two experts are only {tie:.1e} apart: both choices are right")
    engine, scale = _engine(checkpoint), expected.std()
    assert np.abs(reference - expected).max() / scale < LOGITS_TOLERANCE
    assert np.abs(engine.prefill(prompt) - expected[:, -1]).max() / scale < LOGITS_TOLERANCE
    assert np.abs(engine.decode(prompt) - expected[:, -1]).max() / scale < LOGITS_TOLERANCE


def _gaps(scores: NDArray[np.floating], k: int) -> NDArray[np.floating]:
    """Between the last chosen expert's score and the first one's that was left out; endless where none was."""
    ordered = np.sort(scores, axis=-1)[..., ::-1]
    return ordered[..., k - 1] - ordered[..., k] if k < scores.shape[-1] else np.full(scores.shape[:-1], np.inf)


def _closest_tie(trace: RoutingTrace, k: int) -> float:
    return float(min((_gaps(scores, k).min() for scores in trace.scores.values()), default=np.inf))


def test_selected_experts_equal_transformers(saved: tuple[Path, Any]) -> None:
    """Layer by layer. Choices may differ where two experts are nearly tied, which is reported; what follows such a
    token has another input, so the comparison ends there."""
    import torch

    folder, model = saved
    checkpoint = open_checkpoint(folder)
    prompt, chosen = _prompt(checkpoint), []
    hooks = [
        module.register_forward_hook(lambda _module, inputs, _output: chosen.append(inputs[1].detach().numpy()))
        for name, module in model.named_modules()
        if name.endswith(".experts")
    ]
    with torch.no_grad():
        model(torch.from_numpy(prompt))
    for hook in hooks:
        hook.remove()
    _, ours = _engine(checkpoint).prefill_traced(prompt)
    assert len(ours) == len(chosen) == checkpoint.spec.moe_layers
    trace, k = RoutingTrace(), checkpoint.spec.num_experts_per_tok
    forward(checkpoint.spec, dict(dequantised(checkpoint.weights("fp32"))), prompt, trace=trace)
    for (layer, mine), theirs in zip(ours.items(), chosen, strict=True):
        differs = (np.sort(mine.reshape(theirs.shape), -1) != np.sort(theirs, -1)).any(-1)
        if differs.any():
            gaps = _gaps(trace.scores[layer], k).reshape(-1)[differs]
            assert gaps.max() < NEAR_TIE, f"layer {layer}: other experts, though {gaps.max():.1e} apart"
            pytest.skip(
                f"layer {layer}: {gaps.size} tokens between experts at most {gaps.max():.1e} apart chose otherwise"
            )


@pytest.mark.parametrize("kind", ["bfloat16", "float16"])
@pytest.mark.parametrize("family", shapes.FAMILIES)
def test_half_precision_checkpoints_are_read_exactly(family: str, kind: str, tmp_path: Path) -> None:
    import torch

    model = _random_model(CLASSES[family], _fields(family, 3)).to(getattr(torch, kind))
    model.save_pretrained(tmp_path)
    checkpoint, loaded = open_checkpoint(tmp_path), type(model).from_pretrained(tmp_path, dtype=torch.float32)
    prompt = _prompt(checkpoint)
    with torch.no_grad():
        expected = loaded(torch.from_numpy(prompt)).logits.numpy()
    weights = {name: values.astype(np.float64) for name, values in dequantised(checkpoint.weights("fp32"))}
    assert np.abs(forward(checkpoint.spec, weights, prompt) - expected).max() / expected.std() < LOGITS_TOLERANCE
