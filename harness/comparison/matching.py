"""Which row of one table is which row of another, and whether the two were measured in turn.

Rows that are not surely the same thing are never merged; a pair that cannot be compared comes with the reason.
Interleaving is found in the times at which processes started: a label or a flag could claim it, the times show it.
"""

import functools
import itertools
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import TypeVar

from pydantic import Field

from harness.comparison.table import ResultTable, Row, Setting
from harness.errors import UsageError, unknown
from harness.vocabulary import Frozen

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


def resolve(asked: Iterable[str], tables: Sequence[ResultTable]) -> frozenset[str]:
    """The settings, inputs and facts of `tables` that `asked` names; 'library build' is also library-build. Raises
    UsageError for a name that no table has."""
    rows = [row for table in tables for row in table.rows]
    known = {s.name for row in rows for s in (*row.key, *row.inputs)}
    known |= {f.name for row in rows for f in row.attributes} | {f.name for t in tables for f in t.facts}
    found = {name: {k for k in known if spelled(k) == spelled(name)} for name in asked}
    for name, names in found.items():
        if not names:
            raise UsageError(f"--ignore {name}: {unknown('setting', name, {spelled(k) for k in known})}")
    return frozenset().union(*found.values())


def spelled(name: str) -> str:
    """A name as one word of a command line."""
    return name.replace(" ", "-")


def nothing_shared(a: ResultTable, b: ResultTable, ignore: frozenset[str]) -> str:
    """Why two tables have no row in common, by the two rows that differ least."""
    for table in (a, b):
        if not table.rows:
            return f"{table.name} has no rows; name a table that has"
    pairs = ((x, y) for x in a.rows[:_NEAREST_AMONG] for y in b.rows[:_NEAREST_AMONG])
    apart = min((_apart(x, y, ignore) for x, y in pairs), key=len)
    shown = "; ".join(f"{name} is {x or 'not stated'} and {y or 'not stated'}" for name, x, y in apart[:_SHOWN])
    more = f"; and {len(apart) - _SHOWN} more" if len(apart) > _SHOWN else ""
    options = " ".join(f"--ignore {spelled(name)}" for name, _, _ in apart[:_SHOWN])
    return (
        f"{a.name} and {b.name} have no row in common; in the two that are most alike {shown}{more}; "
        f"name tables of the same cases, or leave out what does not matter: {options}"
    )


_NEAREST_AMONG = 100  # rows of a side, so that the search stays short
_SHOWN = 4


def _apart(a: Row, b: Row, ignore: frozenset[str]) -> list[tuple[str, str | None, str | None]]:
    """Settings in which two rows differ, with both values."""
    left, right = ({s.name: s.value for s in row.key if s.name not in ignore} for row in (a, b))
    names = sorted(left.keys() | right.keys())
    return [(n, left.get(n), right.get(n)) for n in names if left.get(n) != right.get(n)]


def match(
    a: ResultTable, b: ResultTable, ignore: frozenset[str] = frozenset(), *, across_hosts: bool = False
) -> Matching:
    """Rows with equal keys, metrics and binding facts of their own; `ignore` names settings and facts that are left
    out on purpose, `across_hosts` leaves out what is of hosts.

    Then, among what is left, rows that agree in every setting that both state, if that is one to one: these are
    reported as not comparable, with the setting that only one side states, the fact or the metric that differs.
    """
    rules = _Rules.of(a, b, ignore, across_hosts)
    left, right = _groups(list(a.rows), rules.whole(a)), _groups(list(b.rows), rules.whole(b))
    found = [m for k in left if k in right for m in _pairs(k[0], left[k], right[k])]
    lone_a = [row for k, rows in left.items() if k not in right for row in rows]
    lone_b = [row for k, rows in right.items() if k not in left for row in rows]
    near = [*_of_other_facts(lone_a, lone_b, (a, b), rules)]
    taken = {id(row) for m in near for row in (m.a, m.b)}
    near += _near([r for r in lone_a if id(r) not in taken], [r for r in lone_b if id(r) not in taken], rules)
    taken = {id(row) for m in near for row in (m.a, m.b)}
    return Matching(
        matched=(*found, *near),
        only_a=tuple(r for r in lone_a if id(r) not in taken),
        only_b=tuple(r for r in lone_b if id(r) not in taken),
    )


