"""Where and when a figure was seen, a figure with its citation, and the loader of the program's own lists."""

import calendar
import datetime as dt
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Generic, Literal, Protocol, TypeVar

from pydantic import Field, StringConstraints

from harness.errors import UsageError, unknown
from harness.files import validation
from harness.vocabulary import Frozen

Grade = Literal["A", "B", "C", "D", "P"]
"""A measured and read at source; B primary but partial; C second-hand, or a vendor without full conditions;
D derived, or a threshold of a test; P a projection or an offline mode."""
FIRM_GRADES: tuple[Grade, ...] = ("A", "B")
"""Grades that settle a question."""

Seen = Literal["read", "excerpt", "second-hand", "computed", "unverified"]
Key = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]*$", max_length=80)]


_DATE = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?")


def last_day(date: str | None) -> dt.date | None:
    """The last day of the day, month or year that `date` names as YYYY-MM-DD, YYYY-MM or YYYY: what it dates was
    public by then at the latest. None for no date, and for one in other words."""
    found = _DATE.fullmatch((date or "").strip())
    if found is None:
        return None
    year, month, day = int(found[1]), int(found[2] or 12), int(found[3] or 0)
    try:
        return dt.date(year, month, day or calendar.monthrange(year, month)[1])
    except ValueError:  # no such day
        return None


class Citation(Frozen):
    """One source and how it was seen."""

    title: str = Field(min_length=1)
    url: str | None = None
    date: str | None = Field(default=None, description="as precisely as it is known")
    grade: Grade
    how_seen: Seen

    @property
    def graded(self) -> str:
        return f"{self.title} (grade {self.grade}, {self.how_seen})"

    @property
    def seen_at_source(self) -> bool:
        return self.how_seen not in ("second-hand", "unverified")


class _Value(Frozen):
    value: float = Field(gt=0, lt=1e30)
    note: str | None = None


class Figure(_Value):
    """One sourced value of a quantity. The unit is in the name of the field that holds it."""

    source: Citation


class FigureEntry(_Value):
    """A value and the key of its source."""

    source: Key


Figures = Annotated[tuple[FigureEntry, ...], Field(max_length=16)]


class Range(Frozen):
    """Several sources' values of one quantity: the least, the preferred (first listed), the most generous."""

    low: float
    best: float
    high: float


def spread(figures: tuple[Figure, ...]) -> Range | None:
    """The range of `figures`, preferred first; None where there is none."""
    values = [figure.value for figure in figures]
    return Range(low=min(values), best=values[0], high=max(values)) if values else None


def source_of(key: str, sources: dict[str, Citation]) -> Citation:
    """The source with this key. Raises UsageError for a key that is not listed."""
    if key not in sources:
        raise UsageError(f"{unknown('source', key, sources)}; list it under 'sources'")
    return sources[key]


def cited(entries: Figures, sources: dict[str, Citation]) -> tuple[Figure, ...]:
    """Replace each source's key by the source. Raises UsageError for a key that is not listed."""
    return tuple(Figure(value=e.value, source=source_of(e.source, sources), note=e.note) for e in entries)


Entry = TypeVar("Entry")
Made = TypeVar("Made")


class EntryFile(Frozen, Generic[Entry]):
    """A list that comes with the program: entries by name under the list's own key, and the sources that they cite."""

    sources: dict[Key, Citation]
    chips: dict[Key, Entry] = Field(default={})
    models: dict[Key, Entry] = Field(default={})
    rates: dict[Key, Entry] = Field(default={})
    facts: dict[Key, Entry] = Field(default={})
    prices: dict[Key, Entry] = Field(default={})


def shipped(
    name: str, file: type[EntryFile[Entry]], make: Callable[[str, Entry, dict[str, Citation]], Made]
) -> tuple[Made, ...]:
    """The entries of the program's own list `name`, in the file's order."""
    found = validation.read(Path(__file__).with_name(f"{name}.yaml"), file, what=f"list of {name}")
    entries: dict[str, Entry] = getattr(found, name)
    return tuple(make(key, entry, found.sources) for key, entry in entries.items())


class _Named(Protocol):
    @property
    def name(self) -> str: ...


Known = TypeVar("Known", bound=_Named)


def named(kind: str, name: str, entries: Iterable[Known]) -> Known:
    """The entry of that name. Raises UsageError, naming the nearest known one."""
    by_name = {entry.name: entry for entry in entries}
    if name not in by_name:
        raise UsageError(unknown(kind, name, by_name))
    return by_name[name]
