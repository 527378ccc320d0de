"""The cases that `harness bench` asks for: lists and ranges of numbers, their product, and the plan that measures them.

A case that cannot run carries its reason and is left out of the plan; the others are not affected.
"""

import itertools
import re
from typing import get_args

from pydantic import Field

from harness import units
from harness.errors import UsageError, unknown
from harness.measure.needs import plan_duration_s, variant_bytes, weight_bytes
from harness.measure.planner import BASIS, LAYERS_LIMIT, MEMORY_SHARE, rounds
from harness.model.spec import Spec
from harness.results.plan import Needs, Plan, Task, Timing, Variant, Workload
from harness.vocabulary import Frozen, RunPrecision

VALUES_LIMIT = 256  # of one option; a product of two such lists already takes days
CASES_LIMIT = 10_000
PRECISIONS: tuple[RunPrecision, ...] = get_args(RunPrecision)
PREFILL = Timing(warmup_steps=1, min_steps=3, min_time_s=0.5, max_time_s=10.0)
_DECODE_WARMUP_STEPS = 4
_RANGE = re.compile(r"(\d{1,9})(?:-(\d{1,9})(?:([+*])(\d{1,9}))?)?")


class Model(Frozen):
    """An architecture with the name that its rows bear."""

    name: str
    spec: Spec


class Grid(Frozen):
    """What is asked for: the product of all of these. Depths concern decode; a prompt is read into an empty cache."""

    models: tuple[Model, ...] = Field(min_length=1)
    prompt_tokens: tuple[int, ...] = Field(description="prefill cases; empty: none")
    decode_tokens: tuple[int, ...] = Field(description="decode cases; empty: none")
    batches: tuple[int, ...] = Field(min_length=1)
    depths: tuple[int, ...] = Field(min_length=1)
    precisions: tuple[RunPrecision, ...] = Field(min_length=1)
    threads: tuple[int, ...] = Field(min_length=1)
    repetitions: int = Field(ge=1, le=1000)
    seed: int = Field(default=0, ge=0, lt=1 << 32)
    routing_skew: float = Field(default=0.0, ge=0, le=10)


class BenchCase(Frozen):
    """One row to be: what runs, or why it cannot."""

    variant: Variant
    workload: Workload
    refusal: str | None = None


def numbers(text: str, option: str, *, low: int, high: int) -> tuple[int, ...]:
    """The numbers that `text` lists: `1,4,16`, `1-4`, `128-512+128`, `1-64*4` (the last number may be left out by its
    step). Each once, in the order given; empty text lists none.

    Raises UsageError naming `option` for anything else, and for numbers outside `low` to `high`.
    """
    found: dict[int, None] = {}
    for part in text.split(",") if text.strip() else ():
        for number in _range(part.strip(), option):
            if not low <= number <= high:
                raise UsageError(f"{option}: {number:,} is out of range, expected {low:,} to {high:,}")
            found[number] = None
            if len(found) > VALUES_LIMIT:
                raise UsageError(f"{option}: '{text[:40]}' lists over {VALUES_LIMIT} numbers; take a larger step")
    return tuple(found)


def _range(part: str, option: str) -> "list[int] | range":
    match = _RANGE.fullmatch(part)
    if match is None:
        raise UsageError(
            f"{option}: '{part[:40]}' is neither a number nor a range, expected such as 128, 1-4, 128-512+128 or 1-64*4"
        )
    first = int(match[1])
    last = int(match[2]) if match[2] else first
    step = int(match[4]) if match[4] else 1
    if last < first:
        raise UsageError(f"{option}: the range '{part}' ends before it begins; write {last}-{first}")
    if match[3] == "*":
        if step < 2 or first == 0:
            raise UsageError(f"{option}: '{part}' never reaches its end; a factor is at least 2, the start at least 1")
        return list(itertools.takewhile(lambda n: n <= last, (first * step**i for i in range(31))))
    if step < 1:
        raise UsageError(f"{option}: '{part}' never reaches its end; a step is at least 1")
    return range(first, last + 1, step)  # not yet drawn: who reads it stops at its limits


def precisions(text: str, option: str) -> tuple[RunPrecision, ...]:
    """The precisions that `text` lists, each once. Raises UsageError for an unknown one, and for none."""
    found: dict[RunPrecision, None] = {}
    for part in (p.strip() for p in text.split(",")):
        known = next((p for p in PRECISIONS if p == part), None)
        if known is None:
            raise UsageError(f"{option}: {unknown('precision', part[:40], PRECISIONS)}")
        found[known] = None
    return tuple(found)


