"""What a command hands over: the report on stdout, the files that were asked for, and the exit code.

Knows three formats of stdout and three of files; renders nothing itself.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import typer

from harness.config import Outputs
from harness.errors import UsageError
from harness.files.output import Target, check_targets, write_target
from harness.report.order import build
from harness.results.assessment import Assessment
from harness.results.record import Record

REFUTED, UNDECIDED, INVALID = 3, 4, 5


@dataclass(frozen=True)
class Delivery:
    """Where results go."""

    form: str = "text"
    json_file: Path | None = None
    html_file: Path | None = None
    markdown_file: Path | None = None
    details: bool = False
    strict: bool = False

    def or_else(self, outputs: Outputs) -> "Delivery":
        """Files that the command line names, and for the others those of the config.

        Raises UsageError for one that a config places outside the current folder: configs come from strangers.
        """
        return Delivery(
            form=self.form,
            json_file=self.json_file or _below_here(outputs.json_file, "json"),
            html_file=self.html_file or _below_here(outputs.html, "html"),
            markdown_file=self.markdown_file or _below_here(outputs.markdown, "markdown"),
            details=self.details,
            strict=self.strict,
        )

    @property
    def targets(self) -> tuple[Target, ...]:
        named = (("--json", self.json_file), ("--html", self.html_file), ("--markdown", self.markdown_file))
        return tuple(Target(path=path, asked_by=option) for option, path in named if path is not None)

    def check(self, inputs: Iterable[Path] = ()) -> None:
        """Raise UsageError for a file that could not be written."""
        check_targets(self.targets, inputs)


def deliver(delivery: Delivery, record: Record | None, assessment: Assessment | None, plain: str | None = None) -> int:
    """Write the files, print the report (as text: `plain`, if given), and say how it ended. Files first: a closed pipe
    must not cost them."""
    from harness.report import text
    from harness.results import reportfile

    built = build(record, assessment)
    if delivery.json_file is not None:
        write_target(Target(delivery.json_file, "--json"), reportfile.document(record, assessment))
    if delivery.html_file is not None:
        from harness.report import html

        write_target(Target(delivery.html_file, "--html"), html.render(built))
    if delivery.markdown_file is not None:
        from harness.report import markdown

        write_target(Target(delivery.markdown_file, "--markdown"), markdown.render(built))
    if delivery.form == "json":
        typer.echo(reportfile.document(record, assessment), nl=False)
    elif delivery.form == "markdown":
        from harness.report import markdown

        typer.echo(markdown.render(built), nl=False)
    else:
        typer.echo(plain or text.render(built, details=delivery.details), nl=False)
    return exit_code(record, assessment, strict=delivery.strict)


def exit_code(record: Record | None, assessment: Assessment | None, *, strict: bool) -> int:
    """5 where nothing valid was measured; with `strict` 3 for a refuted claim, else 4 for an undecided one."""
    if record is not None and record.measurements and not any(m.good and not m.invalid for m in record.measurements):
        return INVALID
    if strict and assessment is not None:
        outcomes = {verdict.outcome for verdict in assessment.verdicts}
        if "refuted" in outcomes:
            return REFUTED
        if "undecided" in outcomes:
            return UNDECIDED
    return 0


def _below_here(name: str | None, key: str) -> Path | None:
    """The file that a config names, with links followed, if it lies below the current folder."""
    if name is None:
        return None
    try:
        below = Path(name).resolve().is_relative_to(Path.cwd().resolve())
    except (OSError, ValueError, RuntimeError):
        below = False
    if not below:
        raise UsageError(
            f"{name}: outputs.{key} of the config lies outside the folder that you are in, expected a path below it; "
            f"elsewhere it is written only if the command line says so (--{key} FILE)"
        )
    return Path(name)
