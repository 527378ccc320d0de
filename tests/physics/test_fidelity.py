"""What must hold of the distance between quantised logits and exact ones, whatever the model."""

import pytest

from harness.catalog.models import preset
from harness.measure.inspector import inspect
from harness.measure.sweep import Bounds
from harness.model.spec import Spec
from harness.results.inspection import Fidelity, FidelityRequest, Profile, ProfileRequest
from harness.results.plan import Variant, Workload
from harness.vocabulary import Phase, RunPrecision

BOUNDS = Bounds(timeout_s=100)
SPARSE = Spec(
    model_type="deepseek_v3",
    hidden_size=64,
    num_hidden_layers=3,
    first_k_dense_replace=1,
    intermediate_size=64,
    vocab_size=256,
    num_attention_heads=2,
    kv_lora_rank=32,
    qk_nope_head_dim=32,
    qk_rope_head_dim=32,
    v_head_dim=32,
    n_routed_experts=8,
    num_experts_per_tok=2,
    n_shared_experts=1,
    moe_intermediate_size=64,
    scoring_func="sigmoid",
    topk_method="noaux_tc",
)


def variant_of(spec: Spec) -> Variant:
    return Variant(model="small", spec=spec, precision="int8", threads=1)


@pytest.fixture(scope="module")
def found() -> dict[tuple[RunPrecision, Phase], Fidelity]:
    request = FidelityRequest(
        variant=variant_of(SPARSE), precisions=("fp32", "int8", "int4"), phases=("prefill", "decode")
    )
    inspected = inspect(request, BOUNDS)
    assert inspected.problem is None
    return {(f.precision, f.phase): f for f in inspected.fidelities}


def test_fp32_graphs_are_the_reference_in_both_phases(found: dict[tuple[RunPrecision, Phase], Fidelity]) -> None:
    phases: tuple[Phase, ...] = ("prefill", "decode")
    for phase in phases:
        assert found["fp32", phase].logits_error < 1e-5
        assert found["fp32", phase].experts_kept == 1
        assert found["fp32", phase].top_token_match == 1


def test_fewer_bits_are_further_off(found: dict[tuple[RunPrecision, Phase], Fidelity]) -> None:
    phases: tuple[Phase, ...] = ("prefill", "decode")
    for phase in phases:
        errors = [found[precision, phase].logits_error for precision in ("fp32", "int8", "int4")]
        assert errors == sorted(errors)
        assert errors[1] < 0.15
        assert errors[2] < 0.5


def test_moved_experts_only_add_to_the_distance(found: dict[tuple[RunPrecision, Phase], Fidelity]) -> None:
    for fidelity in found.values():
        assert fidelity.rerouted_error >= 0.9 * fidelity.logits_error
        if fidelity.experts_kept == 1:
            assert fidelity.rerouted_error == pytest.approx(fidelity.logits_error, rel=1e-6)


def test_a_dense_model_has_no_experts_to_keep() -> None:
    dense = SPARSE.model_copy(
        update={"n_routed_experts": 0, "num_experts_per_tok": 0, "n_shared_experts": 0, "topk_method": "greedy"}
    )
    inspected = inspect(FidelityRequest(variant=variant_of(dense), precisions=("int4",), phases=("decode",)), BOUNDS)
    (fidelity,) = inspected.fidelities
    assert fidelity.experts_kept is None
    assert fidelity.rerouted_error == fidelity.logits_error


def test_what_takes_too_long_costs_only_itself() -> None:
    inspected = inspect(
        FidelityRequest(variant=variant_of(SPARSE), precisions=("int8",), phases=("decode",)), Bounds(timeout_s=0.05)
    )
    assert inspected.fidelities == ()
    assert inspected.problem is not None
    assert "took over 0.05 s" in inspected.problem


def test_a_profile_holds_every_part_and_adds_up() -> None:
    workload = Workload(phase="decode", batch=2, prompt_tokens=0, decode_tokens=4, depth=8)
    variant = variant_of(preset("moe-tiny")).model_copy(update={"precision": "fp32"})
    profile: Profile
    (profile,) = inspect(ProfileRequest(variant=variant, workloads=(workload,)), BOUNDS).profiles
    assert profile.workload == workload
    assert sum(row.share for row in profile.rows) == pytest.approx(1)
    layers = variant.spec.moe_layers
    experts = [row for row in profile.rows if row.part == "routed experts"]
    assert all(row.calls % layers == 0 for row in experts), "whole layers, so whole steps"
