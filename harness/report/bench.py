"""The rows of `harness bench` in five formats: a table for a pull request, JSON, JSON lines, CSV and SQL. Pure.

JSON keeps the nesting of `harness.results.bench`; CSV and SQL flatten it to the columns below, in SI base units.
"""

import csv
import io
import json
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple, get_args

from harness import units
from harness.comparison.export import harmless
from harness.files import strict
from harness.model.operators import ProfileRow, by_part
from harness.report.markdown import escape
from harness.results.bench import BenchRow

BenchTableFormat = Literal["md", "csv", "json", "jsonl", "sql"]
FORMATS: tuple[BenchTableFormat, ...] = get_args(BenchTableFormat)
TABLE = "harness_bench"
SMALL = 0.01  # operators of a smaller share of a step are told together

Value = str | int | float | None


class Field(NamedTuple):
    """One column of CSV and SQL."""

    name: str
    kind: Literal["TEXT", "INTEGER", "REAL"]
    read: Callable[[BenchRow], Value]


FIELDS: tuple[Field, ...] = (
    Field("run", "TEXT", lambda r: r.run),
    Field("created", "TEXT", lambda r: r.created.isoformat()),
    Field("model", "TEXT", lambda r: r.model),
    Field("phase", "TEXT", lambda r: r.phase),
    Field("batch", "INTEGER", lambda r: r.batch),
    Field("prompt_tokens", "INTEGER", lambda r: r.prompt_tokens),
    Field("decode_tokens", "INTEGER", lambda r: r.decode_tokens),
    Field("depth", "INTEGER", lambda r: r.depth),
    Field("precision", "TEXT", lambda r: r.precision),
    Field("threads", "INTEGER", lambda r: r.threads),
    Field("rate_tok_s", "REAL", lambda r: r.rate_tok_s.point if r.rate_tok_s else None),
    Field("rate_tok_s_low", "REAL", lambda r: r.rate_tok_s.low if r.rate_tok_s else None),
    Field("rate_tok_s_high", "REAL", lambda r: r.rate_tok_s.high if r.rate_tok_s else None),
    Field("samples", "INTEGER", lambda r: len(r.samples_s)),
    Field("samples_s", "TEXT", lambda r: json.dumps(r.samples_s)),
    Field("bits_per_weight", "REAL", lambda r: r.bits_per_weight),
    Field("weight_bytes", "INTEGER", lambda r: r.weight_bytes),
    Field("bytes_per_token", "REAL", lambda r: r.bytes_per_token),
    Field("flop_per_token", "REAL", lambda r: r.flop_per_token),
    Field("ceiling_fraction", "REAL", lambda r: r.ceiling_fraction),
    Field("ceiling_binding", "TEXT", lambda r: r.ceiling_binding),
    Field("ceiling_read_bytes_s", "REAL", lambda r: r.ceilings.read_bytes_s),
    Field("ceiling_matmul_flop_s", "REAL", lambda r: r.ceilings.matmul_flop_s),
    Field("peak_rss_bytes", "INTEGER", lambda r: r.peak_rss_bytes),
    Field("rss_after_load_bytes", "INTEGER", lambda r: r.rss_after_load_bytes),
    Field("load_s", "REAL", lambda r: r.load_s),
    Field("outside_fraction", "REAL", lambda r: r.outside_fraction),
    Field("experts_activated_measured", "REAL", lambda r: r.experts_activated.measured),
    Field("experts_activated_expected", "REAL", lambda r: r.experts_activated.expected),
    Field("parameters_total", "INTEGER", lambda r: r.parameters.total),
    Field("parameters_active", "INTEGER", lambda r: r.parameters.active),
    Field("quantisation_error", "REAL", lambda r: r.quantisation_error),
    Field("rerouted_error", "REAL", lambda r: r.rerouted_error),
    Field("top_token_match", "REAL", lambda r: r.top_token_match),
    Field("experts_kept", "REAL", lambda r: r.experts_kept),
    Field("seed", "INTEGER", lambda r: r.seed),
    Field("routing_skew", "REAL", lambda r: r.routing_skew),
    Field("host", "TEXT", lambda r: r.host),
    Field("host_fingerprint", "TEXT", lambda r: r.host_fingerprint),
    Field("versions", "TEXT", lambda r: ", ".join(f"{n} {v}" for n, v in r.versions)),
    Field("invalid", "TEXT", lambda r: "; ".join(r.invalid) or None),
    Field("warnings", "TEXT", lambda r: "; ".join(r.warnings) or None),
    Field("error", "TEXT", lambda r: r.error),
)


def render(rows: Sequence[BenchRow], form: BenchTableFormat) -> str:
    """`rows` in one format, with a final newline."""
    if form == "jsonl":
        return "".join(json_line(row) for row in rows)
    if form == "json":
        return strict.encode_json([row.model_dump(mode="json") for row in rows])
    return {"md": _markdown, "csv": _csv, "sql": _sql}[form](rows)


