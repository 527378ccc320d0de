"""The public record by topic: statements that sources confirm or contradict.
A topic either has a figure (`value`) or is a yes or no (`holds`); `holds: null` means that the sources disagree or that
none settles it. Each source says in our words what it shows, and for which side. A topic has the date of its answer, a
source its own; `as_of` gives what could be known on a day.
"""

import datetime as dt
from functools import cache
from typing import Literal, Self

from pydantic import Field, model_validator

from harness.catalog.citation import FIRM_GRADES, Citation, EntryFile, Key, last_day, shipped, source_of
from harness.errors import UsageError
from harness.vocabulary import Frozen


class _Shown(Frozen):
    shows: str = Field(min_length=1, description="in our own words")
    stance: Literal["for", "against", "context"]


class FactSource(_Shown):
    """What one source shows of a topic."""

    source: Citation

    @property
    def firm(self) -> bool:
        return self.source.grade in FIRM_GRADES and self.source.seen_at_source


class SourceEntry(_Shown):
    """A source by its key, and what it shows."""

    source: Key


class Later(Frozen):
    """What came later and changed the answer."""

    by: str = Field(min_length=1, description="what it was")
    date: str = Field(description="when, as YYYY-MM-DD, YYYY-MM or YYYY")


class _Topic(Frozen):
    """What a fact and its entry in a facts file have in common."""

    statement: str = Field(min_length=1, description="what 'yes' means, or what the figure is of")
    date: str | None = Field(
        default=None, description="since when the record gives this answer, as YYYY-MM-DD, YYYY-MM or YYYY"
    )
    holds: bool | None = Field(default=None, description="None: unsettled, or the topic is a figure")
    value: float | None = None
    unit: str = ""
    found: str = Field(min_length=1, description="what the record shows, in one or two sentences")
    misattributed: str | None = Field(default=None, description="whose words they are, where accounts name another")
    other_model: str | None = Field(default=None, description="the model that the statement is really about")
    superseded: Later | None = Field(default=None, description="what came later and changed the answer")

    @model_validator(mode="after")
    def _one_answer(self) -> Self:
        if self.holds is not None and self.value is not None:
            raise ValueError("a topic has either 'holds' or 'value'")
        return self


class Fact(_Topic):
    """One topic of the public record."""

    topic: Key
    sources: tuple[FactSource, ...] = Field(min_length=1)

    def firmly(self, stance: Literal["for", "against"]) -> bool:
        """Whether a source that settles a topic stands on this side."""
        return any(t.firm and t.stance == stance for t in self.sources)

    def as_of(self, day: dt.date) -> "Fact | None":
        """What the sources that were public by `day` show; None where none of them was.

        Sources without a date count as public. Where some are left out, the answer is kept only if one that is left
        stands for it, and the words are those of the sources that are left.
        """

        def public(date: str | None) -> bool:
            return (last_day(date) or day) <= day

        known = tuple(s for s in self.sources if public(s.source.date))
        side = "against" if self.holds is False else "for"
        answered = public(self.date) and any(s.stance == side for s in known)
        if not known or (self.value is not None and not answered):
            return None
        later = self.superseded if self.superseded is not None and public(self.superseded.date) else None
        if len(known) == len(self.sources) and later == self.superseded and public(self.date):
            return self
        shown = f"By {day.isoformat()}: {'; '.join(s.shows for s in known)}."
        holds = self.holds if answered else None
        return self.model_copy(update={"sources": known, "holds": holds, "found": shown, "superseded": later})


class FactEntry(_Topic):
    """A topic as a facts file writes it."""

    sources: tuple[SourceEntry, ...] = Field(min_length=1, max_length=50)


def to_fact(topic: str, entry: FactEntry, sources: dict[str, Citation]) -> Fact:
    """The topic with each source in the place of its key. Raises UsageError for a key that is not listed."""
    try:
        shown = tuple(FactSource(**{**dict(s), "source": source_of(s.source, sources)}) for s in entry.sources)
    except UsageError as error:
        raise UsageError(f"fact '{topic}': {error}") from error
    return Fact(**{**dict(entry), "topic": topic, "sources": shown})


@cache
def facts() -> tuple[Fact, ...]:
    """The built-in facts, in the order of their file."""
    return shipped("facts", EntryFile[FactEntry], to_fact)
