"""The chips that come with the program, by name. Knows no chip that its data file does not list."""

from functools import cache
from pathlib import Path

from pydantic import Field

from harness import document
from harness.citation import Citation, Key
from harness.errors import UsageError, unknown
from harness.frozen import Frozen
from harness.hardware.chip import Chip
from harness.hardware.entry import ChipEntry, to_chip


class ChipFile(Frozen):
    """The built-in list of chips."""

    sources: dict[Key, Citation]
    chips: dict[Key, ChipEntry] = Field(min_length=1)


@cache
def chips() -> tuple[Chip, ...]:
    """All built-in chips, in the file's order."""
    found = document.validate(document.load(Path(__file__).with_name("chips.yaml"), what="chip catalogue"), ChipFile)
    return tuple(to_chip(name, entry, found.sources) for name, entry in found.chips.items())


def chip_names() -> tuple[str, ...]:
    return tuple(chip.name for chip in chips())


def chip(name: str) -> Chip:
    """The built-in chip of that name. Raises UsageError, naming the nearest known one."""
    for known in chips():
        if known.name == name:
            return known
    raise UsageError(unknown("chip", name, chip_names()))
