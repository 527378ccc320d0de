"""What stands around a tool's output: a log before JSON and CSV, between JSON lines, and behind."""

import json
import re
from dataclasses import dataclass

from harness.comparison.formats import hyperfine, llama_bench

_VALUE_LINE = re.compile(r'^[ \t]*\{[ \t]*"', re.MULTILINE)
_START = re.compile(r'^[ \t]*(?:\[[ \t\r]*(?:\{|$)|\{[ \t\r]*(?:"|$))', re.MULTILINE)


@dataclass(frozen=True)
class Found:
    text: str
    skipped: int
    """lines that were left out"""


def without(text: str) -> Found | None:
    """The JSON, JSON lines or CSV behind lines of another kind; None where there is none."""
    header = _header(text)
    start = _START.search(text)
    if header is not None and (start is None or header < start.start()):
        return Found(text[header:], text.count("\n", 0, header))
    return None if start is None else Found(text[start.start() :], text.count("\n", 0, start.start()))


def behind(text: str) -> Found | None:
    """Where a JSON value, or JSON lines, are followed or interrupted by lines of another kind: the values alone. None
    where they are not, and where what follows could be a value that was cut."""
    try:
        end = json.JSONDecoder().raw_decode(text)[1]
    except (ValueError, RecursionError):
        return None
    rest = text[end:]
    if not rest.strip():
        return None
    if "\n" not in rest or rest.split("\n", 1)[0].strip():
        return None  # on the line of the value itself: damage
    others = [line for line in rest.split("\n") if line.strip()]
    values = [line for line in others if line.lstrip()[:1] in ("{", "[", "}", "]", '"', ",")]
    if len(values) == len(others):
        return None
    kept = "\n".join([text[:end], *(line for line in values if _VALUE_LINE.match(line))])
    if any(not _VALUE_LINE.match(line) and line.lstrip()[:1] in ('"', ",", "}", "]") for line in values):
        return None
    return Found(kept + "\n", len(others) - sum(1 for line in values if _VALUE_LINE.match(line)))


def _header(text: str) -> int | None:
    """Where a CSV header of a known tool begins, behind other lines."""
    place = 0
    for line in text.splitlines(keepends=True):
        columns = tuple(cell.strip().strip('"') for cell in line.split(","))
        known = llama_bench.recognises_header(columns) or hyperfine.recognises_header(columns)
        if known and place:
            return place
        place += len(line)
    return None
