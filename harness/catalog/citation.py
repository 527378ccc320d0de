"""Where a figure was seen, and a figure with its citation."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from harness.errors import UsageError, unknown
from harness.vocabulary import Frozen

Grade = Literal["A", "B", "C", "D", "P"]
"""A measured and read at source; B primary but partial; C second-hand, or a vendor without full conditions;
D derived, or a threshold of a test; P a projection or an offline mode."""

Seen = Literal["read", "excerpt", "second-hand", "computed", "unverified"]
Key = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]*$", max_length=80)]


class Citation(Frozen):
    """One source and how it was seen."""

    title: str = Field(min_length=1)
    url: str | None = None
    date: str | None = Field(default=None, description="as precisely as it is known")
    grade: Grade
    how_seen: Seen


class Figure(Frozen):
    """One sourced value of a quantity. The unit is in the name of the field that holds it."""

    value: float = Field(gt=0, lt=1e30)
    source: Citation
    note: str | None = None


class Range(Frozen):
    """Several sources' values of one quantity: the least, the preferred (first listed), the most generous."""

    low: float
    best: float
    high: float


def spread(figures: tuple[Figure, ...]) -> Range | None:
    """The range of `figures`, preferred first; None where there is none."""
    if not figures:
        return None
    values = [figure.value for figure in figures]
    return Range(low=min(values), best=values[0], high=max(values))


class FigureEntry(Frozen):
    """A value and the key of its source."""

    value: float = Field(gt=0, lt=1e30)
    source: Key
    note: str | None = None


Figures = Annotated[tuple[FigureEntry, ...], Field(max_length=16)]


def cited(entries: Figures, sources: dict[str, Citation]) -> tuple[Figure, ...]:
    """Replace each source's key by the source. Raises UsageError for a key that is not listed."""
    for entry in entries:
        if entry.source not in sources:
            raise UsageError(f"{unknown('source', entry.source, sources)}; list it under 'sources'")
    return tuple(Figure(value=e.value, source=sources[e.source], note=e.note) for e in entries)
