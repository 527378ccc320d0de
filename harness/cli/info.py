"""`harness models`, `chips`, `list`, `init` and `schema`: what is known here and what to start from."""

from enum import StrEnum
from typing import Annotated

import typer

from harness.cli.delivery import Output, deliver
from harness.cli.options import Format, Json, Markdown, OutputFormat, Quiet, StorePath
from harness.files.installed import installed_version


def version() -> str:
    """What `--version` prints: this program and what its figures depend on."""
    names = ("harness", "onnxruntime", "numpy")
    return ", ".join(f"{name} {installed_version(name) or '(not installed)'}" for name in names)


def models(
    form: Format = OutputFormat.text, json_file: Json = None, markdown_file: Markdown = None, quiet: Quiet = False
) -> int:
    """List the models that run here and those that claims name."""
    from harness.api.reference import models as known

    output = Output(form.value, json_file, markdown=markdown_file, quiet=quiet)
    output.check()
    deliver(known(), output)
    return 0


def chips(
    form: Format = OutputFormat.text, json_file: Json = None, markdown_file: Markdown = None, quiet: Quiet = False
) -> int:
    """List the chips whose limits are known."""
    from harness.api.reference import chips as known

    output = Output(form.value, json_file, markdown=markdown_file, quiet=quiet)
    output.check()
    deliver(known(), output)
    return 0


def list_runs(
    form: Format = OutputFormat.text,
    json_file: Json = None,
    markdown_file: Markdown = None,
    store: StorePath = None,
    quiet: Quiet = False,
) -> int:
    """List the stored runs, the latest first.

    \b
    Examples:
      harness list
      harness list --json -
    """
    from harness.api.reference import runs

    output = Output(form.value, json_file, markdown=markdown_file, quiet=quiet)
    output.check()
    deliver(runs(store), output)
    return 0


def init(
    name: Annotated[
        str | None, typer.Argument(help="A config or sheet that comes with harness.", metavar="[NAME]")
    ] = None,
    listed: Annotated[bool, typer.Option("--list", help="Name the configs and sheets that come with harness.")] = False,
) -> int:
    """Print a config or a claim sheet to start from.

    \b
    Examples:
      harness init > my.yaml
      harness init --list
      harness init deepseek-v4-ascend > sheet.yaml
    """
    from harness.files import installed

    if listed:
        for title, known in (
            ("Configs (harness run NAME)", installed.configs()),
            ("Sheets (harness judge NAME)", installed.sheets()),
        ):
            typer.echo(f"{title}: {', '.join(known)}")
    elif name is None:
        typer.echo(STARTER, nl=False)
    else:
        kind: installed.Kind = "sheet" if name in installed.sheets() else "config"
        typer.echo(installed.find(name, kind).read_text(encoding="utf-8"), nl=False)
    return 0


class SchemaChoice(StrEnum):
    """Files that have a JSON Schema."""

    config = "config"
    sheet = "sheet"
    catalog = "catalog"
    record = "record"


def print_schema(name: Annotated[SchemaChoice, typer.Argument(help="Which file's schema.")]) -> int:
    """Print the JSON Schema of a file.

    For editors and other programs.

    \b
    Example:
      harness schema config > config.schema.json
    """
    from harness.api.reference import schema

    typer.echo(schema(name.value), nl=False)
    return 0


STARTER = """\
# A config for harness. Check it with: harness run THIS_FILE --dry-run
harness: 1                      # version of this file's format
name: my-first-run              # small letters, digits, '.', '_', '-'

measure:
  # 'auto' picks a sparse model whose weights exceed this host's cache and fit its memory (harness models lists all);
  # the two dense counterparts have as many parameters in total, and as many active for a token.
  models: [auto, "auto:equal-total", "auto:equal-active"]
  phases: [prefill, decode]
  batches: [1, 8]               # sequences at once
  prefill_batches: [1]          # prefill works on whole prompts: small batches are enough
  prompt_tokens: 128
  decode_tokens: 32
  precisions: [int8]            # fp32, int8, int4
  threads: auto                 # one a physical core
  repetitions: 3                # fresh processes for each case; five give a 90 % interval without assumptions

# chips whose limits are set beside the claims (harness chips lists them)
chips: [ascend-910c, h100-sxm]

# sheet: my-sheet.yaml          # claims to judge, found beside this file
# outputs:                      # written below the folder where you start the program
#   html: out/report.html
#   json: out/record.json
"""
