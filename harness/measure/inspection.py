"""Have a model inspected in a process of its own: its distance from fp32 weights, or its profile. Times nothing."""

import os
import sys

from pydantic import ValidationError

from harness.frozen import Frozen
from harness.measure.child import Child
from harness.measure.sweep import Bounds, worker_environment
from harness.record.inspection import Answer, Fidelity, FidelityRequest, Profile, ProfileRequest


class Inspected(Frozen):
    """What came of a request. `problem` says why it is not all that was asked for."""

    fidelities: tuple[Fidelity, ...] = ()
    profiles: tuple[Profile, ...] = ()
    problem: str | None = None


def inspect(request: FidelityRequest | ProfileRequest, bounds: Bounds) -> Inspected:
    """All answers to `request`. A process that dies or hangs costs the answers still due, nothing else.

    KeyboardInterrupt ends the process and passes through.
    """
    if isinstance(request, FidelityRequest):
        due = len(request.precisions) * len(request.phases)
    else:
        due = len(request.workloads)
    command = (sys.executable, "-P", "-m", "harness.measure.inspector")
    environment = worker_environment(request.arm.threads, os.environ)
    body = request.model_dump_json().encode()
    answers: list[Answer] = []
    try:
        with Child(command, request=body, environment=environment, memory_bytes=bounds.memory_bytes) as child:
            for line in child.messages(bounds.timeout_s):
                answers.append(Answer.model_validate_json(line))
            reason = child.ending.reason if child.ending else "ended without a reason"
    except ValidationError:
        reason = "answered what is no result"
    except OSError as error:
        reason = f"could not be started: {error}"
    return Inspected(
        fidelities=tuple(a.fidelity for a in answers if a.fidelity is not None),
        profiles=tuple(a.profile for a in answers if a.profile is not None),
        problem=None if len(answers) == due else f"the inspecting process {reason}",
    )
