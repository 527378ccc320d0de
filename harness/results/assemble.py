"""From kept observations to a record: which observation belongs to which case, and what is still to be measured.

An observation is kept with the variant and workload that it came from, so that an interrupted run can be put together
and resumed from what was kept alone.
"""

import datetime as dt
import hashlib
from collections.abc import Callable, Collection, Sequence
from typing import Literal

from pydantic import Field

from harness.results.plan import Plan, Task, Variant, Workload
from harness.results.record import (
    CeilingObservation,
    Ceilings,
    Counts,
    Host,
    MatmulCeiling,
    Measurement,
    Observation,
    Record,
    RecordId,
    case_key,
)
from harness.results.rules import Limits
from harness.results.validity import apply
from harness.stats import median_estimate
from harness.vocabulary import Frozen

State = Literal["complete", "interrupted", "running"]


class Header(Frozen):
    """What is known of a run before its first observation."""

    record_id: RecordId
    name: str
    label: str | None = None
    created: dt.datetime
    harness_version: str
    config_digest: str
    config_text: str
    config_path: str | None = Field(default=None, description="where the config lay: its sheet is found beside it")
    revision: str | None = None
    host: Host
    plan: Plan
    notes: tuple[str, ...] = ()
    made_by: Literal["run", "bench", "ab"] = Field(
        default="run", description="the command; a side of `ab` cannot be resumed alone"
    )
    process_timeout_s: float | None = Field(default=None, gt=0, description="where no config says it")


class Kept(Frozen):
    """One acknowledged observation, with the variant and workload that it is of (None for the host's ceilings)."""

    variant: Variant | None = None
    workload: Workload | None = None
    observation: Observation | None = None
    ceiling: CeilingObservation | None = None


def new_record_id(now: dt.datetime, token: str) -> str:
    """A name that sorts by time: 20260124-114632-3fa9c1. `token` makes it differ between runs of the same second."""
    return f"{now:%Y%m%d-%H%M%S}-{token[:6]}"


def case_round_key(task: Task, workload: Workload | None) -> str:
    """What names one observation inside a run: its round, variant and workload (a plan holds a variant once a round
    at most).

    A digest that a later version agrees with as long as the fields it adds have defaults.
    """
    kind = "arm" if task.kind == "variant" else task.kind  # as versions 1 and 2 called it: digests stay
    parts = [kind, str(task.round)]
    parts += [part.model_dump_json(exclude_defaults=True) for part in (task.variant, workload) if part is not None]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def remaining(task: Task, done: Collection[str]) -> Task | None:
    """`task` without the workloads that `done` names, or None if nothing of it is left."""
    if task.kind == "ceilings":
        return None if case_round_key(task, None) in done else task
    left = tuple(w for w in task.workloads if case_round_key(task, w) not in done)
    return task.model_copy(update={"workloads": left}) if left else None


def _ceilings(observations: Sequence[CeilingObservation]) -> Ceilings | None:
    """The ceilings over all processes that measured them; kernels are those of the best process."""
    if not observations:
        return None
    best_read = max(observations, key=lambda o: o.read_bytes_s)
    matmul = []
    for precision in dict.fromkeys(p for o in observations for p, _, _ in o.matmul):
        rates = [(rate, kernel) for o in observations for p, rate, kernel in o.matmul if p == precision]
        matmul.append(
            MatmulCeiling(precision=precision, flop_s=median_estimate([r for r, _ in rates]), kernel=max(rates)[1])
        )
    return Ceilings(
        read_bytes_s=median_estimate([o.read_bytes_s for o in observations]),
        read_kernel=best_read.read_kernel,
        matmul=tuple(matmul),
    )


def assemble(
    header: Header,
    kept: Sequence[Kept],
    *,
    state: State,
    counts: Callable[[Variant, Workload], Counts | None] = lambda _variant, _workload: None,
    limits: Limits | None = None,
) -> Record:
    """Put a record together. Every case of the plan is in it, measured or not, in the plan's order.

    `counts` gives what follows from the architecture (from the cost model); validity rules are applied with `limits`.
    """
    planned = ((task.variant, w) for task in header.plan.tasks for w in task.workloads)
    cases: dict[tuple[Variant, Workload], list[Observation]] = {(v, w): [] for v, w in planned if v is not None}
    ceilings = tuple(one.ceiling for one in kept if one.ceiling is not None)
    lost = []
    for one in kept:
        if one.observation is None:
            continue
        if one.variant is None:
            lost.append(f"ceilings of round {one.observation.round} were not measured: {one.observation.error}")
        elif one.workload is not None:
            cases.setdefault((one.variant, one.workload), []).append(one.observation)
    measurements = tuple(
        Measurement(
            **case_key(variant, workload).named,
            counts=counts(variant, workload),
            observations=tuple(sorted(observations, key=lambda o: o.round)),
        )
        for (variant, workload), observations in cases.items()
    )
    record = Record(
        **{name: getattr(header, name) for name in Header.model_fields.keys() & Record.model_fields.keys() - {"notes"}},
        state=state,
        ceilings=_ceilings(ceilings),
        ceiling_observations=ceilings,
        variants=tuple(dict.fromkeys(variant for variant, _ in cases)),
        measurements=measurements,
        notes=(*header.notes, *header.plan.notes, *lost),
    )
    return apply(record, limits or Limits())
