"""The table and JSON lines of ik_llama.cpp's sweep-bench, and the like table of llama.cpp's batched-bench.

Each line gives a rate of prefill and one of decode at a depth of the cache, each from one timing. Written from the
source (examples/sweep-bench/sweep-bench.cpp); no file of the tool itself was at hand.
"""

import re

from harness.comparison.formats import values
from harness.comparison.formats.source import decode, decode_lines, refuse
from harness.comparison.table import Metric, ResultTable, Row, key

TOOL = "sweep-bench"
_BATCHED = "batched-bench"
_COLUMNS = ("PP", "TG", "N_KV", "S_PP t/s", "S_TG t/s")
_HEADER = re.compile(r"^[ \t]{0,8}\|?[ \t]{0,8}PP[ \t]*\|[ \t]*TG[ \t]*\|[^\n]*S_PP t/s[^\n]*$", re.MULTILINE)
_FIELDS = {"pp": "PP", "tg": "TG", "n_kv": "N_KV", "speed_pp": "S_PP t/s", "speed_tg": "S_TG t/s"}
_NOT_SETTINGS = ("t_pp", "t_tg", "speed_pp", "speed_tg", "rss_hwm_mib", "vram_delta_mib", "pp", "tg", "n_kv")
_SETTINGS = re.compile(r"^[\w-]*: (n_kv_max = [^\n]{1,400})$", re.MULTILINE)
_RATE = Metric(name="rate", unit="tok/s", better="higher")
_TOTAL = Metric(name="total rate", unit="tok/s", better="higher")
_NOTE = (
    "sweep-bench times each line once and states neither model nor hardware: that both are the same is taken on trust"
)


def recognises(data: object) -> bool:
    """Whether a decoded line looks like sweep-bench's `--output-format jsonl`."""
    return isinstance(data, dict) and {"pp", "tg", "n_kv", "speed_pp", "speed_tg"} <= data.keys()


def recognises_text(text: str) -> bool:
    """Whether a text holds such a table."""
    return _HEADER.search(text) is not None


def parse(text: str, name: str) -> ResultTable:
    """The table of one JSON line. Raises UsageError."""
    return _of_lines([decode(text, name)], name)


def parse_lines(text: str, name: str) -> ResultTable:
    """The table of JSON lines. Raises UsageError."""
    return _of_lines(decode_lines(text, name), name)


def parse_table(text: str, name: str) -> ResultTable:
    """The table of what is printed, with the line of settings above it if there is one. Raises UsageError."""
    rows: list[Row] = []
    header: list[str] | None = None
    settings = _settings(text)
    batched = False
    for i, line in enumerate(text.splitlines(), 1):
        if _HEADER.fullmatch(line):
            header = _cells(line)
            batched = batched or "B" in header
            if len(set(header)) < len(header) or not set(_COLUMNS) <= set(header):
                refuse(f"{name}:{i}", f"expected the columns {', '.join(_COLUMNS)}, each once")
        elif "|" not in line:
            header = None
        elif header is not None and set(line.strip()) - set("|-: "):
            cells = _cells(line)
            if len(cells) != len(header):
                refuse(f"{name}:{i}", f"{len(cells)} cells, expected {len(header)} as in the header")
            rows += _rows(dict(zip(header, cells, strict=True)), settings, f"{name}:{i}")
    if not rows:
        refuse(name, "a table of sweep-bench without rows")
    return ResultTable(tool=_BATCHED if batched else TOOL, name=name, facts=(), rows=tuple(rows), notes=(_NOTE,))


def _of_lines(entries: list[object], name: str) -> ResultTable:
    rows: list[Row] = []
    for i, entry in enumerate(entries, 1):
        if not isinstance(entry, dict) or not recognises(entry):
            refuse(f"{name} (line {i})", "no line of sweep-bench")
        settings: dict[str, object] = {
            n: v for n, v in entry.items() if n not in _NOT_SETTINGS and isinstance(v, str | int | float)
        }
        cells = {column: str(entry[field]) for field, column in _FIELDS.items()}
        rows += _rows(cells, settings, f"{name} (line {i})")
    return ResultTable(tool=TOOL, name=name, facts=(), rows=tuple(rows), notes=(_NOTE,))


def _settings(text: str) -> dict[str, object]:
    """Of the line 'main: n_kv_max = 8192, n_batch = 2048, ...', if the text has one such line."""
    found = {line[1] for line in _SETTINGS.finditer(text)}
    if len(found) != 1:
        return {}
    pairs = (part.partition("=") for part in found.pop().split(","))
    return {name.strip(): value.strip() for name, mark, value in pairs if mark and name.strip()}


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def _rows(cells: dict[str, str], settings: dict[str, object], where: str) -> list[Row]:
    sizes = {name: _whole(cells[name], name, where) for name in ("PP", "TG", "N_KV")}
    batch = {"B": _whole(cells["B"], "B", where)} if "B" in cells else {}
    prefill = {"n_prompt": sizes["PP"], "n_gen": 0}
    decode_ = {"n_prompt": 0, "n_gen": sizes["TG"]}
    # batched-bench's N_KV is what is in the cache at the end; the prompt's length tells its rows apart.
    both = {"n_prompt": sizes["PP"], "n_gen": sizes["TG"]}
    depth = {**settings, **batch} if batch else {**settings, "n_depth": sizes["N_KV"]}
    cases = [
        (prefill if not batch else {**both, "phase": "prefill"}, _RATE, "S_PP t/s"),
        (decode_ if not batch else {**both, "phase": "decode"}, _RATE, "S_TG t/s"),
    ]
    if "S t/s" in cells:
        cases.append(({**both, "phase": "both"}, _TOTAL, "S t/s"))
    return [
        values.row(key(**{**depth, **what}), metric, [values.written(cells[column])], "inside")
        for what, metric, column in cases
    ]


def _whole(cell: str, column: str, where: str) -> int:
    if not re.fullmatch(r"\d{1,9}", cell):
        refuse(where, f"{column} is '{cell[:40]}', expected a whole number")
    return int(cell)
