"""llama-bench's Markdown (what it prints unless told otherwise) and SQL, wherever they stand in a log.

Both keep mean and deviation and neither samples nor their number. Markdown prints only the settings that differ from
their defaults, under short names; they get the names of the other formats here.
"""

import csv
import io
import re

from harness.comparison.formats import llama_bench, values
from harness.comparison.formats.source import refuse
from harness.comparison.table import Metric, ResultTable, Row, attributes, key

_RATE = Metric(name="rate", unit="tok/s", better="higher")
# The outer bars get lost where a table is copied from a rendered page.
_HEADER = re.compile(
    r"^[ \t]{0,9}\|?[ \t]{0,9}model[ \t]*\|[^\n]*\|[ \t]*test[ \t]*\|[ \t]*t/s[ \t]*(?:\|[ \t\r]*)?$", re.MULTILINE
)
_TEST = re.compile(r"(?:pp ?(\d{1,9}))?\+?(?:tg ?(\d{1,9}))?(?: ?@ ?d ?(\d{1,9}))?")
_MEASURED = re.compile(r"(\S{1,30})(?:\s*(?:±|\+-|\+/-|Â±|┬▒|\ufffd|\?)\s*(\S{1,30}))?")
_BUILD = re.compile(r"^build: ([0-9a-f]{4,40}) \((\d{1,9})\)[ \t\r]*$", re.MULTILINE)
_NAMES = {  # llama-bench.cpp, markdown_printer::get_field_display_name
    "model": "model_type",
    "backend": "backends",
    "ngl": "n_gpu_layers",
    "ncmoe": "n_cpu_moe",
    "sm": "split_mode",
    "mg": "main_gpu",
    "threads": "n_threads",
    "nkvo": "no_kv_offload",
    "nopo": "no_op_offload",
    "fa": "flash_attn",
    "mmap": "use_mmap",
    "dio": "use_direct_io",
    "embd": "embeddings",
    "dev": "devices",
    "ts": "tensor_split",
    "ot": "tensor_buft_overrides",
}
_NOTE = (
    "llama-bench's Markdown keeps neither samples nor their number nor the settings at their defaults: the deviation "
    "itself stands for the error; -o jsonl keeps them"
)
_SQL = re.compile(
    r"^INSERT INTO (?:test|llama_bench) \(([^()\n]{1,4000})\) VALUES \(([^\n]*)\);?[ \t\r]*$", re.MULTILINE
)
_CREATE = re.compile(r"^CREATE TABLE IF NOT EXISTS (?:test|llama_bench) \(", re.MULTILINE)
_SQL_VALUE = re.compile(r"\s*(?:'((?:[^']|'')*)'|(-?[0-9.eE+-]+)|(NULL))\s*(?:,|$)")
_SQL_NOTE = (
    "llama-bench's SQL keeps neither samples nor their number: the deviation itself stands for the error, which is "
    "enough for five repetitions or more; -o jsonl keeps them"
)


def recognises_text(text: str) -> bool:
    """Whether a text holds llama-bench's Markdown table or SQL."""
    return _HEADER.search(text) is not None or recognises_sql(text)


def recognises_sql(text: str) -> bool:
    """Whether a text holds llama-bench's SQL."""
    return _CREATE.search(text) is not None or any("n_prompt" in found[1] for found in _SQL.finditer(text))


def parse(text: str, name: str) -> ResultTable:
    """The table of `-o md` or `-o sql`. Raises UsageError."""
    return _sql(text, name) if _HEADER.search(text) is None else _markdown(text, name)


def _markdown(text: str, name: str) -> ResultTable:
    rows: list[Row] = []
    header: list[str] | None = None
    for i, line in enumerate(text.splitlines(), 1):
        if _HEADER.fullmatch(line):
            header = _cells(line)
            if len(set(header)) < len(header):
                refuse(f"{name}:{i}", "two columns have the same name")
        elif "|" not in line:
            header = None
        elif header is not None and set(line.strip()) - set("|-: "):
            rows.append(_row(header, _cells(line), f"{name}:{i}"))
    if not rows:
        refuse(name, "a table of llama-bench without rows")
    builds = sorted({f"{found[1]} ({found[2]})" for found in _BUILD.finditer(text)})
    facts = attributes(("version", "build", ", ".join(builds), False))
    return ResultTable(tool=llama_bench.TOOL, name=name, facts=facts, rows=tuple(rows), notes=(_NOTE,))


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def _row(header: list[str], cells: list[str], where: str) -> Row:
    if len(cells) != len(header):
        refuse(where, f"{len(cells)} cells, expected {len(header)} as in the header")
    entry = dict(zip(header, cells, strict=True))
    test, shown = entry.pop("test"), entry.pop("t/s")
    found = _TEST.fullmatch(test)
    if found is None or not (found[1] or found[2]):
        refuse(where, f"test is '{test[:40]}', expected such as pp512, tg128 or pp512 @ d1024")
    settings = {_NAMES.get(n, n): v for n, v in entry.items()}
    sizes = {"n_prompt": found[1] or "0", "n_gen": found[2] or "0", "n_depth": found[3] or "0"}
    named = key(**llama_bench.renamed({**settings, **sizes}))
    parts = _MEASURED.fullmatch(shown)
    point = values.written(parts[1]) if parts else None
    spread = values.written(parts[2]) if parts and parts[2] else 0.0
    if point is None or spread is None:
        return values.row(named, _RATE, [], "inside", problem=f"'{shown[:40]}' is no rate")
    return values.summarised(named, _RATE, point, spread)


def _sql(text: str, name: str) -> ResultTable:
    """Through the reader of CSV, so that both name the same things alike."""
    inserts = list(_SQL.finditer(text))
    if not inserts:
        refuse(name, "SQL of llama-bench without rows")
    columns = [column.strip() for column in inserts[0][1].split(",")]
    if _is_documented(columns, _sql_values(inserts[0][2], f"{name} (row 1)")):
        columns.insert(columns.index("cuda") + 1, "opencl")
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    for i, insert in enumerate(inserts, 1):
        if insert[1] != inserts[0][1]:
            refuse(f"{name} (row {i})", "other columns than the first row", "name a file of one build")
        found = _sql_values(insert[2], f"{name} (row {i})")
        if len(found) != len(columns):
            refuse(f"{name} (row {i})", f"{len(found)} values for {len(columns)} columns, which no database takes")
        writer.writerow(found)
    table = llama_bench.parse_csv(out.getvalue(), name)
    return table.model_copy(update={"notes": (_SQL_NOTE,)})


def _is_documented(columns: list[str], found: list[str]) -> bool:
    """Whether this is the example of llama.cpp's README, whose columns lost `opencl` while its rows kept it."""
    return len(found) == len(columns) + 1 and {"cuda", "metal"} <= set(columns) and "opencl" not in columns


def _sql_values(text: str, where: str) -> list[str]:
    found, place = [], 0
    while place < len(text):
        cell = _SQL_VALUE.match(text, place)
        if cell is None:
            refuse(where, "values that are not as llama-bench writes them")
        found.append((cell[1] or "").replace("''", "'") if cell[2] is None else cell[2])
        place = cell.end()
    return found
