"""Rows of the scaled table that are ratios: prefill to decode, sparse to dense, chip to chip. Judges nothing."""

from harness.catalog.rates import PublishedRate
from harness.claims import Architecture, Sheet, Throughput
from harness.results.assessment import ChainLink, Scaled
from harness.results.gains import Gain, gains
from harness.results.record import Record
from harness.roofline.achieved import deployment_of
from harness.roofline.ceiling import Ceiling, ceiling
from harness.stats import Interval
from harness.units import number
from harness.verdict.host_measurement import HostMeasurement, host_measurement, over
from harness.verdict.knowledge import Knowledge
from harness.verdict.rating import usual_range, usual_tok_s
from harness.verdict.ratios import pairs, spec_ratios
from harness.vocabulary import Counterpart

Placed = tuple[Throughput, float, Ceiling]


def ratio_rows(
    sheet: Sheet,
    record: Record | None,
    knowledge: Knowledge,
    placed: tuple[Placed, ...],
    cases: tuple[HostMeasurement | None, ...],
) -> tuple[Scaled, ...]:
    """All ratios that the sheet's figures form. `cases` are the measured ones beside `placed`."""
    return (
        *_phases(placed, cases),
        *_sparsity(sheet, record),
        *_chips(sheet, knowledge, placed),
    )


def _phases(placed: tuple[Placed, ...], cases: tuple[HostMeasurement | None, ...]) -> tuple[Scaled, ...]:
    """Prefill over decode of one chip: transfers so far as both ceilings do."""
    out = []
    for (pre, pre_rate, pre_top), pre_case in zip(placed, cases, strict=True):
        for (dec, dec_rate, dec_top), dec_case in zip(placed, cases, strict=True):
            if (pre.conditions.phase, dec.conditions.phase) != ("prefill", "decode"):
                continue
            if any(
                _differ(getattr(pre.conditions, n), getattr(dec.conditions, n)) for n in ("chip", "model", "precision")
            ):
                continue
            out.append(_phase_row(pre, dec, (pre_rate, dec_rate), (pre_top, dec_top), (pre_case, dec_case)))
    return tuple(out)


def _differ(a: object, b: object) -> bool:
    """Both given, and not the same."""
    return a is not None and b is not None and a != b


def _phase_row(
    pre: Throughput,
    dec: Throughput,
    rates: tuple[float, float],
    tops: tuple[Ceiling, Ceiling],
    cases: tuple[HostMeasurement | None, HostMeasurement | None],
) -> Scaled:
    reported = rates[0] / rates[1]
    allowed = tops[0].rate_tok_s / tops[1].rate_tok_s
    serial = tops[0].serial_tok_s / tops[1].serial_tok_s
    a, b = cases
    measured = interval = None
    steps: list[ChainLink] = []
    if a is not None and b is not None:
        measured = a.rate.point / b.rate.point
        if a.interval is not None and b.interval is not None:
            interval = Interval(low=a.interval.low / b.interval.high, high=a.interval.high / b.interval.low)
        steps += [
            ChainLink(text=f"measured here: {a.words}", value=a.rate.point, unit="tok/s", basis="measured"),
            ChainLink(text=f"measured here: {b.words}", value=b.rate.point, unit="tok/s", basis="measured"),
            ChainLink(text="prefill over decode here", value=measured, unit="ratio", basis="measured"),
        ]
        if a.ceiling_tok_s is not None and b.ceiling_tok_s is not None:
            here = a.ceiling_tok_s / b.ceiling_tok_s
            steps.append(ChainLink(text="the same of this host's ceilings", value=here, unit="ratio", basis="measured"))
            kept = measured / here
            steps.append(ChainLink(text="how the fractions reached differ", value=kept, unit="ratio", basis="measured"))
            steps.append(
                ChainLink(text="the same of the chip's ceilings", value=allowed, unit="ratio", basis="modelled")
            )
            text = "were the fractions on the chip to differ as here; software and links are others"
            steps.append(ChainLink(text=text, value=kept * allowed, unit="ratio", basis="modelled", transferable=False))
    if not steps:
        steps.append(ChainLink(text="ratio of the chip's ceilings", value=allowed, unit="ratio", basis="modelled"))
    steps.append(ChainLink(text="reported", value=reported, unit="ratio", basis="published"))
    return Scaled(
        id=f"{pre.id}-over-{dec.id}",
        quantity="prefill over decode, of one package",
        reported=reported,
        unit="ratio",
        measured=measured,
        measured_interval=interval,
        measured_as=None if a is None or b is None else f"{a.words}; {b.words}",
        factor=None if measured is None else over(reported, interval, measured),
        hardware=Interval(low=min(allowed, serial), high=max(allowed, serial), level=0.99),
        hardware_as="ratio of the chip's ceilings, with and without overlap, at each figure's own conditions",
        transfers="partly",
        why="The ratio follows the two ceilings, and through them batch and balance: it transfers where these agree, "
        "which a CPU reaches at other batches.",
        chain=tuple(steps),
    )


