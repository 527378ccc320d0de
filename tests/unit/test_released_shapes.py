"""Counts of released models against a list of their tensors, written out from config.json and not from the spec."""

import pytest

from harness.catalog.models import released
from harness.model.context import deployed_bytes, kv_bytes
from harness.model.counts import parameters
from harness.model.tensors import why_not_run


def glm(indexed: int) -> int:
    """GLM-5: 78 layers of latent attention, 3 of them dense, `indexed` with an index."""
    d, heads, rq, r, nope, rope, v = 6144, 64, 2048, 512, 192, 64, 256
    attention = d * rq + rq + rq * heads * (nope + rope) + d * (r + rope) + r + r * heads * (nope + v) + heads * v * d
    index = rq * 32 * 128 + d * 128 + d * 32
    moe = 256 * 3 * d * 2048 + 3 * d * 2048 + d * 256 + 256
    return 2 * 154880 * d + d + 78 * (attention + 2 * d) + indexed * index + 3 * 3 * d * 12288 + 75 * moe


def grouped(d: int, layers: int, heads: int, feed_forward: int, vocabulary: int, queries_and_keys: int) -> int:
    """Eight key and value heads of 128, `feed_forward` and norms of `queries_and_keys` a layer."""
    attention = 2 * d * heads * 128 + 2 * d * 8 * 128 + queries_and_keys
    return 2 * vocabulary * d + d + layers * (attention + 2 * d + feed_forward)


def kimi() -> int:
    d, heads, rq, r = 7168, 64, 1536, 512
    attention = d * rq + rq + rq * heads * 192 + d * (r + 64) + r + r * heads * 256 + heads * 128 * d
    moe = 385 * 3 * d * 2048 + d * 384 + 384
    return 2 * 163840 * d + d + 61 * (attention + 2 * d) + 3 * d * 18432 + 60 * moe


TENSORS = {
    "glm-5": glm(indexed=78),
    "glm-5.2": glm(indexed=21),
    "minimax-m2.5": grouped(3072, 62, 48, 256 * 3 * 3072 * 1536 + 3072 * 256 + 256, 200064, (48 + 8) * 128),
    "kimi-k2.5": kimi(),
    "qwen3-coder-480b-a35b": grouped(6144, 62, 96, 160 * 3 * 6144 * 2560 + 6144 * 160, 151936, 2 * 128),
    "qwen3-8b": grouped(4096, 36, 32, 3 * 4096 * 12288, 151936, 2 * 128),
    "qwen3-32b": grouped(5120, 64, 64, 3 * 5120 * 25600, 151936, 2 * 128),
}


@pytest.mark.parametrize(("name", "total"), TENSORS.items(), ids=TENSORS)
def test_the_count_equals_the_list_of_tensors(name: str, total: int) -> None:
    assert parameters(released(name).spec).total == pytest.approx(total, rel=1e-5)


@pytest.mark.parametrize(("name", "index_layers"), [("glm-5", 78), ("glm-5.2", 21)])
def test_only_layers_with_an_index_keep_index_keys(name: str, index_layers: int) -> None:
    spec = released(name).spec
    assert kv_bytes(spec, 1000) / 1000 == pytest.approx(2 * (78 * (512 + 64) + index_layers * 128))


@pytest.mark.parametrize("name", ["glm-5", "glm-5.2", "minimax-m2.5"])
def test_what_is_only_counted_is_refused_by_name(name: str) -> None:
    assert "modelled here and not run" in (why_not_run(released(name).spec) or "")


def v4_beside(d: int, layers: int, with_index: int, plain: int) -> int:
    """Compressors and hyper-connections of V4, tensor by tensor, named as in transformers."""
    indexed = 0
    for width in (512, 128):  # entries, index keys
        kv_proj = gate_proj = d * 2 * width
        indexed += kv_proj + gate_proj + 4 * 2 * width + width
    dense = 2 * d * 512 + 128 * 512 + 512
    attn_hc = ffn_hc = 24 * 4 * d + 24 + 3
    return with_index * indexed + plain * dense + layers * (attn_hc + ffn_hc) + 4 * 4 * d + 4 + 1


@pytest.mark.parametrize(
    ("name", "beside", "active"),
    [
        ("deepseek-v4-pro", v4_beside(7168, 61, 30, 31), 48.852e9),
        ("deepseek-v4-flash", v4_beside(4096, 43, 21, 20), 13.27e9),
    ],
)
def test_v4_counts_compressors_and_hyper_connections(name: str, beside: int, active: float) -> None:
    count = parameters(released(name).spec)
    assert count.compressor + count.hyper_connections == beside
    assert count.active == pytest.approx(active, rel=5e-4)


def test_deployed_layouts_keep_what_their_makers_say() -> None:
    """V3.2: 656 and 132 bytes a token and layer; at a million tokens V4-Pro keeps 10.5 % of it, V4-Flash 7.3 %."""
    v32, n = deployed_bytes(released("deepseek-v3.2").spec, 1 << 20), 1 << 20
    assert v32 == n * 61 * (656 + 132)
    for name, share in (("deepseek-v4-pro", 0.105), ("deepseek-v4-flash", 0.073)):
        assert (deployed_bytes(released(name).spec, n) or 0) / v32 == pytest.approx(share, abs=0.0005)
    assert deployed_bytes(released("qwen3-8b").spec, n) is None
