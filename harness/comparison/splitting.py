"""One table as several: a part for each value of a setting, so that a sweep inside one file is compared.

Where a row's name is made from its parameters (the command of hyperfine, a parametrised test), the rest of the name is
what the parts have in common."""

import re
from collections.abc import Sequence

from harness.comparison.matching import spelled
from harness.comparison.table import ResultTable, Row, Setting, key
from harness.errors import UsageError, unknown

PARAMETER = "parameter "
"""Before the name of a setting that is a parameter of a command."""


def split(table: ResultTable, by: str) -> tuple[str, tuple[ResultTable, ...]]:
    """The setting's own name, and a part of `table` for each value of `by`, in the order in which they come up, named
    by both. Rows without it are left out, which a note says. Raises UsageError where no row has it, and where all have
    one value."""
    name = _resolved(table, by)
    parts, without = _parts(table, name, families=True)
    if len(parts) == 1:  # one command with parameters: its instances are what differs
        parts, without = _parts(table, name, families=False)
    if len(parts) == 1:
        raise UsageError(
            f"--by {by}: {name.removeprefix(PARAMETER)} is {next(iter(parts))} in all rows of {table.name}, so there "
            f"is nothing to compare; {_known(table)}"
        )
    rows = f"{without} row{'s' if without != 1 else ''}"
    notes = (*table.notes, *([f"{rows} without {name.removeprefix(PARAMETER)} left out"] if without else ()))
    what = name.removeprefix(PARAMETER)
    return what, tuple(
        table.model_copy(update={"name": f"{what} {value}", "rows": tuple(rows_of), "notes": notes})
        for value, rows_of in parts.items()
    )


def _parts(table: ResultTable, name: str, *, families: bool) -> tuple[dict[str, list[Row]], int]:
    """Rows by the value of `name`, as they are known without it, and the number of rows that have none."""
    parts: dict[str, list[Row]] = {}
    without = 0
    for row in table.rows:
        found = _taken_out(row, name, families=families)
        if found is None:
            without += 1
        else:
            parts.setdefault(found[0], []).append(found[1])
    return parts, without


def template(command: str, parameters: Sequence[tuple[str, str]]) -> str:
    """`command` with {name} where the value of a parameter stands as a word."""
    for name, value in sorted(parameters, key=lambda p: -len(p[1])):
        if value:
            word = re.compile(rf"(?<![\w.{{]){re.escape(value)}(?![\w.}}])")
            command = f"{{{name}}}".join(word.split(command))
    return command


def named_parts(row: Row, mark: str) -> Row:
    """`row` with the parameters that the parts of its benchmark's name state: size:64 or size=64, and arg1, arg2 for
    plain numbers. A name of two equal parameters states none."""
    name = next((s.value for s in row.key if s.name == "benchmark"), "")
    first, *parts = name.split("/")
    found: list[tuple[str, str]] = []
    rest = [first]
    for part in parts:
        label, between, value = part.partition(mark)
        if between and label and value:
            found.append((label, value))
        elif re.fullmatch(r"\d{1,18}", part):
            found.append((f"arg{1 + sum(n.startswith('arg') for n, _ in found)}", part))
        else:
            rest.append(part)
    taken = {s.name for s in row.key}
    if not found or len({n for n, _ in found} - taken) < len(found):
        return row
    family = tuple(Setting(name=s.name, value="/".join(rest)) if s.name == "benchmark" else s for s in row.key)
    return row.model_copy(update={"parameters": key(**dict(found)), "family": family})


def _resolved(table: ResultTable, by: str) -> str:
    """The setting, parameter or attribute of rows that `by` names."""
    known = _names(table)
    if by in known:
        return by
    name = next((n for n in known if spelled(n.removeprefix(PARAMETER)) == spelled(by)), None)
    if name is None:
        raise UsageError(f"--by {by}: {unknown('setting', by, {spelled(n.removeprefix(PARAMETER)) for n in known})}")
    return name


def _names(table: ResultTable) -> list[str]:
    return sorted({name for row in table.rows for name in _settings(row)})


def _settings(row: Row) -> dict[str, str]:
    """All that a row may be told apart by."""
    named = {s.name: s.value for s in (*row.key, *row.parameters)}
    return named | {a.name: a.value for a in row.attributes}


def _known(table: ResultTable) -> str:
    """Names that have more than one value, for a message."""
    values: dict[str, set[str]] = {}
    for row in table.rows:
        for name, value in _settings(row).items():
            values.setdefault(name, set()).add(value)
    several = sorted(spelled(n.removeprefix(PARAMETER)) for n, found in values.items() if len(found) > 1)
    return f"of more than one value: {', '.join(several)}" if several else "no setting has more than one value"


def _taken_out(row: Row, name: str, *, families: bool) -> tuple[str, Row] | None:
    """The value of `name`, and the row as it is known without it; None where it has no such setting. With `families`
    the name that parameters were put into is told by what they were put into."""
    attributes = {a.name: a.value for a in row.attributes}
    if name in attributes:
        rest = tuple(a for a in row.attributes if a.name != name)
        return attributes[name], row.model_copy(update={"attributes": rest})
    whole = _settings(row)
    if name not in whole:
        return None
    value = whole[name]
    parameters = {s.name: s.value for s in row.parameters}
    family = {s.name: s.value for s in row.family}
    settings = {s.name: s.value for s in row.key}
    if family and families:
        value = family.get(name, value)
        settings = family | parameters
    elif family and name in family:
        settings = {n: v for n, v in settings.items() if n not in parameters}
    settings.pop(name, None)
    return value, row.model_copy(update={"key": key(**settings), "parameters": (), "family": ()})
