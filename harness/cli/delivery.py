"""What a command hands over: its result on stdout, the files that were asked for, and words on stderr.

Files come first: a closed pipe must not cost them. Each file that was written is named on stderr.
"""

import os
import shutil
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from harness.files.output import Target, check_targets, write_target

if TYPE_CHECKING:
    from harness.api.result import Reported, Result
    from harness.api.session import Session
    from harness.cli.options import Shown, SortBy
    from harness.report.comparison import View

NARROWEST, WIDTH = 40, 100
STDOUT = Path("-")


def width() -> int:
    """Columns of the terminal, at least 40; 100 where there is none."""
    return max(NARROWEST, shutil.get_terminal_size((WIDTH, 24)).columns) if sys.stdout.isatty() else WIDTH


def colour() -> bool:
    """Whether outcomes are coloured: on a terminal, unless NO_COLOR is set (no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def say(message: str) -> None:
    """A line on stderr."""
    typer.echo(message, err=True)


def session(store: Path | None, *, quiet: bool = False, wait: bool = False, force: bool = False) -> "Session":
    """How this command measures: progress and words on stderr, unless it is to be quiet."""
    from harness.api.session import STORE, Session
    from harness.cli.progress import progress
    from harness.measure.lock import Policy

    policy: Policy = "force" if force else "wait" if wait else "refuse"
    if quiet:
        return Session(store or STORE, policy)
    return Session(store or STORE, policy, say, progress)


@dataclass(frozen=True)
class Output:
    """Where a result goes."""

    form: str = "text"
    json: Path | None = None
    html: Path | None = None
    markdown: Path | None = None
    junit: Path | None = None
    quiet: bool = False

    def __post_init__(self) -> None:
        if self.json == STDOUT:
            object.__setattr__(self, "json", None)
            object.__setattr__(self, "form", "json")

    def or_else(self, others: "Output") -> "Output":
        """With the files of `others` where this names none."""
        return replace(
            self,
            json=self.json or others.json,
            html=self.html or others.html,
            markdown=self.markdown or others.markdown,
        )

    @property
    def targets(self) -> dict[str, Target]:
        named = {"json": self.json, "html": self.html, "markdown": self.markdown, "junit": self.junit}
        return {name: Target(path=path, asked_by=f"--{name}") for name, path in named.items() if path is not None}

    def check(self, inputs: Iterable[Path] = ()) -> None:
        """Raise UsageError for a file that could not be written."""
        check_targets(self.targets.values(), inputs)


def deliver(result: "Result", output: Output, **forms: Callable[[], str]) -> None:
    """Write the files, then print the result. `forms` are renderings of this command's own (its text, CSV, JUnit)."""
    from harness.api.result import Reported

    renderings: dict[str, Callable[[], str]] = {"json": result.to_json, "text": lambda: str(result)}
    if isinstance(result, Reported):
        renderings |= _rendered(result)
    renderings |= forms
    for name, target in output.targets.items():
        write_target(target, renderings[name]())
        if not output.quiet:
            say(f"wrote {target.path}")
    typer.echo(renderings[output.form](), nl=False)


def viewed(only: "Sequence[Shown] | None", sort: "SortBy | None", everything: bool) -> "View":
    """Which rows of a comparison are printed, and in which order."""
    from harness.report.comparison import CHANGED, View

    every = View().only
    wanted = {shown.value.replace("-", " ") for shown in only or ()}
    kept = tuple(d for d in every if d in wanted or ("changed" in wanted and d in CHANGED))
    return View(only=kept or every, sort=sort.value if sort else None, everything=everything)


def _rendered(result: "Reported") -> dict[str, Callable[[], str]]:
    from harness.api.result import Listing
    from harness.report import html, markdown, text

    found: dict[str, Callable[[], str]] = {
        "html": lambda: html.render(result.report()),
        "markdown": lambda: markdown.render(result.report()),
    }
    if not isinstance(result, Listing):
        found["text"] = lambda: text.render(result.report(), width=width())
    return found
