"""Which tool wrote a text, and its table."""

import json
import re

from pydantic import ValidationError

from harness.comparison.formats import google_benchmark, hyperfine, llama_bench, noise, readers, unusable
from harness.comparison.formats import record as own
from harness.comparison.formats.source import decode, refuse
from harness.comparison.table import ResultTable
from harness.errors import UsageError
from harness.files import strict
from harness.results import reportfile

KNOWN = readers.KNOWN
# A log may start with a bracket, too ('[INFO] ...'), but all lines of a large JSON are not searched for one.
_JSON_START = re.compile(r'[\[{]\s*(?:["{}\[\]]|-?\d[\d.eE+-]*\s*[,\]]|true|false|null|NaN)')
SIZE_LIMIT_BYTES = 256 << 20  # a thousand cases with a thousand samples each stay far below it


def parse(text: str, name: str) -> ResultTable:
    """The table that `text` holds, whoever wrote it; `name` stands for it in errors and in the comparison.

    Raises UsageError: damaged, or of no known tool.
    """
    try:
        return _parsed(text, name)
    except ValidationError as error:  # a file of the right form whose values no measurement gives
        refuse(name, strict.reasons(error, "a row")[0])


def _parsed(text: str, name: str) -> ResultTable:
    start = text.lstrip("\ufeff \t\r\n")
    if not start:
        refuse(name, f"is empty, expected {KNOWN}")
    if _JSON_START.match(start):
        return _json(start, name)
    for recognises, read in readers.TEXT:
        if recognises(start):
            return read(start, name)
    if start[0] in "{[":
        return _json(start, name)
    if google_benchmark.csv_start(start) is not None:
        return google_benchmark.parse_csv(start, name)
    columns = tuple(case.strip().strip('"') for case in start.split("\n", 1)[0].split(","))
    if llama_bench.recognises_header(columns):
        return llama_bench.parse_csv(start, name)
    if hyperfine.recognises_header(columns):
        return hyperfine.parse_csv(start, name)
    found = None if unusable.of_text(start) else noise.without(start)
    if found is not None:
        return _less_noise(_parsed(found.text, name), found.skipped)
    raise UsageError(f"{name}: {unusable.of_text(start) or f'of no known tool; expected {KNOWN}'}")


def _less_noise(table: ResultTable, skipped: int) -> ResultTable:
    lines = f"{skipped} line{'s' if skipped != 1 else ''} of {table.name} that are no results were skipped"
    return table.model_copy(update={"notes": (*table.notes, lines)})


def _json(text: str, name: str) -> ResultTable:
    found = noise.behind(text)
    if found is not None:
        return _less_noise(_json(found.text, name), found.skipped)
    if _is_lines(text):
        first = decode(text.split("\n", 1)[0], f"{name}:1")
        for recognises, read in readers.LINES:
            if recognises(first):
                return read(text, name)
        raise UsageError(f"{name}: {unusable.of_json(first) or f'JSON lines of no known tool; expected {KNOWN}'}")
    data = decode(text, name)
    if isinstance(data, dict) and "measurements" in data and "schema" in data:
        record, _ = reportfile.parse(text, where=name)
        if record is None:
            refuse(name, "holds verdicts but no measurements", "name the JSON of a run")
        return own.table(record, name)
    for recognises, read in readers.JSON:
        if recognises(data):
            return read(text, name)
    raise UsageError(f"{name}: {unusable.of_json(data) or f'JSON of no known tool; expected {KNOWN}'}")


def _is_lines(text: str) -> bool:
    """Whether a whole JSON value ends before the text does."""
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        return error.msg == "Extra data"
    except (ValueError, RecursionError):
        pass  # reported by `decode`, with the place
    return False
