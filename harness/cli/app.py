"""The commands in their groups, and the help of the whole."""

from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from harness.cli.ab import ab
from harness.cli.baseline import baseline
from harness.cli.bench import bench
from harness.cli.calibrate import calibrate
from harness.cli.catalog import catalog
from harness.cli.compare import compare
from harness.cli.doctor import doctor
from harness.cli.export import export
from harness.cli.history import history
from harness.cli.info import chips, init, list_runs, models, print_schema
from harness.cli.options import LATEST
from harness.cli.project import project
from harness.cli.run import judge, run, show
from harness.cli.self_test import controls, self_test
from harness.cli.store import store
from harness.cli.tunnel import tunnel

if TYPE_CHECKING:
    from typer._click.core import Context
    from typer._click.formatting import HelpFormatter

GROUPS: dict[str, dict[str, Any]] = {
    "Judge": {"run": run, "judge": judge, "project": project, "tunnel": tunnel, "self-test": self_test},
    "Measure": {"bench": bench, "calibrate": calibrate, "doctor": doctor},
    "Compare": {"compare": compare, "ab": ab, "history": history, "export": export, "baseline": baseline},
    "Store": {"show": show, "list": list_runs, "store": store},
    "Reference": {"models": models, "chips": chips, "catalog": catalog, "init": init, "schema": print_schema},
}


class Grouped(TyperGroup):
    """A help that names the commands by what they are for."""

    def format_commands(self, ctx: "Context", formatter: "HelpFormatter") -> None:
        for title, names in GROUPS.items():
            with formatter.section(title):
                found = ((name, self.get_command(ctx, name)) for name in names)
                formatter.write_dl([(name, c.get_short_help_str(64)) for name, c in found if c is not None])


app = typer.Typer(
    cls=Grouped,
    add_completion=True,
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


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
    """Run a mixture-of-experts (MoE) model here, and judge what an article claims of hardware
    that is not here.

    \b
    Examples:
      harness run quick                       measure, judge, print (a minute)
      harness run my.yaml --dry-run           what would run, memory and time
      harness judge deepseek-v4-ascend        judge a sheet without measuring
      harness show --details                  the latest run, all its evidence
      harness bench moe-1b -b 1,4 -q int4,int8
                                              rows as llama-bench prints them
      harness compare before.json after.json  result tables of many tools
      harness init > my.yaml                  a config to start from

    \b
    Exit codes: 0 ok, 1 internal error, 2 wrong use or config, 3 refuted claim
    and 4 undecided claim (with --strict), 5 invalid run or unfit host,
    130 interrupted.
    """
    if context.invoked_subcommand is None and not version:
        typer.echo(context.get_help(), err=True)
        raise typer.Exit(2)


for commands in GROUPS.values():
    for name, command in commands.items():
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name)
        else:
            app.command(name)(command)
app.command("controls", hidden=True)(controls)

TAKES_JSON = tuple(
    name
    for names in GROUPS.values()
    for name in names
    if name not in ("export", "baseline", "store", "catalog", "init", "schema")
)


def with_bare_options(arguments: list[str]) -> list[str]:
    """Two options may stand without their value, which the parser does not allow: `--resume` then means the latest
    run, and `--json` prints on stdout."""
    command = next((a for a in arguments if not a.startswith("-")), "")
    out: list[str] = []
    for argument, following in pairwise([*arguments, "--"]):
        alone = (following.startswith("-") and following != "-") or following.endswith((".yaml", ".yml"))
        if argument == "--resume" and (alone or "/" in following or following.endswith(".json")):
            out += [argument, LATEST]
        elif argument == "--json" and alone and command in (*TAKES_JSON, "controls"):
            out += [argument, "-"]
        else:
            out.append(argument)
    return out
