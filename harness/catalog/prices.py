"""Prices, power and the assumptions of a cost, each with its citation, and the list that comes with the program.

A price is of one package, unless its item is of no chip (electricity, years, interest, PUE, utilisation).
"""

from functools import cache
from typing import Literal, Self

from pydantic import Field, model_validator

from harness.catalog.citation import Citation, EntryFile, Key, shipped, source_of
from harness.vocabulary import Frozen, Positive

Item = Literal[
    "purchase", "power", "tco", "rental", "electricity", "api-input", "api-output", "computed-cost", "years",
    "interest", "pue", "utilisation",
]  # fmt: skip
Unit = Literal["USD", "USD/h", "W", "USD/kWh", "USD/Mtok", "years", "fraction", "ratio"]
UNITS: dict[Item, tuple[Unit, ...]] = {
    "purchase": ("USD",),
    "power": ("W",),
    "tco": ("USD/h",),
    "rental": ("USD/h",),
    "electricity": ("USD/kWh",),
    "api-input": ("USD/Mtok",),
    "api-output": ("USD/Mtok",),
    "computed-cost": ("USD/Mtok",),
    "years": ("years",),
    "interest": ("fraction",),
    "pue": ("ratio",),
    "utilisation": ("fraction",),
}
"""The unit that each item is given in."""


class _Price(Frozen):
    """What a price and its entry in a catalog file have in common."""

    item: Item
    chip: Key | None = None
    model: Key | None = None
    value: Positive = Field(description="the figure, or the lower end of a range")
    high: Positive | None = Field(default=None, description="the upper end, where the source gives a range")
    unit: Unit
    note: str | None = None

    @model_validator(mode="after")
    def _plain(self) -> Self:
        if self.unit not in UNITS[self.item]:
            raise ValueError(f"'{self.item}' is given in {UNITS[self.item][0]}, not in {self.unit}")
        if self.high is not None and self.high < self.value:
            raise ValueError("'high' is below 'value'")
        return self


class Price(_Price):
    """One price with its source."""

    id: str
    source: Citation

    @property
    def most(self) -> float:
        return self.value if self.high is None else self.high


class PriceEntry(_Price):
    """One price as it is written in a catalog file."""

    source: Key


def to_price(name: str, entry: PriceEntry, sources: dict[str, Citation]) -> Price:
    """The price that `entry` describes. Raises UsageError for a source that is not listed."""
    return Price(**{**dict(entry), "id": name, "source": source_of(entry.source, sources)})


@cache
def prices() -> tuple[Price, ...]:
    """All built-in prices, in the file's order."""
    return shipped("prices", EntryFile[PriceEntry], to_price)