def cases(grid: Grid, available_bytes: int) -> tuple[BenchCase, ...]:
    """The product, in the order in which rows are printed; what does not fit into memory, or has more tokens than the
    model has positions, carries its refusal. Raises UsageError for a product that is empty or too large."""
    workloads = _workloads(grid)
    if not workloads:
        raise UsageError("nothing to measure: -p and -n are both empty or 0; name prompt or generated tokens")
    for model in grid.models:
        if model.spec.num_hidden_layers > LAYERS_LIMIT:
            layers = model.spec.num_hidden_layers
            raise UsageError(f"{model.name} has {layers:,} layers, expected at most {LAYERS_LIMIT:,}")
    count = len(grid.models) * len(grid.precisions) * len(grid.threads) * len(workloads)
    if count > CASES_LIMIT:
        raise UsageError(f"{count:,} cases are asked for, expected at most {CASES_LIMIT:,}; shorten a list")
    found = []
    for model, precision, threads in itertools.product(grid.models, grid.precisions, grid.threads):
        name, spec, skew = model.name, model.spec, grid.routing_skew
        variant = Variant(
            model=name, spec=spec, precision=precision, threads=threads, seed=grid.seed, routing_skew=skew
        )
        found += [
            BenchCase(variant=variant, workload=w, refusal=refusal(variant, w, available_bytes)) for w in workloads
        ]
    return tuple(found)


def _workloads(grid: Grid) -> tuple[Workload, ...]:
    prefill = [
        Workload(phase="prefill", batch=b, prompt_tokens=p, decode_tokens=0)
        for b in grid.batches
        for p in grid.prompt_tokens
        if p > 0
    ]
    decode = [
        Workload(phase="decode", batch=b, prompt_tokens=0, decode_tokens=n, depth=d)
        for b in grid.batches
        for n in grid.decode_tokens
        if n > 0
        for d in grid.depths
    ]
    return (*prefill, *decode)


def refusal(variant: Variant, workload: Workload, available_bytes: int) -> str | None:
    """Why a case cannot run where `available_bytes` of memory are free; None if it can."""
    longest = workload.prompt_tokens + workload.decode_tokens + workload.depth
    positions = variant.spec.max_position_embeddings
    if longest > positions:
        return f"{longest:,} tokens are asked for, the model has {positions:,} positions; shorten -p, -n or -d"
    try:
        need = variant_bytes(variant, (workload,))
    except ValueError as error:
        return f"cannot be stored at {variant.precision}: {error}"
    if need > MEMORY_SHARE * available_bytes:
        return (
            f"needs about {units.binary(need)} of memory, {units.binary(available_bytes)} are available; choose a "
            "smaller model, fewer bits, a smaller batch or fewer tokens"
        )
    return None


def plan(asked: tuple[BenchCase, ...], grid: Grid, threads: int) -> Plan | None:
    """How the cases of one thread count that can run are measured; None where there is none.

    A process loads one model for one phase and times its cases, the one that needs the least memory first, so that the
    peak that each sees is its own. Every round (see `planner.rounds`) is a fresh process for each of them, behind the
    host's ceilings where it measures them.
    """
    loads: dict[tuple[Variant, str], list[Workload]] = {}
    for case in asked:
        if case.refusal is None and case.variant.threads == threads:
            loads.setdefault((case.variant, case.workload.phase), []).append(case.workload)
    if not loads:
        return None
    timed = [_task(variant, workloads) for (variant, _), workloads in loads.items()]
    precision_names = tuple(dict.fromkeys(variant.precision for variant, _ in loads))
    tasks: list[Task] = []
    for number, (order, with_ceilings) in enumerate(rounds(timed, grid.repetitions, grid.seed)):
        if with_ceilings:
            tasks.append(Task(kind="ceilings", round=number, precisions=precision_names, threads=threads))
        tasks += [task.model_copy(update={"round": number}) for task in order]
    peak = max(variant_bytes(variant, tuple(workloads)) for (variant, _), workloads in loads.items())
    needs = Needs(peak_bytes=peak, duration_s=plan_duration_s(tuple(tasks)), basis=BASIS)
    return Plan(name="bench", tasks=tuple(tasks), needs=needs)


def _task(variant: Variant, workloads: list[Workload]) -> Task:
    ordered = sorted(workloads, key=lambda w: variant_bytes(variant, (w,)))
    timing = PREFILL
    if ordered[0].phase == "decode":  # at least one whole pass, so that the cache has its mean length
        steps = max(w.decode_tokens for w in ordered)
        timing = PREFILL.model_copy(update={"warmup_steps": _DECODE_WARMUP_STEPS, "min_steps": steps})
        timing = timing.model_copy(update={"max_steps": max(timing.max_steps, steps)})
    return Task(
        kind="variant", round=0, variant=variant, workloads=tuple(ordered), threads=variant.threads, timing=timing
    )


def stored_bytes(variant: Variant) -> int | None:
    """Weights as stored; None for a width that takes no blocks at this precision."""
    try:
        return weight_bytes(variant.spec, variant.precision)
    except ValueError:
        return None
