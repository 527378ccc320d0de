"""Closed forms of families with recurrent, chunked, sliding and indexed layers, against a list of their tensors."""

import pytest

from harness.catalog.models import released, released_names
from harness.model.configjson import spec_from_config
from harness.model.context import kv_bytes, over_context
from harness.model.counts import parameters, token_products
from harness.model.recurrent import state_bytes
from harness.roofline.deployment import Deployment
from harness.roofline.overheads import launch_s
from harness.roofline.practice import cache_open
from harness.roofline.work import Work, work
from tests import by_tensors
from tests.by_tensors import NAMES, size

BATCH = 24.0


def step(name: str, tokens: int, least: bool = False) -> Work:
    found = Deployment(precision="bf16", batch=BATCH, context_tokens=tokens, chips=8, mtp_drafts=0, mtp_acceptance=0)
    return work(released(name).spec, found, "decode", fewest_experts=least)


@pytest.mark.parametrize("name", NAMES)
def test_the_config_is_read_as_the_catalog_has_it(name: str) -> None:
    """But for layers that predict further tokens, which two configs do not name."""
    spec, read = released(name).spec, spec_from_config(by_tensors.config(name))
    assert read.num_nextn_predict_layers in (0, spec.num_nextn_predict_layers)
    assert read.model_copy(update={"num_nextn_predict_layers": spec.num_nextn_predict_layers}) == spec


