"""Lists and ranges as people write them, their product, refusals, and the order of the plan."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.catalog.models import preset
from harness.errors import UsageError
from harness.measure import grid
from harness.measure.grid import Grid, Model
from harness.measure.needs import variant_bytes

PLENTY = 64 << 30


@pytest.mark.parametrize(
    ("text", "listed"),
    [
        ("128", (128,)),
        ("128,512", (128, 512)),
        (" 1, 4 ,16", (1, 4, 16)),
        ("1-4", (1, 2, 3, 4)),
        ("128-512+128", (128, 256, 384, 512)),
        ("1-10+4", (1, 5, 9)),
        ("1-64*4", (1, 4, 16, 64)),
        ("1-63*4", (1, 4, 16)),
        ("3-3", (3,)),
        ("4,1-4,2", (4, 1, 2, 3)),
        ("0", (0,)),
        ("", ()),
    ],
)
def test_lists_and_ranges(text: str, listed: tuple[int, ...]) -> None:
    assert grid.numbers(text, "-p", low=0, high=4096) == listed


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("many", "'many' is neither a number nor a range"),
        ("1,,2", "'' is neither"),
        ("-1", "'-1' is neither"),
        ("1.5", "'1.5' is neither"),
        ("4-1", "write 1-4"),
        ("1-8*1", "never reaches its end"),
        ("0-8*2", "never reaches its end"),
        ("1-8+0", "never reaches its end"),
        ("1-8/2", "is neither"),
        ("9999", "out of range, expected 1 to 4,096"),
        ("1-999999999", "numbers; take a larger step"),
        ("1-999999999*2", "out of range"),
        ("9" * 50, "is neither"),
    ],
)
def test_what_is_no_list(text: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        grid.numbers(text, "-p", low=1, high=4096)
    assert str(caught.value).startswith("-p: ")
    assert words in str(caught.value)


@given(st.integers(0, 500), st.integers(0, 500), st.integers(1, 50))
def test_a_range_is_what_python_calls_one(first: int, length: int, step: int) -> None:
    listed = grid.numbers(f"{first}-{first + length}+{step}", "-p", low=0, high=1000) if length // step < 256 else ()
    assert listed == (tuple(range(first, first + length + 1, step)) if length // step < 256 else ())


def test_precisions() -> None:
    assert grid.precisions("int4, fp32,int4", "-q") == ("int4", "fp32")
    with pytest.raises(UsageError, match="unknown precision 'int5'"):
        grid.precisions("int5", "-q")


def asked(**changes: object) -> Grid:
    fields: dict[str, object] = {
        "models": (Model(name="moe-tiny", spec=preset("moe-tiny")),),
        "prompt_tokens": (16, 64),
        "decode_tokens": (8,),
        "batches": (1, 4),
        "depths": (0, 32),
        "precisions": ("int4", "fp32"),
        "threads": (1, 2),
        "repetitions": 3,
    }
    return Grid.model_validate({**fields, **changes})


def test_the_product_is_whole_and_each_case_stands_once() -> None:
    cases = grid.cases(asked(), PLENTY)
    prefill = [c for c in cases if c.workload.phase == "prefill"]
    assert len(prefill) == 2 * 2 * 2 * 2  # precisions, threads, prompts, batches
    assert len(cases) - len(prefill) == 2 * 2 * 2 * 2  # precisions, threads, depths, batches
    assert len({(c.variant, c.workload) for c in cases}) == len(cases)
    assert all(c.workload.depth == 0 for c in prefill)
    assert not any(c.refusal for c in cases)


def test_zero_leaves_a_phase_out_and_both_is_wrong_use() -> None:
    assert {c.workload.phase for c in grid.cases(asked(prompt_tokens=(0,)), PLENTY)} == {"decode"}
    assert {c.workload.phase for c in grid.cases(asked(decode_tokens=()), PLENTY)} == {"prefill"}
    with pytest.raises(UsageError, match="nothing to measure"):
        grid.cases(asked(prompt_tokens=(0,), decode_tokens=()), PLENTY)


def test_what_does_not_fit_is_refused_alone() -> None:
    whole = grid.cases(asked(), PLENTY)
    needs = sorted({variant_bytes(c.variant, (c.workload,)) for c in whole})
    middle = needs[len(needs) // 2]
    cases = grid.cases(asked(), middle)
    refused = {c.refusal is not None for c in cases}
    assert refused == {True, False}
    for case in cases:
        assert (case.refusal is not None) == (variant_bytes(case.variant, (case.workload,)) > 0.9 * middle)
    long = grid.cases(asked(depths=(0, 4096)), PLENTY)
    assert {c.workload.depth for c in long if c.refusal} == {4096}
    assert "4,096 positions" in str(next(c.refusal for c in long if c.refusal))


def test_too_many_cases_are_refused() -> None:
    with pytest.raises(UsageError, match="cases are asked for"):
        grid.cases(asked(batches=tuple(range(1, 200)), prompt_tokens=tuple(range(1, 100))), PLENTY)


def test_the_plan_repeats_every_case_in_fresh_processes_and_mirrors_rounds() -> None:
    wanted = asked()
    cases = grid.cases(wanted, PLENTY)
    plan = grid.plan(cases, wanted, 2)
    assert plan is not None
    seen = [(t.round, t.variant, w) for t in plan.tasks for w in t.workloads]
    mine = [(c.variant, c.workload) for c in cases if c.variant.threads == 2]
    assert sorted(map(repr, seen)) == sorted(repr((r, variant, w)) for r in range(3) for variant, w in mine)
    orders = [[(t.variant, t.workloads) for t in plan.tasks if t.round == r and t.kind == "variant"] for r in range(2)]
    assert orders[0] == orders[1][::-1]
    assert [t.round for t in plan.tasks if t.kind == "ceilings"] == [0, 1, 2]
    first_of_round = [next(t.kind for t in plan.tasks if t.round == r) for r in range(3)]
    assert first_of_round == ["ceilings"] * 3


def test_a_process_grows_so_that_each_peak_is_its_own_and_decodes_whole_passes() -> None:
    wanted = asked(decode_tokens=(8, 40))
    plan = grid.plan(grid.cases(wanted, PLENTY), wanted, 1)
    assert plan is not None
    for task in plan.tasks:
        if task.variant is None:
            continue
        variant = task.variant
        needs = [variant_bytes(variant, (w,)) for w in task.workloads]
        assert needs == sorted(needs)
        assert len({w.phase for w in task.workloads}) == 1
        if task.workloads[0].phase == "decode":
            assert task.timing.min_steps >= 40


def test_refused_cases_are_not_in_the_plan() -> None:
    wanted = asked()
    cases = tuple(c.model_copy(update={"refusal": "no"}) for c in grid.cases(wanted, PLENTY))
    assert grid.plan(cases, wanted, 1) is None
    some = (*cases[:-1], cases[-1].model_copy(update={"refusal": None}))
    plan = grid.plan(some, wanted, some[-1].variant.threads)
    assert plan is not None
    assert {w for t in plan.tasks for w in t.workloads} == {some[-1].workload}
