"""`harness bench`: a model's rates over a grid of settings, for people who know llama-bench."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.delivery import Output, deliver, say, session
from harness.cli.options import Force, Json, QuietOnly, StorePath, Wait

if TYPE_CHECKING:
    from harness.api.result import Benched
    from harness.results.bench import BenchRow

ALL_FAILED = 5
NO_INTERVAL = "no-interval"  # what one process cannot give, and who asks for one process knows


class BenchFormat(StrEnum):
    """How rows are printed."""

    md = "md"
    csv = "csv"
    json = "json"
    jsonl = "jsonl"
    sql = "sql"


def bench(
    models: Annotated[
        list[str],
        typer.Argument(
            help="Presets (harness models lists them), YAML files with a spec, or a Hugging Face config.json or its "
            "folder; each also with ':equal-total' or ':equal-active' for its dense counterpart.",
            metavar="MODEL...",
        ),
    ],
    prompt: Annotated[
        list[str] | None, typer.Option("-p", "--prompt", help="Prompt lengths to read; 0: none (512).", metavar="LIST")
    ] = None,
    generate: Annotated[
        list[str] | None,
        typer.Option("-n", "--generate", help="Numbers of tokens to generate; 0: none (64).", metavar="LIST"),
    ] = None,
    batch: Annotated[
        list[str] | None, typer.Option("-b", "--batch", help="Sequences at once (1).", metavar="LIST")
    ] = None,
    depth: Annotated[
        list[str] | None,
        typer.Option("-d", "--depth", help="Cached tokens when generation begins (0).", metavar="LIST"),
    ] = None,
    precision: Annotated[
        list[str] | None,
        typer.Option("-q", "--precision", help="Of weights: int4, int8, fp32 (int8).", metavar="LIST"),
    ] = None,
    threads: Annotated[
        list[str] | None, typer.Option("-t", "--threads", help="Threads (one a physical core).", metavar="LIST")
    ] = None,
    repetitions: Annotated[
        int, typer.Option("-r", "--repetitions", min=1, max=1000, help="Fresh processes for each row.")
    ] = 5,
    form: Annotated[
        BenchFormat, typer.Option("-o", "--output", "--format", help="How rows are printed.")
    ] = BenchFormat.md,
    json_file: Json = None,
    profile: Annotated[bool, typer.Option("--profile", help="Also show where a step's time goes.")] = False,
    store: StorePath = None,
    seed: Annotated[int, typer.Option("--seed", min=0, max=(1 << 32) - 1, help="Of weights, tokens and order.")] = 0,
    routing_skew: Annotated[
        float, typer.Option("--routing-skew", min=0, max=10, help="Preference for the first experts; 0 is balanced.")
    ] = 0.0,
    timeout: Annotated[
        float, typer.Option("--timeout", min=0.1, max=86400, help="Seconds after which a process is ended.")
    ] = 600.0,
    quiet: QuietOnly = False,
    wait: Wait = False,
    force: Force = False,
) -> int:
    """Measure a model's rates over a grid of settings.

    LIST is numbers and ranges: 1,4,16 or 1-4 or 128-512+128 or 1-64*4; an option may also be repeated.
    -p gives prefill rows, -n decode rows; depths concern decode. A row that fails says why, the rest goes
    on. This host's ceilings, and the error of quantised logits against fp32, are measured in the same run.

    \b
    Examples:
      harness bench moe-tiny
      harness bench moe-1b -p 128,512 -n 64 -b 1,4,16 -q int4,int8,fp32 -o json
      harness bench moe-1b moe-1b:equal-total -p 0 -n 64 -d 0,2048
      harness bench moe-tiny -p 64 -n 16 --profile
    """
    from harness.api.bench import bench as measured
    from harness.api.result import Benched
    from harness.errors import StoppedError
    from harness.report import bench as table

    output = Output(form.value, json_file, quiet=quiet)
    output.check()
    lists = {"prompt": prompt, "generate": generate, "batch": batch, "depth": depth, "precision": precision}
    given = {name: ",".join(values) for name, values in {**lists, "threads": threads}.items() if values is not None}

    def print_line(row: "BenchRow") -> None:
        typer.echo(table.json_line(row), nl=False)

    try:
        result = measured(
            models,
            session=session(store, quiet=quiet, wait=wait, force=force),
            on_row=print_line if output.form == "jsonl" else None,
            repetitions=repetitions,
            profile=profile,
            seed=seed,
            routing_skew=routing_skew,
            timeout_s=timeout,
            **given,
        )
    except StoppedError as stopped:
        if isinstance(stopped.result, Benched):
            _print(stopped.result, output)
        raise
    _print(result, output)
    return exit_code(result)


def _print(result: "Benched", output: Output) -> None:
    from harness.report import bench as table

    forms = {form.value: lambda name=form.value: table.render(result.cases, name) for form in BenchFormat}
    forms["jsonl"] = str  # printed line by line while it went on
    deliver(result, output, **forms)
    if output.form in ("csv", "sql") and any(row.profile for row in result.cases):
        say(table.profile_tables(result.cases).rstrip("\n"))


def exit_code(result: "Benched") -> int:
    """0 if any row can be relied upon, save that one process gives no interval."""
    valid = any(
        row.rate_tok_s is not None and all(rule.startswith(NO_INTERVAL) for rule in row.invalid) for row in result.cases
    )
    return 0 if valid else ALL_FAILED
