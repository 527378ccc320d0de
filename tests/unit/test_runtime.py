"""Engines, runners and profiles of a small model, run for real."""

import numpy as np
import pytest

from harness.catalog.models import preset
from harness.errors import UnfitHostError
from harness.model.counts import parameters
from harness.model.graph.packing import code_of_zero
from harness.model.operators import by_part, count_work, rows
from harness.model.spec import Spec
from harness.model.tensors import cache_token_bytes
from harness.results.plan import Workload
from harness.runtime.engine import Engine
from harness.runtime.runner import Decoder
from harness.vocabulary import Phase, RunPrecision

SPEC = preset("moe-tiny")


def workload(phase: Phase, batch: int, prompt_tokens: int, decode_tokens: int, depth: int = 0) -> Workload:
    return Workload(phase=phase, batch=batch, prompt_tokens=prompt_tokens, decode_tokens=decode_tokens, depth=depth)


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine.load(SPEC, "int4", threads=1, seed=0)


def expected_experts_activated(spec: Spec, tokens: int) -> float:
    """U(B): distinct experts of `tokens` independent uniform choices of k of E."""
    e, k = spec.n_routed_experts, spec.num_experts_per_tok
    return e * (1 - (1 - k / e) ** tokens)


@pytest.mark.parametrize("phase", ["prefill", "decode"])
def test_experts_activated_follows_uniform_routing(phase: Phase) -> None:
    """Balanced routing of random tokens, over 64 experts in 8 layers, within 3 %. Sixteen openings of four prompts each
    keep chance below 0.4 % (one standard deviation); prompts of 8 tokens in one sequence are the hardest, because
    attention makes the positions of a sequence alike."""
    spec = SPEC.model_copy(update={"n_routed_experts": 64, "num_hidden_layers": 9, "num_experts_per_tok": 4})
    engine, prefill = Engine.load(spec, "int4", threads=1, seed=1, first=phase), phase == "prefill"
    seen = []
    for seed in range(16):
        runner = engine.open(
            workload(phase, 1 if prefill else 8, 8 if prefill else 0, 8),
            seed=seed,
        )
        seen.append(runner.experts_activated() or 0.0)
    assert sum(seen) / len(seen) == pytest.approx(expected_experts_activated(spec, 8), rel=0.03)


def test_a_skew_lowers_experts_activated(engine: Engine) -> None:
    even = engine.open(workload("prefill", 1, 32, 0), seed=0).experts_activated()
    skewed = Engine.load(SPEC, "int4", threads=1, seed=0, routing_skew=4.0)
    uneven = skewed.open(workload("prefill", 1, 32, 0), seed=0).experts_activated()
    assert even is not None and uneven is not None
    assert uneven < 0.8 * even


def test_a_dense_control_has_no_experts_activated() -> None:
    dense = Engine.load(preset("moe-tiny:equal-active"), "int4", threads=1, seed=0)
    assert dense.open(workload("prefill", 1, 4, 0), seed=0).experts_activated() is None


def test_steps_are_the_same_for_the_same_seed(engine: Engine) -> None:
    for phase in ("prefill", "decode"):
        seen = []
        for _ in range(2):
            runner = engine.open(workload(phase, 2, 5, 3), seed=4)
            runner.step()
            runner.step()
            seen.append(runner.logits().copy())
        assert np.array_equal(seen[0], seen[1])


def test_decoding_starts_over_when_the_cache_is_full(engine: Engine) -> None:
    runner = engine.open(workload("decode", 2, 3, 2, 4), seed=0)
    logits = []
    for _ in range(4):
        runner.step()
        logits.append(runner.logits().copy())
    assert np.array_equal(logits[0], logits[2]) and np.array_equal(logits[1], logits[3])
    assert not np.array_equal(logits[0], logits[1])


def test_a_step_spends_little_outside_the_runtime(engine: Engine) -> None:
    runner = engine.open(workload("decode", 1, 0, 64), seed=0)
    for _ in range(50):
        runner.step()
    assert 0 < runner.outside_s < 50 * 500e-6


