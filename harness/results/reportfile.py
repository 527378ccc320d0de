"""A run and its assessment as one JSON document, written and read again. Holds all that the tables show.

A checksum over all values stands at its end: a document that was cut or changed is refused. Figures that follow from
others (rates, shares of a ceiling, gains, the host's fingerprint) are written for readers and computed again when read,
from the raw durations.
"""

import datetime as dt
import json
import re
import stat
from pathlib import Path
from typing import Any, Literal, NoReturn, Self

from pydantic import ConfigDict, Field, ValidationError, computed_field, model_validator

from harness.errors import UsageError
from harness.files import output, strict
from harness.files.strict import StrictJsonError
from harness.files.text import printable_line
from harness.results.assessment import AsOf, Assessment, InconsistentSet, Scaled, Verdict
from harness.results.gains import GainRow, MeasuredRow, gain_rows, measured_rows
from harness.results.plan import Variant
from harness.results.record import (
    SCHEMA,
    CeilingObservation,
    Ceilings,
    Host,
    Measurement,
    Record,
    RecordId,
    with_current_names,
)
from harness.vocabulary import Frozen

_READ = range(1, SCHEMA + 1)
SIZE_LIMIT_BYTES = 256 << 20  # a thousand cases of a thousand processes stay far below it
_ERRORS_SHOWN = 10
_ADVICE = "Write the file again from the stored run, or name another one."


_FOLDERS = re.compile(r"(?<![\w./:-])(?:/|[A-Za-z]:[\\/])(?:[^\s/\\\"'\[\]{},:]+[/\\])*(?=[\w.-])")
"""The folders of an absolute path; not the slashes of an address or of a relative path."""


class Run(Frozen):
    """What a record says of the run itself."""

    name: str
    label: str | None
    created: dt.datetime
    state: Literal["complete", "interrupted", "running"]
    harness_version: str
    config_digest: str
    config_text: str
    revision: str | None = Field(default=None, description="git commit of the folder that the run was started in")


class JudgedSheet(Frozen):
    """What was judged, and on which run."""

    id: str
    title: str
    record_id: str | None


class ReportFile(Frozen):
    """The document. What a record would say is null or empty without one, and so is what a sheet would say."""

    model_config = ConfigDict(
        title="harness report",
        serialize_by_alias=True,
        validate_by_name=True,
        validate_by_alias=True,
        json_schema_serialization_defaults_required=True,
    )

    schema_version: Literal[3] = Field(alias="schema", description="version of this document's schema")
    record_id: RecordId | None
    run: Run | None
    host: Host | None
    ceilings: Ceilings | None
    ceiling_observations: tuple[CeilingObservation, ...]
    variants: tuple[Variant, ...]
    measurements: tuple[Measurement, ...]
    notes: tuple[str, ...]
    sheet: JudgedSheet | None
    scaled: tuple[Scaled, ...]
    verdicts: tuple[Verdict, ...]
    inconsistencies: tuple[InconsistentSet, ...] = Field(description="sets of claims that cannot all hold, explained")
    transfers: tuple[str, ...]
    as_of: AsOf | None = Field(default=None, description="the day that the sheet was judged for, and changes since")

    checksum: str | None = Field(
        default=None,
        pattern=output.CHECKSUM_PATTERN,
        description="SHA-256 over all other values (keys sorted, no white space)",
    )

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.run is not None and (self.host is None or self.record_id is None):
            raise ValueError("a run has a record_id and a host")
        return self

    @computed_field(description="each measurement beside this host's ceilings")  # type: ignore[prop-decorator]
    @property
    def cases(self) -> tuple[MeasuredRow, ...]:
        record = self.record()
        return measured_rows(record) if record else ()

    @computed_field(description="mixture-of-experts models over their dense counterparts")  # type: ignore[prop-decorator]
    @property
    def gains(self) -> tuple[GainRow, ...]:
        record = self.record()
        return gain_rows(record) if record else ()

    @computed_field(description="ids of claims that cannot all hold, set by set")  # type: ignore[prop-decorator]
    @property
    def inconsistent_sets(self) -> tuple[tuple[str, ...], ...]:
        return tuple(s.claims for s in self.inconsistencies)

    @computed_field(description="runs with different ones are not comparable")  # type: ignore[prop-decorator]
    @property
    def host_fingerprint(self) -> str | None:
        return self.host.fingerprint if self.host else None

    def record(self) -> Record | None:
        if self.run is None or self.host is None or self.record_id is None:
            return None
        return Record(**dict(self.run), **{name: getattr(self, name) for name in _OF_RECORD})

    def assessment(self) -> Assessment | None:
        if self.sheet is None:
            return None
        sheet, sets = self.sheet, self.inconsistencies
        judged: dict[str, Any] = {"scaled": self.scaled, "verdicts": self.verdicts, "transfers": self.transfers}
        named = {"sheet_id": sheet.id, "sheet_title": sheet.title, "record_id": sheet.record_id}
        return Assessment.model_validate({**named, **judged, "inconsistent_sets": sets, "as_of": self.as_of})


