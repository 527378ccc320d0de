"""Published rates, each with its conditions and its source, and the list that comes with the program.

Rates are per package, whatever unit the source used; what a source leaves out is None. The four phases are different
quantities: input tokens per prefill package, output per decode package, output over all packages, input and output over
all packages.
"""

from functools import cache

from pydantic import Field

from harness.catalog.citation import Citation, EntryFile, Grade, Key, shipped, source_of
from harness.vocabulary import Frozen, Positive, RatePhase, TimedConditions


class PublishedConditions(TimedConditions):
    """What a source says of how a rate came about."""

    idealised: bool = Field(default=False, description="perfect balance, a projection, or an offline mode")
    cache_hits_counted: bool = False


class _Rate(Frozen):
    """What a published rate and its entry in a catalog file have in common."""

    system: str
    model: Key
    chip: Key
    phase: RatePhase
    rate_tok_s: Positive
    conditions: PublishedConditions = PublishedConditions()
    left_out: str | None = Field(
        default=None, description="why the law of published rates is not fitted to it; absent: it is"
    )
    threshold: bool = Field(
        default=False,
        description="the least that a test accepts, not what was reached: in no ratio of chips",
    )
    note: str | None = None


class PublishedRate(_Rate):
    """One published rate, tokens per second and package."""

    id: str
    source_id: str = Field(description="the publication; rows of one publication share it")
    source: Citation

    @property
    def calibrates(self) -> bool:
        """Whether the law of published rates is fitted to it."""
        return self.left_out is None


class RateEntry(_Rate):
    """One published rate as it is written in a catalog file. Conditions that the source leaves out stay absent."""

    source: Key
    grade: Grade | None = Field(default=None, description="where it differs from the source's")


def to_rate(name: str, entry: RateEntry, sources: dict[str, Citation]) -> PublishedRate:
    """The rate that `entry` describes. Raises UsageError for a source that is not listed."""
    source = source_of(entry.source, sources)
    if entry.grade is not None:
        source = source.model_copy(update={"grade": entry.grade})
    shared = {field: getattr(entry, field) for field in _Rate.model_fields}
    return PublishedRate(**shared, id=name, source_id=entry.source, source=source)


@cache
def rates() -> tuple[PublishedRate, ...]:
    """All built-in rates, in the file's order."""
    return shipped("rates", EntryFile[RateEntry], to_rate)
