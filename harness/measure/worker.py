"""One fresh measuring process: loads one variant, times its workloads one by one, and sends each result to its parent.

It reads one task as JSON on stdin and answers with one JSON line per message on a channel of its own (a socket handed
down by number), so that nothing a library prints can mix with the results. After each message it waits until the parent
has stored it: the parent is idle whenever a clock runs here.
Started by hand without a channel it prints the same lines: `python -m harness.measure.worker < task.json`.
"""

import argparse
import ctypes
import datetime as dt
import gc
import hashlib
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from harness.errors import HarnessError
from harness.measure.host.description import (
    Usage,
    allowed_cpus,
    current_frequency_hz,
    difference,
    last_level_cache_bytes,
    memory,
    memory_stall_s,
    peak_rss_bytes,
    rss_bytes,
    usage,
)
from harness.results.plan import Task, Timing, Variant, Workload
from harness.results.record import CeilingObservation, Observation
from harness.vocabulary import Frozen

Clock = Callable[[], int]
"""A monotonic clock in nanoseconds."""

REFERENCE_REPEATS = 3
"""Runs of the reference kernel before and after each workload: a median of three shrugs off one that was halted."""

SETTLE_S = 0.05
"""Between the last step and the reference kernel: the runtime's idle threads spin on for some tens of milliseconds,
and a reference kernel beside them took twice its time in about one of three trials; after 50 ms in none."""

_REFERENCE_WIDTH = 512
_REFERENCE_FLOATS = 16 << 20
"""64 MiB: beyond the last-level cache of most hosts, so that the kernel feels bandwidth stolen by neighbours too."""


_PR_SET_PDEATHSIG = 1
"""linux/prctl.h: the signal a process gets when the thread that started it ends."""


class Message(Frozen):
    """One line from a measuring process. `loaded` says that the variant is in memory and workloads follow."""

    loaded: bool = False
    workload: int | None = None
    observation: Observation | None = None
    ceiling: CeilingObservation | None = None


class StepRunner(Protocol):
    """What is timed: see `harness.runtime`."""

    tokens_per_step: int
    outside_s: float

    def step(self) -> None: ...
    def experts_activated(self) -> float | None: ...
    def logits(self) -> NDArray[np.float32]: ...


class LoadedModel(Protocol):
    """One loaded model: see `harness.runtime`."""

    load_s: float
    weight_bytes: int

    def open(self, workload: Workload, *, seed: int) -> StepRunner: ...


Load = Callable[[Task, Variant], LoadedModel]
Probe = Callable[[Task], CeilingObservation]
ReferenceKernel = Callable[[], tuple[float, ...]]


