"""Published rates, each with its conditions and its source, and the list that comes with the program.

Rates are per package, whatever unit the source used; what a source leaves out is None. The four phases are different
quantities: input tokens per prefill package, output per decode package, output over all packages, input and output over
all packages.
"""

from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import Field

from harness.catalog.citation import Citation, Key
from harness.errors import UsageError, unknown
from harness.files import validation
from harness.vocabulary import Frozen, Positive, RatePhase, ServingConditions


class PublishedConditions(ServingConditions):
    """What a source says of how a rate came about."""

    tpot_s: Positive | None = None
    tpot_independent: bool | None = Field(
        default=None, description="batch and time per token come from independent statements"
    )
    idealised: bool = Field(default=False, description="perfect balance, a projection, or an offline mode")
    cache_hits_counted: bool = False


class PublishedRate(Frozen):
    """One published rate, tokens per second and package."""

    id: str
    source_id: str = Field(description="the publication; rows of one publication share it")
    system: str
    model: str
    chip: str
    phase: RatePhase
    rate_tok_s: float = Field(gt=0)
    conditions: PublishedConditions
    calibrates: bool = Field(description="whether a band may be made from it")
    left_out: str | None = Field(default=None, description="why it does not calibrate")
    source: Citation
    note: str | None = None


class RateEntry(Frozen):
    """One published rate as it is written in a catalog file. Conditions that the source leaves out stay absent."""

    source: Key
    system: str
    model: Key
    chip: Key
    phase: RatePhase
    rate_tok_s: Positive
    conditions: PublishedConditions = PublishedConditions()
    left_out: str | None = Field(default=None, description="give a reason, and the rate makes no band")
    grade: Literal["A", "B", "C", "D", "P"] | None = Field(
        default=None, description="where it differs from the source's"
    )
    note: str | None = None


class RateFile(Frozen):
    """The built-in list of published rates."""

    sources: dict[Key, Citation]
    rates: dict[Key, RateEntry] = Field(min_length=1)


def to_rate(name: str, entry: RateEntry, sources: dict[str, Citation]) -> PublishedRate:
    """The rate that `entry` describes. Raises UsageError for a source that is not listed."""
    if entry.source not in sources:
        raise UsageError(f"{unknown('source', entry.source, sources)}; list it under 'sources'")
    citation = sources[entry.source]
    if entry.grade is not None:
        citation = citation.model_copy(update={"grade": entry.grade})
    return PublishedRate(
        id=name,
        source_id=entry.source,
        system=entry.system,
        model=entry.model,
        chip=entry.chip,
        phase=entry.phase,
        rate_tok_s=entry.rate_tok_s,
        conditions=entry.conditions,
        calibrates=entry.left_out is None,
        left_out=entry.left_out,
        source=citation,
        note=entry.note,
    )


@cache
def rates() -> tuple[PublishedRate, ...]:
    """All built-in rates, in the file's order."""
    path = Path(__file__).with_name("rates.yaml")
    found = validation.read(path, RateFile, what="list of published rates")
    return tuple(to_rate(name, entry, found.sources) for name, entry in found.rates.items())


def source_ids() -> tuple[str, ...]:
    """Publications that the built-in rates come from."""
    return tuple(dict.fromkeys(rate.source_id for rate in rates()))
