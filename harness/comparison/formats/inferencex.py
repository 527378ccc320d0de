"""Results of InferenceX (once InferenceMAX): the JSON of one session, with times in seconds, and the aggregate that its
`process_result.py` makes of it, with hardware, precision and rates per GPU.

The aggregate is written from that program's source; a file of the first kind was at hand. Interactivity is the rate
that one user sees: the reciprocal of the time per output token.
"""

from harness.comparison.formats import serving
from harness.comparison.formats.source import decode, refuse
from harness.comparison.table import ResultTable

TOOL = "inferencex"
_RATES = ("tput_per_gpu", "output_throughput")
_TIMES = ("median_ttft", "mean_ttft", "median_tpot", "mean_tpot")


def recognises(data: object) -> bool:
    """Whether decoded JSON looks like this tool's: one result, or a list of them."""
    rows = data if isinstance(data, list) else [data]
    return bool(rows) and all(_is_result(row) for row in rows)


def _is_result(row: object) -> bool:
    return isinstance(row, dict) and any(n in row for n in _RATES) and any(n in row for n in _TIMES)


def parse(text: str, name: str) -> ResultTable:
    """The table of one result or of a list. Raises UsageError."""
    data = decode(text, name)
    entries = data if isinstance(data, list) else [data]
    if not recognises(entries):
        refuse(name, "holds entries that are no results of InferenceX")
    return ResultTable(tool=TOOL, name=name, facts=serving.facts(entries), rows=serving.rows(entries, name), notes=())
