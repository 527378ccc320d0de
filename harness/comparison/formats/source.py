"""Another tool's file as text, decoded strictly (JSON, JSON lines, CSV) and checked against the fields a reader needs.

Every mistake becomes a UsageError that names file and place.
"""

import csv
import io
from typing import Any, NoReturn, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from harness.errors import UsageError
from harness.files import strict
from harness.files.strict import StrictJsonError

_ERRORS_SHOWN = 5


class ToolObject(BaseModel):
    """The part of another tool's object that is read; what else it holds is left alone."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False, strict=True, protected_namespaces=())


Model = TypeVar("Model", bound=BaseModel)


def refuse(where: str, what: str, advice: str = "write the file again, or name another one") -> NoReturn:
    raise UsageError(f"{where}: {what}; {advice}")


def decode(text: str, where: str) -> Any:
    """JSON as Python values, as `harness.files.strict` reads it. NaN and infinities pass here (Google Benchmark
    writes NaN for the variation of a counter that is zero) and are refused where a field is read."""
    try:
        return strict.decode_json(text, what="result file", finite=False)
    except StrictJsonError as error:
        refuse(error.place(where), str(error))


def decode_lines(text: str, where: str) -> list[Any]:
    """One JSON value a line; empty lines are skipped."""
    return [decode(line, f"{where} (line {i})") for i, line in enumerate(text.split("\n"), 1) if line.strip()]


def table(text: str, where: str, *, cut_if: tuple[str, ...] = ()) -> list[dict[str, str]]:
    """CSV with a header line. Refuses doubled column names and rows of another length; where a column of
    `cut_if` says more than false, a row may lack its last cells."""
    reader = csv.reader(io.StringIO(text), strict=True)
    try:
        header = next(reader, [])
        if len(set(header)) < len(header):
            refuse(where, "two columns have the same name")
        rows = []
        for row in reader:
            named = dict(zip(header, row, strict=False))
            cut = len(row) < len(header) and any(named.get(c) not in (None, "", "false") for c in cut_if)
            if row and len(row) != len(header) and not cut:
                refuse(f"{where}:{reader.line_num}", f"{len(row)} cells, expected {len(header)} as in the header")
            if row:
                rows.append(named)
    except csv.Error as error:
        refuse(f"{where}:{reader.line_num}", f"not CSV ({error})")
    return rows


def read(model: type[Model], data: Any, where: str, *, tool: str) -> Model:
    """`data` as `model`, or a UsageError naming each field that does not fit (at most five)."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        found = strict.reasons(error, "file")
        more = f" and {len(found) - _ERRORS_SHOWN} more" if len(found) > _ERRORS_SHOWN else ""
        refuse(where, f"not a result file of {tool} as known here: {'; '.join(found[:_ERRORS_SHOWN])}{more}")


def figure(cell: str, column: str, where: str) -> float | None:
    """A number from a CSV cell; an empty cell is unknown."""
    if not cell.strip():
        return None
    try:
        value = float(cell)
    except ValueError:
        refuse(where, f"{column} is '{cell[:40]}', expected a number")
    if value != value or value in (float("inf"), float("-inf")):
        refuse(where, f"{column} is {cell[:40]}, expected a finite number")
    return value
