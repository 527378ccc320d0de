"""Which charts a report holds and the numbers in them, each with the table of the same numbers. Draws nothing.

A figure that cannot be drawn (no rate, no ceiling) is left out of the chart; the tables say why it is missing.
"""

from collections.abc import Iterable

from harness import units
from harness.report.blocks import (
    Chart,
    ChartSeries,
    RatePoint,
    ReportedData,
    ReportedRate,
    Roof,
    RooflineData,
    RoofPoint,
    Table,
    ThroughputData,
    columns,
)
from harness.report.verdicts import interval
from harness.results.assessment import Assessment, Scaled, Verdict
from harness.results.gains import ROLES, MeasuredRow, measured_rows
from harness.results.record import Record
from harness.stats import LEVEL, Interval

_LEVEL = units.percent(LEVEL, 2)


def throughput_charts(record: Record) -> tuple[Chart, ...]:
    """One chart a phase, prefill first: a line for every model (and every set of conditions) with a valid rate."""
    every = measured_rows(record)
    charts = []
    for phase in ("prefill", "decode"):
        cases = sorted((r for r in every if r.phase == phase), key=lambda r: ROLES.index(r.role))
        usable = [r for r in cases if r.rate_tok_s is not None and not r.problem]
        if usable:
            charts.append(_throughput_chart(phase, tuple(_series(usable)), left_out=len(cases) - len(usable)))
    return tuple(charts)


def _series(cases: list[MeasuredRow]) -> Iterable[ChartSeries]:
    """Cases of one phase by model and conditions; a condition is named where it tells two series apart."""
    groups: dict[tuple[str, ...], list[MeasuredRow]] = {}
    for r in cases:
        key: tuple[str, ...] = (r.model, r.precision, f"{units.whole(r.threads)} threads", *_lengths(r))
        groups.setdefault(key, []).append(r)
    distinct = [len({key[i] for key in groups}) > 1 for i in range(len(next(iter(groups), ())))]
    for key, members in groups.items():
        said = [part for i, part in enumerate(key) if i > 0 and distinct[i]]
        points = [
            RatePoint(batch=r.batch, rate_tok_s=r.rate_tok_s)
            for r in sorted(members, key=lambda r: r.batch)
            if r.rate_tok_s is not None
        ]
        yield ChartSeries(name=", ".join((key[0], *said)), role=members[0].role, points=tuple(points))


def _lengths(r: MeasuredRow) -> tuple[str, str, str]:
    return (
        f"prompt {units.whole(r.prompt_tokens)}",
        f"generated {units.whole(r.decode_tokens)}",
        f"cached {units.whole(r.depth)}",
    )


def _throughput_chart(phase: str, series: tuple[ChartSeries, ...], left_out: int) -> Chart:
    table = Table(
        title=f"{phase.capitalize()} throughput against batch",
        columns=columns("Model", ">Batch", ">tok/s", f">{_LEVEL} interval"),
        rows=tuple(
            (
                s.name,
                units.whole(p.batch),
                units.number(p.rate_tok_s.point),
                units.interval(p.rate_tok_s.low, p.rate_tok_s.high),
            )
            for s in series
            for p in s.points
        ),
    )
    missing = f" Not drawn: {units.whole(left_out)} not measured or set aside." if left_out else ""
    return Chart(
        name=f"throughput-{phase}",
        title=f"{phase.capitalize()} throughput against batch",
        description=f"Tokens a second against batch in {phase}, both logarithmic; bars are {_LEVEL} intervals: "
        f"{'; '.join(_span(s) for s in series)}.{missing}",
        data=ThroughputData(phase=phase, series=series),
        table=table,
    )


def _span(s: ChartSeries) -> str:
    """A line in words: its two ends, or its one point."""
    first, last = s.points[0], s.points[-1]
    start = f"{s.name} {units.number(first.rate_tok_s.point)} tok/s at batch {units.whole(first.batch)}"
    if first is last:
        return start
    return f"{start}, {units.number(last.rate_tok_s.point)} at batch {units.whole(last.batch)}"


def roofline_chart(record: Record) -> Chart | None:
    """The measured cases under this host's measured roofs; None where ceilings or counts are unknown."""
    if record.ceilings is None:
        return None
    measured = sorted(measured_rows(record), key=lambda r: (r.phase != "prefill", ROLES.index(r.role)))
    points = tuple(
        RoofPoint(
            name=r.model, role=r.role, phase=r.phase, batch=r.batch, flop_per_byte=r.flop_per_byte, flop_s=r.flop_s
        )
        for r in measured
        if r.flop_per_byte and r.flop_s is not None and not r.problem and r.ceiling_tok_s
    )
    drawn = {r.precision for r in measured if r.ceiling_tok_s}
    roofs = tuple(
        Roof(precision=m.precision, read_bytes_s=record.ceilings.read_bytes_s.point, flop_s=m.flop_s.point)
        for m in record.ceilings.matmul
        if m.precision in drawn
    )
    if not points or not roofs:
        return None
    return _roofline(roofs, points)


