"""A plan before it runs, for people and programs: what will be measured, in which order, and what it needs."""

from harness import units
from harness.files import strict
from harness.measure.needs import variant_bytes, weight_bytes
from harness.model.counts import parameters
from harness.results.plan import Plan, Variant, Workload
from harness.results.record import Host


def render(plan: Plan, host: Host, form: str) -> str:
    """`plan` as text, markdown or JSON."""
    if form == "json":
        return strict.encode_json(plan.model_dump(mode="json"))
    from tabulate import tabulate

    style = "github" if form == "markdown" else "simple"
    variants, workloads = _variants(plan), _workloads(plan)
    rounds = 1 + max(task.round for task in plan.tasks)
    need, has = units.binary(float(plan.needs.peak_bytes)), units.binary(float(host.available_bytes))
    first = [task.variant.model for task in plan.tasks if task.variant is not None and task.round == 0]
    parts = [
        f"Plan '{plan.name}': {len(variants)} models, {len(workloads)} workloads each, {rounds} "
        f"rounds in fresh processes "
        f"({len(plan.tasks)} processes)",
        tabulate(
            [_variant_row(variant, workloads) for variant in variants],
            headers=("model", "precision", "threads", "parameters", "active", "weights", "process"),
            tablefmt=style,
            disable_numparse=True,
        ),
        tabulate(
            [(w.phase, w.batch, w.prompt_tokens, w.decode_tokens, w.depth) for w in workloads],
            headers=("phase", "batch", "prompt tokens", "generated tokens", "depth"),
            tablefmt=style,
        ),
        f"Order: {' > '.join(first)}, mirrored in every second round",
        f"Memory: about {need} for the largest process, of {has} available",
        f"Time: about {units.seconds(float(round(plan.needs.duration_s)))} (modelled: {plan.needs.basis})",
        *(f"Note: {note}" for note in plan.notes),
    ]
    return "\n\n".join(parts) + "\n"


def _variants(plan: Plan) -> tuple[Variant, ...]:
    """In the order of the first round's config entries, as far as rounds tell: by name, sparse before its
    counterparts."""
    return tuple(sorted({t.variant for t in plan.tasks if t.variant is not None}, key=lambda a: (a.model, a.precision)))


def _workloads(plan: Plan) -> tuple[Workload, ...]:
    return next(task.workloads for task in plan.tasks if task.variant is not None)


def _variant_row(variant: Variant, workloads: tuple[Workload, ...]) -> tuple[str, ...]:
    counts = parameters(variant.spec)
    return (
        variant.model,
        variant.precision,
        str(variant.threads),
        units.count(float(counts.total)),
        units.count(float(counts.active)),
        units.binary(float(weight_bytes(variant.spec, variant.precision))),
        units.binary(float(variant_bytes(variant, workloads))),
    )
