"""What a result file of a serving benchmark states of rates and their conditions, for a catalog of published rates.

What the file does not say is None. Rates are those of the whole system unless `per_package`.
"""

import json
import math
from collections.abc import Mapping
from typing import Any

from pydantic import Field

from harness.comparison.formats import detect, inferencex, mlperf, sglang, values, vllm
from harness.comparison.formats.source import decode_lines, refuse
from harness.vocabulary import Frozen, Positive

_FILES = "expected JSON or JSON lines of vLLM or SGLang, a log of MLPerf LoadGen, or a result of InferenceX"
_TOOLS = (vllm.TOOL, sglang.TOOL, inferencex.TOOL)
_MLPERF_RATES = ("tokens per second", "completed tokens per second")


class ServedRun(Frozen):
    """One run against a server, or one offline run."""

    where: str = Field(description="the file, with the place in it")
    tool: str
    model: str | None = Field(default=None, description="as the file calls it")
    hardware: str | None = Field(default=None, description="as the file calls it")
    system: str | None = Field(default=None, description="the server's software, as the file calls it")
    precision: str | None = None
    packages: int | None = Field(default=None, gt=0, lt=1_000_000)
    in_flight: Positive | None = Field(default=None, description="requests at once, where their number was held")
    prompt_tokens: Positive | None = Field(default=None, description="mean of a request")
    output_tokens: Positive | None = Field(default=None, description="mean of a request")
    tpot_s: Positive | None = Field(default=None, description="mean time per output token")
    output_tok_s: Positive | None = None
    total_tok_s: Positive | None = None
    per_package: bool = False
    offline: bool = False
    limited: str | None = Field(default=None, description="why the rate is not the most that the system could do")
    date: str | None = None


def served_runs(text: str, name: str) -> tuple[ServedRun, ...]:
    """All runs of a file. Raises UsageError for a file of another kind, and for an invalid or failed run."""
    table = detect.parse(text, name)
    start = text.lstrip("\ufeff \t\r\n")
    if table.tool == mlperf.TOOL:
        return (_mlperf(mlperf.stated(start, name), name),)
    if table.tool not in _TOOLS or start[0] not in "{[":
        refuse(name, f"a result of {table.tool} that states no such rates, {_FILES}", "name another file")
    entries = _entries(start, name)
    many = len(entries) > 1
    return tuple(_served(e, table.tool, f"{name} (result {i})" if many else name) for i, e in enumerate(entries, 1))


def _entries(text: str, name: str) -> list[dict[str, Any]]:
    """The objects of a file that its reader has taken already."""
    try:
        data = json.loads(text)
    except json.JSONDecodeError:
        data = decode_lines(text, name)
    return data if isinstance(data, list) else [data]


def _served(entry: Mapping[str, Any], tool: str, where: str) -> ServedRun:
    if entry.get("completed") == 0:
        refuse(where, "no request was completed, so there is no rate", "leave it out")
    if _is_true(entry.get("disagg")) or _is_true(entry.get("is_multinode")):
        refuse(
            where,
            "prefill and decode on GPUs of their own, whose rates this reader does not tell apart",
            "leave it out",
        )

    def read(*names: str) -> float | None:
        return next((v for n in names if (v := _positive(entry.get(n), n, where)) is not None), None)

    completed, milliseconds = read("completed", "successful_requests"), read("mean_tpot_ms")
    prompt, output = read("total_input_tokens"), read("total_output_tokens")
    per_package = "tput_per_gpu" in entry
    rate = entry.get("request_rate")
    offline = any(n in entry for n in ("requests_per_second", "successful_requests"))  # vLLM's and SGLang's own names
    held = per_package or rate in ("inf", math.inf)
    found = ServedRun(
        where=where,
        tool=tool,
        model=_text(entry, "model_id", "model", "model_path") or _of_server(entry, "model_path"),
        hardware=_text(entry, "hw"),
        system=_text(entry, "framework") or (_text(entry, "backend") if tool == sglang.TOOL else None),
        precision=_text(entry, "precision"),
        packages=_packages(entry, per_package),
        in_flight=read("conc", "max_concurrency") if held else None,
        prompt_tokens=prompt / completed if prompt and completed else read("isl"),
        output_tokens=output / completed if output and completed else read("osl"),
        tpot_s=milliseconds / 1000 if milliseconds else read("mean_tpot"),
        output_tok_s=read("output_tput_per_gpu") if per_package else read("output_throughput"),
        total_tok_s=read("tput_per_gpu") if per_package else _total(entry, where),
        per_package=per_package,
        offline=offline,
        limited=None if held or offline else _limit(rate),
        date=_date(entry.get("date")),
    )
    if found.output_tok_s is None and found.total_tok_s is None:
        refuse(where, "states no rate of tokens", "leave it out")
    return found


