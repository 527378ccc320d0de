"""From a config and a host to the plan: which models, in which order, with what need of memory and time. Pure.

Needs are modelled (see `needs`): they serve to refuse in the first second what cannot fit, and to say how long a run
will take before its own first round corrects that.
"""

import random
from collections.abc import Iterator, Sequence
from typing import TypeVar

from harness import units
from harness.catalog import models
from harness.config import Config, Measure
from harness.errors import PlanError, unknown
from harness.measure.needs import plan_duration_s, variant_bytes, weight_bytes
from harness.model.counts import COUNTERPART_OF
from harness.model.spec import Spec
from harness.model.tensors import why_not_run
from harness.results.plan import Needs, Plan, Task, Timing, Variant, Workload
from harness.results.record import Host
from harness.vocabulary import RunPrecision

AUTO = "auto"
AUTO_CANDIDATES = ("moe-article", "moe-article-s", "moe-article-l")  # in order of preference
CACHE_MULTIPLE = 4  # a working set below four times the last-level cache measures the cache
AUTO_MEMORY_SHARE = 0.5  # 'auto' leaves half of the memory to others
LAYERS_LIMIT = 1000  # far beyond any released model; what is counted layer by layer stays quick
MEMORY_SHARE = 0.9  # beyond this share of what is available a run would swap
BASIS = "parameter counts, and rough rates of a processor core; refined while running"

Timed = TypeVar("Timed")


