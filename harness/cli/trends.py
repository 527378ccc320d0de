"""`harness history` carried out: stored runs or files over time."""

from dataclasses import dataclass
from pathlib import Path

import typer

from harness.cli.contrast import read_table
from harness.cli.show import STORE
from harness.errors import UsageError
from harness.store.runs import Store


@dataclass(frozen=True)
class HistoryOptions:
    """What the command line asks to see over time."""

    tables: tuple[str, ...] = ()
    where: tuple[str, ...] = ()
    form: str = "text"
    margin: float = 0.03
    changes: bool = True
    store: Path | None = None


def history_command(options: HistoryOptions) -> int:
    """Print series and changes of level. Returns the exit code."""
    from harness.compare.history import changes, gather, searchable
    from harness.report import history

    names = options.tables or _stored(options.store)
    series = gather([read_table(name, options.store) for name in names])
    wanted = [_setting(text) for text in options.where]
    series = tuple(s for s in series if {(x.name, x.value) for x in s.key}.issuperset(wanted))
    if not series:
        raise UsageError("no run has such a case; harness list shows the stored runs")
    found = [c for s in series for c in changes(s, options.margin)] if options.changes and searchable() else None
    if options.form == "json":
        typer.echo(history.as_json(series, found), nl=False)
        return 0
    if options.form == "markdown":
        from harness.report import markdown

        typer.echo(markdown.render(history.build(series, found)), nl=False)
        return 0
    from harness.report import text

    typer.echo(text.render(history.build(series, found)), nl=False)
    return 0


def _stored(store: Path | None) -> tuple[str, ...]:
    """Ids of complete runs, oldest first. Sides of `harness ab` are left out: one of them may be slow on purpose."""
    with Store(store or STORE, write=False) as opened:
        runs = [run for run in opened.runs() if run.state == "complete" and not run.problem and run.made_by != "ab"]
    return tuple(run.record_id for run in runs)


def _setting(text: str) -> tuple[str, str]:
    name, mark, value = text.partition("=")
    if not mark or not name:
        raise UsageError(f"--where {text}: expected NAME=VALUE, such as phase=decode")
    return name.strip(), value.strip()
