"""A record as blocks: measured rates, gains over dense counterparts, the host with its ceilings, remarks on
validity."""

from collections.abc import Callable, Sequence

from harness import units
from harness.report.blocks import Block, Bullets, Callout, Cell, Chart, Heading, Table, columns
from harness.results.gains import ROLES, GainRow, MeasuredRow, gain_rows, measured_rows
from harness.results.record import Host, Measurement, Record
from harness.stats import LEVEL, Estimate
from harness.vocabulary import COUNTERPARTS, Counterpart

_LEVEL = units.percent(LEVEL, 2)

_Case = MeasuredRow | GainRow
_Condition = tuple[str, Callable[[_Case], str]]

# Conditions of a case: a column where cases of one phase differ, a line below the table where they do not.
_CONDITIONS: tuple[_Condition, ...] = (
    ("precision", lambda r: r.precision),
    ("threads", lambda r: units.whole(r.threads)),
    ("prompt tokens", lambda r: units.whole(r.prompt_tokens)),
    ("generated tokens", lambda r: units.whole(r.decode_tokens)),
    ("cached before", lambda r: units.whole(r.depth)),
)


def measured_blocks(record: Record, charts: tuple[Chart, ...]) -> tuple[Block, ...]:
    """`charts`, rates with their intervals, and what the mixture-of-experts models gain over dense ones."""
    table_rows = measured_rows(record)
    blocks: list[Block] = [Heading(level=2, text="Measured here")]
    if record.state != "complete":
        blocks.append(Callout(tone="warning", text=f"This run is {record.state}: what is missing was not measured."))
    blocks += (model_table(record), *charts, measured_table(table_rows))
    found = gain_rows(record)
    if found:
        blocks.append(gain_table(found))
    return tuple(blocks)


def model_table(record: Record) -> Table:
    """What ran: each model at each precision, its size as counted, and what its processes needed of memory."""
    groups: dict[tuple[str, str], list[Measurement]] = {}
    for m in record.measurements:
        groups.setdefault((m.model, m.precision), []).append(m)
    compared = any(m.counts is not None and m.counts.quantisation_error is not None for m in record.measurements)
    heads: tuple[str, ...] = ("Model", "Weights", ">Parameters", ">Active", ">Stored", ">Peak memory")
    note = "Counted from architecture and stored weights; bits with scales. Peak memory: of the largest process."
    models = [_model_row(model, precision, cases) for (model, precision), cases in groups.items()]
    if compared:
        heads = (*heads, ">Logits off")
        note += " Logits off: relative error against the same weights in 32 bits."
        models = [(*row, _logits_off(cases)) for row, cases in zip(models, groups.values(), strict=True)]
    return Table(title="The models that ran", columns=columns(*heads), rows=tuple(models), note=note)


def _logits_off(cases: list[Measurement]) -> str:
    return units.percent(next((m.counts.quantisation_error for m in cases if m.counts is not None), None))


def _model_row(model: str, precision: str, cases: list[Measurement]) -> tuple[Cell, ...]:
    counts = next((m.counts for m in cases if m.counts is not None), None)
    peaks = [m.peak_rss_bytes for m in cases if m.peak_rss_bytes is not None]
    peak = units.binary(max(peaks, default=None))
    if counts is None:
        return (model, precision, *(units.UNKNOWN,) * 3, peak)
    share = units.percent(counts.parameters_active / counts.parameters_total)
    return (
        model,
        f"{precision}, {units.number(counts.bits_per_weight)} bits",
        units.count(counts.parameters_total),
        f"{units.count(counts.parameters_active)}, {share}",
        units.binary(counts.weight_bytes),
        peak,
    )


def measured_table(table_rows: tuple[MeasuredRow, ...]) -> Table:
    varying, constant = conditions(table_rows)
    # An MoE model comes with its counterparts right below it, whatever the order in which they ran.
    stems = list(dict.fromkeys(_stem(r) for r in table_rows))
    ordered = sorted(
        table_rows, key=lambda r: (r.phase != "prefill", stems.index(_stem(r)), ROLES.index(r.role), r.model, r.batch)
    )
    return Table(
        title="Throughput of each model",
        columns=columns(
            *("Model", "Phase", *_headings(varying), ">Batch"),
            *(f"tok/s, {_LEVEL} interval", ">Runs", "Experts", "Of ceiling"),
        ),
        rows=tuple(_measured_row(r, varying) for r in ordered),
        note=_measured_note(constant),
    )


def _stem(r: MeasuredRow) -> str:
    return r.model if r.role in ("moe", "other") else r.model.rpartition(":")[0]


def conditions(cases: Sequence[_Case]) -> tuple[tuple[_Condition, ...], str]:
    """The conditions that differ inside a phase, and a sentence with those that do not."""
    phases = {phase: [c for c in cases if c.phase == phase] for phase in dict.fromkeys(c.phase for c in cases)}
    varying = tuple(c for c in _CONDITIONS if any(len(set(map(c[1], alike))) > 1 for alike in phases.values()))
    constant = [c for c in _CONDITIONS if c not in varying]
    said = []
    for phase, alike in phases.items():
        pairs = [f"{name} {read(alike[0])}" for name, read in constant if read(alike[0]) != "0"]
        said.append(f"{phase}: {', '.join(pairs)}")
    return varying, f"{'; '.join(said)}. ".capitalize() if constant and phases else ""


def _headings(varying: tuple[_Condition, ...]) -> list[str]:
    return [f">{name.capitalize()}" for name, _ in varying]


def _measured_note(constant: str) -> str:
    return (
        f"{constant}Rate: median of fresh processes (runs). Experts: distinct routed ones a layer and step, "
        "beside what uniform routing gives. Of ceiling: rate over the lesser of what this host's measured reading and "
        "arithmetic allow, and which of the two that is."
    )


