"""Small plans, headers and records that need no model: what the reliability tests run, keep and damage."""

import datetime as dt

from harness.results.assemble import Header, Kept, assemble
from harness.results.plan import Needs, Plan, Task, Timing, Variant, Workload
from harness.results.record import CeilingObservation, Observation, Record
from tests.factories import host, spec

BEGUN = dt.datetime(2026, 4, 10, 9, 30, tzinfo=dt.UTC)


def workload(batch: int) -> Workload:
    return Workload(phase="decode", batch=batch, prompt_tokens=0, decode_tokens=8)


def variant(model: str = "small") -> Variant:
    return Variant(model=model, spec=spec(), precision="int8", threads=1)


def task(round_index: int = 0, batches: tuple[int, ...] = (1, 2, 4), timing: Timing = Timing()) -> Task:  # noqa: B008
    workloads = tuple(workload(b) for b in batches)
    return Task(kind="variant", round=round_index, variant=variant(), workloads=workloads, threads=1, timing=timing)


def ceilings(round_index: int = 0) -> Task:
    return Task(kind="ceilings", round=round_index, threads=1, precisions=("int8",))


def plan(*tasks: Task) -> Plan:
    return Plan(name="small", tasks=tasks, needs=Needs(peak_bytes=1, duration_s=1.0, basis="invented"))


def rounds(count: int) -> Plan:
    """A plan of `count` rounds, each of one process for ceilings and one for three workloads."""
    return plan(*(t for r in range(count) for t in (ceilings(r), task(r))))


def header(record_id: str = "run-1", of: Plan | None = None) -> Header:
    return Header(
        record_id=record_id,
        name="small",
        created=BEGUN,
        harness_version="0.1.0",
        config_digest="0" * 64,
        config_text="harness: 1\n",
        host=host(),
        plan=of or rounds(2),
    )


def observation(round_index: int = 0, batch: int = 1) -> Observation:
    return Observation(
        round=round_index,
        warmup_s=(0.02,),
        durations_s=tuple(0.01 * (1 + 0.01 * i) for i in range(5)),
        tokens_per_step=batch,
        reference_kernel_s=(0.004,) * 10,
        peak_rss_bytes=1 << 28,
        started=BEGUN,
    )


def ceiling(round_index: int = 0) -> CeilingObservation:
    return CeilingObservation(
        round=round_index,
        read_bytes_s=2.5e10 + round_index,
        read_kernel="sum",
        matmul=(("int8", 4e11, "product"),),
        started=BEGUN,
    )


def kept(of: Plan) -> tuple[Kept, ...]:
    """An observation for everything that `of` asks for."""
    found: list[Kept] = []
    for one in of.tasks:
        if one.kind == "ceilings":
            found.append(Kept(ceiling=ceiling(one.round)))
        else:
            found += [
                Kept(variant=one.variant, workload=w, observation=observation(one.round, w.batch))
                for w in one.workloads
            ]
    return tuple(found)


def record(record_id: str = "run-1", count: int = 3) -> Record:
    made = header(record_id, rounds(count))
    return assemble(made, kept(made.plan), state="complete")