def rounds(timed: Sequence[Timed], count: int, seed: int) -> Iterator[tuple[list[Timed], bool]]:
    """What each of `count` rounds times, in its order, and whether the round measures the host's ceilings too.

    Rounds come in mirrored pairs (ABC, CBA) of seeded order, so that slow drift of the host falls on all alike;
    ceilings belong to the first, the middle and the last.
    """
    generator, order, last = random.Random(seed), list(timed), count - 1
    for number in range(count):
        if number % 2 == 0:
            generator.shuffle(order)
        else:
            order.reverse()
        yield list(order), number in {0, last // 2, last}


def make(config: Config, host: Host) -> Plan:
    """What exactly will run on `host`. Raises PlanError naming the limits that are not met."""
    measure = config.measure
    notes: list[str] = []
    threads = _threads(measure, host, notes)
    variants = _variants(config, host, threads, notes)
    workloads = _workloads(measure)
    for variant, index in variants:
        _check_lengths(variant, workloads)
        _check_memory(variant, workloads, host, index)
    timing = Timing(
        warmup_steps=1,
        min_steps=2,
        min_time_s=measure.step_time_s,
        max_time_s=max(5 * measure.step_time_s, 1.0),
    )
    tasks = _tasks(measure, tuple(variant for variant, _ in variants), workloads, threads, timing)
    peak = max(variant_bytes(variant, workloads) for variant, _ in variants)
    needs = Needs(peak_bytes=peak, duration_s=plan_duration_s(tasks), basis=BASIS)
    return Plan(name=config.name, tasks=tasks, needs=needs, notes=tuple(notes))


def _threads(measure: Measure, host: Host, notes: list[str]) -> int:
    if measure.threads == "auto":
        return max(1, host.cores)
    if measure.threads > host.cores:
        notes.append(f"{measure.threads} threads share {host.cores} cores: rates will be lower and noisier")
    return measure.threads


def _workloads(measure: Measure) -> tuple[Workload, ...]:
    """Decode runs behind a prompt of `prompt_tokens` and `depth_tokens` more; prefill begins with an empty cache."""
    prompt, decoded, depth = measure.prompt_tokens, measure.decode_tokens, measure.depth_tokens
    found: list[Workload] = []
    for phase in measure.phases:
        if phase == "prefill":
            shape, batches = (prompt, 0, 0), measure.prefill_batches or measure.batches
        else:
            shape, batches = (prompt, decoded, depth), measure.batches
        tokens = dict(zip(("prompt_tokens", "decode_tokens", "depth"), shape, strict=True))
        found += [Workload(phase=phase, batch=batch, **tokens) for batch in batches]
    return tuple(found)


def _variants(config: Config, host: Host, threads: int, notes: list[str]) -> list[tuple[Variant, int]]:
    """Each variant with the index of the entry of `measure.models` that it comes from."""
    measure = config.measure
    chosen = _choose(config, host, notes) if any(n.split(":")[0] == AUTO for n in measure.models) else None
    variants: list[tuple[Variant, int]] = []
    seen: set[tuple[str, RunPrecision]] = set()
    for index, entry in enumerate(measure.models):
        name, _, counterpart = entry.partition(":")
        name = chosen if name == AUTO and chosen is not None else name
        full = f"{name}:{counterpart}" if counterpart else name
        spec = _resolve(config, name, index)
        for precision in measure.precisions:
            if (full, precision) in seen:
                notes.append(f"{full} at {precision} is asked for twice and runs once")
                continue
            seen.add((full, precision))
            _check_weights(name, spec, precision, host, index)
            made = _counterpart(spec, counterpart, entry, index) if counterpart else spec
            if counterpart:
                _check_weights(full, made, precision, host, index)  # its widths are its own
            variant = Variant(
                model=full,
                spec=made,
                precision=precision,
                threads=threads,
                seed=measure.seed,
                routing_skew=measure.routing.skew,
            )
            variants.append((variant, index))
    return variants


def known_models(config: Config) -> tuple[str, ...]:
    """What `measure.models` may name, without counterparts."""
    return (AUTO, *models.preset_names(), *config.specs)


def _resolve(config: Config, name: str, index: int) -> Spec:
    if name in config.specs:
        if name in models.preset_names() or name == AUTO:
            raise PlanError(f"'{name}' is the name of a preset, expected another name for your own", "specs", name)
        spec = config.specs[name]
    elif name in models.preset_names():
        spec = models.preset(name)
    else:
        raise PlanError(unknown("model", name, known_models(config)), *_at(index))
    if (why := why_not_run(spec)) is not None:
        raise PlanError(f"'{name}' {why}", *_at(index))
    return spec


def _counterpart(spec: Spec, counterpart: str, entry: str, index: int) -> Spec:
    if counterpart not in COUNTERPART_OF:
        raise PlanError(unknown("counterpart", counterpart, COUNTERPART_OF), *_at(index))
    if not spec.is_sparse:
        raise PlanError(
            f"'{entry}' asks for a dense counterpart of a dense model, expected a mixture-of-experts (MoE) model",
            *_at(index),
        )
    try:
        return COUNTERPART_OF[counterpart](spec)
    except ValueError as error:
        raise PlanError(f"'{entry}': {error}", *_at(index)) from None


def _at(index: int) -> tuple[str | int, ...]:
    return ("measure", "models", index)


def _choose(config: Config, host: Host, notes: list[str]) -> str:
    """The first candidate whose weights exceed the cache enough and whose process leaves memory to others."""
    measure, workloads = config.measure, _workloads(config.measure)
    index = next(i for i, name in enumerate(measure.models) if name.split(":")[0] == AUTO)
    cache = host.last_level_cache_bytes
    needed = CACHE_MULTIPLE * (cache or 0)
    allowed = AUTO_MEMORY_SHARE * host.available_bytes
    refusals = []
    for name in AUTO_CANDIDATES:
        spec = models.preset(name)
        weights = min(weight_bytes(spec, precision) for precision in measure.precisions)
        process = max(
            variant_bytes(Variant(model=name, spec=spec, precision=precision, threads=1), workloads)
            for precision in measure.precisions
        )
        if weights < needed:
            refusals.append(f"{name} holds {units.binary(weights)} of weights")
        elif process > allowed:
            refusals.append(f"{name} needs {units.binary(process)} of memory")
        else:
            behind = f"{units.number(weights / cache, 2)} times the last-level cache" if cache else "cache unknown"
            notes.append(
                f"auto: {name}, {units.binary(weights)} of weights ({behind}; at least {CACHE_MULTIPLE} times wanted), "
                f"about {units.binary(process)} of {units.binary(host.available_bytes)} available memory"
            )
            return name
    raise PlanError(
        f"'auto' finds no model for this host: weights of at least {units.binary(needed)} ({CACHE_MULTIPLE} times the "
        f"last-level cache) and at most {units.binary(allowed)} of memory (half of what is available) are wanted; "
        f"{'; '.join(refusals)}; name a model yourself, such as moe-article-s or moe-tiny",
        *_at(index),
    )


def _check_weights(name: str, spec: Spec, precision: RunPrecision, host: Host, index: int) -> None:
    """Before a counterpart is derived: a spec of absurd size or impossible width ends here."""
    if spec.num_hidden_layers > LAYERS_LIMIT:
        raise PlanError(f"{name} has {spec.num_hidden_layers:,} layers, expected at most {LAYERS_LIMIT:,}", *_at(index))
    try:
        weights = weight_bytes(spec, precision)
    except ValueError as error:
        raise PlanError(f"{name} cannot be stored at {precision}: {error}; fp32 takes it", *_at(index)) from None
    if weights > MEMORY_SHARE * host.available_bytes:
        raise PlanError(_too_large(f"{name} at {precision}", weights, host), *_at(index))


def _check_memory(variant: Variant, workloads: tuple[Workload, ...], host: Host, index: int) -> None:
    need = variant_bytes(variant, workloads)
    if need > MEMORY_SHARE * host.available_bytes:
        raise PlanError(_too_large(f"{variant.model} at {variant.precision}", need, host), *_at(index))


def _too_large(what: str, need_bytes: float, host: Host) -> str:
    need = units.binary(need_bytes) if need_bytes < 1e18 else "more than 1 EiB"
    return (
        f"{what} needs about {need} of memory, this host has {units.binary(host.available_bytes)} available; "
        "choose a smaller model, a lower precision, a smaller batch, shorter prompts, or 'auto'"
    )


def _check_lengths(variant: Variant, workloads: tuple[Workload, ...]) -> None:
    longest = max(w.prompt_tokens + w.decode_tokens + w.depth for w in workloads)
    limit = variant.spec.max_position_embeddings
    if longest > limit:
        raise PlanError(
            f"{variant.model} has positions for {limit:,} tokens, prompt, depth and generated tokens ask for "
            f"{longest:,}; shorten them or raise max_position_embeddings in a spec of your own",
            "measure",
            "prompt_tokens",
        )


def _tasks(
    measure: Measure, variants: tuple[Variant, ...], workloads: tuple[Workload, ...], threads: int, timing: Timing
) -> tuple[Task, ...]:
    """One process for each variant in each round; ceilings come first in their round, and last in the last one."""
    last = measure.repetitions - 1
    precisions = tuple(dict.fromkeys(variant.precision for variant in variants))
    tasks: list[Task] = []
    for number, (order, with_ceilings) in enumerate(rounds(variants, measure.repetitions, measure.seed)):
        timed = [
            Task(kind="variant", round=number, variant=variant, workloads=workloads, threads=threads, timing=timing)
            for variant in order
        ]
        if with_ceilings:
            ceilings = Task(kind="ceilings", round=number, precisions=precisions, threads=threads, timing=timing)
            timed = [*timed, ceilings] if number == last and number > 0 else [ceilings, *timed]
        tasks += timed
    return tuple(tasks)
