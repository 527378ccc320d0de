"""`harness project`: what a model could do on a chip. Options, help and their checks; nothing is computed here."""

from enum import StrEnum
from typing import Annotated

import typer

from harness.cli.delivery import Output, deliver
from harness.cli.options import Catalog, Format, Html, Json, Markdown, OutputFormat, Quiet
from harness.errors import UsageError

MOST = 10.0
"""Of an exponent or a deviation: beyond it one expert is all there is."""


class PhaseName(StrEnum):
    """Quantities that are never compared with one another."""

    prefill = "prefill"
    decode = "decode"
    output_all = "output_all"
    total_all = "total_all"


class MaturityName(StrEnum):
    """Tuned for the run; released, with its defaults; or early: first support, a baseline."""

    tuned = "tuned"
    default = "default"
    early = "early"


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


def project(
    model: Annotated[str, typer.Option("--model", help="Released model (harness models).", metavar="NAME")],
    chip: Annotated[str, typer.Option("--chip", help="Chip (harness chips).", metavar="NAME")],
    phase: Annotated[PhaseName, typer.Option("--phase", help="Which quantity; see below.")],
    batch: Annotated[float | None, typer.Option("--batch", help="Sequences a package.", metavar="N")] = None,
    context: Annotated[
        float | None, typer.Option("--context", help="Tokens in the cache, on average (decode).", metavar="N")
    ] = None,
    prompt: Annotated[float | None, typer.Option("--prompt", help="Tokens of a prompt.", metavar="N")] = None,
    output_tokens: Annotated[float | None, typer.Option("--output", help="Tokens of an answer.", metavar="N")] = None,
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
    tensor_parallel: Annotated[
        int | None,
        typer.Option("--tensor-parallel", help="Devices that share one copy of the other weights.", metavar="N"),
    ] = None,
    maturity: Annotated[
        MaturityName | None, typer.Option("--maturity", help="Of the software; left out, all three count.")
    ] = None,
    skew: Annotated[
        str | None, typer.Option("--skew", help="Exponent of Zipf's law over experts, or its range.", metavar="X[:Y]")
    ] = None,
    replicas: Annotated[
        int | None, typer.Option("--replicas", help="Redundant copies of experts in the group.", metavar="N")
    ] = None,
    staleness: Annotated[
        str | None,
        typer.Option(
            "--staleness", help="How far popularity has moved since placement (log deviation).", metavar="X[:Y]"
        ),
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
    catalog: Catalog = None,
    form: Format = OutputFormat.text,
    json_file: Json = None,
    html: Html = None,
    markdown_file: Markdown = None,
    quiet: Quiet = False,
) -> int:
    """Project what a model could do on a chip.

    Limits, times, memory, and what published systems would reach; nothing is measured. A condition that you do
    not give is a range, not a default: it is listed as missing, the ceiling is over every value of it, and the
    usual range takes it as published systems have it.

    \b
    Phases: prefill (input tokens a prefill package), decode (output tokens a decode package), output_all (output
    over all packages), total_all (input and output over all packages). All rates are per package and second.

    \b
    With --skew, --replicas or --staleness also the load and time of the busiest of the devices that
    hold experts, over the mean, by placement; those not given range (skew 0:1, staleness 0:0.3).

    \b
    Examples:
      harness project --model deepseek-r1 --chip ascend-910c --phase decode --batch 96 --context 4096 \\
        --precision int8 --chips 160 --mtp 1 --acceptance 0.7
      harness project --model kimi-k2 --chip h200 --phase decode --context 2000 --json
      harness project --model deepseek-r1 --chip ascend-910c --phase prefill --prompt 4096 --chips 16 \\
        --precision int8 --replicas 32 --skew 0:0.5
    """
    from harness.api.project import project as projected

    output = Output(form.value, json_file, html, markdown_file, quiet=quiet)
    output.check(catalog or ())
    result = projected(
        model=model,
        chip=chip,
        phase=phase.value,
        without_sources=tuple(without_source or ()),
        without_vendors=tuple(without_vendor or ()),
        catalog=tuple(catalog or ()),
        batch=batch,
        context_tokens=context,
        prompt_tokens=prompt,
        output_tokens=output_tokens,
        precision=precision.value if precision is not None else None,
        chips=chips,
        kv_bytes=cache_bytes,
        mtp_drafts=mtp,
        mtp_acceptance=acceptance,
        tensor_parallel=tensor_parallel,
        maturity=maturity.value if maturity is not None else None,
        skew=_ends(skew, "--skew"),
        replicas=replicas,
        staleness=_ends(staleness, "--staleness"),
    )
    deliver(result, output)
    return 0


def _ends(text: str | None, option: str) -> tuple[float, float] | None:
    """Both ends of a range, or one value twice. Raises UsageError."""
    if text is None:
        return None
    low, _, high = text.partition(":")
    try:
        ends = float(low), float(high or low)
    except ValueError:
        ends = (1.0, 0.0)
    if not 0 <= ends[0] <= ends[1] <= MOST:
        raise UsageError(f"{option} {text}: expected a number from 0 to {MOST:g}, or two as 0:1, the lower first")
    return ends
