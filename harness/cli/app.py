"""The commands, their options and their help. Knows how to ask, not how to answer: each body is one call."""

from enum import StrEnum
from itertools import pairwise
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.bench import bench
from harness.cli.calibrate import calibrate
from harness.cli.compare import ab, baseline, compare, export, history
from harness.cli.controls import controls
from harness.cli.doctor import doctor
from harness.cli.project import project
from harness.cli.store import store as store_group

app = typer.Typer(
    add_completion=False,
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)

LATEST = "latest"


class OutputFormat(StrEnum):
    """How results are printed."""

    text = "text"
    markdown = "markdown"
    json = "json"


class SchemaName(StrEnum):
    """Files that have a JSON Schema."""

    config = "config"
    sheet = "sheet"
    catalog = "catalog"
    record = "record"


FormatOption = Annotated[OutputFormat, typer.Option("--format", help="How results are printed on stdout.")]
StoreOption = Annotated[
    Path | None, typer.Option("--store", help="Where runs are kept (default: .harness/store.sqlite).", metavar="PATH")
]
StrictOption = Annotated[
    bool, typer.Option("--strict", help="Exit with 3 for a refuted claim, 4 for an undecided one.")
]
CatalogOption = Annotated[
    list[Path] | None, typer.Option("--catalog", help="Your own chips, models and rates (repeatable).", metavar="FILE")
]
JsonOption = Annotated[Path | None, typer.Option("--json", help="Write record and verdicts as JSON.", metavar="FILE")]
HtmlOption = Annotated[Path | None, typer.Option("--html", help="Write one self-contained page.", metavar="FILE")]
MarkdownOption = Annotated[
    Path | None, typer.Option("--markdown", help="Write a report for a pull request.", metavar="FILE")
]
DetailsOption = Annotated[bool, typer.Option("--details", help="Print the evidence of every claim.")]


def _version(asked: bool) -> None:
    if asked:
        from harness.cli.info import version

        typer.echo(version())
        raise typer.Exit


