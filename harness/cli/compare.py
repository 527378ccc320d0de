"""How `harness compare`, `ab`, `export`, `history` and `baseline` are asked for. Imports nothing heavy."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class ComparisonFormat(StrEnum):
    """How a comparison is printed."""

    text = "text"
    markdown = "markdown"
    csv = "csv"
    json = "json"


class ExportFormat(StrEnum):
    """What other services read."""

    github_bigger = "github-bigger"
    github_smaller = "github-smaller"
    bencher = "bencher"
    csv = "csv"


class HistoryFormat(StrEnum):
    """How a history is printed."""

    text = "text"
    markdown = "markdown"
    json = "json"


Wait = Annotated[bool, typer.Option("--wait", help="Wait for another run on this host to end.")]
Force = Annotated[bool, typer.Option("--force", help="Measure beside another run, although both spoil each other.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress on stderr.")]
StorePath = Annotated[
    Path | None, typer.Option("--store", help="Where runs are kept (default: .harness/store.sqlite).", metavar="PATH")
]
FailOn = Annotated[
    list[str] | None,
    typer.Option("--fail-on", help="End with an error code for this (repeatable), see below.", metavar="WHAT[:N%]"),
]
ThresholdsFile = Annotated[
    Path | None,
    typer.Option("--thresholds", help="Margins and drift (default: harness.toml, if there).", metavar="FILE"),
]
Margin = Annotated[
    float | None, typer.Option("--margin", min=0.0001, max=0.99, help="Change that does not matter (0.03: 3 %).")
]
JUnit = Annotated[Path | None, typer.Option("--junit", help="Write JUnit XML.", metavar="FILE")]
Json = Annotated[Path | None, typer.Option("--json", help="Write the comparison as JSON.", metavar="FILE")]
Markdown = Annotated[
    Path | None, typer.Option("--markdown", help="Write the comparison for a pull request.", metavar="FILE")
]
Html = Annotated[Path | None, typer.Option("--html", help="Write one self-contained page.", metavar="FILE")]


def compare(
    tables: Annotated[
        list[str], typer.Argument(help="Result files, or ids or labels of stored runs.", metavar="A B [C ...]")
    ],
    form: Annotated[ComparisonFormat, typer.Option("--format", help="How it is printed.")] = ComparisonFormat.text,
    fail_on: FailOn = None,
    ignore: Annotated[
        list[str] | None,
        typer.Option("--ignore", help="A setting, input or fact that does not matter (repeatable).", metavar="NAME"),
    ] = None,
    across_hosts: Annotated[
        bool, typer.Option("--across-hosts", help="Compare although the hosts differ: hosts, not programs.")
    ] = False,
    thresholds: ThresholdsFile = None,
    margin: Margin = None,
    drift: Annotated[
        float | None,
        typer.Option("--drift", min=0, max=0.99, help="Spread of this host's sessions for identical code."),
    ] = None,
    junit: JUnit = None,
    html: Html = None,
    store: StorePath = None,
) -> int:
    """Compare result tables: what differs around them, each row's decision, and the whole.

    Reads the JSON of harness, of pytest-benchmark and of llama-bench (JSON lines and CSV too), JSON or CSV of
    hyperfine and of Google Benchmark, and stored runs. Rows are matched by all their settings, never averaged.
    More than two tables are each compared with the first.

    \b
    Examples:
      harness compare before.json after.json
      harness compare main my-branch --fail-on slower:5%
      harness compare a.json b.json c.json --format markdown

    \b
    --fail-on: slower, faster, warn (exit 3), undecided (4), unmeasurable, not-comparable, missing (5). With a
    percentage only where the whole interval shown is beyond it. With any --fail-on, nothing comparable, or nothing
    measurable, ends with 5.

    \b
    harness.toml:
      [compare]
      margin = 0.03                 # a change that does not matter
      drift = 0.05                  # of this host, between sessions
      [[compare.rules]]
      margin = 0.05
      where = {phase = "decode"}
    """
    from harness.cli.contrast import Choices, Presentation, compare_command

    return compare_command(
        tuple(tables),
        Choices(ignore=tuple(ignore or ()), across_hosts=across_hosts, file=thresholds, drift=drift, margin=margin),
        Presentation(form=form.value, fail_on=tuple(fail_on or ()), junit=junit, html=html),
        store,
    )


def ab(
    old: Annotated[Path, typer.Argument(help="Config of the side to compare with.", metavar="CONFIG")],
    new: Annotated[
        Path | None, typer.Argument(help="Config of the other side (default: the same).", metavar="[NEW]")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="Another value of 'measure' for the other side (repeatable).", metavar="NAME=VALUE"),
    ] = None,
    base_python: Annotated[
        Path | None,
        typer.Option("--base-python", help="Interpreter of the environment compared with.", metavar="PATH"),
    ] = None,
    head_python: Annotated[
        Path | None, typer.Option("--head-python", help="Interpreter of the other environment.", metavar="PATH")
    ] = None,
    base: Annotated[
        str | None,
        typer.Option("--base", help="Revision of harness compared with (default: see below).", metavar="REV"),
    ] = None,
    head: Annotated[
        str | None,
        typer.Option("--head", help="Revision of the other side; '.' is the working tree.", metavar="REV"),
    ] = None,
    budget_s: Annotated[
        float | None, typer.Option("--budget", min=1, help="Seconds after which no further pair starts.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the order in which the sides run.")] = 0,
    form: Annotated[ComparisonFormat, typer.Option("--format", help="How it is printed.")] = ComparisonFormat.text,
    fail_on: FailOn = None,
    thresholds: ThresholdsFile = None,
    margin: Margin = None,
    json_file: Json = None,
    markdown_file: Markdown = None,
    junit: JUnit = None,
    html: Html = None,
    store: StorePath = None,
    wait: Wait = False,
    force: Force = False,
    quiet: Quiet = False,
) -> int:
    """Measure two sides in turn on this host, one fresh process each, until every case is decided.

    Looks after 10, 20, 40, 80 and 160 pairs. Each process's observations are kept before the next one starts.

    The sides are two configs, two settings, or two environments of harness: other versions of harness, of ONNX
    Runtime or of numpy (another program's revisions are not compared). An environment without harness is
    measured with this one's worker. --base and --head name revisions of the repository that you are in: each is
    installed in an environment of its own, kept by commit beside the store. --base alone is compared with the
    working tree; --head alone with the commit where it left the default branch. Both sides measure the head's
    config.

    \b
    Examples:
      harness ab configs/ab.yaml --set threads=1
      harness ab configs/ab.yaml --base-python old/bin/python --head-python new/bin/python --fail-on slower:5%
      harness ab before.yaml after.yaml --budget 300
      harness ab configs/ab.yaml --head . --fail-on slower:5% --markdown out/ab.md --junit out/ab.xml
      harness ab configs/ab.yaml --base v0.1.0 --head HEAD

    \b
    Exit codes: 0, or what --fail-on says; 5 where nothing could be compared.
    """
    from harness.cli.ab import AbOptions, ab_command
    from harness.cli.contrast import Choices, Presentation
    from harness.cli.variants import Wanted

    return ab_command(
        AbOptions(
            wanted=Wanted(
                old=old,
                new=new,
                settings=tuple(settings or ()),
                old_python=base_python,
                new_python=head_python,
                old_revision=base,
                new_revision=head,
            ),
            budget_s=budget_s,
            seed=seed,
            choices=Choices(file=thresholds, margin=margin),
            presentation=Presentation(
                form=form.value,
                fail_on=tuple(fail_on or ()),
                junit=junit,
                html=html,
                json=json_file,
                markdown=markdown_file,
            ),
            store=store,
            wait=wait,
            force=force,
            quiet=quiet,
        )
    )


def export(
    table: Annotated[str, typer.Argument(help="Result file, or id or label of a stored run.", metavar="TABLE")],
    form: Annotated[ExportFormat, typer.Option("--format", help="What it is for.")] = ExportFormat.csv,
    store: StorePath = None,
) -> int:
    """Print a result table for another service: github-action-benchmark, Bencher, or a spreadsheet.

    \b
    Examples:
      harness export latest --format github-bigger > output.json     customBiggerIsBetter
      harness export run.json --format bencher > bmf.json            Bencher Metric Format
      harness export llama.jsonl --format csv > table.csv
    """
    from harness.cli.contrast import export_command

    return export_command(table, form.value, store)


def history(
    tables: Annotated[
        list[str] | None, typer.Argument(help="Files or stored runs, oldest first (default: all stored runs).")
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option("--where", help="Only cases with this setting (repeatable).", metavar="NAME=VALUE"),
    ] = None,
    form: Annotated[HistoryFormat, typer.Option("--format", help="How it is printed.")] = HistoryFormat.text,
    margin: Annotated[
        float, typer.Option("--margin", min=0.0001, max=0.99, help="Changes of level below it are not reported.")
    ] = 0.03,
    no_changes: Annotated[bool, typer.Option("--no-changes", help="Do not look for changes of level.")] = False,
    store: StorePath = None,
) -> int:
    """Show each case over time, and since which run its level has changed. Reports; never fails a build.

    \b
    Examples:
      harness history
      harness history --where phase=decode --format json
    """
    from harness.cli.trends import HistoryOptions, history_command

    return history_command(
        HistoryOptions(
            tables=tuple(tables or ()),
            where=tuple(where or ()),
            form=form.value,
            margin=margin,
            changes=not no_changes,
            store=store,
        )
    )


baseline = typer.Typer(help="The stored run that others are compared with.", no_args_is_help=True)


@baseline.command("set")
def baseline_set(
    name: Annotated[str, typer.Argument(help="Id or label of a stored run.", metavar="ID")], store: StorePath = None
) -> int:
    """Remember a run; `harness compare baseline latest` then finds it."""
    from harness.cli.baseline import baseline_set

    return baseline_set(name, store)


@baseline.command("show")
def baseline_show(store: StorePath = None) -> int:
    """Print the id of the run that was set."""
    from harness.cli.baseline import baseline_show

    return baseline_show(store)
