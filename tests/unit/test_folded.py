"""The keys' up-projection folded into the queries': the same map, where it costs the same."""

import numpy as np
import pytest

from harness.model.graph import build
from harness.model.graph.folded import fold, folded_query, folds, score_scale
from harness.model.spec import Precision, Spec
from harness.model.weights import dequantise, generate
from harness.models import preset
from tests.parity.architectures import ARCHITECTURES

SPEC = ARCHITECTURES["deepseek-v3-folded"]


@pytest.mark.parametrize(("precision", "error"), [("fp32", 1e-6), ("int8", 0.01), ("int4", 0.01)])
def test_a_folded_query_meets_the_latent_as_the_two_products_do(precision: Precision, error: float) -> None:
    """Scores of random queries against random latents, by the matrix and by the way through n numbers a head."""
    weights, random = generate(SPEC, precision, 0), np.random.default_rng(0)
    stored = [weights[f"layers.1.attention.{name}"] for name in ("q", "kv")]
    folded = dequantise(fold(SPEC, precision, *stored))
    assert folded.shape == folded_query(SPEC, 1).shape
    heads, p, n = SPEC.num_attention_heads, SPEC.qk_rope_head_dim or 0, SPEC.qk_nope_head_dim or 0
    query, latent = (
        random.standard_normal((20, SPEC.q_lora_rank or 0)),
        random.standard_normal((30, SPEC.kv_lora_rank or 0)),
    )
    apart = np.einsum("bq,hnq->bhn", query, dequantise(stored[0]).reshape(heads, p + n, -1))
    keys = np.einsum("tr,hnr->thn", latent, dequantise(stored[1])[:, :n])
    expected = np.einsum("bhn,thn->bht", apart[..., p:], keys) * score_scale(SPEC)
    joint = np.einsum("bq,hwq->bhw", query, folded.reshape(heads, -1, folded.shape[-1]))
    assert np.abs(np.einsum("bhr,tr->bht", joint[..., p:], latent) - expected).max() < error * expected.std() * 4
    assert np.abs(joint[..., :p] - apart[..., :p] * score_scale(SPEC)).max() < error * apart.std() * 4 * score_scale(
        SPEC
    )


@pytest.mark.parametrize(
    ("spec", "folded"),
    [(preset("moe-1b"), True), (preset("moe-tiny"), True), (SPEC, True), (ARCHITECTURES["deepseek-v3"], False)],
    ids=["moe-1b", "moe-tiny", "equal", "unequal"],
)
def test_folding_never_changes_the_work(spec: Spec, folded: bool) -> None:
    assert folds(spec) is folded
    asked = {b.tensor for b in build(spec, "int4", "decode", positions=32).bindings}
    assert ("layers.0.attention.folded_q" in asked) is folded
    assert ("layers.0.attention.q" in asked) is not folded
    prefill = {b.tensor for b in build(spec, "int4", "prefill", positions=32).bindings}
    assert "layers.0.attention.q" in prefill