def _roofline(roofs: tuple[Roof, ...], points: tuple[RoofPoint, ...]) -> Chart:
    table = Table(
        title="Measured points under this host's roofs",
        columns=columns("Model", "Phase", ">Batch", ">FLOP a byte", ">FLOP/s", f">{_LEVEL} interval"),
        rows=tuple(
            (
                p.name,
                p.phase,
                units.whole(p.batch),
                units.number(p.flop_per_byte),
                units.si(p.flop_s.point, "FLOP/s"),
                units.interval(p.flop_s.low, p.flop_s.high, "FLOP/s"),
            )
            for p in points
        ),
        note="; ".join(
            f"{roof.precision}: reading {units.si(roof.read_bytes_s, 'B/s')}, arithmetic "
            f"{units.si(roof.flop_s, 'FLOP/s')}, meeting at {units.number(roof.flop_s / roof.read_bytes_s)} FLOP a byte"
            for roof in roofs
        )
        + ".",
    )
    return Chart(
        name="roofline",
        title="This host's roofline and the measured points",
        description=f"Arithmetic rate against arithmetic intensity, both logarithmic: {len(points)} measured points "
        "beside the slope of measured read bandwidth and the roof of measured matrix arithmetic. Bytes are the least "
        "that a step must read, so a point may lie further left in truth.",
        data=RooflineData(roofs=roofs, points=points),
        table=table,
    )


def reported_chart(assessment: Assessment) -> Chart | None:
    """Reported rates against their ceilings and usual ranges; None where no claim has either."""
    rates = tuple(_reported_rates(assessment))
    if not rates:
        return None
    table = Table(
        title="Reported rates, their ceilings and what is usual",
        columns=columns(
            "Claim", ">Reported", ">Ceiling", ">Of ceiling", f">Usual, {_LEVEL}", "Outcome", outcome="Outcome"
        ),
        rows=tuple(
            (
                r.name,
                units.quantity(r.reported_tok_s, "tok/s"),
                units.quantity(r.ceiling_tok_s, "tok/s"),
                units.percent(r.reported_tok_s / r.ceiling_tok_s if r.ceiling_tok_s else None),
                interval(r.usual_tok_s, "tok/s"),
                r.outcome or units.UNKNOWN,
            )
            for r in rates
        ),
    )
    return Chart(
        name="reported",
        title="Reported rates against their ceilings and what is usual",
        description=f"Tokens a second on a logarithmic scale, one row for each of {len(rates)} reported rates: "
        "a dot where it was reported, a bar where published systems lie, a line at the ceiling.",
        data=ReportedData(rates=rates),
        table=table,
    )


def _reported_rates(assessment: Assessment) -> Iterable[ReportedRate]:
    """Throughput claims that have a usual range or a ceiling, then rates that a claim implies for another chip."""
    scaled = list(filter(_drawable, assessment.scaled))
    claims = [v for v in assessment.verdicts if v.unit == "tok/s" and v.claimed]
    for v in claims:
        ceiling = next((s.ceiling for s in _own(v, scaled)), None)
        if v.claimed and (ceiling or v.interval):
            yield _rate(v.id, v.outcome, v.claimed, ceiling, v.interval)
    drawn = {s.id for v in claims for s in _own(v, scaled)}
    yield from (_rate(s.quantity, None, s.reported, s.ceiling, s.hardware) for s in _implied(scaled, drawn))


def _drawable(s: Scaled) -> bool:
    return s.unit == "tok/s" and s.ceiling is not None and s.reported > 0


def _own(v: Verdict, scaled: Iterable[Scaled]) -> list[Scaled]:
    """The rows of a claim's own figure."""
    return [s for s in scaled if s.claim == v.id and s.reported == v.claimed]


def _implied(scaled: Iterable[Scaled], drawn: set[str]) -> Iterable[Scaled]:
    """Shares and multiples of a rate say nothing that the rate does not: they carry ceilings in place of a range."""
    return (s for s in scaled if s.id not in drawn and (s.hardware is None or s.hardware.level == LEVEL))


def _rate(
    name: str, outcome: str | None, reported: float, ceiling: float | None, usual: Interval | None
) -> ReportedRate:
    return ReportedRate(name=name, outcome=outcome, reported_tok_s=reported, ceiling_tok_s=ceiling, usual_tok_s=usual)
