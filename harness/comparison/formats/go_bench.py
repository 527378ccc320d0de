"""The text of `go test -bench` (Go's benchmark format), also as JSON lines of `go test -json`.

Lines of one benchmark (`-count`) are repetitions inside one process. As benchstat does, the digits behind a name's last
hyphen are GOMAXPROCS. https://go.dev/design/14313-benchmark-format
"""

import re
from collections.abc import Iterator

from harness.comparison.formats import values
from harness.comparison.formats.source import decode, refuse
from harness.comparison.splitting import named_parts
from harness.comparison.table import Attribute, Better, Metric, ResultTable, Row, Setting, attributes, key

TOOL = "go test -bench"
_BENCHMARK = re.compile(r"^Benchmark\S{0,400}[ \t]+\d{1,12}[ \t]+[0-9.eE+-]{1,30}[ \t]+\S{1,40}", re.MULTILINE)
_CONFIG = re.compile(r"([a-z][^\sA-Z:]{0,80}):[ \t]*(\S.{0,400})?")
_UNIT = re.compile(r"Unit[ \t]+(\S{1,40})[ \t]+(.{1,200})")
_CORES = re.compile(r"(.+)-(\d{1,5})")
_NAMES = {"ns/op": "time", "B/op": "memory", "allocs/op": "allocations", "MB/s": "throughput"}
_HOST = ("goos", "goarch", "cpu")
_VERSIONS = ("commit", "branch", "go", "goversion", "toolchain")


def recognises(data: object) -> bool:
    """Whether a decoded line looks like `go test -json`."""
    return isinstance(data, dict) and "Action" in data and ("Package" in data or "Time" in data)


def recognises_text(text: str) -> bool:
    """Whether a text holds a line of a Go benchmark."""
    return _BENCHMARK.search(text) is not None


def parse_lines(text: str, name: str) -> ResultTable:
    """The table of `go test -bench -json`. Raises UsageError."""
    outputs: dict[str, list[str]] = {}
    for i, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        event = decode(line, f"{name}:{i}")
        if isinstance(event, dict) and event.get("Action") == "output" and isinstance(event.get("Output"), str):
            outputs.setdefault(str(event.get("Package")), []).append(event["Output"])
    return parse("".join("".join((*parts, "\n")) for parts in outputs.values()), name)


def parse(text: str, name: str) -> ResultTable:
    """The table of a text. Raises UsageError."""
    groups: dict[tuple[tuple[Setting, ...], str], list[float | None]] = {}
    config: dict[str, str] = {}
    directions: dict[str, Better] = {}
    seen: dict[str, set[str]] = {}
    for line in text.splitlines():
        if stated := _CONFIG.fullmatch(line.rstrip()):
            config[stated[1]] = stated[2] or ""
        elif declared := _UNIT.fullmatch(line.rstrip()):
            _declare(declared[1], declared[2], directions)
        elif _BENCHMARK.match(line):
            for named, unit, value in _values(line, config):
                groups.setdefault((named, unit), []).append(value)
            for field, shown in config.items():
                seen.setdefault(field, set()).add(shown)
    if not groups:
        refuse(name, "holds no line of a Go benchmark")
    rows = tuple(_row(named, unit, found, directions) for (named, unit), found in groups.items())
    return ResultTable(tool=TOOL, name=name, facts=_facts(seen), rows=rows)


def _declare(unit: str, text: str, directions: dict[str, Better]) -> None:
    """A line such as 'Unit widgets better=higher'."""
    for part in text.split():
        field, _, value = part.partition("=")
        if field == "better" and value in ("higher", "lower"):
            directions[unit] = "higher" if value == "higher" else "lower"


def _values(line: str, config: dict[str, str]) -> Iterator[tuple[tuple[Setting, ...], str, float | None]]:
    words = line.split()
    title = words[0].removeprefix("Benchmark")
    cores = _CORES.fullmatch(title)
    settings = {"benchmark": cores[1], "gomaxprocs": cores[2]} if cores else {"benchmark": title, "gomaxprocs": "1"}
    if config.get("pkg"):
        settings["package"] = config["pkg"]
    named = key(**settings)
    for shown, unit in zip(words[2::2], words[3::2], strict=False):
        yield named, unit, values.written(shown)


def _row(named: tuple[Setting, ...], unit: str, found: list[float | None], directions: dict[str, Better]) -> Row:
    label = _NAMES.get(unit, unit[:80])
    named = values.case(named, label)
    factor, si = values.unit(unit)
    way = directions.get(unit) or values.better(si)
    if way is None:
        return values.undirected(named, label, unit)
    metric = Metric(name=label, unit=si, better=way)
    row = values.row(named, metric, [None if v is None else v * factor for v in found], "inside")
    return named_parts(row, "=")


def _facts(seen: dict[str, set[str]]) -> tuple[Attribute, ...]:
    def text(name: str) -> str:
        return ", ".join(sorted(seen.get(name, ())))

    return attributes(
        *(("host", name, text(name), True) for name in _HOST),
        *(("version", name, text(name), False) for name in _VERSIONS),
    )
