"""The published rates that come with the program. Knows no rate that its data file does not list."""

from functools import cache
from pathlib import Path

from pydantic import Field

from harness import document
from harness.citation import Citation, Key
from harness.errors import UsageError, unknown
from harness.frozen import Frozen
from harness.published.rate import Rate, RateEntry


class RateFile(Frozen):
    """The built-in list of published rates."""

    sources: dict[Key, Citation]
    rates: dict[Key, RateEntry] = Field(min_length=1)


def to_rate(name: str, entry: RateEntry, sources: dict[str, Citation]) -> Rate:
    """The rate that `entry` describes. Raises UsageError for a source that is not listed."""
    if entry.source not in sources:
        raise UsageError(f"{unknown('source', entry.source, sources)}; list it under 'sources'")
    citation = sources[entry.source]
    if entry.grade is not None:
        citation = citation.model_copy(update={"grade": entry.grade})
    return Rate(
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
def rates() -> tuple[Rate, ...]:
    """All built-in rates, in the file's order."""
    path = Path(__file__).with_name("rates.yaml")
    found = document.read(path, RateFile, what="list of published rates")
    return tuple(to_rate(name, entry, found.sources) for name, entry in found.rates.items())


def source_ids() -> tuple[str, ...]:
    """Publications that the built-in rates come from."""
    return tuple(dict.fromkeys(rate.source_id for rate in rates()))
