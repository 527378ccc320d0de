"""What the documentation takes from the code: JSON Schemas, the reference of the config, and of the command line.

`python -m harness.cli.docs` renews them below the current folder; a test fails where they are not current.
"""

from pathlib import Path
from typing import TYPE_CHECKING, get_args

import typer
from typer.main import get_command

from harness.api.config_reference import config_page
from harness.api.reference import SchemaName, schema
from harness.cli.app import app

if TYPE_CHECKING:
    from typer._click.core import Command, Context

WIDTH = 100


def cli_page() -> str:
    """docs/reference/cli.md: each command's help as it is printed."""
    parts = [
        "# Command line",
        "",
        "Generated from the commands (`python -m harness.cli.docs`): do not edit. Results go to stdout, progress and",
        "messages to stderr. `NO_COLOR` and a terminal that is none are respected: nothing printed carries escapes.",
    ]
    root = get_command(app)
    parts += _section("harness", root, None)
    return "\n".join(parts) + "\n"


def _section(name: str, command: "Command", parent: "Context | None") -> list[str]:
    context = command.make_context(
        name.split()[-1], [], parent, resilient_parsing=True, terminal_width=WIDTH, max_content_width=WIDTH
    )
    help_text = "\n".join(line.rstrip() for line in command.get_help(context).splitlines())
    parts = ["", f"## `{name}`", "", "```text", help_text, "```"]
    for below_name, below in getattr(command, "commands", {}).items():
        if not below.hidden:
            parts += _section(f"{name} {below_name}", below, context)
    return parts


def write(root: Path) -> tuple[Path, ...]:
    """Renew the generated files below the repository's `root`."""
    reference = root / "docs" / "reference"
    pages = {reference / "config.md": config_page(), reference / "cli.md": cli_page()}
    for name in get_args(SchemaName):
        pages[reference / "schemas" / f"{name}.schema.json"] = schema(name)
    for path, text in pages.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tuple(pages)


def main() -> None:
    root = Path.cwd()
    if not (root / "harness" / "cli" / "docs.py").is_file():
        raise SystemExit(f"{root}: not the repository, expected to be started in its folder")
    for page in write(root):
        typer.echo(page.relative_to(root))


if __name__ == "__main__":
    main()
