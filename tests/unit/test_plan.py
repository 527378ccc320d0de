"""The planner: what is chosen for a host, in which order it runs, and what is refused before anything is built."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.catalog.models import preset
from harness.config import Config
from harness.errors import PlanError
from harness.measure import planner
from harness.measure.needs import plan_duration_s, task_duration_s, variant_bytes, weight_bytes
from harness.model.counts import parameters
from harness.results.counting import counts
from harness.results.plan import Plan, Variant, Workload
from harness.results.record import Counts, Host
from harness.vocabulary import Phase

GIB = 1 << 30
MIB = 1 << 20


def a_host(*, cores: int = 2, cache_bytes: int | None = 32 * MIB, available_bytes: int = 20 * GIB) -> Host:
    return Host(
        cpu="a processor",
        architecture="x86_64",
        cores=cores,
        last_level_cache_bytes=cache_bytes,
        memory_bytes=24 * GIB,
        available_bytes=available_bytes,
        system="Linux",
        python="3.11",
    )


def a_config(**measure: Any) -> Config:
    return Config.model_validate({"harness": 1, "name": "a", "measure": {"models": ("moe-tiny",), **measure}})


def refusal(config: Config, host: Host | None = None) -> PlanError:
    with pytest.raises(PlanError) as caught:
        planner.make(config, host or a_host())
    return caught.value


def chosen(plan: Plan) -> set[str]:
    return {task.variant.model for task in plan.tasks if task.variant is not None}


@pytest.mark.parametrize(
    ("cache_mib", "available_gib", "expected"),
    [
        (32, 20, "moe-article"),
        (None, 20, "moe-article"),
        (16, 2, "moe-article-s"),
        (512, 64, "moe-article-l"),
    ],
)
def test_auto_is_the_preferred_model_that_fits(cache_mib: int | None, available_gib: int, expected: str) -> None:
    host = a_host(cache_bytes=cache_mib * MIB if cache_mib else None, available_bytes=available_gib * GIB)
    plan = planner.make(a_config(models=("auto", "auto:equal-active")), host)
    assert chosen(plan) == {expected, f"{expected}:equal-active"}
    assert any(note.startswith(f"auto: {expected}") for note in plan.notes)


def test_auto_names_both_limits_where_nothing_fits() -> None:
    error = refusal(a_config(models=("auto",)), a_host(cache_bytes=512 * MIB, available_bytes=2 * GIB))
    assert "2.00 GiB (4 times the last-level cache)" in str(error)
    assert "at most 1.00 GiB of memory" in str(error)
    assert error.location == ("measure", "models", 0)


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 2048), st.integers(1, 256))
def test_auto_keeps_its_promise(cache_mib: int, available_gib: int) -> None:
    host = a_host(cache_bytes=cache_mib * MIB, available_bytes=available_gib * GIB)
    try:
        plan = planner.make(a_config(models=("auto",)), host)
    except PlanError:
        return
    assert plan.needs.peak_bytes <= host.available_bytes / 2
    assert weight_bytes(preset(chosen(plan).pop()), "int8") >= 4 * cache_mib * MIB


def test_rounds_are_mirrored_in_pairs_and_complete() -> None:
    config = a_config(models=("moe-tiny", "moe-tiny:equal-total", "moe-tiny:equal-active"), repetitions=6)
    plan = planner.make(config, a_host())
    orders = [[t.variant.model for t in plan.tasks if t.variant is not None and t.round == r] for r in range(6)]
    for even, odd in zip(orders[::2], orders[1::2], strict=True):
        assert odd == even[::-1]
        assert len(set(even)) == 3
    assert planner.make(config, a_host()) == plan
    rounds = [t.round for t in plan.tasks]
    assert rounds == sorted(rounds)


@pytest.mark.parametrize(("repetitions", "expected"), [(1, [0]), (2, [0, 1]), (5, [0, 2, 4]), (6, [0, 2, 5])])
def test_ceilings_are_measured_first_midway_and_last(repetitions: int, expected: list[int]) -> None:
    plan = planner.make(a_config(repetitions=repetitions, precisions=("int8", "fp32")), a_host())
    ceilings = [t for t in plan.tasks if t.kind == "ceilings"]
    assert [t.round for t in ceilings] == expected
    assert all(t.precisions == ("int8", "fp32") for t in ceilings)
    assert plan.tasks[0].kind == "ceilings"
    if repetitions > 1:
        assert plan.tasks[-1].kind == "ceilings"


@pytest.mark.parametrize("step_time_s", [1e-6, 3600.0])
def test_every_length_that_a_config_may_ask_for_can_be_planned(step_time_s: float) -> None:
    plan = planner.make(a_config(step_time_s=step_time_s), a_host())
    assert all(t.timing.max_time_s >= step_time_s for t in plan.tasks if t.kind == "variant")


def test_workloads_are_the_product_and_prefill_has_its_own_batches() -> None:
    config = a_config(batches=(1, 8), prefill_batches=(2,), prompt_tokens=64, decode_tokens=16, depth_tokens=100)
    task = next(t for t in planner.make(config, a_host()).tasks if t.variant is not None)
    assert task.workloads == (
        Workload(phase="prefill", batch=2, prompt_tokens=64, decode_tokens=0),
        Workload(phase="decode", batch=1, prompt_tokens=64, decode_tokens=16, depth=100),
        Workload(phase="decode", batch=8, prompt_tokens=64, decode_tokens=16, depth=100),
    )


def test_threads_follow_the_host() -> None:
    assert all(t.threads == 6 for t in planner.make(a_config(), a_host(cores=6)).tasks)
    plan = planner.make(a_config(threads=8), a_host(cores=2))
    assert all(t.threads == 8 for t in plan.tasks)
    assert any("8 threads share 2 cores" in note for note in plan.notes)


@pytest.mark.parametrize(
    ("models", "words", "index"),
    [
        (("moe-tiny", "moe-tinny"), "did you mean 'moe-tiny'", 1),
        (("moe-tiny:equal-totl",), "did you mean 'equal-total'", 0),
        (("nothing-like-it",), "known: ", 0),
    ],
)
def test_unknown_models_name_the_nearest(models: tuple[str, ...], words: str, index: int) -> None:
    error = refusal(a_config(models=models))
    assert words in str(error)
    assert error.location == ("measure", "models", index)


@pytest.mark.parametrize(
    "measure",
    [
        {"models": ("moe-article-l",), "precisions": ("fp32",)},
        {"batches": (4096,), "prompt_tokens": 4000},
    ],
)
def test_what_exceeds_memory_is_refused_with_both_figures(measure: dict[str, Any]) -> None:
    error = refusal(a_config(**measure), a_host(available_bytes=4 * GIB))
    assert "this host has 4.00 GiB available; choose" in str(error)


def test_own_specs_are_checked_before_they_are_built() -> None:
    tiny = preset("moe-tiny").model_dump(exclude_defaults=True)

    def config(**changes: object) -> Config:
        return Config.model_validate(
            {
                "harness": 1,
                "name": "a",
                "measure": {"models": ("mine", "mine:equal-total")},
                "specs": {"mine": {**tiny, **changes}},
            }
        )

    assert chosen(planner.make(config(), a_host())) == {"mine", "mine:equal-total"}
    assert "choose a smaller model" in str(refusal(config(hidden_size=10**29)))
    assert "choose a smaller model" in str(refusal(config(vocab_size=10**29)))
    assert "expected at most 1,000" in str(refusal(config(num_hidden_layers=10**29)))
    assert "multiple of 16" in str(refusal(config(moe_intermediate_size=100)))
    assert "positions for 100 tokens" in str(refusal(config(max_position_embeddings=100)))
    named = Config.model_validate(
        {"harness": 1, "name": "a", "measure": {"models": ("moe-tiny",)}, "specs": {"moe-tiny": tiny}}
    )
    assert "name of a preset" in str(refusal(named))


def test_a_counterpart_whose_width_has_no_blocks_is_refused() -> None:
    """Only 264 wide does a dense model come within 1 % of this one, and blocks of weights are 16 wide or more."""
    small = {
        **{"model_type": "deepseek_v3", "hidden_size": 64, "num_hidden_layers": 8, "vocab_size": 256},
        **{"num_attention_heads": 2, "kv_lora_rank": 32, "qk_nope_head_dim": 16, "qk_rope_head_dim": 16},
        **{"v_head_dim": 16, "intermediate_size": 64, "first_k_dense_replace": 1, "n_routed_experts": 8},
        **{"num_experts_per_tok": 2, "n_shared_experts": 1, "moe_intermediate_size": 32},
        **{"scoring_func": "sigmoid", "topk_method": "noaux_tc"},
    }
    measure = {"models": ("mine", "mine:equal-total"), "precisions": ("int8",)}
    config = {"harness": 1, "name": "a", "measure": measure, "specs": {"mine": small}}
    error = refusal(Config.model_validate(config))
    assert str(error).startswith("mine:equal-total cannot be stored at int8") and error.location[-1] == 1
    planner.make(Config.model_validate({**config, "measure": {**measure, "precisions": ("fp32",)}}), a_host())


@settings(deadline=None, max_examples=40)
@given(st.sampled_from(["moe-tiny", "moe-1b", "moe-article:equal-total"]), st.integers(1, 64), st.integers(1, 1024))
def test_needs_grow_with_the_work(model: str, batch: int, prompt: int) -> None:
    variant = Variant(model=model, spec=preset(model), precision="int8", threads=2)
    small = Workload(phase="prefill", batch=batch, prompt_tokens=prompt, decode_tokens=0)
    large = small.model_copy(update={"batch": batch + 1})
    assert variant_bytes(variant, (small,)) < variant_bytes(variant, (large,))
    assert variant_bytes(variant, (small,)) > weight_bytes(variant.spec, "int8")


def test_the_plan_takes_as_long_as_its_tasks() -> None:
    plan = planner.make(a_config(batches=(1, 8), repetitions=3), a_host())
    assert plan.needs.duration_s == pytest.approx(sum(task_duration_s(t) for t in plan.tasks))
    assert plan.needs.duration_s == plan_duration_s(plan.tasks)


def test_counts_follow_from_the_architecture() -> None:
    spec = preset("moe-article")
    variant = Variant(model="moe-article", spec=spec, precision="int8", threads=2)

    def of(phase: Phase, batch: int) -> Counts:
        tokens = 16 if phase == "decode" else 0
        return counts(variant, Workload(phase=phase, batch=batch, prompt_tokens=64, decode_tokens=tokens))

    one, many = of("decode", 1), of("decode", 512)
    assert one.parameters_active / one.parameters_total == pytest.approx(0.037, abs=0.001)
    assert one.expected_experts_activated == pytest.approx(spec.num_experts_per_tok)
    assert many.expected_experts_activated == pytest.approx(spec.n_routed_experts, rel=1e-3)
    assert one.bytes_per_token > many.bytes_per_token
    # with every expert touched a step reads all weights but the embedding, and the cache
    embedding = 4 * spec.vocab_size * spec.hidden_size
    assert spec.kv_lora_rank is not None
    assert spec.qk_rope_head_dim is not None
    token = 2 * spec.kv_lora_rank + spec.qk_rope_head_dim  # in 8 bits, and the latent twice
    cache = 512 * token * spec.num_hidden_layers * (64 + 8.5)
    assert many.bytes_per_token * 512 == pytest.approx(many.weight_bytes - embedding + cache, rel=1e-3)
    assert one.flop_per_token > 2 * parameters(spec).active
    assert of("prefill", 1).flop_per_token < one.flop_per_token