def document(record: Record | None, assessment: Assessment | None, *, whole: bool = False) -> str:
    """The JSON text of a run, of a judged sheet, or of both; indented, with its checksum and a final newline.

    People publish it: without `whole`, the folders of absolute paths in the config's text are left out.
    """
    if record is not None and not whole:
        record = record.model_copy(update={"config_text": _FOLDERS.sub("", record.config_text)})
    return output.with_checksum(_file(record, assessment).model_dump_json(by_alias=True))


def schema() -> str:
    """The JSON Schema of `document`'s text."""
    return json.dumps(ReportFile.model_json_schema(mode="serialization"), indent=2) + "\n"


def load(source: Path | str) -> tuple[Record | None, Assessment | None]:
    """What `document` wrote, from a file or from its text.

    Raises UsageError: unreadable, not JSON (with line and column), not such a document, another schema version, fields
    that do not fit (each named, at most ten), or a checksum that does not match.
    """
    if isinstance(source, Path):
        return parse(_read(source), where=str(source))
    return parse(source)


def parse(text: str, *, where: str = "report") -> tuple[Record | None, Assessment | None]:
    """`load` for text that was read already; `where` names it in errors."""
    data = _decode(text, where)
    if not isinstance(data, dict) or "schema" not in data or "measurements" not in data or "verdicts" not in data:
        _refuse(where, "not a harness report: expected an object with 'schema', 'measurements' and 'verdicts'")
    if type(data["schema"]) is not int or data["schema"] not in _READ:
        found = printable_line(json.dumps(data["schema"]))[:40]
        _refuse(
            where,
            f"schema {found}, expected at most {SCHEMA}: it was written by another version of harness; "
            "install that one or a newer one, for example `pip install --upgrade harness`",
        )
    problem = output.checksum_error(data)
    if problem is not None:
        _refuse(where, problem)
    if data["schema"] < SCHEMA:
        data = with_current_names(data)
    try:
        read = ReportFile.model_validate_json(json.dumps({**_without_computed(data), "schema": SCHEMA}), strict=True)
    except ValidationError as error:
        _refuse(where, *_findings(error))
    return read.record(), read.assessment()


_OF_RECORD = (
    "record_id", "host", "ceilings", "ceiling_observations", "variants", "measurements", "notes",
)  # fmt: skip
"""What a document and a record have under one name."""
_NO_RECORD: dict[str, Any] = {
    "run": None, "record_id": None, "host": None, "ceilings": None, "ceiling_observations": (), "variants": (),
    "measurements": (), "notes": (),
}  # fmt: skip
_NO_SHEET: dict[str, Any] = {
    "sheet": None,
    "scaled": (),
    "verdicts": (),
    "inconsistencies": (),
    "transfers": (),
    "as_of": None,
}


def _file(record: Record | None, assessment: Assessment | None) -> ReportFile:
    found: dict[str, Any] = {**_NO_RECORD, **_NO_SHEET}
    if assessment is not None:
        a = assessment
        found["sheet"] = JudgedSheet(id=a.sheet_id, title=a.sheet_title, record_id=a.record_id)
        found |= {"record_id": a.record_id, "scaled": a.scaled, "verdicts": a.verdicts, "transfers": a.transfers}
        found |= {"inconsistencies": a.inconsistent_sets, "as_of": a.as_of}
    if record is not None:
        found["run"] = Run(**{name: getattr(record, name) for name in Run.model_fields})
        found |= {name: getattr(record, name) for name in _OF_RECORD}
    return ReportFile(schema_version=SCHEMA, **found)


def _read(path: Path) -> str:
    try:
        status = path.stat()
        if status.st_size > SIZE_LIMIT_BYTES:
            _refuse(str(path), f"{status.st_size} bytes, expected at most {SIZE_LIMIT_BYTES}")
        if not stat.S_ISREG(status.st_mode) and not path.is_dir():
            _refuse(str(path), "is not a regular file, expected a harness report")
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        _refuse(str(path), f"byte {error.start} is not UTF-8, expected UTF-8 text")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        _refuse(str(path), f"cannot be read ({reason}), expected a harness report")


def _decode(text: str, where: str) -> Any:
    try:
        return strict.decode_json(text, what="harness report")
    except StrictJsonError as error:
        _refuse(error.place(where), str(error))


def _without_computed(data: dict[str, Any]) -> dict[str, Any]:
    """`data` without what is derived on writing; what is not of the expected shape is left for the types to refuse."""
    kept = {key: value for key, value in data.items() if key not in ReportFile.model_computed_fields}
    if isinstance(kept["measurements"], list):
        kept["measurements"] = [
            {k: v for k, v in m.items() if k not in Measurement.model_computed_fields} if isinstance(m, dict) else m
            for m in kept["measurements"]
        ]
    return kept


def _findings(error: ValidationError) -> list[str]:
    found = error.errors(include_url=False, include_context=False)
    texts = [f"{'.'.join(str(part) for part in e['loc']) or 'document'}: {e['msg']}" for e in found[:_ERRORS_SHOWN]]
    return texts if len(found) <= _ERRORS_SHOWN else [*texts, f"and {len(found) - _ERRORS_SHOWN} more"]


def _refuse(where: str, *what: str) -> NoReturn:
    raise UsageError("\n".join(f"{where}: {printable_line(text)}" for text in what) + f"\n{_ADVICE}")