def _sparsity(sheet: Sheet, record: Record | None) -> tuple[Scaled, ...]:
    """Active to total parameters, against the gains measured over both dense counterparts."""
    figures = {c.figure: c for c in sheet.claims if isinstance(c, Architecture)}
    total, active = figures.get("total_parameters"), figures.get("active_parameters")
    if total is None or active is None:
        return ()
    share = active.value / total.value
    return (_share_row(share, active, total, record), *_gain_rows(share, record))


def _share_row(share: float, active: Architecture, total: Architecture, record: Record | None) -> Scaled:
    counts = None
    if record is not None:
        names = {a.model for a in record.variants if a.spec.is_sparse}
        counts = next((m.counts for m in record.measurements if m.model in names and m.counts), None)
    mine = None if counts is None else counts.parameters_active / counts.parameters_total
    return Scaled(
        id="active-over-total",
        claim=active.id,
        quantity="active over total parameters",
        reported=share,
        unit="fraction",
        measured=mine,
        measured_as=None if mine is None else "counted from the model that ran here",
        factor=None if mine is None else Interval(low=share / mine, high=share / mine),
        hardware=None,
        transfers="yes",
        why="A count, the same on every machine; the model that runs here was sized to it.",
        chain=(
            ChainLink(text=total.statement, value=total.value, unit="parameters", basis="published"),
            ChainLink(text=active.statement, value=active.value, unit="parameters", basis="published"),
            ChainLink(text="active over total", value=share, unit="fraction", basis="published"),
        ),
    )


def _gain_rows(share: float, record: Record | None) -> tuple[Scaled, ...]:
    wanted: tuple[tuple[str, Counterpart, str, float], ...] = (
        ("gain-over-equal-total-prefill", "equal-total", "prefill", 1 / share),
        ("gain-over-equal-total-decode", "equal-total", "decode", 1 / share),
        ("gain-over-equal-active-decode", "equal-active", "decode", 1.0),
    )
    out = []
    for name, counterpart, phase, most in wanted:
        found = gains(record, counterpart, "prefill" if phase == "prefill" else "decode") if record is not None else ()
        # A source that names no batch could mean any: the smallest and the largest measured stand at the two ends.
        ends = [None] if not found else [found[0], found[-1]] if len(found) > 1 else [found[0]]
        out += [_gain_row(name, counterpart, phase, most, gain, record) for gain in ends]
    return tuple(out)


def _gain_row(
    name: str, counterpart: Counterpart, phase: str, most: float, gain: Gain | None, record: Record | None
) -> Scaled:
    against = "dense of equal total size" if counterpart == "equal-total" else "dense of equal active size"
    batch = "" if gain is None else f"-batch-{gain.batch}"
    steps = [
        ChainLink(
            text=f"most that the source's own parameters allow over {against}",
            value=most,
            unit="ratio",
            basis="published",
        )
    ]
    if gain is not None:
        sparse, dense = gain.sparse.rate_tok_s, gain.dense.rate_tok_s
        assert sparse is not None and dense is not None
        steps = [
            ChainLink(
                text=f"measured here: sparse, {phase}, batch {gain.batch}",
                value=sparse.point,
                unit="tok/s",
                basis="measured",
            ),
            ChainLink(text=f"measured here: {against}, same case", value=dense.point, unit="tok/s", basis="measured"),
            ChainLink(
                text=f"gain, pair by pair over {gain.ratio.n} rounds",
                value=gain.ratio.point,
                unit="ratio",
                basis="measured",
            ),
            *steps,
        ]
    hardware = _counted(gain)
    alike = gain is not None and record is not None and phase == "prefill" and _both_compute(record, gain)
    return Scaled(
        id=f"{name}{batch}",
        quantity=f"rate over {against}, {phase}" + ("" if gain is None else f", batch {gain.batch}"),
        reported=most,
        unit="ratio",
        measured=None if gain is None else gain.ratio.point,
        measured_interval=None if gain is None else gain.ratio.interval,
        measured_as=None if gain is None else gain.cases,
        factor=None if gain is None else over(most, gain.ratio.interval, gain.ratio.point),
        hardware=hardware,
        hardware_as=None
        if hardware is None
        else "counted for the models that ran here: by bytes where memory binds, by work where arithmetic does",
        transfers="yes" if alike else "partly",
        why="A ratio of two models on one machine; in prefill both are bound by arithmetic on either machine."
        if alike
        else "A ratio of two models on one machine; it follows how many experts a batch touches, which holds anywhere, "
        "and which limit binds, which does not.",
        chain=tuple(steps),
    )


def _both_compute(record: Record, gain: Gain) -> bool:
    """Whether arithmetic binds both cases here, as it does in prefill on the chips that claims are about."""
    cases = (host_measurement(record, gain.sparse), host_measurement(record, gain.dense))
    return all(case is not None and case.bound_by == "compute" for case in cases)


