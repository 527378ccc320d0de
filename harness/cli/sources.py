"""A config with everything that it names: the sheet and the catalogs, read and checked before anything is measured.

Knows where files are looked for (beside the config), not what is in them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from harness.catalog.collection import Catalog, CatalogFile, builtin
from harness.claims import Sheet
from harness.config import Config
from harness.errors import PlanError, UsageError, unknown
from harness.files import validation
from harness.files.tree import Document

T = TypeVar("T")


@dataclass(frozen=True)
class Asked:
    """What a user asks for, in full."""

    document: Document
    config: Config
    sheet: Sheet | None
    catalog: Catalog
    inputs: tuple[Path, ...]


def read_config(path: Path) -> tuple[Document, Config]:
    """The config at `path`. Raises UsageError with file, line and column."""
    found = validation.load(path, what="config")
    return found, validation.validate(found, Config)


def read_sheet(path: Path) -> Sheet:
    return validation.read(path, Sheet, what="claim sheet")


def gather(found: Document, config: Config, extra: tuple[Path, ...] = ()) -> Asked:
    """The config with its sheet and catalogs; `extra` are catalogs named on the command line."""
    folder = found.path.parent
    sheet = None
    if config.sheet is not None:
        path = folder / config.sheet
        sheet = _named(found, ("sheet",), path, partial(read_sheet, path))
    catalog = builtin()
    paths = [(folder / name, index) for index, name in enumerate(config.catalog)]
    for path, index in paths:
        catalog = _named(found, ("catalog", index), path, partial(extended, catalog, path))
    for path in extra:
        catalog = extended(catalog, path)
    inputs = [found.path, *(path for path, _ in paths), *extra]
    if config.sheet is not None:
        inputs.append(folder / config.sheet)
    return Asked(document=found, config=config, sheet=sheet, catalog=catalog, inputs=tuple(inputs))


def extended(base: Catalog, path: Path) -> Catalog:
    """`base` with a user's file. Raises UsageError with file, line and column."""
    file = validation.read(path, CatalogFile, what="catalog")
    try:
        return base.with_file(file)
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from None


def _named(found: Document, location: tuple[str | int, ...], path: Path, read: Callable[[], T]) -> T:
    """What `read` gives; where `path` cannot be read at all, the message also says which line names it."""
    try:
        return read()
    except UsageError as error:
        if not str(error).startswith(f"{path}: "):
            raise
        mark = found.mark(*location)
        raise UsageError(f"{error} (named in {found.path}:{mark.line}:{mark.column})") from None


def located(found: Document, error: PlanError) -> UsageError:
    """The plan's error with the place in the config that causes it."""
    return found.error(found.mark(*error.location), str(error))


def check_chips(asked: Asked) -> None:
    """Raise UsageError for a chip that no catalog has."""
    known = [chip.name for chip in asked.catalog.chips]
    for index, name in enumerate(asked.config.chips):
        if name not in known:
            raise asked.document.error(asked.document.mark("chips", index), unknown("chip", name, known))
