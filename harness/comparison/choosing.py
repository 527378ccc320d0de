"""Which rows of a table are compared: those whose settings or names are as asked."""

import fnmatch
from collections.abc import Callable, Sequence

from harness.comparison.matching import spelled
from harness.comparison.table import ResultTable, Row
from harness.errors import UsageError


def keep(table: ResultTable, filters: Sequence[str]) -> ResultTable:
    """`table` with the rows that fit all of `filters`: NAME=VALUE for a setting (with * and ? as in file names), or
    words that a value or the metric contains, in any case. Raises UsageError where a filter names no setting."""
    tests = [_test(text, table) for text in filters]
    return table.model_copy(update={"rows": tuple(row for row in table.rows if all(test(row) for test in tests))})


def _test(text: str, table: ResultTable) -> Callable[[Row], bool]:
    name, mark, value = text.partition("=")
    facts = {f.name: f.value for f in table.facts}
    known = {s.name for row in table.rows for s in row.key} | {f.name for row in table.rows for f in row.attributes}
    known |= facts.keys()
    named = {n for n in known if spelled(n.removeprefix("parameter ")) == spelled(name.strip())}
    if mark and (named or name.strip() == "metric"):
        return lambda row: any(fnmatch.fnmatchcase(v, value.strip()) for v in _values(row, named, facts))
    wanted = text.casefold()
    if not wanted.strip():
        raise UsageError("--filter is empty; expected NAME=VALUE, such as phase=decode, or a part of a name")
    return lambda row: any(wanted in s.value.casefold() for s in row.key) or wanted in row.metric.name.casefold()


def _values(row: Row, names: set[str], facts: dict[str, str]) -> list[str]:
    found = [s.value for s in row.key if s.name in names] + [f.value for f in row.attributes if f.name in names]
    found = found or [v for n, v in facts.items() if n in names]
    return found or ([] if names else [row.metric.name])
