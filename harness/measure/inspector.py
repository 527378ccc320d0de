"""One process that inspects a model instead of timing it: its logit error, and where a step's time goes.

It reads one request as JSON on stdin and answers with one JSON line per finding, on the same channel as a measuring
process.
"""

import os
import sys
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from harness.measure.needs import step_s
from harness.measure.sweep import Bounds, Launch, started, worker_environment
from harness.measure.worker import Channel, serve
from harness.model.operators import rows
from harness.model.reference import Real, RoutingTrace, forward
from harness.model.weights import dequantised, generate
from harness.results.inspection import Answer, Fidelity, FidelityRequest, Profile, ProfileRequest, Request
from harness.results.plan import Variant
from harness.vocabulary import Frozen, Phase, RunPrecision

if TYPE_CHECKING:
    from harness.runtime.engine import Engine
    from harness.runtime.runner import Choices

SEQUENCES, TOKENS = 32, 8
"""How many random sequences of which length logits are compared after: thousands of routing decisions, and short."""

PROFILE_TIME_S = 1.0
PROFILE_STEPS = (2, 32)  # least and most

_REQUEST: TypeAdapter[FidelityRequest | ProfileRequest] = TypeAdapter(Request)


def main(argv: list[str] | None = None) -> int:
    """Entry point of `python -m harness.measure.inspector`."""
    return serve(argv, "harness.measure.inspector", _answer)


def _answer(body: bytes, channel: Channel) -> None:
    request = _REQUEST.validate_json(body)
    if isinstance(request, FidelityRequest):
        _compare(request, channel)
    else:
        _profile(request, channel)


def _compare(request: FidelityRequest, channel: Channel) -> None:
    """The exact logits are the numpy reference's, which shares no code with what it is compared with."""
    variant, spec = request.variant, request.variant.spec
    random = np.random.default_rng([variant.seed, 2])
    tokens = random.integers(0, spec.vocab_size, (SEQUENCES, TOKENS), dtype=np.int64)
    weights = dict(dequantised(generate(spec, "fp32", variant.seed, skew=variant.routing_skew)))
    trace = RoutingTrace()
    exact = forward(spec, weights, tokens, trace=trace)[:, -1]
    for precision in request.precisions:
        for phase in request.phases:
            logits, choices = _logits(_loaded(variant, precision, phase), phase, tokens)
            same = forward(spec, weights, tokens, forced=choices)[:, -1] if choices else exact
            found = Fidelity(
                precision=precision,
                phase=phase,
                logits_error=_distance(logits, same),
                rerouted_error=_distance(logits, exact),
                top_token_match=float((logits.argmax(-1) == exact.argmax(-1)).mean()),
                experts_kept=_kept(choices, trace.chosen),
                sequences=SEQUENCES,
            )
            channel.send(Answer(fidelity=found))


def _distance(logits: Real, exact: Real) -> float:
    return float(np.linalg.norm(logits - exact) / np.linalg.norm(exact))


def _loaded(variant: Variant, precision: RunPrecision, phase: Phase) -> "Engine":
    from harness.runtime.engine import Engine

    return Engine.of_variant(variant.model_copy(update={"precision": precision}), phase)


def _logits(engine: "Engine", phase: Phase, tokens: NDArray[np.int64]) -> "tuple[NDArray[np.float32], Choices]":
    """Logits [B, V] after the last token and the experts [B, S, k] of each layer; the engine is closed."""
    traced = engine.prefill_traced if phase == "prefill" else engine.decode_traced
    logits, choices = traced(tokens, trace=engine.spec.is_sparse)
    engine.close()
    return logits.copy(), choices


def _kept(ours: "Choices", theirs: "Choices") -> float | None:
    """Share of chosen experts [B, S, k] that the other chose too; the order of a token's experts does not matter."""
    if not ours:
        return None
    same = [(ours[i][..., :, None] == theirs[i][..., None, :]).any(-1).mean() for i in ours]
    return float(np.mean(same))


def _profile(request: ProfileRequest, channel: Channel) -> None:
    variant, least, most = request.variant, *PROFILE_STEPS
    engine = _loaded(variant, variant.precision, request.workloads[0].phase)
    for workload in request.workloads:
        steps = min(most, max(least, int(PROFILE_TIME_S / step_s(variant, workload))))
        executed = engine.profile(workload, seed=variant.seed, steps=steps)
        channel.send(Answer(profile=Profile(workload=workload, steps=steps, rows=rows(executed, steps))))


if __name__ == "__main__":
    sys.exit(main())


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
    environment = worker_environment(request.variant.threads, os.environ)
    launch = Launch(command, request.model_dump_json().encode(), environment, bounds.memory_bytes)
    answers: list[Answer] = []
    try:
        with started(launch) as child:
            for line in child.messages(bounds.timeout_s):
                answers.append(Answer.model_validate_json(line))
            reason = child.ending or "ended without a reason"
    except ValidationError:
        reason = "answered what is no result"
    except OSError as error:
        reason = f"could not be started: {error}"
    return Inspected(
        fidelities=tuple(a.fidelity for a in answers if a.fidelity is not None),
        profiles=tuple(a.profile for a in answers if a.profile is not None),
        problem=None if len(answers) == due else f"the inspecting process {reason}",
    )
