"""llama.cpp on an architecture of ours, stepped by another process. Knows nothing of `harness`, whose fields it reads.

`python llama_peer.py` reads one JSON line {"spec", "precision", "threads", "cases"} and answers a line with the samples
of one timed block, in seconds a step, for each index of a case that it is sent. Needs `llama-cpp-python` and `gguf`.
The model has the same shape, stored bits and kind of random weights; it computes nothing that ours does.
"""

import ctypes
import json
import math
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

TYPES = {"fp32": "F32", "int8": "Q8_0", "int4": "Q4_0"}
BLOCK_S = 0.6
"""Least duration of a timed block; a block has three steps at least."""


def write_model(path: Path, spec: dict[str, Any], precision: str) -> None:
    """A DeepSeek-V3 model as GGUF in llama.cpp's names, with balanced random weights."""
    import gguf  # type: ignore[import-not-found]

    d, heads, r, rank = spec["hidden_size"], spec["num_attention_heads"], spec["kv_lora_rank"], spec["q_lora_rank"]
    n, p, v = spec["qk_nope_head_dim"], spec["qk_rope_head_dim"], spec["v_head_dim"]
    f, experts, vocabulary = spec["moe_intermediate_size"], spec["n_routed_experts"], spec["vocab_size"]
    kind = gguf.GGMLQuantizationType[TYPES[precision]]
    random = np.random.default_rng(0)
    writer = gguf.GGUFWriter(path, "deepseek2")
    writer.add_block_count(spec["num_hidden_layers"])
    writer.add_context_length(8192)
    writer.add_embedding_length(d)
    writer.add_feed_forward_length(spec["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(1)
    writer.add_layer_norm_rms_eps(spec["rms_norm_eps"])
    writer.add_rope_freq_base(spec["rope_theta"])
    writer.add_rope_dimension_count(p)
    writer.add_q_lora_rank(rank)
    writer.add_kv_lora_rank(r)
    writer.add_key_length(r + p)
    writer.add_value_length(r)
    writer.add_key_length_mla(n + p)
    writer.add_value_length_mla(v)
    writer.add_leading_dense_block_count(spec["first_k_dense_replace"])
    writer.add_expert_count(experts)
    writer.add_expert_used_count(spec["num_experts_per_tok"])
    writer.add_expert_shared_count(spec["n_shared_experts"])
    writer.add_expert_feed_forward_length(f)
    writer.add_expert_weights_scale(spec["routed_scaling_factor"])
    writer.add_expert_weights_norm(True)
    writer.add_expert_gating_func(gguf.ExpertGatingFuncType.SIGMOID)
    writer.add_vocab_size(vocabulary)
    writer.add_tokenizer_model("none")

    def plain(name: str, *shape: int, mean: float = 0.0, deviation: float = 1.0) -> None:
        writer.add_tensor(name, (mean + deviation * random.standard_normal(shape)).astype(np.float32))

    def matrix(name: str, *shape: int) -> None:
        """[..., out, in] of deviation 1/sqrt(in). Blocks of 32 have one scale, fp16, ahead of their codes."""
        spread = 1 / math.sqrt(shape[-1])
        if precision == "fp32":
            writer.add_tensor(name, random.standard_normal(shape, dtype=np.float32) * np.float32(spread))
            return
        code_bytes = 16 if precision == "int4" else 32
        blocks = np.empty((*shape[:-1], shape[-1] // 32, 2 + code_bytes), dtype=np.uint8)
        code_deviation = 4.6 if precision == "int4" else 74.0  # of uniform codes in -8..7 and -128..127
        blocks[..., :2] = np.frombuffer(np.float16(spread / code_deviation).tobytes(), dtype=np.uint8)
        blocks[..., 2:] = random.integers(0, 256, (*blocks.shape[:-1], code_bytes), dtype=np.uint8)
        writer.add_tensor(name, blocks.reshape(*shape[:-1], -1), raw_dtype=kind)

    def gated(at: str, ending: str, width: int, *stack: int) -> None:
        matrix(f"{at}.ffn_gate{ending}.weight", *stack, width, d)
        matrix(f"{at}.ffn_up{ending}.weight", *stack, width, d)
        matrix(f"{at}.ffn_down{ending}.weight", *stack, d, width)

    plain("token_embd.weight", vocabulary, d)
    plain("output_norm.weight", d, mean=1.0, deviation=0.1)
    matrix("output.weight", vocabulary, d)
    for layer in range(spec["num_hidden_layers"]):
        at = f"blk.{layer}"
        for name, width in (("attn_norm", d), ("ffn_norm", d), ("attn_q_a_norm", rank), ("attn_kv_a_norm", r)):
            plain(f"{at}.{name}.weight", width, mean=1.0, deviation=0.1)
        matrix(f"{at}.attn_q_a.weight", rank, d)
        matrix(f"{at}.attn_q_b.weight", heads * (n + p), rank)
        matrix(f"{at}.attn_kv_a_mqa.weight", r + p, d)
        matrix(f"{at}.attn_k_b.weight", heads, r, n)
        matrix(f"{at}.attn_v_b.weight", heads, v, r)
        matrix(f"{at}.attn_output.weight", d, heads * v)
        if layer < spec["first_k_dense_replace"]:
            gated(at, "", spec["intermediate_size"])
            continue
        plain(f"{at}.ffn_gate_inp.weight", experts, d, deviation=1 / math.sqrt(d))
        plain(f"{at}.exp_probs_b.bias", experts, deviation=0.003)
        gated(at, "_exps", f, experts)
        gated(at, "_shexp", f * spec["n_shared_experts"])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


class Case:
    """One workload bound to a context of its own."""

    def __init__(self, model: Any, threads: int, vocabulary: int, case: dict[str, Any]) -> None:
        import llama_cpp  # type: ignore[import-not-found]

        self._api, self._case = llama_cpp, case
        prefill, sequences = case["phase"] == "prefill", case["batch"]
        held = case["tokens"] if prefill else sequences * (case["depth"] + case["tokens"])
        parameters = llama_cpp.llama_context_default_params()
        parameters.n_ctx = -(-(held + 64) // 256) * 256
        parameters.n_batch = parameters.n_ubatch = max(512, case["tokens"] if prefill else sequences)
        parameters.n_seq_max = sequences
        parameters.kv_unified = True
        parameters.n_threads = parameters.n_threads_batch = threads
        self._context = llama_cpp.llama_init_from_model(model, parameters)
        if not self._context:
            raise SystemExit("llama.cpp could not make a context")
        self._batch = llama_cpp.llama_batch_init(max(512, held), 0, 1)
        self._random, self._vocabulary = np.random.default_rng(1), vocabulary
        self._length = 0
        self._filled = 0

    def _decode(self, sequences: int, tokens: int, start: int, *, all_logits: bool) -> float:
        """Run `tokens` random tokens of each of `sequences`, from position `start`; seconds."""
        batch, total = self._batch, sequences * tokens
        ids = self._random.integers(1, self._vocabulary, total)
        for i in range(total):
            sequence, position = divmod(i, tokens)
            batch.token[i], batch.pos[i], batch.n_seq_id[i] = int(ids[i]), start + position, 1
            batch.seq_id[i][0], batch.logits[i] = sequence, all_logits or i == total - 1
        batch.n_tokens = total
        began = time.perf_counter()
        if self._api.llama_decode(self._context, batch) != 0:
            raise SystemExit("llama.cpp could not decode")
        self._api.llama_synchronize(self._context)
        return time.perf_counter() - began

    def _restart(self) -> None:
        self._api.llama_memory_clear(self._api.llama_get_memory(self._context), True)
        self._length = 0
        for sequence_start in range(0, self._case["depth"], 512):
            self._decode(1, min(512, self._case["depth"] - sequence_start), sequence_start, all_logits=False)
        self._length = self._case["depth"]

    def step(self) -> float:
        if self._case["phase"] == "prefill":
            self._api.llama_memory_clear(self._api.llama_get_memory(self._context), True)
            return self._decode(1, self._case["tokens"], 0, all_logits=False)
        if self._length in (0, self._case["depth"] + self._case["tokens"]):
            self._restart()
        self._length += 1
        return self._decode(self._case["batch"], 1, self._length - 1, all_logits=True)


def timed_block(step: Callable[[], float]) -> list[float]:
    samples: list[float] = []
    while len(samples) < 3 or sum(samples) < BLOCK_S:
        samples.append(step())
    return samples


def serve() -> None:
    """Answer requests until the input ends."""
    import llama_cpp

    task = json.loads(sys.stdin.readline())
    quiet = llama_cpp.llama_log_callback(lambda *_: None)
    llama_cpp.llama_log_set(quiet, ctypes.c_void_p(0))
    llama_cpp.llama_backend_init()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.gguf"
        write_model(path, task["spec"], task["precision"])
        parameters = llama_cpp.llama_model_default_params()
        model = llama_cpp.llama_model_load_from_file(str(path).encode(), parameters)
    if not model:
        raise SystemExit("llama.cpp could not load the model")
    cases = [Case(model, task["threads"], task["spec"]["vocab_size"], case) for case in task["cases"]]
    for case in cases:
        case.step()
    version = llama_cpp.__version__
    print(json.dumps({"ready": f"llama-cpp-python {version}"}), flush=True)
    for line in sys.stdin:
        print(json.dumps(timed_block(cases[int(line)].step)), flush=True)


if __name__ == "__main__":
    serve()
