"""Runs or saves in a process of its own, so that a test can kill it: `run STORE`, `save STORE WHO COUNT`.

Prints a line for each observation after the store has acknowledged it; what was printed may never be lost.
"""

import os
import sys
from pathlib import Path

from harness.errors import HarnessError
from harness.measure.sweep import Worker
from harness.measure.sweep import run as run_plan
from harness.results.assemble import assemble, case_round_key
from harness.results.plan import Task, Workload
from harness.results.record import CeilingObservation, Observation
from harness.store.runs import Store
from tests.reliability import plans
from tests.reliability.rig import HURRIED

RUN = "run-1"
ROUNDS = 4


def run(path: Path) -> None:
    """Begin the run, or go on with it, and finish it."""
    made = plans.header(RUN, plans.rounds(ROUNDS))
    with Store(path) as store:
        if RUN not in {listed.record_id for listed in store.runs()}:
            store.begin(made)

        def sink(task: Task, workload: Workload | None, observation: Observation | CeilingObservation) -> None:
            store.keep(RUN, task, workload, observation)
            os.write(1, case_round_key(task, workload).encode() + b"\n")

        outcome = run_plan(made.plan, sink=sink, done=store.done(RUN), worker=Worker(HURRIED))
        whole = [one for _, one in store.kept(RUN) if one is not None]
        store.finish(assemble(made, whole, state=outcome.kind))


def save(path: Path, who: str, count: int) -> None:
    """Begin a run and keep `count` observations of it."""
    made = plans.header(f"run-{who}", plans.plan(*(plans.task(r, (1,)) for r in range(count))))
    with Store(path, busy_s=120) as store:
        store.begin(made)
        for task in made.plan.tasks:
            store.keep(made.record_id, task, task.workloads[0], plans.observation(task.round))
            os.write(1, f"{made.record_id} {task.round}\n".encode())


if __name__ == "__main__":
    try:
        if sys.argv[1] == "run":
            run(Path(sys.argv[2]))
        else:
            save(Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
    except HarnessError as error:
        sys.exit(f"{error}")
