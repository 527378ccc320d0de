"""Counted work against a second derivation: one layer and one projection after another, written from the papers."""

import pytest

from harness.catalog.models import preset, preset_names, released, released_names
from harness.model.context import over_context
from harness.model.spec import Spec
from harness.roofline.deployment import Deployment
from harness.roofline.work import work
from tests import by_tensors

BATCH, CONTEXT = 24.0, 3000
# Others, with layers of several kinds, are counted by their tensors in test_families_by_tensors.py.
UNIFORM = tuple(name for name in released_names() if name not in by_tensors.NAMES)


def projections(spec: Spec) -> list[tuple[int, int]]:
    """Input and output widths of every matrix of one layer's attention."""
    d, h = spec.hidden_size, spec.num_attention_heads
    if spec.attention == "mla":
        dn, p, dv, r = spec.qk_nope_head_dim, spec.qk_rope_head_dim, spec.v_head_dim, spec.kv_lora_rank
        assert dn is not None
        assert p is not None
        assert dv is not None
        assert r is not None
        query = [(d, h * (dn + p))]
        if spec.q_lora_rank is not None:
            query = [(d, spec.q_lora_rank), (spec.q_lora_rank, h * (dn + p))]
        return [*query, (d, r + p), (r, h * dn), (r, h * dv), (h * dv, d)]
    if spec.attention == "v4":
        hd, rq, ro, g = spec.head_dim, spec.q_lora_rank, spec.o_lora_rank, spec.o_groups
        assert hd is not None
        assert rq is not None
        assert ro is not None
        assert g is not None
        grouped = [(h // g * hd, ro) for _ in range(g)]
        return [(d, rq), (rq, h * hd), (d, hd), *grouped, (g * ro, d)]
    hd, kv = spec.head_dim, spec.num_key_value_heads
    assert hd is not None
    assert kv is not None
    return [(d, h * hd), (d, kv * hd), (d, kv * hd), (h * hd, d)]


def linear_flop(spec: Spec) -> dict[str, float]:
    """Matrix operations of one position, layer by layer, by part."""
    out = dict.fromkeys(("attention_projections", "experts", "shared_experts", "router", "dense_layers"), 0.0)
    for layer in range(spec.num_hidden_layers):
        out["attention_projections"] += sum(2 * a * b for a, b in projections(spec))
        if not spec.is_sparse or layer < spec.first_k_dense_replace:
            assert spec.intermediate_size is not None
            out["dense_layers"] += 3 * 2 * spec.hidden_size * spec.intermediate_size
            continue
        assert spec.moe_intermediate_size is not None
        expert = 3 * 2 * spec.hidden_size * spec.moe_intermediate_size
        out["experts"] += spec.num_experts_per_tok * expert
        out["shared_experts"] += spec.n_shared_experts * expert
        out["router"] += 2 * spec.hidden_size * spec.n_routed_experts
    return out


def attended(spec: Spec, layer: int, position: int) -> int:
    """Entries that the token at `position` (from 1) attends to in `layer`, counted one by one."""
    if spec.attention == "v4":
        assert spec.compress_ratios is not None
        ratio, window = spec.compress_ratios[layer], spec.sliding_window or 0
        near = min(position, window)
        if ratio == 0:
            return near
        far = position // ratio
        return near + (min(far, spec.index_topk or far) if ratio == 4 else far)
    if spec.attention == "mla" and spec.index_topk is not None:
        return min(position, spec.index_topk or position)
    if spec.layer_types is not None and spec.layer_types[layer] == "sliding_attention":
        return min(position, spec.sliding_window or position)
    return position


def core_flop(spec: Spec, position: int) -> float:
    """Scores and weighted values of one decode position, layer by layer."""
    h = spec.num_attention_heads
    if spec.attention == "mla":
        r, p = spec.kv_lora_rank or 0, spec.qk_rope_head_dim or 0
        widths = (r + p) + r
    else:
        widths = 2 * (spec.head_dim or 0)
    return float(sum(2 * h * widths * attended(spec, layer, position) for layer in range(spec.num_hidden_layers)))


def spec_of(name: str) -> Spec:
    return preset(name) if name in preset_names() else released(name).spec


@pytest.mark.parametrize("name", [*UNIFORM, *preset_names()])
def test_linear_work_equals_the_sum_over_layers(name: str) -> None:
    spec = spec_of(name)
    found = Deployment(precision="int8", batch=BATCH, context_tokens=CONTEXT, chips=8, mtp_drafts=0, mtp_acceptance=0)
    counted: dict[str, float] = {c.name: c.flop for c in work(spec, found, "decode").components}
    for part, flop in linear_flop(spec).items():
        assert counted.get(part, 0.0) == pytest.approx(BATCH * flop, rel=1e-12), part
    assert counted["head"] == pytest.approx(2 * BATCH * spec.vocab_size * spec.hidden_size)


@pytest.mark.parametrize("name", UNIFORM)
@pytest.mark.parametrize("n", [100, 128, 1024, 9984])
def test_attention_core_equals_the_sum_over_layers(name: str, n: int) -> None:
    spec = released(name).spec
    rel = 0.02 if spec.attention == "v4" else 1e-12  # whole compressed entries against fractions of one
    assert over_context(spec, n, "decode").core_flop == pytest.approx(core_flop(spec, n), rel=rel)


@pytest.mark.parametrize("name", ["mixtral-8x7b", "gpt-oss-20b", "qwen3-30b-a3b", "deepseek-v4-flash"])
def test_causal_mean_equals_the_mean_over_positions(name: str) -> None:
    spec, prompt = released(name).spec, 2000
    mean = sum(core_flop(spec, i) for i in range(1, prompt + 1)) / prompt
    rel = 0.02 if spec.attention == "v4" else 1e-12  # whole compressed entries against fractions of one
    assert over_context(spec, prompt, "prefill").core_flop == pytest.approx(mean, rel=rel)


def test_cache_equals_what_each_layer_keeps() -> None:
    spec = released("deepseek-v4-pro").spec
    assert spec.compress_ratios is not None
    n, kept = 1 << 16, 0.0
    for ratio in spec.compress_ratios:
        kept += 128 * 512 + (n / ratio * 512 if ratio else 0) + (n / 4 * 128 if ratio == 4 else 0)
    assert over_context(spec, n, "decode").stored_elements == pytest.approx(kept)


def test_weights_of_a_group_hold_the_whole_model_once() -> None:
    """With one slot an expert, dense parts replicated: experts over the group are the model's experts."""
    spec, chips = released("qwen3-235b-a22b").spec, 128
    found = Deployment(precision="bf16", batch=1, context_tokens=1, chips=chips, mtp_drafts=0)
    step = work(spec, found, "decode")
    replicated = sum(c.read_bytes for c in step.components if c.name in ("attention_projections", "router", "head"))
    embedding = spec.vocab_size * spec.hidden_size * 2
    experts = step.weight_bytes - replicated - embedding
    assert chips * experts == pytest.approx(spec.moe_layers * 128 * 3 * 4096 * 1536 * 2)
