"""`harness project`: what a model could do on a chip. Options, help and their checks; nothing is computed here."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from pydantic import ValidationError

    from harness.model.spec import Spec
    from harness.roofline.deployment import Deployment


class PhaseName(StrEnum):
    """Quantities that are never compared with one another."""

    prefill = "prefill"
    decode = "decode"
    output_all = "output_all"
    total_all = "total_all"


class PrecisionName(StrEnum):
    """Formats of the experts' weights, or of all weights of a dense model."""

    fp32 = "fp32"
    bf16 = "bf16"
    fp16 = "fp16"
    fp8 = "fp8"
    int8 = "int8"
    fp4 = "fp4"
    int4 = "int4"
    w4a8 = "w4a8"


class ProjectionFormat(StrEnum):
    """How a projection is printed."""

    text = "text"
    markdown = "markdown"
    json = "json"


_OPTIONS = {
    "batch": "--batch",
    "context_tokens": "--context",
    "prompt_tokens": "--prompt",
    "output_tokens": "--output",
    "precision": "--precision",
    "kv_bytes": "--cache-bytes",
    "chips": "--chips",
    "mtp_drafts": "--mtp",
    "mtp_acceptance": "--acceptance",
}


def project(
    model: Annotated[str, typer.Option("--model", help="Released model (harness models).", metavar="NAME")],
    chip: Annotated[str, typer.Option("--chip", help="Chip (harness chips).", metavar="NAME")],
    phase: Annotated[PhaseName, typer.Option("--phase", help="Which quantity; see below.")],
    batch: Annotated[float | None, typer.Option("--batch", help="Sequences a package.", metavar="N")] = None,
    context: Annotated[
        float | None, typer.Option("--context", help="Tokens in the cache, on average (decode).", metavar="N")
    ] = None,
    prompt: Annotated[float | None, typer.Option("--prompt", help="Tokens of a prompt.", metavar="N")] = None,
    output: Annotated[float | None, typer.Option("--output", help="Tokens of an answer.", metavar="N")] = None,
    precision: Annotated[
        PrecisionName | None, typer.Option("--precision", help="Format of the experts, or of all weights.")
    ] = None,
    chips: Annotated[
        int | None, typer.Option("--chips", help="Packages that share one set of experts.", metavar="N")
    ] = None,
    mtp: Annotated[int | None, typer.Option("--mtp", help="Drafted tokens a step; 0 for none.", metavar="N")] = None,
    acceptance: Annotated[
        float | None, typer.Option("--acceptance", help="Drafts accepted a step, at most --mtp.", metavar="X")
    ] = None,
    cache_bytes: Annotated[
        float | None, typer.Option("--cache-bytes", help="Bytes of a cached element: 2, or 1 for FP8.", metavar="N")
    ] = None,
    without_source: Annotated[
        list[str] | None,
        typer.Option("--without-source", help="Leave a publication out of the usual range (repeatable).", metavar="ID"),
    ] = None,
    without_vendor: Annotated[
        list[str] | None,
        typer.Option(
            "--without-vendor", help="Leave a vendor's chips out of the usual range (repeatable).", metavar="NAME"
        ),
    ] = None,
    catalog: Annotated[
        list[Path] | None,
        typer.Option("--catalog", help="Your own chips, models and rates (repeatable).", metavar="FILE"),
    ] = None,
    form: Annotated[ProjectionFormat, typer.Option("--format", help="How it is printed.")] = ProjectionFormat.text,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON: short for --format json.")] = False,
) -> int:
    """Project what a model could do on a chip: limits, times, memory, and the usual range that systems reach.

    Nothing is measured. A condition that you do not give is a range, not a default: it is listed as missing, the
    ceiling and the ends of the usual ranges are the outermost over the range, and giving it can only narrow them.

    \b
    Phases: prefill (input tokens a prefill package), decode (output tokens a decode package), output_all (output
    over all packages), total_all (input and output over all packages). All rates are per package and second.

    \b
    Examples:
      harness project --model deepseek-r1 --chip ascend-910c --phase decode --batch 96 --context 4096 \\
        --precision int8 --chips 160 --mtp 1 --acceptance 0.7
      harness project --model kimi-k2 --chip h200 --phase decode --context 2000 --json
    """
    from harness.catalog.collection import with_files
    from harness.report import projection
    from harness.roofline.projection import project as computed

    known_to_all = with_files(tuple(catalog or ()))
    known, released = known_to_all.chip(chip), known_to_all.model(model)
    given = _deployment(
        {
            "batch": batch,
            "context_tokens": context,
            "prompt_tokens": prompt,
            "output_tokens": output,
            "precision": precision.value if precision is not None else None,
            "chips": chips,
            "kv_bytes": cache_bytes,
            "mtp_drafts": mtp,
            "mtp_acceptance": acceptance,
        }
    )
    _check_drafts(given)
    _check_lengths(given, released.name, released.spec)
    _check_left_out(without_source or [], [r.source_id for r in known_to_all.rates], "--without-source", "publication")
    _check_left_out(without_vendor or [], [c.vendor for c in known_to_all.chips], "--without-vendor", "vendor")
    found = computed(
        released.spec,
        known,
        given,
        phase.value,
        exclude_sources=tuple(without_source or ()),
        exclude_vendors=tuple(without_vendor or ()),
        catalog=known_to_all if catalog else None,
    )
    if as_json or form is ProjectionFormat.json:
        typer.echo(projection.as_json(released.name, found), nl=False)
        return 0
    built = projection.build(released.name, found)
    if form is ProjectionFormat.markdown:
        from harness.report import markdown

        typer.echo(markdown.render(built), nl=False)
        return 0
    from harness.report import text

    typer.echo(text.render(built), nl=False)
    return 0