def time_steps(
    step: Callable[[], None], timing: Timing, clock: Clock, *, warmed: Callable[[], None] = lambda: None
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Durations of warm-up steps and of timed steps, in seconds and in order; `warmed` is called between the two.

    At least one step is timed. Stops after `min_steps` steps and `min_time_s`, or earlier at `max_steps` or
    `max_time_s`; warm-ups end early at `max_time_s` too. Nothing is allocated or printed between two steps but the
    list of durations.
    """
    longest_ns, shortest_ns = int(timing.max_time_s * 1e9), int(timing.min_time_s * 1e9)
    warmup: list[int] = []
    while len(warmup) < timing.warmup_steps and sum(warmup) < longest_ns:
        start = clock()
        step()
        warmup.append(clock() - start)
    warmed()
    durations: list[int] = []
    begin = clock()
    while True:
        start = clock()
        step()
        now = clock()
        durations.append(now - start)
        elapsed, count = now - begin, len(durations)
        if count >= timing.max_steps or elapsed >= longest_ns:
            break
        if count >= timing.min_steps and elapsed >= shortest_ns:
            break
    return tuple(d / 1e9 for d in warmup), tuple(d / 1e9 for d in durations)


def reference_kernel() -> tuple[float, ...]:
    """Durations of a fixed piece of work that ONNX Runtime has no part in: a matrix product, then one pass over memory.

    If these change, the host changed, not the model. Both parts use as many threads as the task (numpy's BLAS).
    """
    square = np.full((_REFERENCE_WIDTH, _REFERENCE_WIDTH), 0.5, dtype=np.float32)
    stream = np.full(_REFERENCE_FLOATS, 0.5, dtype=np.float32)
    square @ square  # untimed: pages, threads and caches come up
    np.dot(stream, stream)
    durations = []
    for _ in range(REFERENCE_REPEATS):
        start = time.perf_counter_ns()
        square @ square
        np.dot(stream, stream)
        durations.append((time.perf_counter_ns() - start) / 1e9)
    return tuple(durations)


def _timed(runner: StepRunner, timing: Timing, clock: Clock) -> tuple[Observation, Usage]:
    """Time one opened workload, with the processor time that was used meanwhile and how the host was."""
    before, outside_before, waited_before, digest = usage(), runner.outside_s, memory_stall_s(), None
    load_1min = os.getloadavg()[0] if hasattr(os, "getloadavg") else None

    def warmed() -> None:
        nonlocal before, outside_before, waited_before, digest
        if timing.warmup_steps:  # how many timed steps follow depends on the clock: their logits may differ
            digest = hashlib.sha256(np.ascontiguousarray(runner.logits()).tobytes()).hexdigest()[:16]
        before, outside_before, waited_before = usage(), runner.outside_s, memory_stall_s()

    gc.collect()
    gc.disable()
    try:
        warmup_s, durations_s = time_steps(runner.step, timing, clock, warmed=warmed)
    finally:
        gc.enable()
    spent, outside_s = usage().since(before), runner.outside_s - outside_before
    running_hz = current_frequency_hz(allowed_cpus())  # soon: idle processors slow down
    waited_s = difference(memory_stall_s(), waited_before)
    timed = Observation(
        round=0,
        started=dt.datetime.now(dt.UTC),
        warmup_s=warmup_s,
        durations_s=durations_s,
        tokens_per_step=runner.tokens_per_step,
        outside_s=max(0.0, outside_s),
        experts_activated=runner.experts_activated(),
        logits_digest=digest if len(warmup_s) == timing.warmup_steps else None,
        peak_rss_bytes=peak_rss_bytes(),
        frequency_hz=running_hz,
        memory_stall_s=waited_s,
        load_1min=load_1min,
    )
    return timed, spent


def observe(
    engine: LoadedModel, task: Task, workload: Workload, clock: Clock, reference: ReferenceKernel
) -> Observation:
    """Time one workload, or say why that failed. Raises nothing that a workload can cause."""
    started = dt.datetime.now(dt.UTC)
    seed = task.variant.seed if task.variant else 0
    try:
        reference_before = reference()
        runner = engine.open(workload, seed=seed)
        resident_bytes = rss_bytes()
        timed, spent = _timed(runner, task.timing, clock)
        del runner
        if task.threads > 1:
            time.sleep(SETTLE_S)
        reference_kernel_s = reference_before + reference()
    except MemoryError as error:
        return failed(task.round, started, f"out of memory: {error or 'allocation refused'}")
    except HarnessError as error:
        return failed(task.round, started, str(error))
    return timed.model_copy(
        update={
            "round": task.round,
            "started": started,
            "load_s": engine.load_s,
            "weight_bytes": engine.weight_bytes,
            "rss_after_load_bytes": resident_bytes,
            "reference_kernel_s": reference_kernel_s,
            "other_cpu_s": spent.other_s,
            "steal_s": spent.steal_s,
        }
    )


def failed(round_index: int, started: dt.datetime, reason: str) -> Observation:
    """The observation of a workload that could not be measured."""
    return Observation(round=round_index, started=started, error=reason)


def carry_out(
    task: Task,
    emit: Callable[[Message], None],
    *,
    load: Load,
    probe: Probe,
    clock: Clock = time.perf_counter_ns,
    reference: ReferenceKernel = reference_kernel,
) -> None:
    """Do what `task` says and emit a message for each result. A load that fails becomes the error of every workload."""
    if task.kind == "ceilings":
        emit(Message(ceiling=probe(task)))
        return
    started = dt.datetime.now(dt.UTC)
    if task.variant is None:
        raise ValueError("a task of kind 'variant' needs a variant")
    try:
        engine = load(task, task.variant)
    except (MemoryError, HarnessError) as error:
        reason = f"could not load {task.variant.model}: {error or 'out of memory'}"
        for index in range(len(task.workloads)):
            emit(Message(workload=index, observation=failed(task.round, started, reason)))
        return
    emit(Message(loaded=True))
    for index, workload in enumerate(task.workloads):
        emit(Message(workload=index, observation=observe(engine, task, workload, clock, reference)))


def load_variant(task: Task, variant: Variant) -> LoadedModel:
    """The variant's model in ONNX Runtime, its session opened for the first workload. Raises HarnessError,
    MemoryError."""
    from harness.runtime.engine import Engine

    first = task.workloads[0] if task.workloads else None
    return Engine.of_variant(variant, first.phase, first.batch) if first else Engine.of_variant(variant)


def probe_host(task: Task) -> CeilingObservation:
    """The best rates that this host reaches. Raises HarnessError or MemoryError."""
    from harness.measure.host.ceilings import measure_ceilings

    reference_before = reference_kernel()
    ceilings = measure_ceilings(
        precisions=task.precisions,
        threads=task.threads,
        round_index=task.round,
        cache_bytes=last_level_cache_bytes(allowed_cpus()),
        available_bytes=memory()[1],
    )
    return ceilings.model_copy(update={"reference_kernel_s": reference_before + reference_kernel()})


class Channel:
    """The way back to the parent: a line out, one byte in when the parent has stored it."""

    def __init__(self, number: int | None):
        self._socket = None if number is None else socket.socket(fileno=number)

    def send(self, message: Frozen) -> None:
        """Send `message` and wait for its acknowledgement; ends this process if the parent has gone."""
        line = message.model_dump_json(exclude_defaults=True) + "\n"
        if self._socket is None:
            sys.stdout.write(line)
            return
        try:
            self._socket.sendall(line.encode())
            acknowledged = self._socket.recv(1)
        except OSError:
            acknowledged = b""
        if not acknowledged:
            os._exit(1)


def die_with_parent() -> None:
    """Ask the kernel to kill this process when its parent dies, however it dies. Only Linux can; elsewhere a process
    notices at its next answer that nobody reads it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def serve(argv: list[str] | None, module: str, work: Callable[[bytes, Channel], None]) -> int:
    """A process that reads one request on stdin and answers it on the channel that its option names; its exit code."""
    parser = argparse.ArgumentParser(prog=f"python -m {module}")
    parser.add_argument("--channel", type=int, default=None, help="number of the inherited socket to answer on")
    options = parser.parse_args(argv)
    if options.channel is not None:
        die_with_parent()
    request = sys.stdin.buffer.read()
    try:
        work(request, Channel(options.channel))
    except (HarnessError, MemoryError) as error:
        sys.stderr.write(f"{error or 'out of memory'}\n")
        return error.exit_code if isinstance(error, HarnessError) else 1
    return 0


def main(
    argv: list[str] | None = None,
    *,
    load: Load = load_variant,
    probe: Probe = probe_host,
    reference: ReferenceKernel = reference_kernel,
) -> int:
    """Entry point of `python -m harness.measure.worker`. Another `load` measures another engine by the same rules."""

    def work(request: bytes, channel: Channel) -> None:
        carry_out(Task.model_validate_json(request), channel.send, load=load, probe=probe, reference=reference)

    return serve(argv, "harness.measure.worker", work)


if __name__ == "__main__":
    sys.exit(main())