def _counted(gain: Gain | None) -> Interval | None:
    """The gain by counted bytes and by counted work of the two models that ran: U(B) is in the sparse one's bytes."""
    if gain is None or gain.sparse.counts is None or gain.dense.counts is None:
        return None
    by_bytes = gain.dense.counts.bytes_per_token / gain.sparse.counts.bytes_per_token
    by_work = gain.dense.counts.flop_per_token / gain.sparse.counts.flop_per_token
    return Interval(low=min(by_bytes, by_work), high=max(by_bytes, by_work), level=0.99)


def _chips(sheet: Sheet, knowledge: Knowledge, placed: tuple[Placed, ...]) -> tuple[Scaled, ...]:
    """A ratio of chips, and the rates of the other chip that it implies."""
    out: list[Scaled] = []
    for claim in sheet.claims:
        if claim.kind != "chip_ratio":
            continue
        chip, reference = knowledge.chip(claim.chip), knowledge.chip(claim.reference)
        if chip is None or reference is None:
            continue
        specs = [e.value for e in spec_ratios(chip, reference)[:3] if e.value is not None]
        found = pairs(claim.chip, claim.reference, knowledge)
        steps = [ChainLink(text=p.words, value=p.ratio, unit="ratio", basis="published") for p in found]
        steps.append(ChainLink(text="claimed", value=claim.ratio, unit="ratio", basis="published"))
        out.append(
            Scaled(
                id=claim.id,
                claim=claim.id,
                quantity=f"{chip.title} over {reference.title}",
                reported=claim.ratio,
                unit="ratio",
                measured=None,
                hardware=Interval(low=min(specs), high=max(specs), level=0.99) if specs else None,
                hardware_as="ratios of sourced peaks and memory bandwidth",
                transfers="no",
                why="Neither chip is here; published pairs under like conditions stand in the chain.",
                chain=tuple(steps),
            )
        )
        out += [
            _implied(claim.id, claim.ratio, p, reference.name, knowledge)
            for p in placed
            if p[0].conditions.chip == claim.chip
        ]
    return tuple(out)


def _implied(claim_id: str, ratio: float, placed: Placed, reference: str, knowledge: Knowledge) -> Scaled:
    claim, rate, _ = placed
    implied = rate / ratio
    chip = knowledge.chip(reference)
    assert chip is not None and claim.conditions.phase is not None
    rows = [
        r
        for r in knowledge.rates
        if r.chip == reference and r.phase == claim.conditions.phase and not r.conditions.cache_hits_counted
    ]
    steps = [
        ChainLink(text=f"reported by '{claim.id}'", value=rate, unit="tok/s", basis="published"),
        ChainLink(text=f"divided by '{claim_id}'", value=ratio, unit="ratio", basis="published"),
        ChainLink(text=f"implied for {chip.title}", value=implied, unit="tok/s", basis="modelled"),
        *(ChainLink(text=f"published: {r.id}", value=r.rate_tok_s, unit="tok/s", basis="published") for r in rows),
    ]
    top = _reference_ceiling(rows, knowledge)
    usual = None
    if top is not None:
        achieved = usual_range(claim.conditions.phase, chip.vendor, (), knowledge)
        if achieved is not None:
            low, _, high = usual_tok_s(achieved, top)
            usual = Interval(low=low, high=high)
    published = (
        f"published {number(min(r.rate_tok_s for r in rows), 4)} to {number(max(r.rate_tok_s for r in rows), 4)} tok/s"
        if rows
        else "nothing published"
    )
    return Scaled(
        id=f"{claim_id}-implies-{claim.conditions.phase}",
        claim=claim_id,
        quantity=f"{chip.title} rate that the ratio implies, {claim.conditions.phase}",
        reported=implied,
        unit="tok/s",
        measured=None,
        hardware=usual,
        hardware_as=f"usual range of published systems at the conditions of the fastest published rate; {published}",
        ceiling=None if top is None else top.rate_tok_s,
        ceiling_fraction=None if top is None else implied / top.rate_tok_s,
        transfers="no",
        why="Arithmetic on the source's own figures; the chip's published rates stand in the chain.",
        chain=tuple(steps),
    )


def _reference_ceiling(rows: list[PublishedRate], knowledge: Knowledge) -> Ceiling | None:
    """The chip's ceiling at the conditions of its fastest published rate that gives them all."""
    for row in sorted(rows, key=lambda r: -r.rate_tok_s):
        chip, model = knowledge.chip(row.chip), knowledge.model(row.model)
        found = deployment_of(row)
        complete = found.precision and found.chips and (found.prompt_tokens if row.phase == "prefill" else found.batch)
        if chip is None or model is None or not complete:
            continue
        if row.phase == "decode":
            if found.context_tokens is None:
                continue
            if found.mtp_drafts is None:
                found = found.model_copy(update={"mtp_drafts": 0})
        return ceiling(model.spec, chip, found, row.phase)
    return None
