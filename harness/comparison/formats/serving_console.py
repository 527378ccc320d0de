"""The block "Serving Benchmark Result" that vLLM's `bench serve` and SGLang's `bench_serving` print at their end.

A log may hold several blocks; each is one session. Figures have two decimals: the JSON of the same run says more.
"""

import math
import re

from harness.comparison.formats import serving, sglang, values, vllm
from harness.comparison.formats.source import refuse
from harness.comparison.table import ResultTable

_TITLE = re.compile(r"^=+ Serving Benchmark Result =+[ \t\r]*$", re.MULTILINE)
_END = re.compile(r"^=+[ \t\r]*$", re.MULTILINE)
_LINE = re.compile(r"([A-Za-z][^:]{0,80}):\s+(\S.{0,200})")
_FIELDS = {
    "successful requests": "completed",
    "failed requests": "failed",
    "benchmark duration (s)": "duration",
    "total input tokens": "total_input_tokens",
    "total generated tokens": "total_output_tokens",
    "request throughput (req/s)": "request_throughput",
    "request goodput (req/s)": "request_goodput",
    "input token throughput (tok/s)": "input_throughput",
    "output token throughput (tok/s)": "output_throughput",
    "peak output token throughput (tok/s)": "max_output_tokens_per_s",
    "total token throughput (tok/s)": "total_token_throughput",
    "traffic request rate": "request_rate",
    "request rate configured (rps)": "request_rate",
    "maximum request concurrency": "max_concurrency",
    "max request concurrency": "max_concurrency",
    "backend": "backend",
}
_TIME = re.compile(r"(mean|median|max|min|p\d{1,2}(?:\.\d{1,3})?) (ttft|tpot|itl|e2el|e2e latency) \(ms\)")
_COUNTS = ("completed", "failed", "total_input_tokens", "total_output_tokens")
_NOTE = "the console block has two decimals and states neither model nor hardware: the JSON of the run says more"


def recognises_text(text: str) -> bool:
    """Whether a text holds such a block."""
    return _TITLE.search(text) is not None


def parse(text: str, name: str) -> ResultTable:
    """The table of all blocks in a text. Raises UsageError."""
    starts = [found.end() for found in _TITLE.finditer(text)]
    entries = [_entry(text, start) for start in starts]
    if not entries:
        refuse(name, "has no block 'Serving Benchmark Result'")
    # SGLang's states which server it drove, vLLM's has no such line.
    tool = sglang.TOOL if any("backend" in entry for entry in entries) else vllm.TOOL
    return ResultTable(
        tool=tool, name=name, facts=serving.facts(entries), rows=serving.rows(entries, name), notes=(_NOTE,)
    )


def _entry(text: str, start: int) -> dict[str, object]:
    """The fields of a block under the names that the JSON gives them; what is not known there is left out."""
    end = _END.search(text, start)
    entry: dict[str, object] = {}
    for line in text[start : end.start() if end else len(text)].splitlines():
        found = _LINE.fullmatch(line.strip())
        if found is None:
            continue
        label, shown = found[1].strip().lower(), found[2].strip()
        timed = _TIME.fullmatch(label)
        field = f"{timed[1]}_{timed[2].replace(' ', '_')}_ms" if timed else _FIELDS.get(label)
        if field is not None and field not in entry:
            entry[field] = _value(field, shown)
    return entry


def _value(field: str, shown: str) -> object:
    value = values.written(shown)
    if value is None:
        return None if serving.metric_of(field) or field in _COUNTS else shown
    if field in _COUNTS:
        return int(value) if math.isfinite(value) else None
    return value
