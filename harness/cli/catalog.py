"""`harness catalog`: published results as rates of a catalog file. Options and help; nothing is computed here."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.options import Catalog
from harness.cli.project import PrecisionName

catalog = typer.Typer(help="Published results as rates of a catalog of your own.", no_args_is_help=True)


class GradeName(StrEnum):
    """How far a source is to be trusted."""

    A = "A"
    B = "B"
    C = "C"
    D = "D"
    P = "P"


@catalog.callback()
def group() -> None:
    """Published results as rates of a catalog of your own."""


@catalog.command("import")
def import_command(
    files: Annotated[list[Path], typer.Argument(help="Result files.", metavar="FILE...")],
    model: Annotated[
        str | None, typer.Option("--model", help="Which model, where the file does not say.", metavar="NAME")
    ] = None,
    chip: Annotated[
        str | None, typer.Option("--chip", help="Which chip, where the file does not say.", metavar="NAME")
    ] = None,
    chips: Annotated[
        int | None, typer.Option("--chips", min=1, max=999_999, help="Packages that served it.", metavar="N")
    ] = None,
    precision: Annotated[
        PrecisionName | None, typer.Option("--precision", help="Format of the experts, or of all weights.")
    ] = None,
    system: Annotated[str | None, typer.Option("--system", help="The server's software.", metavar="TEXT")] = None,
    title: Annotated[str | None, typer.Option("--title", help="Of the source.", metavar="TEXT")] = None,
    url: Annotated[str | None, typer.Option("--url", help="Of the source.", metavar="URL")] = None,
    date: Annotated[str | None, typer.Option("--date", help="Of the source.", metavar="DATE")] = None,
    grade: Annotated[
        GradeName, typer.Option("--grade", help="Of the source; docs/reference/catalog.md.")
    ] = GradeName.B,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write it here (default: stdout).", metavar="FILE")
    ] = None,
    catalogs: Catalog = None,
) -> int:
    """Turn results of vLLM, SGLang, MLPerf LoadGen and InferenceX into rates of a catalog file.

    Rates are per package. Models and chips get the catalog's names where the file's names are
    certain; what a file does not say stays unknown.

    \b
    Examples:
      harness catalog import result.json --chip h200 --chips 8 -o mine.yaml
      harness judge sheet.yaml --catalog mine.yaml
    """
    from harness.api.catalog_import import Stated, import_rates
    from harness.cli.delivery import say
    from harness.files.output import Target, check_targets, write_target

    target = None if output is None else Target(path=output, asked_by="--output")
    if target is not None:
        check_targets([target], [*files, *(catalogs or ())])
    format_ = None if precision is None else precision.value
    stated = Stated(model, chip, chips, format_, system, title, url, date, grade.value)
    found = import_rates(files, stated=stated, catalog=catalogs or ())
    if target is None:
        typer.echo(str(found), nl=False)
    else:
        write_target(target, str(found))
        say(f"wrote {target.path}: {len(found.file.rates)} rates")
    return 0
