"""SGLang's JSON lines of `bench_serving --output-file`, one session a line, appended with each run.

The like lines of `bench_offline_throughput` and `bench_one_batch` are read, too.

Written from the program's source (python/sglang/bench_*.py), whose fields changed from version to version: no
file of the tool itself was at hand.
"""

from collections.abc import Mapping

from harness.comparison.formats import serving
from harness.comparison.formats.source import decode, decode_lines, refuse
from harness.comparison.table import ResultTable

TOOL = "sglang bench_serving"
_MARKS = (
    {"total_output_tokens_retokenized", "output_throughput"},
    {"successful_requests", "total_latency", "total_throughput"},
    {"batch_size", "prefill_throughput", "overall_throughput"},
)
_ON_TRUST = "SGLang's files do not name the hardware: that both ran on the same one is taken on trust"
_OF_THE_SERVER = ("model_path", "tp_size", "dp_size", "ep_size", "pp_size", "quantization", "version")


def recognises(data: object) -> bool:
    """Whether a decoded line looks like this tool's."""
    return isinstance(data, dict) and any(marks <= data.keys() for marks in _MARKS)


def parse(text: str, name: str) -> ResultTable:
    """The table of a file with one line. Raises UsageError."""
    return _table([decode(text, name)], name)


def parse_lines(text: str, name: str) -> ResultTable:
    """The table of a file with many lines. Raises UsageError."""
    return _table(decode_lines(text, name), name)


def _table(found: list[object], name: str) -> ResultTable:
    if not all(recognises(entry) for entry in found):
        refuse(name, "holds lines that are no results of SGLang's bench_serving")
    entries = [_with_server(entry) for entry in found if isinstance(entry, dict)]
    rows = serving.rows(entries, name)
    return ResultTable(tool=TOOL, name=name, facts=serving.facts(entries), rows=rows, notes=(_ON_TRUST,))


def _with_server(entry: Mapping[str, object]) -> dict[str, object]:
    """A session with what newer versions keep of the server in an object of its own."""
    server = entry.get("server_info")
    kept = {n: server[n] for n in _OF_THE_SERVER if n in server} if isinstance(server, dict) else {}
    return {**kept, **entry}
