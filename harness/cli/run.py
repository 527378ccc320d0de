"""`harness run`, `judge` and `show`: measure, judge, and print the verdicts."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.delivery import Output, colour, deliver, session, width
from harness.cli.options import (
    LATEST,
    Catalog,
    Details,
    Force,
    Format,
    Html,
    Json,
    Markdown,
    OutputFormat,
    Quiet,
    StorePath,
    Strict,
    Wait,
)

if TYPE_CHECKING:
    from harness.api.result import Judged
    from harness.results.assemble import Header

REFUTED, UNDECIDED, INVALID = 3, 4, 5


def run(
    config: Annotated[
        str | None,
        typer.Argument(help="Config file, or the name of one that comes with harness.", metavar="[CONFIG]"),
    ] = None,
    form: Format = OutputFormat.text,
    json_file: Json = None,
    html_file: Html = None,
    markdown_file: Markdown = None,
    store: StorePath = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan with its needs, and stop.")] = False,
    resume: Annotated[
        str | None,
        typer.Option("--resume", help="Resume a run that was cut short (default: the latest).", metavar="[ID]"),
    ] = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="With --resume: measure again what failed, too.")
    ] = False,
    catalog: Catalog = None,
    strict: Strict = False,
    label: Annotated[str | None, typer.Option("--label", help="A word to find the run by.", metavar="TEXT")] = None,
    details: Details = False,
    quiet: Quiet = False,
    wait: Wait = False,
    force: Force = False,
    max_failures: Annotated[
        int | None,
        typer.Option("--max-failures", min=1, help="Stop after so many failures (default: go on).", metavar="N"),
    ] = None,
) -> int:
    """Measure what a config asks for and judge its claims.

    The sheet and catalogs named in a config are found beside the config; output files are written
    below the folder where you are.

    \b
    Examples:
      harness run quick                          a config that comes with harness
      harness run my.yaml --html report.html
      harness run configs/ci.yaml --json out/run.json --strict
      harness run --resume
      harness run --resume --retry-failed
    """
    from harness.api.loading import outputs_below_here
    from harness.api.run import Prepared, prepare
    from harness.api.run import resume as resumed
    from harness.api.run import run as carry_out
    from harness.errors import UsageError

    if retry_failed and resume is None:
        raise UsageError(
            "--retry-failed was given without --resume, expected: harness run --resume [ID] --retry-failed"
        )
    here = session(store, quiet=quiet, wait=wait, force=force)
    files = tuple(catalog or ())
    ready: Prepared
    if resume is not None:
        ready = resumed(resume, config, catalog=files, retry_failed=retry_failed, session=here)
    elif config is not None:
        ready = prepare(config, catalog=files, label=label)
    else:
        raise UsageError("no config given, expected: harness run CONFIG (or harness run --resume)")
    output = Output(form.value, json_file, html_file, markdown_file, quiet=quiet)
    if ready.asked is not None:
        named = outputs_below_here(ready.asked.config.outputs, output.targets)
        output = output.or_else(Output(json=named["json"], html=named["html"], markdown=named["markdown"]))
    output.check(inputs=ready.asked.inputs if ready.asked is not None else ())
    if dry_run:
        from harness.api import preview

        typer.echo(preview.render(ready.header.plan, ready.header.host, output.form), nl=False)
        return 0
    result = carry_out(ready, max_failures=max_failures, session=here)
    table = _bench_table(result, ready.header) if ready.header.made_by == "bench" else None
    _print(result, output, details=details, plain=table)
    return exit_code(result, strict=strict)


def judge(
    sheet: Annotated[
        str, typer.Argument(help="Claim sheet, or the name of one that comes with harness.", metavar="SHEET")
    ],
    record: Annotated[
        str | None,
        typer.Option("--record", help="Use the measurements of this run, stored or in a file.", metavar="ID|FILE"),
    ] = None,
    claim: Annotated[
        str | None, typer.Option("--claim", help="Judge this claim alone, and explain it.", metavar="ID")
    ] = None,
    chips: Annotated[
        list[str] | None, typer.Option("--chip", help="Set this chip beside the claims (repeatable).", metavar="NAME")
    ] = None,
    as_of: Annotated[
        str | None,
        typer.Option("--as-of", help="Judge by what was public on this day; say what changed since.", metavar="DATE"),
    ] = None,
    form: Format = OutputFormat.text,
    json_file: Json = None,
    html_file: Html = None,
    markdown_file: Markdown = None,
    store: StorePath = None,
    catalog: Catalog = None,
    strict: Strict = False,
    details: Details = False,
    quiet: Quiet = False,
) -> int:
    """Judge a claim sheet without measuring.

    Judged by what is modelled and published, and by the measurements of a run if you name one.

    \b
    Examples:
      harness judge deepseek-v4-ascend           a sheet that comes with harness
      harness judge deepseek-v4-ascend --claim active-parameters
      harness judge my-sheet.yaml --record latest --format markdown
      harness judge deepseek-v4-ascend --as-of 2026-04-30
    """
    from harness.api.judge import judge as judged
    from harness.api.loading import found_file

    output = Output(form.value, json_file, html_file, markdown_file, quiet=quiet)
    output.check(inputs=(found_file(sheet, "sheet"), *(catalog or ())))
    names, files = tuple(chips or ()), tuple(catalog or ())
    result = judged(sheet, record, files, chips=names, claim=claim, as_of=as_of, store=store)
    _print(result, output, details=details, claim=claim)
    return exit_code(result, strict=strict)


def show(
    record: Annotated[
        str,
        typer.Argument(help="Run, by id or by the first letters of one, or a file of --json.", metavar="[ID|FILE]"),
    ] = LATEST,
    claim: Annotated[str | None, typer.Option("--claim", help="Explain this claim.", metavar="ID")] = None,
    form: Format = OutputFormat.text,
    json_file: Json = None,
    html_file: Html = None,
    markdown_file: Markdown = None,
    store: StorePath = None,
    strict: Strict = False,
    details: Details = False,
    quiet: Quiet = False,
) -> int:
    """Show a stored run or a report's file again.

    Nothing is measured. A file is refused where it was cut or changed: its checksum tells.

    \b
    Examples:
      harness show
      harness show --details
      harness show 20260402 --html report.html
      harness show run.json --claim active-parameters
    """
    from harness.api.loading import load_run
    from harness.api.result import Judged
    from harness.errors import UsageError, unknown

    output = Output(form.value, json_file, html_file, markdown_file, quiet=quiet)
    output.check(inputs=(Path(record),) if record.endswith(".json") else ())
    kept, assessment = load_run(record, store=store)
    result = Judged(record=kept, assessment=assessment)
    if claim is not None and claim not in (ids := [v.id for v in result.verdicts]):
        raise UsageError(unknown("claim", claim, ids))
    _print(result, output, details=details, claim=claim)
    return exit_code(result, strict=strict)


def _print(
    result: "Judged", output: Output, *, details: bool, claim: str | None = None, plain: str | None = None
) -> None:
    from harness.report import summary, text

    def shown() -> str:
        if plain is not None:
            return plain
        if claim is not None and result.assessment is not None:
            return summary.claim(result.record, result.assessment, claim, width=width(), colour=colour())
        if details:
            return text.render(result.report(), width=width(), details=True)
        return summary.render(
            result.record,
            result.assessment,
            width=width(),
            colour=colour(),
            page=str(output.html) if output.html else None,
            run=result.record.record_id if result.record else None,
        )

    deliver(result, output, text=shown)


def exit_code(result: "Judged", *, strict: bool) -> int:
    """5 where nothing valid was measured; with `strict` 3 for a refuted claim, else 4 for an undecided one."""
    cases = result.record.measurements if result.record is not None else ()
    if cases and not any(m.good and not m.invalid for m in cases):
        return INVALID
    outcomes = {verdict.outcome for verdict in result.verdicts} if strict else set()
    return REFUTED if "refuted" in outcomes else UNDECIDED if "undecided" in outcomes else 0


def _bench_table(result: "Judged", header: "Header") -> str:
    """The rows of a `harness bench` that was resumed, and what only the command itself finds out."""
    from harness.api.result import bench_rows
    from harness.report import bench
    from harness.report.markdown import escape

    table = bench.render(bench_rows(result.record), "md")
    begun = escape(header.config_text.strip())
    return f"{table}\nRows that cannot run here, and distances from fp32, are told by: {begun}\n"