@pytest.mark.parametrize("name", NAMES)
def test_parameters_equal_the_list_of_tensors(name: str) -> None:
    made, count = by_tensors.model(name), parameters(released(name).spec)
    each = [size([*x.mixer, *x.router, *x.index, *x.shared, *x.dense]) + x.small for x in made.layers]
    experts = sum(size(x.expert) for x in made.layers)
    assert count.total == pytest.approx(made.outer + sum(each) + made.experts * experts, rel=1e-6)
    norm_and_head = made.head + by_tensors.config(name).get("text_config", by_tensors.config(name))["hidden_size"]
    assert count.active == pytest.approx(norm_and_head + sum(each) + made.chosen * experts, rel=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_work_of_a_token_equals_the_list_of_tensors(name: str) -> None:
    made = by_tensors.model(name)
    counted = {c.name: c for c in step(name, 4096).components}
    parts = {
        "attention_projections": sum(size(x.mixer) for x in made.layers),
        "experts": made.chosen * sum(size(x.expert) for x in made.layers),
        "shared_experts": sum(size(x.shared) for x in made.layers),
        "dense_layers": sum(size(x.dense) for x in made.layers),
    }
    for part, weights in parts.items():
        flop = counted[part].flop if part in counted else 0.0
        assert flop == pytest.approx(2 * BATCH * weights, rel=1e-9), part
    routed = sum(size([*x.router, *x.index]) for x in made.layers)
    assert token_products(released(name).spec) == sum(parts.values()) + routed


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("n", [100, 3000, 9000])
def test_attention_over_the_context_equals_the_sum_over_layers(name: str, n: int) -> None:
    made, spec = by_tensors.model(name), released(name).spec
    core = indexed = 0.0
    for layer in made.layers:
        entries = float(layer.seen(n))
        if spec.attention_chunk_size and layer.keeps is not None and n > layer.keeps:
            entries = sum(layer.seen(i) for i in range(1, layer.keeps + 1)) / layer.keeps  # wherever in its chunk
        core += layer.recurrent_flop + layer.entry_flop * entries
        indexed += layer.index_flop * n
    found = over_context(spec, n, "decode")
    assert (found.core_flop, found.indexer_flop) == pytest.approx((core, indexed), rel=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_prefill_is_the_mean_over_positions(name: str) -> None:
    made, prompt = by_tensors.model(name), 9000
    means: dict[tuple[int, ...], float] = {}
    core = 0.0
    for layer in made.layers:
        kind = tuple(layer.seen(i) for i in (1, 1000, 5000, 8192, 8193))
        if kind not in means:
            means[kind] = sum(layer.seen(i) for i in range(1, prompt + 1)) / prompt
        core += layer.recurrent_flop + (layer.prefill_entry_flop or layer.entry_flop) * means[kind]
    assert over_context(released(name).spec, prompt, "prefill").core_flop == pytest.approx(core, rel=1e-9)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("n", [64, 4096, 131072])
def test_caches_and_states_equal_the_sum_over_layers(name: str, n: int) -> None:
    """In memory each token of a cache and each state once; a step reads the one and reads and writes the other."""
    made, spec = by_tensors.model(name), released(name).spec
    kept = sum(x.cached * min(n, x.keeps or n) + x.index_cached * n for x in made.layers)
    state = sum(x.state_bytes for x in made.layers)
    assert state_bytes(spec) == state
    assert kv_bytes(spec, n) == pytest.approx(2 * kept + state, rel=1e-9)
    found = step(name, n)
    assert found.cache_bytes == pytest.approx(BATCH * (2 * kept + state), rel=1e-9)
    (read,) = [c.read_bytes for c in found.components if c.name == "kv_cache"]
    assert read == pytest.approx(BATCH * (2 * over_context(spec, n, "decode").read_elements + 2 * state), rel=1e-9)


def test_a_layer_of_one_part_is_reduced_over_once() -> None:
    """Of Nemotron's layers each has one part, so half of what a layer of attention and experts sends."""
    spec = released("nemotron-3-nano-30b-a3b").spec
    assert (spec.parts, spec.num_hidden_layers) == (52, 52)
    found = Deployment(
        precision="bf16", batch=1, context_tokens=64, chips=8, mtp_drafts=0, mtp_acceptance=0, dense_shards=8
    )
    (sent,) = [c.link_bytes for c in work(spec, found, "decode").components if c.name == "all_reduce"]
    assert sent == pytest.approx(52 * 2 * 7 / 8 * 8 * 2688 * 2)


def test_what_was_counted_elsewhere() -> None:
    """Totals and active parameters in billions, and bytes a token at 4,096 and 131,072 with the state shared out."""
    published = {
        "qwen3.5-397b-a17b": (396.35, 16.33, 77880, 32194),
        "qwen3-next-80b-a3b": (79.67, 3.56, 43584, 25170),
        "llama-4-maverick": (400.7, 16.15, None, None),
        "llama-4-scout": (107.8, 16.1, None, None),
        "glm-4.7": (352.8, 32.86, 376832, 376832),
    }
    for name, (total, active, short, long) in published.items():
        spec = released(name).spec
        count = parameters(spec)
        assert (count.total / 1e9, count.active / 1e9) == pytest.approx((total, active), rel=2.5e-3), name
        if short is not None:
            assert kv_bytes(spec, 4096) / 4096 == pytest.approx(short, rel=1e-4)
            assert kv_bytes(spec, 131072) / 131072 == pytest.approx(long, rel=1e-4)


def test_a_bound_never_falls_with_the_end_of_a_chunk_or_a_wide_state() -> None:
    """A longer context takes no less of what a bound counts, although the first token of a chunk sees only itself."""
    spec = released("llama-4-scout").spec
    reads = [over_context(spec, n, "decode", least=True).read_elements for n in range(1000, 40000, 500)]
    assert reads == sorted(reads)
    assert all(over_context(spec, n, "decode").read_elements >= reads[i] for i, n in enumerate(range(1000, 40000, 500)))
    assert step("qwen3.5-397b-a17b", 64, least=True).cache_bytes < step("qwen3.5-397b-a17b", 64).cache_bytes


def test_sparse_attention_of_deepseek_is_kept_as_it_is_deployed() -> None:
    """V3.2 with a cache of one byte an element: 656 and 132 bytes a token and layer. V4 unless another is given."""
    spec, n = released("deepseek-v3.2").spec, 8192
    found = Deployment(precision="fp8", batch=1, context_tokens=n, chips=8, mtp_drafts=0, kv_bytes=1.0)
    assert work(spec, found, "decode").cache_bytes == pytest.approx(n * 61 * (656 + 132))
    (read,) = [c.read_bytes for c in work(spec, found, "decode").components if c.name == "kv_cache"]
    assert read == pytest.approx(61 * (2048 * 656 + n * 132))
    wide = work(spec, found.model_copy(update={"kv_bytes": None}), "decode")
    assert wide.cache_bytes == pytest.approx(n * 61 * (576 + 128) * 2)
    v4 = released("deepseek-v4-pro").spec
    kept = work(v4, found.model_copy(update={"kv_bytes": None}), "decode").cache_bytes
    entries = sum(128 + (n / ratio if ratio else 0) for ratio in v4.compress_ratios or ())
    assert kept == pytest.approx(entries * 584 + 30 * n / 4 * 68)


def test_only_layers_with_an_index_start_its_kernels() -> None:
    """Three of 3 us in 21 layers of GLM-5.2, in all 78 of GLM-5, in 57 of MiniMax-M3."""
    for name, layers in {"glm-5": 78, "glm-5.2": 21, "minimax-m3": 57, "deepseek-v4-pro": 30}.items():
        spec = released(name).spec
        none = spec.model_copy(update={"index_n_heads": None, "index_head_dim": None, "index_topk": None})
        assert launch_s(spec, exchanges=False) - launch_s(none, exchanges=False) == pytest.approx(layers * 3 * 3e-6)


def test_the_format_of_a_cache_is_open_where_any_layer_keeps_keys_and_values() -> None:
    found = Deployment(precision="fp8")
    open_ = {name for name in released_names() if cache_open(released(name).spec, found)}
    assert {"qwen3.5-397b-a17b", "nemotron-3-nano-30b-a3b", "minimax-m3", "llama-4-scout", "gpt-oss-20b"} <= open_
    assert not open_ & {"kimi-k3", "kimi-k2", "deepseek-v3.2", "deepseek-v4-pro", "glm-5.2"}
