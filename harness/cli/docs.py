"""What the documentation takes from the code: JSON Schemas, the reference of the config, and of the command line.

`python -m harness.cli.docs` renews them below the current folder; a test fails where they are not current.
"""

import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, get_args, get_type_hints

import typer
from typer.main import get_command

import harness
from harness.api import result
from harness.api.config_reference import config_page
from harness.api.reference import SchemaName, schema
from harness.cli.app import app

if TYPE_CHECKING:
    from typer._click.core import Command, Context

WIDTH = 100


def api_page() -> str:
    """docs/reference/api.md: each public function with its signature and docstring."""
    parts = [
        "# Python API",
        "",
        "Generated from the package (`python -m harness.cli.docs`): do not edit. `import harness` loads nothing heavy;",
        "each function is imported when it is first used. Errors are all of `harness.HarnessError`.",
    ]
    for name in harness.__all__:
        member = getattr(harness, name)
        if inspect.isfunction(member):
            parts += ["", f"## `harness.{name}`", "", "```python", _signature(name, member), "```", "", _doc(member)]
            parts += _settings(member)
    parts += ["", "## Results", "", "What the functions return. All are frozen values."]
    kinds: list[type[result.Result]] = [result.Result, *result.Result.__subclasses__()]
    for kind in kinds:
        methods = [(n, m) for n, m in vars(kind).items() if inspect.isfunction(m) and not n.startswith("_")]
        parts += ["", f"### `{kind.__name__}`", "", _doc(kind)]
        fields = [f"`{field}`" for field in kind.model_fields]
        parts += ["", f"Fields: {', '.join(fields)}."] if fields else []
        parts += ["", *(f"- `{n}{_plain(inspect.signature(m))}`: {_doc(m) or 'as above'}" for n, m in methods)]
    return "\n".join(parts).replace("\n\n\n", "\n\n") + "\n"


def _signature(name: str, member: Callable[..., object]) -> str:
    return f"harness.{name}{_plain(inspect.signature(member))}"


def _plain(signature: inspect.Signature) -> str:
    """A signature without the modules that types come from."""
    text = re.sub(r"\b(?:[a-z_]+\.)+(?=[A-Za-z])", "", str(signature))
    return re.sub(r"(\*\*\w+): \*<class '\w+'>", r"\1", text).replace("(self, ", "(").replace("(self)", "()")


def _doc(member: object) -> str:
    return (
        " ".join((inspect.getdoc(member) or "").split())
        if not inspect.isfunction(member)
        else inspect.getdoc(member) or ""
    )


def _settings(member: Callable[..., object]) -> list[str]:
    """The keys that a function takes by name, where it takes them as a typed dict."""
    for parameter in inspect.signature(member).parameters.values():
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            keys = get_type_hints(get_args(parameter.annotation)[0])
            return ["", f"`{parameter.name}`: {', '.join(f'`{key}`' for key in keys)}."]
    return []


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
    pages = {
        reference / "config.md": config_page(),
        reference / "cli.md": cli_page(),
        reference / "api.md": api_page(),
    }
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
