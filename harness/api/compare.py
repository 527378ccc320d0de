"""Result tables compared, and cases followed over time."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from harness.api.calibration import known
from harness.api.loading import load_table
from harness.api.result import Compared, Tracked
from harness.api.session import STORE
from harness.comparison import export as exports
from harness.comparison.choosing import keep
from harness.comparison.gate import Gate
from harness.comparison.gate import parse as parse_gate
from harness.comparison.history import changes, gather, searchable
from harness.comparison.matching import resolve, uncommon
from harness.comparison.splitting import split
from harness.comparison.table import ResultTable
from harness.comparison.tables import compare as compare_tables
from harness.comparison.thresholds import Thresholds
from harness.comparison.thresholds import parse as parse_thresholds
from harness.errors import UsageError
from harness.files.text import is_file, read_bounded
from harness.store.runs import Store

ExportForm = Literal["github-bigger", "github-smaller", "bencher", "csv"]
Table = str | os.PathLike[str] | ResultTable

THRESHOLDS_FILE = Path("harness.toml")
_THRESHOLDS_LIMIT_BYTES = 1 << 20


@dataclass(frozen=True)
class Choices:
    """What counts as a change, and what is left out of account."""

    ignore: tuple[str, ...] = ()
    across_hosts: bool = False
    file: Path | None = None
    drift: float | None = None
    margin: float | None = None
    filters: tuple[str, ...] = ()
    """rows that are compared: NAME=VALUE, or a part of a name"""
    by: str | None = None
    """a setting whose values inside one table are compared"""
    common_settings: bool = False
    """leave out of account what not every row states"""

    def thresholds(self) -> Thresholds:
        """From the file named, or harness.toml if there is one; then what was chosen. Raises UsageError."""
        path = self.file or THRESHOLDS_FILE
        found = Thresholds()
        if self.file is not None or is_file(path):
            found = parse_thresholds(read_bounded(path, _THRESHOLDS_LIMIT_BYTES), str(path))
        changes: dict[str, object] = {}
        if self.drift is not None:
            changes |= {"drift": self.drift, "drift_known": True}
        if self.margin is not None:
            changes |= {"margin": self.margin, "rules": ()}
        return Thresholds.model_validate({**dict(found), **changes}) if changes else found


def compare(
    a: Table, *others: Table, choices: Choices | None = None, store: str | os.PathLike[str] | None = None
) -> Compared:
    """Compare result tables with the first: files of a known tool, stored runs by id or label, or tables.

    With `by` in `choices`, one table by the values of a setting. `choices` say what counts as a change (default:
    harness.toml in the current folder, else a margin of 3 %). Raises UsageError for a table that cannot be read.
    """
    choices = choices or Choices()
    thresholds = choices.thresholds()
    tables = [load_table(table, store=store) for table in (a, *others)]
    kept = _kept(tables, choices)
    left_out = sum(len(t.rows) for t in tables) - sum(len(t.rows) for t in kept)
    ignore = resolve(choices.ignore, tables)
    if choices.common_settings:
        ignore |= uncommon(kept) - {choices.by}
    by, (first, *rest) = _parts(kept, choices.by)
    applied = {
        "filters": choices.filters,
        "left_out": left_out,
        "by": by,
        "inside": tables[0].name if choices.by else None,
    }
    found = [compare_tables(first, t, thresholds, ignore=ignore, across_hosts=choices.across_hosts) for t in rest]
    comparisons = tuple(c.model_copy(update={"applied": c.applied.model_copy(update=applied)}) for c in found)
    fingerprint = next((f.value for f in first.facts if (f.kind, f.name) == ("host", "fingerprint")), None)
    calibration = known(Path(store or STORE), fingerprint, thresholds) if fingerprint else None
    return Compared(comparisons=comparisons, calibration=calibration)


def _kept(tables: Sequence[ResultTable], choices: Choices) -> list[ResultTable]:
    """The tables with the rows that the filters leave. Raises UsageError where one is left without any."""
    kept = [keep(table, choices.filters) for table in tables]
    empty = next((table for table in kept if not table.rows), None)
    if choices.filters and empty is not None:
        asked = " --filter ".join(choices.filters)
        raise UsageError(f"--filter {asked}: {empty.name} has no such row; leave it out to see the rows")
    return kept


def _parts(tables: Sequence[ResultTable], by: str | None) -> tuple[str | None, tuple[ResultTable, ...]]:
    """What is compared: the tables, or the parts of a single one. Raises UsageError for the wrong number of tables."""
    if by is None and len(tables) < 2:
        raise UsageError(
            "compare needs at least two tables: the first is what the others are compared with; --by NAME compares the "
            "values of a setting inside one table"
        )
    if by is not None and len(tables) > 1:
        raise UsageError(f"--by {by} compares inside one table; name one, not {len(tables)}")
    return (None, tuple(tables)) if by is None else split(tables[0], by)


def gates_of(fail_on: Sequence[str]) -> tuple[Gate, ...]:
    """What trips on a comparison: `slower`, `slower:5%`, ... Raises UsageError for what is none."""
    return tuple(parse_gate(text) for text in fail_on)


def export(table: Table, form: ExportForm, *, store: str | os.PathLike[str] | None = None) -> str:
    """A result table in the form that another service reads. Raises UsageError."""
    loaded = load_table(table, store=store)
    texts: dict[ExportForm, Callable[[], str]] = {
        "github-bigger": lambda: exports.github_action(loaded, "higher"),
        "github-smaller": lambda: exports.github_action(loaded, "lower"),
        "bencher": lambda: exports.bencher(loaded),
        "csv": lambda: exports.as_csv(loaded),
    }
    return texts[form]()


def history(
    tables: Sequence[Table] = (),
    *,
    where: Sequence[str] = (),
    margin: float = 0.03,
    search: bool = True,
    store: str | os.PathLike[str] | None = None,
) -> Tracked:
    """Each case over time, oldest first (default: all complete stored runs), and where its level changed.

    `where` keeps cases with these settings (`phase=decode`); changes of level below `margin` are not reported.
    Raises UsageError where no case is left.
    """
    series = gather([load_table(table, store=store) for table in tables or _stored(Path(store or STORE))])
    wanted = [_setting(text) for text in where]
    series = tuple(s for s in series if {(x.name, x.value) for x in s.key}.issuperset(wanted))
    if not series:
        raise UsageError("no run has such a case; harness list shows the stored runs")
    found = tuple(c for s in series for c in changes(s, margin)) if search and searchable() else None
    return Tracked(series=series, changes=found)


def _stored(store: Path) -> tuple[str, ...]:
    """Ids of complete runs, oldest first. Sides of `harness ab` are left out: one of them may be slow on purpose."""
    with Store(store, write=False) as opened:
        runs = [run for run in opened.runs() if run.state == "complete" and not run.problem and run.made_by != "ab"]
    return tuple(run.record_id for run in runs)


def _setting(text: str) -> tuple[str, str]:
    name, mark, value = text.partition("=")
    if not mark or not name:
        raise UsageError(f"--where {text}: expected NAME=VALUE, such as phase=decode")
    return name.strip(), value.strip()
