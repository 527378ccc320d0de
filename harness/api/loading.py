"""Files and stored runs by what a caller calls them: sheets, configs with all that they name, records, result tables.

A sheet or a config that comes with the program is known by its name. What a config names is found beside it.
"""

import os
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from harness.api.session import STORE
from harness.catalog.collection import Catalog, CatalogFile, builtin
from harness.claims import Sheet
from harness.comparison.formats import detect
from harness.comparison.formats import record as own
from harness.comparison.table import ResultTable
from harness.config import Config, Outputs
from harness.errors import PlanError, UsageError, unknown
from harness.files import installed, validation
from harness.files.installed import Kind
from harness.files.text import is_file, is_folder, read_bounded
from harness.files.tree import Document
from harness.results import reportfile
from harness.results.assessment import Assessment
from harness.results.counting import counts
from harness.results.record import Record
from harness.store.runs import Store

T = TypeVar("T")


@dataclass(frozen=True)
class Asked:
    """What a user asks for, in full."""

    document: Document
    config: Config
    sheet: Sheet | None
    catalog: Catalog
    inputs: tuple[Path, ...]


KINDS: dict[str, tuple[Kind, str]] = {"harness": ("config", "harness run"), "sheet": ("sheet", "harness judge")}
"""The key that holds the version of a file's format: what the file is, and which command takes it."""


def load_sheet(source: str | os.PathLike[str] | Sheet) -> Sheet:
    """A claim sheet, from a file or by the name of one that comes with the program (`deepseek-v4-ascend`).

    Raises UsageError with file, line and column.
    """
    if isinstance(source, Sheet):
        return source
    return validation.validate(_document(source, "sheet", "claim sheet"), Sheet)


def load_config(source: str | os.PathLike[str]) -> Config:
    """A config, from a file or by the name of one that comes with the program (`quick`). Raises UsageError."""
    return read_config(source)[1]


def read_config(source: str | os.PathLike[str]) -> tuple[Document, Config]:
    """A config with the document that it was read from. Raises UsageError with file, line and column."""
    found = _document(source, "config", "config")
    return found, validation.validate(found, Config)


def found_file(source: str | os.PathLike[str], kind: Kind) -> Path:
    """The file that `source` names; a bare name that is no file here means one that comes with the program."""
    path = Path(source)
    bare = os.fspath(source)
    if "/" in bare or "\\" in bare or path.suffix or is_file(path) or is_folder(path):
        return path
    try:
        return installed.find(bare, kind)
    except UsageError as error:
        raise UsageError(f"{bare}: no such file here, and {error}") from None


def _document(source: str | os.PathLike[str], kind: Kind, what: str) -> Document:
    """The document at `source`. Raises UsageError where it is of another kind, naming the command that takes it."""
    found = validation.load(found_file(source, kind), what=what)
    keys = found.root.value if isinstance(found.root.value, dict) else {}
    other = next((KINDS[key] for key in KINDS if key in keys), None)
    if other is None and {"chips", "models", "rates", "prices"} & set(keys) and "sources" in keys:
        raise UsageError(f"{found.path}: is a catalog, expected a {what}; give it with --catalog {found.path}")
    if other is not None and other[0] != kind:
        raise UsageError(f"{found.path}: is a {other[0]}, expected a {what}; {other[1]} {found.path} takes it")
    return found


def load_record(source: str | os.PathLike[str] | Record, *, store: str | os.PathLike[str] | None = None) -> Record:
    """What a run measured: from a file that `--json` wrote, or a stored run by id, label or 'latest'.

    Raises UsageError for a file that was cut or changed, or that holds no measurements; StoreError for an unknown run.
    """
    if isinstance(source, Record):
        return source
    record = load_run(source, store=store)[0]
    if record is None:
        raise UsageError(f"{source}: holds verdicts and no measurements, expected the report of a run")
    return record


def load_run(
    source: str | os.PathLike[str], *, store: str | os.PathLike[str] | None = None
) -> tuple[Record | None, Assessment | None]:
    """A record and how its sheet was judged, from a file or from the store. Raises UsageError or StoreError."""
    path = Path(source)
    if path.suffix == ".json":
        return reportfile.load(path)
    with Store(Path(store or STORE), write=False) as opened:
        record_id = opened.resolve(os.fspath(source))
        return opened.load(record_id, counts=counts), opened.assessment(record_id)


def load_table(
    source: str | os.PathLike[str] | ResultTable, *, store: str | os.PathLike[str] | None = None
) -> ResultTable:
    """A result table: a file of a known tool, or a stored run by id, label, 'latest' or 'baseline'.

    Raises UsageError, or StoreError where neither a file nor a run has this name.
    """
    if isinstance(source, ResultTable):
        return source
    path, name, place = Path(source), os.fspath(source), Path(store or STORE)
    if is_file(path):
        return detect.parse(read_bounded(path, detect.SIZE_LIMIT_BYTES), name)
    if path.suffix and is_folder(path):
        raise UsageError(f"{name}: is a folder, expected a file in it")
    if name == "baseline":
        name = baseline(place)
    if "/" in name or path.suffix in (".json", ".jsonl", ".csv", ".md", ".txt", ".log", ".sql", ".js"):
        raise UsageError(f"{name}: no such file; expected {detect.KNOWN}, or the id or label of a stored run")
    if not is_file(place):
        raise UsageError(
            f"{name}: no such file, and no store at {place}; expected {detect.KNOWN}, or a stored run with --store"
        )
    return own.table(load_record(name, store=place), name)


def baseline(store: Path) -> str:
    """The id that `harness baseline set` has kept beside the store. Raises UsageError where there is none."""
    path = baseline_file(store)
    try:
        kept = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        kept = ""
    if not kept:
        raise UsageError(f"{path}: no baseline is set; 'harness baseline set ID' sets one")
    return kept


def baseline_file(store: Path) -> Path:
    return store.with_name(f"{store.name}.baseline")


def load_catalog(paths: Catalog | Sequence[str | os.PathLike[str]] = ()) -> Catalog:
    """The catalog that comes with the program, with users' files. Raises UsageError with file, line and column."""
    if isinstance(paths, Catalog):
        return paths
    catalog = builtin()
    for path in paths:
        catalog = extended(catalog, Path(path))
    return catalog


def gather(found: Document, config: Config, extra: tuple[Path, ...] = ()) -> Asked:
    """The config with its sheet and catalogs; `extra` are catalogs named on the command line."""
    folder = found.path.parent
    sheet = None
    if config.sheet is not None:
        path = folder / config.sheet
        sheet = _named(found, ("sheet",), path, partial(load_sheet, path))
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


def outputs_below_here(outputs: Outputs, given: Collection[str] = ()) -> dict[str, Path | None]:
    """The files that a config names, with links followed, if they lie below the current folder; not those `given`
    otherwise.

    Raises UsageError for one outside it: configs come from anybody.
    """
    found: dict[str, Path | None] = {}
    for key, named in (("json", outputs.json_file), ("html", outputs.html), ("markdown", outputs.markdown)):
        name = None if key in given else named
        try:
            below = name is None or Path(name).resolve().is_relative_to(Path.cwd().resolve())
        except (OSError, ValueError, RuntimeError):
            below = False
        if not below:
            raise UsageError(
                f"{name}: outputs.{key} of the config lies outside the folder that you are in, expected a path below "
                f"it; elsewhere it is written only if the command line says so (--{key} FILE)"
            )
        found[key] = None if name is None else Path(name)
    return found