def defaults(tables: Sequence[ResultTable]) -> frozenset[Setting]:
    """Settings that say no more than silence: at their default, and not stated by every table."""
    stated = [{s.name for row in table.rows for s in row.key} for table in tables]
    return frozenset(s for t in tables for s in t.defaults if any(s.name not in names for names in stated))


def uncommon(tables: Sequence[ResultTable]) -> frozenset[str]:
    """Names of settings that not all rows of all tables state."""
    stated = [frozenset(s.name for s in row.key) for table in tables for row in table.rows]
    return frozenset().union(*stated) - frozenset.intersection(*stated) if stated else frozenset()


class _Rules(Frozen):
    """What tells rows apart."""

    ignore: frozenset[str]
    silent: frozenset[Setting] = Field(description="settings that say no more than silence")
    facts: frozenset[str] = Field(description="binding facts that differ from row to row, and that all rows state")

    @classmethod
    def of(cls, a: ResultTable, b: ResultTable, ignore: frozenset[str], across_hosts: bool) -> "_Rules":
        rows = [(table, row) for table in (a, b) for row in table.rows]
        own = {f.name: f.kind for _, row in rows for f in row.attributes if f.binding and f.name not in ignore}
        stated = [table.binding_facts(row).keys() for table, row in rows]
        facts = (n for n, kind in own.items() if not (across_hosts and kind == "host") and all(n in s for s in stated))
        return cls(ignore=ignore, silent=defaults((a, b)), facts=frozenset(facts))

    def key(self, row: Row) -> tuple[Setting, ...]:
        return tuple(s for s in row.key if s.name not in self.ignore and s not in self.silent)

    def facts_of(self, table: ResultTable, row: Row) -> tuple[tuple[str, str], ...]:
        return tuple(sorted((n, v) for n, v in table.binding_facts(row).items() if n in self.facts))

    def whole(self, table: ResultTable) -> "Callable[[Row], _Key]":
        return lambda row: (self.key(row), row.metric.name, self.facts_of(table, row))


_Key = tuple[tuple[Setting, ...], str, tuple[tuple[str, str], ...]]


