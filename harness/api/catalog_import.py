"""Result files of serving benchmarks as rates of a catalog file, with their conditions and their source."""

import io
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from harness.api.loading import load_catalog
from harness.api.result import Result, Row, flat
from harness.catalog.citation import Citation, Grade
from harness.catalog.collection import Catalog, CatalogFile
from harness.catalog.names import chip_key, model_key
from harness.catalog.rates import PublishedConditions, RateEntry
from harness.comparison.formats import detect
from harness.comparison.published import ServedRun, served_runs
from harness.errors import UsageError, unknown
from harness.files import strict
from harness.files.text import read_bounded
from harness.vocabulary import PRECISIONS, Precision, RatePhase

_KEY_LIMIT = 60  # of 80 characters: a phase and a number follow


@dataclass(frozen=True)
class Stated:
    """What is known of the files and does not stand in them."""

    model: str | None = None
    chip: str | None = None
    chips: int | None = None
    precision: str | None = None
    system: str | None = None
    title: str | None = None
    url: str | None = None
    date: str | None = None
    grade: Grade = "B"


class Imported(Result):
    """Rates for a catalog file; `str()` is the file's YAML."""

    file: CatalogFile

    def __str__(self) -> str:
        from ruamel.yaml import YAML

        out = io.StringIO()
        writer = YAML(typ="safe", pure=True)
        writer.default_flow_style = False
        writer.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
        writer.allow_unicode = True
        writer.width = 120
        writer.dump(self._plain(), out)
        return out.getvalue()

    def _plain(self) -> dict[str, Any]:
        return self.file.model_dump(mode="json", exclude_defaults=True)

    def to_json(self) -> str:
        """The same file as JSON, which is YAML too."""
        return strict.encode_json(self._plain())

    def rows(self) -> list[Row]:
        """One row for each rate."""
        return [flat({"id": name, **rate.model_dump(mode="json")}) for name, rate in self.file.rates.items()]


def import_rates(
    files: Sequence[str | os.PathLike[str]],
    *,
    stated: Stated | None = None,
    catalog: Sequence[str | os.PathLike[str]] | Catalog = (),
) -> Imported:
    """Rates, per package, of result files of vLLM, SGLang, InferenceX and MLPerf LoadGen, for `judge --catalog`.

    Models and chips get their key where the file's name for them is certain; what a file does not say stays unknown
    unless `stated` says it. Each file is a source of its own. Raises UsageError: an unknown name with the nearest known
    one, an invalid or failed run, a number of packages that neither file nor `stated` gives.
    """
    stated = stated or Stated()
    known = load_catalog(catalog)
    sources: dict[str, Citation] = {}
    rates: dict[str, RateEntry] = {}
    for path in map(Path, files):
        found = _runs(path)
        source = _free(_key(path.stem), sources)
        sources[source] = _citation(path, found, stated)
        for i, run in enumerate(found, 1):
            stem = f"{source}-{i}" if len(found) > 1 else source
            for entry in _entries(run, source, stated, known):
                rates[f"{stem}-{entry.phase.replace('_', '-')}"] = entry
    file = CatalogFile(sources=sources, rates=rates)
    known.with_file(file)
    return Imported(file=file)


def _runs(path: Path) -> tuple[ServedRun, ...]:
    name = os.fspath(path)
    try:
        return served_runs(read_bounded(path, detect.SIZE_LIMIT_BYTES), name)
    except ValidationError as error:
        raise UsageError(f"{name}: {strict.reasons(error, 'a run')[0]}; no run gives such a value") from None


def _key(text: str) -> str:
    return re.sub(r"[^a-z0-9._-]+", "-", text.lower()).strip("-._")[:_KEY_LIMIT] or "results"


def _free(key: str, taken: dict[str, Citation]) -> str:
    names = (key, *(f"{key}-{n}" for n in range(2, len(taken) + 3)))
    return next(name for name in names if name not in taken)


def _citation(path: Path, found: tuple[ServedRun, ...], stated: Stated) -> Citation:
    dates = [s.date for s in found if s.date is not None]
    return Citation(
        title=stated.title or f"{path.name}, a result file of {found[0].tool}",
        url=stated.url,
        date=stated.date or max(dates, default=None),
        grade=stated.grade,
        how_seen="read",
    )