def _measured_row(r: MeasuredRow, varying: tuple[_Condition, ...]) -> tuple[Cell, ...]:
    rate = r.rate_tok_s
    speed = "not measured" if rate is None else estimated(rate) + (", set aside" if r.problem else "")
    expected = r.expected_experts_activated
    experts = units.number(r.experts_activated) + ("" if expected is None else f" of {units.number(expected)}")
    ceiling = units.percent(r.ceiling_fraction) + (f", {r.binding}" if r.binding and rate else "")
    conditions_ = (read(r) for _, read in varying)
    runs = units.whole(rate.n) if rate else units.UNKNOWN
    return (r.model, r.phase, *conditions_, units.whole(r.batch), speed, runs, experts, ceiling)


def gain_table(found: tuple[GainRow, ...]) -> Table:
    """One row a case, both counterparts side by side."""
    varying, constant = conditions(found)
    cases: dict[tuple[str, ...], dict[Counterpart, Estimate]] = {}
    for g in found:
        key = (g.model, g.phase, *(read(g) for _, read in varying), units.whole(g.batch))
        cases.setdefault(key, {})[g.counterpart] = g.ratio
    return Table(
        title="What sparsity gains: MoE rate over dense rate, paired by rounds",
        columns=columns(
            *("MoE model", "Phase", *_headings(varying), ">Batch"),
            *(">Over dense of equal total", ">Over dense of equal active"),
        ),
        rows=tuple(
            (*key, *(estimated(by.get(counterpart), units.times) for counterpart in COUNTERPARTS))
            for key, by in cases.items()
        ),
        note=f"{constant}Intervals at {_LEVEL}. Above 1: the MoE model is faster.",
    )


def estimated(e: Estimate | None, shown: Callable[[float | None], str] = units.number) -> str:
    """A point with its interval: 1,800 [1,736, 1,812]; 6.52× [6.29, 7.05]."""
    return units.UNKNOWN if e is None else f"{shown(e.point)} {units.interval(e.low, e.high)}"


def host_blocks(record: Record) -> tuple[Block, ...]:
    """Where it ran, what that machine reached at best, what is doubtful, and the versions that matter."""
    host = record.host
    blocks: list[Block] = [Heading(level=2, text="Host"), _pairs("Where it was measured", _host_pairs(host))]
    if record.ceilings is not None:
        blocks.append(ceiling_table(record))
    remarks = _remarks(record)
    if remarks:
        blocks += [Heading(level=3, text="Remarks on validity"), Bullets(items=remarks)]
    blocks.append(_pairs("What it was measured with", _version_pairs(record)))
    return tuple(blocks)


def _host_pairs(host: Host) -> tuple[tuple[str, str], ...]:
    virtual = {None: units.UNKNOWN, True: "yes", False: "no"}[host.virtual]
    return (
        ("Processor", f"{host.cpu or units.UNKNOWN} ({host.architecture})"),
        ("Cores", units.whole(host.cores)),
        ("Clock", units.si(host.frequency_hz, "Hz")),
        ("Last-level cache", units.binary(host.last_level_cache_bytes)),
        ("Memory", f"{units.binary(host.memory_bytes)}, {units.binary(host.available_bytes)} available at the start"),
        ("Instruction sets", ", ".join(host.instruction_sets) or units.UNKNOWN),
        ("Virtual machine", virtual),
        ("System", f"{host.system}, kernel {host.kernel or units.UNKNOWN}"),
        ("Load at the start (1 min)", units.number(host.load_1min, 2)),
        ("Fingerprint", host.fingerprint),
    )


def ceiling_table(record: Record) -> Table:
    assert record.ceilings is not None
    read = record.ceilings.read_bytes_s
    limits = [("Reading memory", read, "B/s", record.ceilings.read_kernel)]
    limits += [(f"Matrix product, {m.precision}", m.flop_s, "FLOP/s", m.kernel) for m in record.ceilings.matmul]
    return Table(
        title="This host's ceilings, measured in the same run",
        columns=columns("Ceiling", ">Best", f">{_LEVEL} interval", "Reached by"),
        rows=tuple(
            (name, units.si(e.point, unit), units.interval(e.low, e.high, unit), kernel)
            for name, e, unit, kernel in limits
        ),
    )


def _remarks(record: Record) -> tuple[str, ...]:
    """What a reader must know before trusting a figure: notes of the run, cases set aside, and cases that failed."""
    found = list(record.notes)
    for m in record.measurements:
        case = f"{m.model}, {m.phase}, batch {units.whole(m.batch)}, {m.precision}"
        found += [f"{case}: set aside, not used as evidence: {reason}" for reason in m.invalid]
        found += [f"{case}: not measured: {m.error}"] if m.error else []
        failed = [o.error for o in m.observations if o.error and m.good]
        runs = f"{units.whole(len(failed))} of {units.whole(len(m.observations))} runs failed"
        found += [f"{case}: {runs}: {failed[0]}"] if failed else []
    return tuple(found)


def _version_pairs(record: Record) -> tuple[tuple[str, str], ...]:
    label = f" ({record.label})" if record.label else ""
    return (
        ("Run", f"{record.record_id}, {record.name}{label}"),
        ("Begun", record.created.isoformat(timespec="seconds")),
        ("State", record.state),
        ("harness", record.harness_version),
        ("Config digest", record.config_digest),
        ("Python", record.host.python),
        *record.host.packages,
    )


def _pairs(title: str, pairs: tuple[tuple[str, str], ...]) -> Table:
    return Table(title=title, columns=columns("What", "Value"), rows=pairs)