@pytest.mark.parametrize("precision", ["fp32", "int4"])
def test_a_cache_takes_the_bytes_that_are_counted(precision: RunPrecision) -> None:
    engine = Engine.load(SPEC, precision, threads=1, seed=0, first="decode")
    decoder = Decoder(SPEC, precision, engine.session("decode"), batch=3, capacity=7)
    held = sum(array.nbytes for layer in decoder.cache for _, array in layer)
    assert held == 3 * 7 * cache_token_bytes(SPEC, precision)


def test_both_copies_of_a_latent_agree_after_filling_and_stepping(engine: Engine) -> None:
    decoder = Decoder(SPEC, "int4", engine.session("decode"), batch=2, capacity=6)
    decoder.fill(4, np.random.default_rng(0))
    decoder.step(np.array([1, 2]))
    for (kept, lines), (_, columns) in decoder.cache:
        assert np.array_equal(lines, columns[:, -kept.width :].transpose(0, 2, 1))
        assert (columns[:, : -kept.width, 4] != code_of_zero(columns.dtype)).any()  # rotary keys
        assert (lines[:, 4] != code_of_zero(lines.dtype)).any() and not lines[:, 5].any()
        assert abs(lines[:, :4].mean() - code_of_zero(lines.dtype)) < 3  # zero-mean numbers in either type


def test_a_workload_that_lost_its_session_says_so(engine: Engine) -> None:
    first = engine.open(workload("decode", 1, 0, 4), seed=0)
    engine.open(workload("decode", 2, 0, 4), seed=0)
    with pytest.raises(ValueError, match="another one was opened"):
        first.step()
    second = engine.open(workload("decode", 1, 0, 4), seed=0)
    engine.open(workload("prefill", 1, 4, 0), seed=0)
    with pytest.raises(ValueError, match="closed"):
        second.step()


def test_a_model_larger_than_memory_is_refused_before_it_is_built() -> None:
    huge = preset("moe-article-l").model_copy(update={"n_routed_experts": 100_000})
    with pytest.raises(UnfitHostError, match="GiB of memory are free"):
        Engine.load(huge, "fp32", threads=1, seed=0)


@pytest.mark.parametrize("precision", ["fp32", "int8", "int4"])
@pytest.mark.parametrize("phase", ["prefill", "decode"])
def test_work_follows_the_active_parameters(phase: Phase, precision: RunPrecision) -> None:
    """Every matrix that a token meets is multiplied once: 2 operations a weight, for the chosen experts only. The head
    runs once a sequence; norms and selection biases are not products."""
    engine, batch, prompt = Engine.load(SPEC, precision, threads=1, seed=0, first=phase), 2, 8
    executed = engine.profile(workload(phase, batch, prompt, 4), seed=0, steps=1)
    work = count_work(engine.program(phase, batch).model, executed)
    count = parameters(SPEC)
    tokens = batch * prompt if phase == "prefill" else batch
    biases = SPEC.moe_layers * SPEC.n_routed_experts
    products = count.active - count.norms - count.head - biases
    assert work.linear_flop == 2 * tokens * products + 2 * batch * count.head
    assert work.context_flop > 0


def test_a_profile_names_every_part_and_adds_up(engine: Engine) -> None:
    executed = engine.profile(workload("decode", 1, 0, 4), seed=0, steps=3)
    profile = rows(executed, 3)
    assert sum(row.share for row in profile) == pytest.approx(1)
    assert sum(row.duration_s for row in profile) == pytest.approx(sum(run.duration_s for run in executed) / 3)
    assert [row.duration_s for row in profile] == sorted((row.duration_s for row in profile), reverse=True)
    parts = {part for part, _ in by_part(profile)}
    assert parts >= {"attention", "router", "routed experts", "shared expert", "head"}
    assert next(row for row in profile if row.operator == "QMoE").calls == SPEC.moe_layers