@app.callback()
def root(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Run a small sparse model here, and judge what an article claims of a chip that is not here.

    \b
    Examples:
      harness run configs/quick.yaml             measure, judge, print (about a minute)
      harness run my.yaml --dry-run              what would run, with memory and time
      harness run my.yaml --html report.html     one page that opens offline
      harness judge seeds/deepseek-v4-ascend.yaml
                                                 judge a sheet without measuring
      harness show                               the latest run again
      harness bench moe-1b -b 1,4,16 -q int4,int8
                                                 one row a setting, as llama-bench prints them
      harness init > my.yaml                     a config to start from

    \b
    Exit codes: 0 ok, 1 internal error, 2 wrong use or config, 3 refuted claim and 4 undecided claim
    (with --strict), 5 invalid run or unfit host, 130 interrupted.
    """
    if context.invoked_subcommand is None and not version:
        typer.echo(context.get_help(), err=True)
        raise typer.Exit(2)


@app.command()
def run(
    config: Annotated[
        Path | None, typer.Argument(help="Config file (YAML); not needed with --resume.", metavar="[CONFIG]")
    ] = None,
    form: FormatOption = OutputFormat.text,
    json_file: JsonOption = None,
    html_file: HtmlOption = None,
    markdown_file: MarkdownOption = None,
    store: StoreOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan with its needs, and stop.")] = False,
    resume: Annotated[
        str | None,
        typer.Option("--resume", help="Go on with a run that was cut short (default: the latest).", metavar="[ID]"),
    ] = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="With --resume: measure again what failed, too.")
    ] = False,
    catalog: CatalogOption = None,
    strict: StrictOption = False,
    label: Annotated[str | None, typer.Option("--label", help="A word to find the run by.", metavar="TEXT")] = None,
    details: DetailsOption = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress on stderr.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for another run on this host to end.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Run beside another run, although both spoil each other.")
    ] = False,
    max_failures: Annotated[
        int | None,
        typer.Option("--max-failures", min=1, help="Stop after so many failures (default: go on).", metavar="N"),
    ] = None,
) -> int:
    """Measure what a config asks for, judge its claim sheet, and print the report.

    The sheet and catalogs named in a config are found beside the config; output files are written
    below the folder where you are.

    \b
    Examples:
      harness run configs/quick.yaml
      harness run configs/ci.yaml --json out/run.json --strict
      harness run --resume
      harness run --resume --retry-failed
    """
    from harness.cli.delivery import Delivery
    from harness.cli.run import Options, run_command

    return run_command(
        Options(
            config=config,
            delivery=Delivery(
                form=form.value,
                json_file=json_file,
                html_file=html_file,
                markdown_file=markdown_file,
                details=details,
                strict=strict,
            ),
            store=store,
            dry_run=dry_run,
            resume=resume,
            retry_failed=retry_failed,
            catalog=tuple(catalog or ()),
            label=label,
            quiet=quiet,
            wait=wait,
            force=force,
            max_failures=max_failures,
        )
    )


@app.command()
def judge(
    sheet: Annotated[Path, typer.Argument(help="Claim sheet (YAML).", metavar="SHEET")],
    record: Annotated[
        str | None,
        typer.Option("--record", help="Use the measurements of this run, stored or in a file.", metavar="ID|FILE"),
    ] = None,
    chips: Annotated[
        list[str] | None, typer.Option("--chip", help="Set this chip beside the claims (repeatable).", metavar="NAME")
    ] = None,
    form: FormatOption = OutputFormat.text,
    json_file: JsonOption = None,
    html_file: HtmlOption = None,
    markdown_file: MarkdownOption = None,
    store: StoreOption = None,
    catalog: CatalogOption = None,
    strict: StrictOption = False,
    details: DetailsOption = False,
) -> int:
    """Judge a claim sheet by what is modelled and published, and by a run's measurements if you name one.

    \b
    Examples:
      harness judge seeds/deepseek-v4-ascend.yaml
      harness judge my-sheet.yaml --record latest --format markdown
    """
    from harness.cli.delivery import Delivery
    from harness.cli.judge import JudgeOptions, judge_command

    return judge_command(
        JudgeOptions(
            sheet=sheet,
            record=record,
            chips=tuple(chips or ()),
            delivery=Delivery(
                form=form.value,
                json_file=json_file,
                html_file=html_file,
                markdown_file=markdown_file,
                details=details,
                strict=strict,
            ),
            store=store,
            catalog=tuple(catalog or ()),
        )
    )


@app.command()
def show(
    record: Annotated[
        str,
        typer.Argument(help="Run, by id or by the first letters of one, or a file of --json.", metavar="[ID|FILE]"),
    ] = LATEST,
    form: FormatOption = OutputFormat.text,
    json_file: JsonOption = None,
    html_file: HtmlOption = None,
    markdown_file: MarkdownOption = None,
    store: StoreOption = None,
    strict: StrictOption = False,
    details: DetailsOption = False,
) -> int:
    """Show a stored run again, without measuring: the latest, or the one you name.

    A file is refused where it was cut or changed: its checksum tells.

    \b
    Examples:
      harness show
      harness show 20260402 --html report.html
      harness show run.json
    """
    from harness.cli.delivery import Delivery
    from harness.cli.show import ShowOptions, show_command

    return show_command(
        ShowOptions(
            record=record,
            delivery=Delivery(
                form=form.value,
                json_file=json_file,
                html_file=html_file,
                markdown_file=markdown_file,
                details=details,
                strict=strict,
            ),
            store=store,
        )
    )


@app.command("list")
def list_runs(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON array.")] = False,
    store: StoreOption = None,
) -> int:
    """List the stored runs, the latest first.

    \b
    Examples:
      harness list
      harness list --json | head
    """
    from harness.cli.show import list_command

    return list_command(store, as_json)


@app.command()
def models() -> int:
    """List the architectures that run here, and the released ones that claims may name."""
    from harness.cli.info import models_command

    return models_command()


@app.command()
def chips() -> int:
    """List the chips whose limits are known, with their sourced figures."""
    from harness.cli.info import chips_command

    return chips_command()


@app.command()
def init() -> int:
    """Print a commented config to start from.

    \b
    Example:
      harness init > my.yaml
    """
    from harness.cli.info import init_command

    return init_command()


@app.command()
def schema(name: Annotated[SchemaName, typer.Argument(help="Which file's schema.")]) -> int:
    """Print the JSON Schema of a file, for editors and other programs.

    \b
    Example:
      harness schema config > config.schema.json
    """
    from harness.cli.info import schema_command

    return schema_command(name.value)


app.command()(project)
app.command()(controls)
app.command()(bench)
app.command()(compare)
app.command()(ab)
app.command()(calibrate)
app.command()(doctor)
app.command()(export)
app.command()(history)
app.add_typer(baseline, name="baseline")
app.add_typer(store_group, name="store")


_WRITES_JSON = ("run", "judge", "show", "ab")


def with_bare_options(arguments: list[str]) -> list[str]:
    """Two options may stand without their value, which the parser does not allow: `--resume` then means the latest
    run, and `--json` of a command that could write a file prints on stdout."""
    command = next((a for a in arguments if not a.startswith("-")), "")
    out: list[str] = []
    for argument, following in pairwise([*arguments, "--"]):
        alone = following.startswith("-") or following.endswith((".yaml", ".yml"))
        if argument == "--resume" and (alone or "/" in following or following.endswith(".json")):
            out += [argument, LATEST]
        elif argument == "--json" and alone and command in _WRITES_JSON:
            out += ["--format", OutputFormat.json.value]
        else:
            out.append(argument)
    return out
