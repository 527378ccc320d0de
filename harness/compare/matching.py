"""Which row of one table is which row of another. Rows that are not surely the same thing are never merged.

Knows no statistics. A pair that cannot be compared comes with the reason in words.
"""

import functools
from collections import Counter
from collections.abc import Callable, Hashable
from typing import TypeVar

from pydantic import Field

from harness.frozen import Frozen
from harness.tables.table import ResultTable, Row, Setting

_T = TypeVar("_T", bound=Hashable)


class Matched(Frozen):
    """One row of each table. `problem` says why the two are not the same thing, None where they are."""

    key: tuple[Setting, ...]
    a: Row
    b: Row
    problem: str | None = None


class Matching(Frozen):
    matched: tuple[Matched, ...]
    only_a: tuple[Row, ...] = Field(description="rows of the first table without a counterpart")
    only_b: tuple[Row, ...]


def match(a: ResultTable, b: ResultTable, ignore: frozenset[str] = frozenset()) -> Matching:
    """Rows with equal keys and metrics; `ignore` names settings that are left out of the keys on purpose.

    Then, among what is left, rows that agree in every setting that both state, if that is one to one: these are
    reported as not comparable, with the setting that only one side states, or the metric that differs.
    """
    left, right = _grouped(a.rows, ignore), _grouped(b.rows, ignore)
    found = [_pair(k[0], left[k], right[k]) for k in left if k in right]
    lone_a = [row for k, rows in left.items() if k not in right for row in rows]
    lone_b = [row for k, rows in right.items() if k not in left for row in rows]
    near = _near(lone_a, lone_b, ignore)
    taken = {id(m.a) for m in near} | {id(m.b) for m in near}
    return Matching(
        matched=(*found, *near),
        only_a=tuple(r for r in lone_a if id(r) not in taken),
        only_b=tuple(r for r in lone_b if id(r) not in taken),
    )


_Key = tuple[tuple[Setting, ...], str]


def _grouped(rows: tuple[Row, ...], ignore: frozenset[str]) -> dict[_Key, list[Row]]:
    return _groups(list(rows), lambda row: (_kept(row, ignore), row.metric.name))


def _groups(rows: list[Row], key: Callable[[Row], _T]) -> dict[_T, list[Row]]:
    groups: dict[_T, list[Row]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return groups


def _kept(row: Row, ignore: frozenset[str]) -> tuple[Setting, ...]:
    return tuple(s for s in row.key if s.name not in ignore)


def _pair(key: tuple[Setting, ...], a: list[Row], b: list[Row]) -> Matched:
    """Two groups of one key. More than one row on a side is never averaged."""
    problem = None
    if len(a) > 1 or len(b) > 1:
        side, rows = ("first", a) if len(a) > 1 else ("second", b)
        apart = sorted({s.name for row in rows for s in set(row.key) - set(rows[0].key)})
        how = f"they differ in {', '.join(apart)}" if apart else "nothing tells them apart"
        problem = f"{len(rows)} rows of the {side} table have this key, {how}; they are not averaged"
    elif a[0].metric != b[0].metric:
        problem = f"in {a[0].metric.unit} on one side and {b[0].metric.unit} on the other"
    return Matched(key=key, a=a[0], b=b[0], problem=problem)


def _near(a: list[Row], b: list[Row], ignore: frozenset[str]) -> list[Matched]:
    """Left-over rows that agree in all that both state, one to one."""
    names_b = {frozenset(s.name for s in _kept(row, ignore)) for row in b}
    found: list[Matched] = []
    for names in sorted({frozenset(s.name for s in _kept(row, ignore)) for row in a}, key=sorted):
        for others in sorted(names_b, key=sorted):
            shared = names & others
            if not shared:
                continue
            left = _groups([r for r in a if _names(r, ignore) == names], functools.partial(_project, names=shared))
            right = _groups([r for r in b if _names(r, ignore) == others], functools.partial(_project, names=shared))
            found += [
                Matched(key=k, a=left[k][0], b=right[k][0], problem=_unlike(left[k][0], right[k][0], ignore))
                for k in left
                if k in right and len(left[k]) == len(right[k]) == 1
            ]
    return _one_to_one(found)


def _one_to_one(found: list[Matched]) -> list[Matched]:
    times = Counter(id(row) for m in found for row in (m.a, m.b))
    return [m for m in found if times[id(m.a)] == times[id(m.b)] == 1]


def _names(row: Row, ignore: frozenset[str]) -> frozenset[str]:
    return frozenset(s.name for s in _kept(row, ignore))


def _project(row: Row, names: frozenset[str]) -> tuple[Setting, ...]:
    return tuple(s for s in row.key if s.name in names)


def _unlike(a: Row, b: Row, ignore: frozenset[str]) -> str:
    if _kept(a, ignore) == _kept(b, ignore):
        return f"measured as {a.metric.name} on one side and as {b.metric.name} on the other"
    names_a, names_b = _names(a, ignore), _names(b, ignore)
    extra = [s for s in (*_kept(a, ignore), *_kept(b, ignore)) if s.name in names_a ^ names_b]
    stated = ", ".join(f"{s.name} = {s.value}" for s in extra)
    options = " ".join(f"--ignore {s.name}" for s in extra)
    return f"only one side states {stated}; {options} if that is the same for both"
