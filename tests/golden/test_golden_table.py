"""The golden table: figures that papers print or that follow by hand, recomputed from the specs and the chip catalog.

Nothing here is compared with a stored output of this program. Each expectation is a printed or hand-computed figure;
all hold within one percent, the rate of V4-Pro's work to V3.2's within two points.
"""

import pytest

from harness.catalog.chips import chip
from harness.catalog.models import released
from harness.model.context import flop_per_token, kv_bytes
from harness.model.counts import parameters
from harness.roofline.ceiling import ceiling
from harness.roofline.deployment import Deployment

R1 = released("deepseek-r1").spec
DECODE_910C = Deployment(precision="int8", batch=96, context_tokens=4096, chips=160, mtp_drafts=1, mtp_acceptance=0.7)
DECODE_H100 = Deployment(precision="fp8", batch=256, context_tokens=2000, chips=72, mtp_drafts=0)
PREFILL_910C = Deployment(precision="int8", prompt_tokens=4096, chips=16)


def close(expected: float, rel: float = 0.01) -> object:
    return pytest.approx(expected, rel=rel)


# Totals: the makers' model cards. Active: with the input embedding, as DeepSeek counts R1's.
@pytest.mark.parametrize(
    ("model", "total", "active"),
    [
        ("deepseek-r1", 671.0e9, 37.6e9),
        ("kimi-k2", 1026e9, 32.9e9),
        ("qwen3-235b-a22b", 235.1e9, 22.2e9),
        ("mixtral-8x7b", 46.7e9, 12.9e9),
    ],
)
def test_parameters(model: str, total: float, active: float) -> None:
    counted = parameters(released(model).spec)
    assert counted.total == close(total)
    assert counted.active_with_embedding == close(active)


@pytest.mark.parametrize(
    ("model", "total", "active"), [("deepseek-v4-pro", 1573e9, 48.85e9), ("deepseek-v4-flash", 284.3e9, 13.27e9)]
)
def test_v4_with_compressors_and_hyper_connections(model: str, total: float, active: float) -> None:
    """The makers say 1.6 T with 49 B and 284 B with 13 B: active without the input embedding."""
    counted = parameters(released(model).spec)
    assert (counted.total, counted.active) == (close(total), close(active))


def test_r1_without_its_embedding() -> None:
    assert parameters(R1).active == close(36.6e9)


def test_gpt_oss() -> None:
    counted = parameters(released("gpt-oss-120b").spec)
    assert counted.total == close(116.8e9)
    assert counted.active == close(5.1e9)
    assert counted.active_with_embedding == close(5.7e9)


def test_r1_cache_per_token() -> None:
    assert kv_bytes(R1, 1) == 70_272  # 61 layers * (512 + 64) * 2 bytes


def test_v4_cache_and_work_at_a_million_tokens() -> None:
    v4, v32, n = released("deepseek-v4-pro").spec, released("deepseek-v3.2").spec, 1 << 20
    assert kv_bytes(v4, n) / 2**30 == close(9.62)
    assert kv_bytes(v32, n) / kv_bytes(v4, n) == close(8.7)
    assert 0.25 <= flop_per_token(v4, n) / flop_per_token(v32, n) <= 0.29  # the V4 report's abstract says 27 %


def test_identities_of_the_cloudmatrix_paper() -> None:
    int8 = chip("ascend-910c").peak("int8")
    assert int8 is not None
    assert close(1943) == 96 / 49.4e-3
    assert 6688 / (int8.best / 1e12) == close(4.45)
    assert 1943 / (int8.best / 1e12) == close(1.29)
    assert close(4026) == 73.7e3 * (1 - 0.563) / 8


def test_prefill_ceiling_of_910c() -> None:
    mixed = ceiling(R1, chip("ascend-910c"), PREFILL_910C, "prefill")
    pure = ceiling(R1, chip("ascend-910c"), PREFILL_910C.model_copy(update={"precision": "bf16"}), "prefill")
    assert mixed.rate_tok_s == close(16_372)
    assert mixed.binding == "compute"
    assert pure.rate_tok_s == close(9_212)
    assert 6688 / mixed.rate_tok_s == close(0.41)
    assert 6688 / pure.rate_tok_s == close(0.73)
    assert 5655 / mixed.rate_tok_s == close(0.345)


def test_decode_ceiling_of_910c() -> None:
    limits = ceiling(R1, chip("ascend-910c"), DECODE_910C, "decode")
    assert limits.compute_s == close(27.1e-3)
    assert limits.memory_s == close(19.3e-3)
    assert limits.link_s == close(5.6e-3)
    assert limits.rate_tok_s == close(6_018)
    assert limits.serial_tok_s == close(3_138)
    assert limits.binding == "compute"
    assert 1943 / limits.rate_tok_s == close(0.323)
    assert 1943 / limits.serial_tok_s == close(0.62)


def test_decode_ceiling_of_h100() -> None:
    limits = ceiling(R1, chip("h100-sxm"), DECODE_H100, "decode")
    assert limits.compute_s == close(18.3e-3)
    assert limits.memory_s == close(18.9e-3)
    assert limits.link_s == close(52.3e-3)
    assert limits.rate_tok_s == close(4_897)
    assert limits.binding == "link"
    assert 2785 / limits.rate_tok_s == close(0.57)


@pytest.mark.parametrize(("name", "precision", "rate"), [("ascend-910c", "int8", 16_353), ("h100-sxm", "fp8", 21_515)])
def test_prefill_ceiling_of_a_model_of_the_article_s_size(name: str, precision: str, rate: float) -> None:
    spec = R1.model_copy(update={"n_routed_experts": 385})
    assert parameters(spec).total == close(1.0e12)
    found = Deployment.model_validate({"precision": precision, "prompt_tokens": 4096, "chips": 1})
    limits = ceiling(spec, chip(name), found, "prefill")
    tokens = limits.rate_tok_s * max(limits.compute_s, limits.memory_s, limits.link_s or 0.0)
    assert tokens / limits.compute_s == close(rate)


def test_matched_pairs() -> None:
    from harness.catalog.rates import rates

    by_id = {rate.id: rate.rate_tok_s for rate in rates()}
    pairs = (
        ("cm384-pf-default", "sgl-h100-pf-4096", 0.899),
        ("cm384-pf-perfect", "sgl-h100-pf-4096-eplb", 0.902),
        ("cm384-dec-50ms-4k", "sgl-h100-dec-4k-simmtp", 0.895),
    )
    for mine, reference, ratio in pairs:
        assert by_id[mine] / by_id[reference] == close(ratio)
    assert by_id["cm384-pf-perfect"] / 0.60 == close(11_147)
