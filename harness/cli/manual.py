"""The command line's reference as a page, made from the commands themselves. Knows no command by name.

`python -m harness.cli.manual` renews docs/cli.md, docs/config.md and the JSON Schemas below the current folder.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import typer
from typer.main import get_command

from harness.cli import handbook
from harness.cli.app import app

if TYPE_CHECKING:
    from typer._click.core import Command, Context

WIDTH = 100


def cli_page() -> str:
    """docs/cli.md: each command's help as it is printed."""
    parts = [
        "# Command line",
        "",
        "Generated from the commands (`python -m harness.cli.manual`): do not edit. Results go to stdout, progress and",
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


def main() -> None:
    root = Path.cwd()
    if not (root / "harness" / "cli" / "handbook.py").is_file():
        raise SystemExit(f"{root}: not the repository, expected to be started in its folder")
    page = root / "docs" / "cli.md"
    page.parent.mkdir(exist_ok=True)
    page.write_text(cli_page(), encoding="utf-8")
    for path in (page, *handbook.write(root)):
        typer.echo(path.relative_to(root))


if __name__ == "__main__":
    main()