def _conditions(run: ServedRun, precision: Precision | None, packages: int) -> PublishedConditions:
    try:
        return PublishedConditions(
            precision=precision,
            batch=run.in_flight / packages if run.in_flight else None,
            prompt_tokens=run.prompt_tokens,
            output_tokens=run.output_tokens,
            chips=packages,
            tpot_s=run.tpot_s,
            idealised=run.offline,
        )
    except ValidationError as error:
        raise UsageError(f"{run.where}: {strict.reasons(error, 'a run')[0]}; no run gives such a value") from None


def _entries(run: ServedRun, source: str, stated: Stated, known: Catalog) -> list[RateEntry]:
    model, precision = _model(run, stated, known)
    chip, packages = _chip(run, stated, known), _packages(run, stated)
    conditions = _conditions(run, precision, packages)
    both: tuple[tuple[RatePhase, float | None], ...] = (
        ("output_all", run.output_tok_s),
        ("total_all", run.total_tok_s),
    )
    return [
        RateEntry(
            source=source,
            grade="P" if run.offline else None,
            system=stated.system or run.system or "not stated",
            model=model,
            chip=chip,
            phase=phase,
            rate_tok_s=rate if run.per_package else rate / packages,
            conditions=conditions,
            left_out=run.limited,
            note=_note(run),
        )
        for phase, rate in both
        if rate is not None
    ]


def _note(run: ServedRun) -> str | None:
    """What the file called things, where the catalog calls them otherwise, and where the batch comes from."""
    parts = [part[:200] for part in (run.model, run.hardware) if part]
    if run.in_flight:
        parts.append(f"batch: {run.in_flight:g} requests in flight over all packages")
    return "; ".join(parts) or None


def _model(run: ServedRun, stated: Stated, known: Catalog) -> tuple[str, Precision | None]:
    keys = [model.name for model in known.models]
    written = _format(run.precision)
    if stated.precision is not None:
        written = _format(stated.precision)
        if written is None:
            raise UsageError(unknown("precision", stated.precision, PRECISIONS))
    if stated.model is not None:
        name: str = known.model(stated.model).name
        named: Precision | None = None
        if run.model is not None:
            named = _agrees(run, name, keys)
        return name, written or named
    if run.model is None:
        raise UsageError(f"{run.where}: does not say which model was served; add --model NAME (harness models)")
    try:
        name, named = model_key(run.model, keys)
    except UsageError as error:
        raise UsageError(f"{run.where}: {error}; --model NAME says which it is") from None
    return name, written or named


def _format(text: str | None) -> Precision | None:
    return next((p for p in PRECISIONS if p == (text or "").lower()), None)


def _agrees(run: ServedRun, name: str, keys: list[str]) -> Precision | None:
    """The format that the file's own name of the model states. Raises UsageError where that is surely another model."""
    try:
        found, precision = model_key(run.model or "", keys)
    except UsageError:
        return None
    if found != name:
        raise UsageError(f"{run.where}: its model is {found}, expected {name} as --model says")
    return precision


def _chip(run: ServedRun, stated: Stated, known: Catalog) -> str:
    keys = [chip.name for chip in known.chips]
    found: str | None = None
    problem = "does not say which chips served it"
    if run.hardware is not None:
        try:
            found = chip_key(run.hardware, keys)
        except UsageError as error:
            problem = str(error)
    if stated.chip is None:
        if found is None:
            raise UsageError(f"{run.where}: {problem}; --chip NAME says which (harness chips)")
        return found
    name = known.chip(stated.chip).name
    if found is not None and found != name:
        raise UsageError(f"{run.where}: its chip is {found}, expected {name} as --chip says")
    return name


def _packages(run: ServedRun, stated: Stated) -> int:
    if run.packages is not None and stated.chips not in (None, run.packages):
        raise UsageError(f"{run.where}: served by {run.packages} packages, expected {stated.chips} as --chips says")
    found = run.packages or stated.chips
    if found is None:
        raise UsageError(f"{run.where}: does not say how many packages served it; add --chips N")
    return found