def _limit(rate: object) -> str:
    if isinstance(rate, float) or type(rate) is int:
        return f"requests came at {str(rate)[:20]} a second, whatever the system could take"
    return "the file does not say whether the load was limited"


def _total(entry: Mapping[str, Any], where: str) -> float | None:
    for name in ("total_token_throughput", "total_throughput", "tokens_per_second"):
        found = _positive(entry.get(name), name, where)
        if found is not None:
            return found
    parts = [_positive(entry.get(n), n, where) for n in ("input_throughput", "output_throughput")]
    return None if parts[0] is None or parts[1] is None else parts[0] + parts[1]


def _packages(entry: Mapping[str, Any], per_package: bool) -> int | None:
    """The number of GPUs where the file surely says it: InferenceX divides by `tp`; SGLang's ranks are all in `tp_size`
    unless there are replicas or stages."""
    if per_package:
        return _count(entry.get("tp"))
    tensor, replicas, stages = (_of_server_count(entry, n) for n in ("tp_size", "dp_size", "pp_size"))
    return tensor if replicas in (None, 1) and stages in (None, 1) else None


def _of_server(entry: Mapping[str, Any], name: str) -> str | None:
    server = entry.get("server_info")
    return _text(server, name) if isinstance(server, dict) else None


def _of_server_count(entry: Mapping[str, Any], name: str) -> int | None:
    server = entry.get("server_info")
    return _count(server.get(name)) if isinstance(server, dict) else None


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 1_000_000 else None


def _text(entry: Mapping[str, Any], *names: str) -> str | None:
    return next((entry[n] for n in names if isinstance(entry.get(n), str) and entry[n]), None)


def _is_true(value: object) -> bool:
    return value is True or (isinstance(value, str) and value.lower() == "true")


def _positive(value: object, name: str, where: str) -> float | None:
    found = values.number(value, name, where)
    return found if found is not None and math.isfinite(found) and 0 < found < 1e30 else None


def _date(value: object) -> str | None:
    """The day of 20241109-150547."""
    text = value if isinstance(value, str) else ""
    return f"{text[:4]}-{text[4:6]}-{text[6:8]}" if len(text) >= 8 and text[:8].isdecimal() and text.isascii() else None


def _mlperf(found: dict[str, str], name: str) -> ServedRun:
    bad = mlperf.problem(found)
    if bad is not None:
        refuse(name, f"{bad}: that is no rate", "leave it out")
    rates = [values.written(found[n].split()[0]) for n in _MLPERF_RATES if n in found]
    if not rates or rates[0] is None or rates[0] <= 0:
        refuse(name, "states samples a second and no tokens a second", "leave it out")
    scenario = found.get("scenario", "")
    return ServedRun(
        where=name,
        tool=mlperf.TOOL,
        output_tok_s=rates[0],
        offline=scenario.lower() == "offline",
        limited=None
        if scenario.lower() in ("offline", "server")
        else f"the scenario is {scenario[:40] or 'not stated'}",
        date=found.get("test_datetime", "")[:10] or None,
    )
