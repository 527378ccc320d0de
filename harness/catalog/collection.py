"""Chips, models, published rates and prices together: the program's own, and a user's files beside them.

An entry of a user's file replaces the built-in one of the same name. A file may hold any of the lists; its
sources are its own.
"""

from collections.abc import Callable
from functools import cache
from pathlib import Path

from pydantic import Field

from harness.catalog.chips import Chip, ChipEntry, chips, to_chip
from harness.catalog.citation import Citation, Entry, Key, Made, named
from harness.catalog.models import ModelEntry, ReleasedModel, released_models, to_model
from harness.catalog.prices import Price, PriceEntry, prices, to_price
from harness.catalog.rates import PublishedRate, RateEntry, rates, to_rate
from harness.errors import UsageError
from harness.files import validation
from harness.files.tree import Document, Mark
from harness.vocabulary import Frozen


class EntryError(UsageError):
    """One entry of a user's catalog names something that is not there."""

    def __init__(self, section: str, name: str, message: str) -> None:
        super().__init__(message)
        self.section, self.name = section, name


class CatalogFile(Frozen):
    """A user's catalog: `sources`, and any of `chips`, `models`, `rates` and `prices`, each by name."""

    sources: dict[Key, Citation]
    chips: dict[Key, ChipEntry] = Field(default={})
    models: dict[Key, ModelEntry] = Field(default={})
    rates: dict[Key, RateEntry] = Field(default={})
    prices: dict[Key, PriceEntry] = Field(default={})


class Catalog(Frozen):
    """All that is known of hardware, models, rates and prices elsewhere."""

    chips: tuple[Chip, ...]
    models: tuple[ReleasedModel, ...]
    rates: tuple[PublishedRate, ...]
    prices: tuple[Price, ...] = ()

    def chip(self, name: str) -> Chip:
        """The chip of that name. Raises UsageError, naming the nearest known one."""
        return named("chip", name, self.chips)

    def model(self, name: str) -> ReleasedModel:
        """The released model of that name. Raises UsageError, naming the nearest known one."""
        return named("model", name, self.models)

    def with_file(self, file: CatalogFile) -> "Catalog":
        """This catalog with a user's entries added. Raises EntryError for a name that is not there."""
        chips = _made("chips", file.chips, to_chip, file.sources)
        models = _made("models", file.models, to_model, file.sources)
        rates = _made("rates", file.rates, to_rate, file.sources)
        prices = _made("prices", file.prices, to_price, file.sources)
        out = Catalog(
            chips=(*(c for c in self.chips if c.name not in file.chips), *chips),
            models=(*(m for m in self.models if m.name not in file.models), *models),
            rates=(*(r for r in self.rates if r.id not in file.rates), *rates),
            prices=(*(p for p in self.prices if p.id not in file.prices), *prices),
        )
        for rate in rates:
            try:
                out.chip(rate.chip)
                out.model(rate.model)
            except UsageError as error:
                raise EntryError("rates", rate.id, str(error)) from error
        return out


def _made(
    section: str,
    entries: dict[str, Entry],
    make: Callable[[str, Entry, dict[str, Citation]], Made],
    sources: dict[str, Citation],
) -> tuple[Made, ...]:
    found = []
    for name, entry in entries.items():
        try:
            found.append(make(name, entry, sources))
        except UsageError as error:
            raise EntryError(section, name, str(error)) from error
    return tuple(found)


@cache
def builtin() -> Catalog:
    """The catalog that comes with the program."""
    return Catalog(chips=chips(), models=released_models(), rates=rates(), prices=prices())


def with_files(paths: tuple[Path, ...]) -> Catalog:
    """The built-in catalog and the files at `paths`, later ones first in a conflict.

    Raises UsageError with file, line and column for a file that does not parse or does not fit.
    """
    found = builtin()
    for path in paths:
        parsed = validation.load(path, what="catalog")
        file = validation.validate(parsed, CatalogFile)
        try:
            found = found.with_file(file)
        except EntryError as error:
            raise parsed.error(_mark(parsed, error), f"{error.section}.{error.name}: {error}") from error
    return found


def _mark(parsed: Document, error: EntryError) -> Mark:
    """Where the entry begins in its file."""
    top = parsed.root.value
    section = top[error.section] if isinstance(top, dict) else parsed.root
    return section.keys.get(error.name, section.mark)