def json_line(row: BenchRow) -> str:
    return strict.encode_json(row.model_dump(mode="json"), indent=None)


def _csv(rows: Sequence[BenchRow]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([field.name for field in FIELDS])
    writer.writerows([harmless(field.read(row)) for field in FIELDS] for row in rows)
    return out.getvalue()


def _sql(rows: Sequence[BenchRow]) -> str:
    """For SQLite and PostgreSQL alike."""
    columns = ",\n".join(f"  {field.name} {_sql_type(field)}" for field in FIELDS)
    names = ", ".join(field.name for field in FIELDS)
    inserts = [
        f"INSERT INTO {TABLE} ({names})\nVALUES ({', '.join(_literal(field.read(row)) for field in FIELDS)});\n"
        for row in rows
    ]
    return f"CREATE TABLE IF NOT EXISTS {TABLE} (\n{columns}\n);\n\n" + "".join(inserts)


def _sql_type(field: Field) -> str:
    """PostgreSQL's INTEGER holds 32 bits and its REAL six digits; SQLite takes these names for the same."""
    return {"TEXT": "TEXT", "INTEGER": "BIGINT", "REAL": "DOUBLE PRECISION"}[field.kind]


def _literal(value: Value) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, str):
        return "'" + value.replace("\0", "").replace("'", "''") + "'"
    return repr(value)


_HEADS = (
    *("model", "weights", "threads", "batch", "test", "tok/s", "90 % interval", "runs"),
    *("of ceiling", "experts", "logits off", "same experts", "peak memory"),
)
_RIGHT = frozenset(("threads", "batch", "tok/s", "runs", "of ceiling", "logits off", "same experts", "peak memory"))
_NOTE = """\
pp N: reading prompts of N tokens; tg N @ d D: generating N tokens behind D cached ones. tok/s: median of fresh \
processes (runs). Of ceiling: rate over the lesser of what the host's measured reading and arithmetic allow, and which \
of the two that is. Experts: distinct routed ones a layer and step, beside what uniform routing gives. Logits off: \
norm of the error over that of the logits, against fp32 weights that take the same experts. Same experts: share of the \
routed choices that fp32 weights make too (random routers choose between near equals, so rounding moves many)."""


def _markdown(rows: Sequence[BenchRow]) -> str:
    from tabulate import tabulate

    grid = tabulate(
        [_cases(row) for row in rows],
        headers=_HEADS,
        tablefmt="pipe",
        disable_numparse=True,
        colalign=["right" if head in _RIGHT else "left" for head in _HEADS],
    )
    return "\n\n".join([*_about(rows), grid, _NOTE, *_remarks(rows), *_profiles(rows)]) + "\n"


def case_name(row: BenchRow) -> str:
    """As llama-bench calls it: pp512, tg64, tg64 @ d2048."""
    if row.phase == "prefill":
        return f"pp{row.prompt_tokens}"
    return f"tg{row.decode_tokens}" + (f" @ d{row.depth}" if row.depth else "")


def _cases(row: BenchRow) -> tuple[str, ...]:
    rate = row.rate_tok_s
    experts = units.number(row.experts_activated.measured)
    if row.experts_activated.measured is not None and row.experts_activated.expected is not None:
        experts += f" of {units.number(row.experts_activated.expected)}"
    ceiling = units.percent(row.ceiling_fraction)
    if rate and row.ceiling_binding:
        ceiling += f" {row.ceiling_binding}"
    bits = f" {units.number(row.bits_per_weight)} bits" if row.bits_per_weight is not None else ""
    return (
        escape(row.model),
        f"{row.precision}{bits}",
        units.whole(row.threads),
        units.whole(row.batch),
        case_name(row),
        (units.number(rate.point) + ("*" if row.invalid else "")) if rate else "failed",
        units.interval(rate.low, rate.high) if rate else units.UNKNOWN,
        units.whole(rate.n if rate else 0),
        ceiling,
        experts,
        units.percent(row.quantisation_error),
        units.percent(row.experts_kept),
        units.binary(row.peak_rss_bytes),
    )


def _about(rows: Sequence[BenchRow]) -> list[str]:
    """The models, the host and its ceilings, each once."""
    sizes = dict.fromkeys(
        f"{row.model}: {units.count(row.parameters.total)} parameters, {units.count(row.parameters.active)} active"
        for row in rows
        if row.parameters.total is not None
    )
    reads = dict.fromkeys(
        f"reading {units.si(row.ceilings.read_bytes_s, 'B/s')} ({row.threads} threads)"
        for row in rows
        if row.ceilings.read_bytes_s is not None
    )
    products = dict.fromkeys(
        f"{row.precision} products {units.si(row.ceilings.matmul_flop_s, 'FLOP/s')} ({row.threads} threads)"
        for row in rows
        if row.ceilings.matmul_flop_s is not None
    )
    hosts = dict.fromkeys(f"{row.host or 'unknown processor'}" for row in rows)
    lines = [*sizes, f"Host: {', '.join(hosts)}", f"Ceilings: {'; '.join([*reads, *products]) or units.UNKNOWN}"]
    lines += dict.fromkeys(f"Versions: {', '.join(f'{n} {v}' for n, v in row.versions)}" for row in rows)
    return ["\n".join(f"- {escape(line)}" for line in lines)]