def _deployment(values: dict[str, Any]) -> "Deployment":
    """The conditions given. Raises UsageError that names the option and what it takes."""
    from pydantic import ValidationError

    from harness.errors import UsageError
    from harness.roofline.deployment import Deployment

    try:
        return Deployment.model_validate(values)
    except ValidationError as error:
        raise UsageError(_refusal(error)) from None


def _refusal(error: "ValidationError") -> str:
    lines = []
    for found in error.errors(include_url=False, include_context=False):
        option = _OPTIONS.get(str(found["loc"][0]), str(found["loc"][0]))
        wanted = found["msg"].removeprefix("Input should be ")
        lines.append(
            f"{option} {found['input']}: expected {wanted if wanted.startswith('a ') else f'a value {wanted}'}"
        )
    return "\n".join(lines)


def _check_drafts(given: "Deployment") -> None:
    from harness.errors import UsageError

    drafts, accepted = given.mtp_drafts, given.mtp_acceptance
    if accepted is None:
        return
    if drafts is None:
        raise UsageError(f"--acceptance {accepted:g}: expected --mtp beside it, the number of drafts a step")
    if accepted > drafts:
        raise UsageError(f"--acceptance {accepted:g}: expected at most the {drafts} drafts of --mtp {drafts}")


def _check_lengths(given: "Deployment", name: str, spec: "Spec") -> None:
    """A model takes no more tokens than it has positions."""
    from harness.errors import UsageError
    from harness.units import number

    most = spec.max_position_embeddings
    for option, tokens in (
        ("--context", given.context_tokens),
        ("--prompt", given.prompt_tokens),
        ("--output", given.output_tokens),
    ):
        if tokens is not None and tokens > most:
            raise UsageError(f"{option} {number(tokens)}: {name} takes {number(most)} tokens at most")


def _check_left_out(names: list[str], known: list[str], option: str, what: str) -> None:
    from harness.errors import UsageError, unknown

    for name in names:
        if name not in known:
            raise UsageError(f"{option}: {unknown(what, name, set(known))}")