def _groups(rows: list[Row], key: Callable[[Row], _T]) -> dict[_T, list[Row]]:
    groups: dict[_T, list[Row]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return groups


def _pairs(key: tuple[Setting, ...], a: list[Row], b: list[Row]) -> list[Matched]:
    """Two groups of one key. More than one row on a side is never averaged: as many on the other, of which nothing
    tells one from the next, are those of the same place."""
    if len(a) == len(b) > 1 and _is_one_name(a) and _is_one_name(b):
        places = (Setting(name="place", value=f"{i} of {len(a)}") for i in range(1, len(a) + 1))
        named = (tuple(sorted((*key, place), key=lambda s: s.name)) for place in places)
        return [Matched(key=k, a=x, b=y, problem=_unit_problem(x, y)) for k, x, y in zip(named, a, b, strict=True)]
    problem = _unit_problem(a[0], b[0])
    if len(a) > 1 or len(b) > 1:
        side, rows = ("first", a) if len(a) > 1 else ("second", b)
        apart = sorted({s.name for row in rows for s in set(row.key) ^ set(rows[0].key)}) or _attributes_apart(rows)
        how = f"they differ in {', '.join(apart)}" if apart else "nothing tells them apart"
        advice = f"; --filter {spelled(apart[0])}=VALUE keeps one" if apart else ""
        problem = f"{len(rows)} rows of the {side} table have this key, {how}; they are not averaged{advice}"
    return [Matched(key=key, a=a[0], b=b[0], problem=problem)]


def _unit_problem(a: Row, b: Row) -> str | None:
    if a.metric == b.metric:
        return None
    return f"in {a.metric.unit} on one side and {b.metric.unit} on the other"


def _is_one_name(rows: list[Row]) -> bool:
    """Whether one name was registered several times."""
    return all(row.key == rows[0].key for row in rows) and not _attributes_apart(rows)


def _attributes_apart(rows: list[Row]) -> list[str]:
    """What tells rows of one key apart, besides the time."""
    found = {a.name for row in rows for a in set(row.attributes) ^ set(rows[0].attributes) if a.kind != "run"}
    return sorted(found)


def _of_other_facts(
    a: list[Row], b: list[Row], tables: tuple[ResultTable, ResultTable], rules: _Rules
) -> list[Matched]:
    """Left-over rows of one key whose own binding facts differ, one to one: they are not compared."""

    def bare(row: Row) -> tuple[tuple[Setting, ...], str]:
        return rules.key(row), row.metric.name

    left, right = _groups(a, bare), _groups(b, bare)
    found = []
    for k, rows in left.items():
        if len(rows) != 1 or len(right.get(k, ())) != 1:
            continue
        x, y = rows[0], right[k][0]
        mine, theirs = (dict(rules.facts_of(table, row)) for table, row in zip(tables, (x, y), strict=True))
        unlike = [f"{n} is {v} on one side and {theirs[n]} on the other" for n, v in mine.items() if theirs[n] != v]
        if unlike:
            first = next(n for n, v in mine.items() if theirs[n] != v)
            host = any(f.kind == "host" for f in (*x.attributes, *y.attributes) if f.name == first)
            advice = "--across-hosts compares hosts" if host else f"--ignore {spelled(first)} compares all the same"
            found.append(Matched(key=k[0], a=x, b=y, problem=f"{'; '.join(unlike)}; {advice}"))
    return found


def _near(a: list[Row], b: list[Row], rules: _Rules) -> list[Matched]:
    """Left-over rows that agree in all that both state, one to one."""
    shapes_a, shapes_b = (_groups(rows, lambda row: _names(row, rules)) for rows in (a, b))
    found: list[Matched] = []
    for names, others in itertools.product(sorted(shapes_a, key=sorted), sorted(shapes_b, key=sorted)):
        if not (shared := names & others):
            continue
        project = functools.partial(_project, names=shared)
        left, right = _groups(shapes_a[names], project), _groups(shapes_b[others], project)
        found += [
            Matched(key=k, a=left[k][0], b=right[k][0], problem=_unlike(left[k][0], right[k][0], rules))
            for k in left
            if k in right and len(left[k]) == len(right[k]) == 1
        ]
    times = Counter(id(row) for m in found for row in (m.a, m.b))
    return [m for m in found if times[id(m.a)] == times[id(m.b)] == 1]


def _names(row: Row, rules: _Rules) -> frozenset[str]:
    return frozenset(s.name for s in rules.key(row))


def _project(row: Row, names: frozenset[str]) -> tuple[Setting, ...]:
    return tuple(s for s in row.key if s.name in names)


def _unlike(a: Row, b: Row, rules: _Rules) -> str:
    if rules.key(a) == rules.key(b):
        return f"measured as {a.metric.name} on one side and as {b.metric.name} on the other"
    names_a, names_b = _names(a, rules), _names(b, rules)
    extra = [s for s in (*rules.key(a), *rules.key(b)) if s.name in names_a ^ names_b]
    stated = ", ".join(f"{s.name} = {s.value}" for s in extra)
    options = " ".join(f"--ignore {spelled(s.name)}" for s in extra)
    return f"only one side states {stated}; {options} if that is the same for both, --common-settings for all such"


_LEAST_SHARE = 0.8
"""Share of the processes that must have found a neighbour of the other variant: a failed process or two in 20 break no
comparison, while two runs one after the other share a single pair."""


def interleaved_pairs(a: Row, b: Row) -> tuple[tuple[float, float], ...]:
    """Values of neighbouring processes, one of each row, in order of time; empty where the rows were not interleaved.

    In order of start, each process is paired with the next one if that is of the other row; ABBA and ABAB both yield
    every round as a pair. Repetitions inside one process are never pairs.
    """
    if "inside" in (a.sampled, b.sampled):
        return ()
    timed = [(s.started, side, s.value) for side, row in enumerate((a, b)) for s in row.samples if s.started]
    if len(timed) < len(a.samples) + len(b.samples) or not timed:
        return ()
    timed.sort(key=lambda t: (t[0], t[1]))
    found, place = [], 0
    while place + 1 < len(timed):
        first, second = timed[place], timed[place + 1]
        if first[1] == second[1]:
            place += 1
            continue
        old, new = (first, second) if first[1] == 0 else (second, first)
        found.append((old[2], new[2]))
        place += 2
    return tuple(found) if 2 * len(found) >= _LEAST_SHARE * len(timed) else ()
