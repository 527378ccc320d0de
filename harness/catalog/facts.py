"""The public record by topic: statements that sources confirm or contradict.
A topic either has a figure (`value`) or is a yes or no (`holds`); `holds: null` means that the sources disagree or that
none settles it. Each source says in our words what it shows, and for which side.
"""

from functools import cache
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from harness.catalog.citation import Citation, Key
from harness.errors import UsageError, unknown
from harness.files import validation
from harness.vocabulary import Frozen

FACTS_FILE = Path(__file__).with_name("facts.yaml")
FIRM_GRADES = ("A", "B")
"""Grades that settle a topic: measured and read at source, or primary but partial (see `harness.catalog.citation`)."""


class FactSource(Frozen):
    """What one source shows of a topic."""

    source: Citation
    shows: str = Field(min_length=1, description="in our own words")
    stance: Literal["for", "against", "context"]

    @property
    def firm(self) -> bool:
        return self.source.grade in FIRM_GRADES and self.source.how_seen not in ("second-hand", "unverified")


class Fact(Frozen):
    """One topic of the public record."""

    topic: Key
    statement: str = Field(min_length=1, description="what 'yes' means, or what the figure is of")
    holds: bool | None = Field(default=None, description="None: unsettled, or the topic is a figure")
    value: float | None = None
    unit: str = ""
    found: str = Field(min_length=1, description="what the record shows, in one or two sentences")
    misattributed: str | None = Field(default=None, description="who really said it, where accounts name somebody else")
    other_model: str | None = Field(default=None, description="the model that the statement is really about")
    superseded: str | None = Field(default=None, description="what came later and changed the answer")
    sources: tuple[FactSource, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _one_answer(self) -> Self:
        if self.holds is not None and self.value is not None:
            raise ValueError("a topic has either 'holds' or 'value'")
        return self

    def firmly(self, stance: Literal["for", "against"]) -> bool:
        """Whether a source that settles a topic stands on this side."""
        return any(t.firm and t.stance == stance for t in self.sources)


class SourceEntry(Frozen):
    """A source by its key, and what it shows."""

    source: Key
    shows: str
    stance: Literal["for", "against", "context"]


class FactEntry(Frozen):
    """A topic as a facts file writes it."""

    statement: str
    holds: bool | None = None
    value: float | None = None
    unit: str = ""
    found: str
    misattributed: str | None = None
    other_model: str | None = None
    superseded: str | None = None
    sources: tuple[SourceEntry, ...] = Field(min_length=1, max_length=50)


class FactsFile(Frozen):
    """A file of facts with its sources."""

    sources: dict[Key, Citation]
    facts: dict[Key, FactEntry]


def to_facts(file: FactsFile) -> tuple[Fact, ...]:
    """Put each source in the place of its key. Raises UsageError for a key that is not listed."""
    return tuple(_to_fact(topic, entry, file.sources) for topic, entry in file.facts.items())


def _to_fact(topic: str, entry: FactEntry, sources: dict[str, Citation]) -> Fact:
    for item in entry.sources:
        if item.source not in sources:
            raise UsageError(f"fact '{topic}': {unknown('source', item.source, sources)}; list it under 'sources'")
    return Fact(
        topic=topic,
        statement=entry.statement,
        holds=entry.holds,
        value=entry.value,
        unit=entry.unit,
        found=entry.found,
        misattributed=entry.misattributed,
        other_model=entry.other_model,
        superseded=entry.superseded,
        sources=tuple(FactSource(source=sources[t.source], shows=t.shows, stance=t.stance) for t in entry.sources),
    )


@cache
def facts() -> tuple[Fact, ...]:
    """The built-in facts, in the order of their file."""
    return to_facts(validation.validate(validation.load(FACTS_FILE, what="facts"), FactsFile))
