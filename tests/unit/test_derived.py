"""What decode derives from a model's weights: absorbed queries, and the scale of cached rotary keys."""

import numpy as np
import pytest

from harness.catalog.models import preset
from harness.model.graph.decoder import build
from harness.model.graph.derived import absorb, absorbed_query, absorbs, derived, key_scale, query_balance, score_scale
from harness.model.graph.packing import CACHE_DEVIATIONS
from harness.model.spec import Spec
from harness.model.weights import dequantise, generate
from harness.vocabulary import RunPrecision
from tests.parity.architectures import ARCHITECTURES

SPEC = ARCHITECTURES["deepseek-v3-folded"]


@pytest.mark.parametrize(("precision", "error"), [("fp32", 1e-6), ("int8", 0.01), ("int4", 0.01)])
def test_a_absorbed_query_meets_the_latent_as_the_two_products_do(precision: RunPrecision, error: float) -> None:
    """Scores of random queries against random latents, by the matrix and by the way through n numbers a head."""
    weights, random = generate(SPEC, precision, 0), np.random.default_rng(0)
    stored = weights["layers.1.attention.q"], weights["layers.1.attention.kv"]
    absorbed = dequantise(absorb(SPEC, precision, *stored))
    assert absorbed.shape == absorbed_query(SPEC, 1).shape
    heads, p, n = SPEC.num_attention_heads, SPEC.qk_rope_head_dim or 0, SPEC.qk_nope_head_dim or 0
    query, latent = (
        random.standard_normal((20, SPEC.q_lora_rank or 0)),
        random.standard_normal((30, SPEC.kv_lora_rank or 0)),
    )
    apart = np.einsum("bq,hnq->bhn", query, dequantise(stored[0]).reshape(heads, p + n, -1))
    keys = np.einsum("tr,hnr->thn", latent, dequantise(stored[1])[:, :n])
    expected = np.einsum("bhn,thn->bht", apart[..., p:], keys) * score_scale(SPEC)
    fused = np.einsum("bq,hwq->bhw", query, absorbed.reshape(heads, -1, absorbed.shape[-1]))
    assert np.abs(np.einsum("bhr,tr->bht", fused[..., p:], latent) - expected).max() < error * expected.std() * 4
    assert np.abs(fused[..., :p] - apart[..., :p] * score_scale(SPEC)).max() < error * apart.std() * 4 * score_scale(
        SPEC
    )


@pytest.mark.parametrize(
    ("spec", "absorbed"),
    [(preset("moe-1b"), True), (preset("moe-tiny"), True), (SPEC, True), (ARCHITECTURES["deepseek-v3"], False)],
    ids=["moe-1b", "moe-tiny", "equal", "unequal"],
)
def test_folding_never_changes_the_work(spec: Spec, absorbed: bool) -> None:
    assert absorbs(spec) is absorbed
    asked = {b.tensor for b in build(spec, "int4", "decode", positions=32).bindings}
    assert ("layers.0.attention.absorbed_q" in asked) is absorbed
    assert ("layers.0.attention.q" in asked) is not absorbed
    prefill = {b.tensor for b in build(spec, "int4", "prefill", positions=32).bindings}
    assert "layers.0.attention.q" in prefill


@pytest.mark.parametrize("precision", ["int8", "int4"])
@pytest.mark.parametrize("spec", [SPEC, ARCHITECTURES["deepseek-v3"]], ids=["absorbed", "unfolded"])
def test_cached_keys_fill_their_range_and_no_more(spec: Spec, precision: RunPrecision) -> None:
    """Rotary keys of normed inputs, in steps of the scale: none is cut off, and the widest uses a half of the range."""
    weights, random = generate(spec, precision, 0), np.random.default_rng(0)
    wanted = frozenset({key_scale(1).name, query_balance(1).name})
    made = {
        t.name.rpartition(".")[2]: float(dequantise(stored)[0])
        for t, stored in derived(spec, precision, weights, wanted)
    }
    gain, fused = (dequantise(weights[f"layers.1.attention.{name}"]) for name in ("norm", "in"))
    inputs = random.standard_normal((500, gain.size)) * gain
    keys = inputs @ fused[-(spec.qk_rope_head_dim or 0) :].T
    assert 64 < np.abs(keys / made["key_scale"]).max() <= 127
    latents = float(np.abs(dequantise(weights["layers.1.attention.kv_norm"])).max()) * CACHE_DEVIATIONS / 127
    assert made["query_balance"] == pytest.approx(made["key_scale"] / latents)
