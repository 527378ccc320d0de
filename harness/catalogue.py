"""Chips, models and published rates together: those that come with the program, and a user's own files beside them.

An entry of a user's file replaces the built-in one of the same name. A file may hold any of the three lists; its
sources are its own.
"""

from functools import cache
from pathlib import Path

from pydantic import Field

from harness import document
from harness.citation import Citation, Key
from harness.errors import UsageError, unknown
from harness.frozen import Frozen
from harness.hardware.catalogue import chips
from harness.hardware.chip import Chip
from harness.hardware.entry import ChipEntry, to_chip
from harness.models.catalogue import ModelEntry, ReleasedModel, released_models, to_model
from harness.published.catalogue import rates, to_rate
from harness.published.rate import Rate, RateEntry


class CatalogueFile(Frozen):
    """A user's catalogue: `sources`, and any of `chips`, `models` and `rates`, each by name."""

    sources: dict[Key, Citation]
    chips: dict[Key, ChipEntry] = Field(default={})
    models: dict[Key, ModelEntry] = Field(default={})
    rates: dict[Key, RateEntry] = Field(default={})


class Catalogue(Frozen):
    """All that is known of hardware, models and rates elsewhere."""

    chips: tuple[Chip, ...]
    models: tuple[ReleasedModel, ...]
    rates: tuple[Rate, ...]

    def chip(self, name: str) -> Chip:
        """The chip of that name. Raises UsageError, naming the nearest known one."""
        for chip in self.chips:
            if chip.name == name:
                return chip
        raise UsageError(unknown("chip", name, (c.name for c in self.chips)))

    def model(self, name: str) -> ReleasedModel:
        """The released model of that name. Raises UsageError, naming the nearest known one."""
        for model in self.models:
            if model.name == name:
                return model
        raise UsageError(unknown("model", name, (m.name for m in self.models)))

    def with_file(self, file: CatalogueFile) -> "Catalogue":
        """This catalogue with a user's entries added. Raises UsageError for a name that a rate or figure lacks."""
        new_chips = tuple(to_chip(name, entry, file.sources) for name, entry in file.chips.items())
        new_models = tuple(to_model(name, entry, file.sources) for name, entry in file.models.items())
        new_rates = tuple(to_rate(name, entry, file.sources) for name, entry in file.rates.items())
        out = Catalogue(
            chips=tuple(c for c in self.chips if c.name not in file.chips) + new_chips,
            models=tuple(m for m in self.models if m.name not in file.models) + new_models,
            rates=tuple(r for r in self.rates if r.id not in file.rates) + new_rates,
        )
        for rate in new_rates:
            out.chip(rate.chip)
            out.model(rate.model)
        return out


@cache
def builtin() -> Catalogue:
    """The catalogue that comes with the program."""
    return Catalogue(chips=chips(), models=released_models(), rates=rates())


def with_files(paths: tuple[Path, ...]) -> Catalogue:
    """The built-in catalogue and the files at `paths`, later ones first in a conflict.

    Raises UsageError with file, line and column for a file that does not parse or does not fit.
    """
    found = builtin()
    for path in paths:
        parsed = document.load(path, what="catalogue")
        file = document.validate(parsed, CatalogueFile)
        try:
            found = found.with_file(file)
        except UsageError as error:
            raise UsageError(f"{path}: {error}") from error
    return found
