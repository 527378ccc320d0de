"""A record is put together from what was kept: every case is in it, in the plan's order, measured or not."""

from harness.results.assemble import Kept, assemble, case_round_key, new_record_id
from harness.results.record import Observation
from tests.reliability import plans


def test_every_case_of_the_plan_is_there_whatever_was_measured() -> None:
    made = plans.header()
    empty = assemble(made, (), state="interrupted")
    assert [(m.phase, m.batch) for m in empty.measurements] == [("decode", 1), ("decode", 2), ("decode", 4)]
    assert all(m.error == "not measured" and m.rate_tok_s is None for m in empty.measurements)
    assert empty.ceilings is None and empty.variants == (plans.variant(),)


def test_the_order_of_keeping_does_not_matter() -> None:
    made = plans.header()
    kept = plans.kept(made.plan)
    assert (
        assemble(made, kept, state="complete").measurements == assemble(made, kept[::-1], state="complete").measurements
    )


def test_ceilings_are_estimates_over_processes_with_the_best_ones_kernel() -> None:
    record = plans.record(count=3)
    assert record.ceilings is not None
    assert record.ceilings.read_bytes_s.n == 3 and record.ceilings.read_bytes_s.point == 2.5e10 + 1
    estimate = record.ceilings.matmul_flop_s("int8")
    assert estimate is not None and estimate.point == 4e11
    assert record.ceilings.matmul_flop_s("fp32") is None


def test_lost_ceilings_are_noted_and_no_measurement() -> None:
    made = plans.header()
    lost = Kept(observation=Observation(round=1, started=plans.BEGUN, error="hung"))
    record = assemble(made, (lost,), state="complete")
    assert record.notes == ("ceilings of round 1 were not measured: hung",)
    assert all(not m.observations for m in record.measurements)


def test_rules_are_applied() -> None:
    made = plans.header(of=plans.rounds(1))
    record = assemble(made, plans.kept(made.plan), state="complete")
    assert all(any("no-interval" in line for line in m.invalid) for m in record.measurements)


def test_keys_name_round_variant_and_workload() -> None:
    task = plans.task(0)
    keys = {case_round_key(t, w) for t in (task, plans.task(1)) for w in t.workloads}
    other = task.model_copy(update={"variant": plans.variant("other")})
    keys |= {case_round_key(other, other.workloads[0]), case_round_key(plans.ceilings(), None)}
    assert len(keys) == 8
    hurried = task.model_copy(update={"timing": task.timing.model_copy(update={"min_steps": 9})})
    assert case_round_key(hurried, task.workloads[0]) in keys, "timing does not change what is measured"


def test_record_ids_sort_by_time() -> None:
    assert new_record_id(plans.BEGUN, "abcdef0123") == "20260410-093000-abcdef"