def _remarks(rows: Sequence[BenchRow]) -> list[str]:
    """Why rows failed, then what makes rates unreliable or less exact: each rule once, by its first row's figures."""
    failed: dict[str, tuple[str, list[str]]] = {}
    invalid: dict[str, tuple[str, list[str]]] = {}
    warned: dict[str, tuple[str, list[str]]] = {}
    for row in rows:
        where = f"{row.model} {row.precision} {row.threads} threads batch {row.batch} {case_name(row)}"
        if row.error is not None:
            failed.setdefault(row.error, (f"failed: {row.error}", []))[1].append(where)
        for text in row.invalid:
            invalid.setdefault(_rule(text), (f"* not to be relied upon: {text}", []))[1].append(where)
        for text in row.warnings:
            warned.setdefault(_rule(text), (text, []))[1].append(where)
    said = [*failed.values(), *invalid.values(), *warned.values()]
    return ["\n".join(f"- {escape(text)} ({escape(_rows(places, rows))})" for text, places in said)] if said else []


def _rule(finding: str) -> str:
    return finding.partition(":")[0]


def _rows(places: list[str], rows: Sequence[BenchRow]) -> str:
    if len(places) == len(rows) and len(rows) > 1:
        return "all rows"
    more = f" and {len(places) - 3} more" if len(places) > 3 else ""
    return ", ".join(places[:3]) + more


def profile_tables(rows: Sequence[BenchRow]) -> str:
    """The profiles alone, for formats that cannot hold them."""
    return "\n\n".join(_profiles(rows)) + "\n"


_LEGEND = """\
Parts: attention holds its projections, the cache, the scores and what they mix; router, the scores and the choice of \
experts; routed experts, those chosen, of all layers together; shared expert, the one that every token takes; dense, \
the feed-forward of layers without experts; head, the last norm and the logits; embedding, the look-up of tokens and \
what all layers share; norm, the norm before each feed-forward. MatMulNBits, DynamicQuantizeMatMul and QMoE multiply \
by weights of 4 or 8 bits, MatMul, FusedMatMul and MoE by fp32. A step is one prefill of the batch, or one token of \
each sequence. The profiler slows small operators: shares of many short calls are too large, never too small."""


def _profiles(rows: Sequence[BenchRow]) -> list[str]:
    """A table for each profiled row, and one legend for all."""
    tables = [_profile(row) for row in rows if row.profile is not None]
    return [*tables, _LEGEND] if tables else []


def _profile(row: BenchRow) -> str:
    """Where one case's step spends its time: each part with its share, then its operators, largest first."""
    from tabulate import tabulate

    assert row.profile is not None
    step_s = sum(p.duration_s for p in row.profile)
    lines: list[tuple[str, ...]] = []
    for part, share in by_part(row.profile):
        operators = [p for p in row.profile if p.part == part]
        calls, part_s = sum(p.calls for p in operators), sum(p.duration_s for p in operators)
        lines.append((f"**{escape(part)}**", "", units.number(calls), units.seconds(part_s), units.percent(share)))
        lines += [
            ("", escape(p.operator), units.number(p.calls), units.seconds(p.duration_s), units.percent(p.share))
            for p in _with_small_ones_together(operators)
        ]
    grid = tabulate(
        lines,
        headers=("part of the model", "operator", "calls a step", "time a step", "share"),
        tablefmt="pipe",
        disable_numparse=True,
        colalign=("left", "left", "right", "right", "right"),
    )
    title = f"**Where a step goes: {escape(row.model)} {row.precision}, {row.threads} threads, batch {row.batch}, "
    title += f"{case_name(row)}**"
    note = f"Sum {units.seconds(step_s)} a step in operators"
    if row.samples_s:
        timed_s = sorted(row.samples_s)[len(row.samples_s) // 2]
        note += f"; a step took {units.seconds(timed_s)} when it was timed without the profiler"
    return f"{title}\n\n{grid}\n\n{note}."


def _with_small_ones_together(operators: list[ProfileRow]) -> list[ProfileRow]:
    """Operators of one part, those below `SMALL` of the step's time as one line."""
    small = [p for p in operators if p.share < SMALL]
    if len(small) < 2:
        return operators
    together = ProfileRow(
        part=small[0].part,
        operator=f"{len(small)} others, each below {units.percent(SMALL)}",
        calls=sum(p.calls for p in small),
        duration_s=sum(p.duration_s for p in small),
        share=sum(p.share for p in small),
    )
    return [*(p for p in operators if p.share >= SMALL), together]
