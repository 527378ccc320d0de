"""How `harness bench` is asked for: options and help, for people who know llama-bench. Imports nothing heavy."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


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
    form: Annotated[BenchFormat, typer.Option("-o", "--output", help="How rows are printed.")] = BenchFormat.md,
    profile: Annotated[bool, typer.Option("--profile", help="Also show where a step's time goes.")] = False,
    store: Annotated[
        Path | None,
        typer.Option("--store", help="Where runs are kept (default: .harness/store.sqlite).", metavar="PATH"),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, max=(1 << 32) - 1, help="Of weights, tokens and order.")] = 0,
    routing_skew: Annotated[
        float, typer.Option("--routing-skew", min=0, max=10, help="Preference for the first experts; 0 is balanced.")
    ] = 0.0,
    timeout: Annotated[
        float, typer.Option("--timeout", min=0.1, max=86400, help="Seconds after which a process is ended.")
    ] = 600.0,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress on stderr.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for another run on this host to end.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Run beside another run, although both spoil each other.")
    ] = False,
) -> int:
    """Measure a model's prefill and decode rates over a grid of settings, one row each.

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
    from harness.cli.benchgrid import BenchOptions
    from harness.cli.benchmarking import bench_command

    return bench_command(
        BenchOptions(
            models=tuple(models),
            prompt=_listed(prompt, "512"),
            generate=_listed(generate, "64"),
            batch=_listed(batch, "1"),
            depth=_listed(depth, "0"),
            precision=_listed(precision, "int8"),
            threads=_listed(threads, ""),
            repetitions=repetitions,
            form=form.value,
            profile=profile,
            store=store,
            seed=seed,
            routing_skew=routing_skew,
            timeout_s=timeout,
            quiet=quiet,
            wait=wait,
            force=force,
        )
    )


def _listed(given: list[str] | None, default: str) -> str:
    """An option that is repeated lists all of its values."""
    return default if given is None else ",".join(given)
