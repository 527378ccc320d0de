"""Rows of the scaled table that are ratios: prefill to decode, mixture of experts to dense, chip to chip."""

from typing import NamedTuple

from harness.catalog.chips import Chip
from harness.catalog.models import ReleasedModel
from harness.catalog.rates import PublishedRate
from harness.claims import Architecture, ChipRatio, Sheet, Throughput
from harness.results.assessment import Basis, ChainLink, Scaled
from harness.results.gains import GainRow, gains
from harness.results.record import Record
from harness.roofline.bound import highest
from harness.roofline.ceiling import Ceiling, ceiling
from harness.roofline.deployment import Deployment
from harness.roofline.forecast import forecast, settled
from harness.roofline.practice import missing
from harness.stats import Interval
from harness.units import number
from harness.verdict.host_measurement import HostMeasurement, host_measurement, over
from harness.verdict.knowledge import Knowledge
from harness.verdict.rating import law_without
from harness.verdict.ratios import pairs, spec_ratios
from harness.vocabulary import Counterpart, Phase


class PlacedRate(NamedTuple):
    """A reported rate with the limits of the chip and the model that it is of."""

    claim: Throughput
    rate_tok_s: float
    """per package"""
    limits: Ceiling
    model: ReleasedModel


def ratio_rows(
    sheet: Sheet,
    record: Record | None,
    knowledge: Knowledge,
    placed: tuple[PlacedRate, ...],
    cases: tuple[HostMeasurement | None, ...],
) -> tuple[Scaled, ...]:
    """All ratios that the sheet's figures form. `cases` are the measured ones beside `placed`."""
    return (
        *_phases(placed, cases),
        *_moe(sheet, record),
        *_chips(sheet, knowledge, placed),
    )


def link(
    basis: Basis, text: str, value: float | None = None, unit: str = "", *, transferable: bool = True
) -> ChainLink:
    return ChainLink(text=text, value=value, unit=unit, basis=basis, transferable=transferable)


def measured_link(case: HostMeasurement) -> ChainLink:
    return link("measured", f"measured here: {case.words}", case.rate.point, "tok/s")


def _phases(placed: tuple[PlacedRate, ...], cases: tuple[HostMeasurement | None, ...]) -> list[Scaled]:
    """Prefill over decode of one chip: transfers as far as both ceilings do."""
    found = list(zip(placed, cases, strict=True))
    prefills = [f for f in found if f[0].claim.conditions.phase == "prefill"]
    decodes = [f for f in found if f[0].claim.conditions.phase == "decode"]
    return [_phase_row(a, b) for a in prefills for b in decodes if not _differ(a[0], b[0])]


def _differ(a: PlacedRate, b: PlacedRate) -> bool:
    """Whether they are of two models, or both give chip, model or precision, and not the same."""
    ours, theirs = a.claim.conditions, b.claim.conditions
    given = [(getattr(ours, n), getattr(theirs, n)) for n in ("chip", "model", "precision")]
    apart = any(x is not None and y is not None and x != y for x, y in given)
    return apart or a.model.spec != b.model.spec


def _phase_row(
    prefill: tuple[PlacedRate, HostMeasurement | None], decode: tuple[PlacedRate, HostMeasurement | None]
) -> Scaled:
    ((pre, pre_rate, pre_top, _), a), ((dec, dec_rate, dec_top, _), b) = prefill, decode
    reported, allowed = pre_rate / dec_rate, pre_top.rate_tok_s / dec_top.rate_tok_s
    serial = pre_top.serial_tok_s / dec_top.serial_tok_s
    measured = interval = None
    steps = [link("modelled", "ratio of the chip's ceilings", allowed, "ratio")]
    if a is not None and b is not None:
        measured = a.rate.point / b.rate.point
        if a.interval is not None and b.interval is not None:
            interval = Interval(low=a.interval.low / b.interval.high, high=a.interval.high / b.interval.low)
        steps = [measured_link(a), measured_link(b), link("measured", "prefill over decode here", measured, "ratio")]
        if a.ceiling_tok_s is not None and b.ceiling_tok_s is not None:
            here = a.ceiling_tok_s / b.ceiling_tok_s
            kept = measured / here
            text = "were the fractions on the chip to differ as here; its software and links are not the same"
            steps += [
                link("measured", "the same of this host's ceilings", here, "ratio"),
                link("measured", "how the fractions reached differ", kept, "ratio"),
                link("modelled", "the same of the chip's ceilings", allowed, "ratio"),
                link("modelled", text, kept * allowed, "ratio", transferable=False),
            ]
    return Scaled(
        id=f"{pre.id}-over-{dec.id}",
        quantity="prefill over decode, of one package",
        reported=reported,
        unit="ratio",
        measured=measured,
        measured_interval=interval,
        measured_as=None if a is None or b is None else f"{a.words}; {b.words}",
        factor=None if measured is None else over(reported, interval, measured),
        hardware=Interval.of((allowed, serial), level=0.99),
        hardware_as="ratio of the chip's ceilings, with and without overlap, at each figure's own conditions",
        transfers="partly",
        why="The ratio follows the two ceilings, and through them batch and balance: it transfers where these agree, "
        "which a CPU reaches at other batches.",
        chain=(*steps, link("published", "reported", reported, "ratio")),
    )


def _moe(sheet: Sheet, record: Record | None) -> tuple[Scaled, ...]:
    """Active to total parameters, against the gains measured over both dense counterparts."""
    stated = [c for c in sheet.claims if isinstance(c, Architecture)]
    pairs = (
        (active, total)
        for active in stated
        for total in stated
        if (active.figure, total.figure) == ("active_parameters", "total_parameters")
        and sheet.about(active.conditions) == sheet.about(total.conditions)
    )
    active, total = next(pairs, (None, None))
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
        factor=None if mine is None else Interval.of([share / mine]),
        transfers="yes",
        why="A count, the same on every machine; the model that runs here was sized to it.",
        chain=(
            link("published", total.statement, total.value, "parameters"),
            link("published", active.statement, active.value, "parameters"),
            link("published", "active over total", share, "fraction"),
        ),
    )


def _gain_rows(share: float, record: Record | None) -> list[Scaled]:
    wanted: tuple[tuple[Counterpart, Phase, float], ...] = (
        ("equal-total", "prefill", 1 / share),
        ("equal-total", "decode", 1 / share),
        ("equal-active", "decode", 1.0),
    )
    out = []
    for counterpart, phase, most in wanted:
        found = gains(record, counterpart, phase)
        if record is None or not found:
            out.append(_gain_row(counterpart, phase, most))
        # A source that names no batch could mean any: the smallest and the largest measured stand at the two ends.
        else:
            ends = (found[0], found[-1]) if len(found) > 1 else found
            out += [_measured_gain(_gain_row(counterpart, phase, most), gain, record) for gain in ends]
    return out


def _gain_row(counterpart: Counterpart, phase: Phase, most: float) -> Scaled:
    against = f"dense of {counterpart.replace('-', ' ')} size"
    return Scaled(
        id=f"gain-over-{counterpart}-{phase}",
        quantity=f"rate over {against}, {phase}",
        reported=most,
        unit="ratio",
        measured=None,
        transfers="partly",
        why="A ratio of two models on one machine; it follows how many experts a batch touches, which holds anywhere, "
        "and which limit binds, which does not.",
        chain=(link("published", f"most that the source's own parameters allow over {against}", most, "ratio"),),
    )


def _measured_gain(row: Scaled, gain: GainRow, record: Record) -> Scaled:
    """The row with what was measured of it."""
    against = f"dense of {gain.counterpart.replace('-', ' ')} size"
    moe, dense = gain.moe.rate_tok_s, gain.dense.rate_tok_s
    assert moe is not None and dense is not None
    chain = (
        link("measured", f"measured here: MoE, {gain.phase}, batch {gain.batch}", moe.point, "tok/s"),
        link("measured", f"measured here: {against}, same case", dense.point, "tok/s"),
        link("measured", f"gain, pair by pair over {gain.ratio.n} rounds", gain.ratio.point, "ratio"),
        *row.chain,
    )
    found: dict[str, object] = {
        "id": f"{row.id}-batch-{gain.batch}",
        "quantity": f"{row.quantity}, batch {gain.batch}",
        "measured": gain.ratio.point,
        "measured_interval": gain.ratio.interval,
        "measured_as": gain.words,
        "factor": over(row.reported, gain.ratio.interval, gain.ratio.point),
        "chain": chain,
    }
    counted = _counted(gain)
    if counted is not None:
        found["hardware"] = counted
        found["hardware_as"] = (
            "counted for the models that ran here: by bytes where memory binds, by work where arithmetic does"
        )
    if gain.phase == "prefill" and _both_compute(record, gain):
        found["transfers"] = "yes"
        found["why"] = (
            "A ratio of two models on one machine; in prefill both are bound by arithmetic on either machine."
        )
    return row.model_copy(update=found)


def _both_compute(record: Record, gain: GainRow) -> bool:
    """Whether arithmetic binds both cases here, as it does in prefill on the chips that claims are about."""
    cases = (host_measurement(record, gain.moe), host_measurement(record, gain.dense))
    return all(case is not None and case.bound_by == "compute" for case in cases)


def _counted(gain: GainRow) -> Interval | None:
    """The gain by counted bytes and by counted work of the two models that ran: U(B) is in the MoE model's bytes."""
    moe, dense = gain.moe.counts, gain.dense.counts
    if moe is None or dense is None:
        return None
    ends = (dense.bytes_per_token / moe.bytes_per_token, dense.flop_per_token / moe.flop_per_token)
    return Interval.of(ends, level=0.99)


def _chips(sheet: Sheet, knowledge: Knowledge, placed: tuple[PlacedRate, ...]) -> list[Scaled]:
    """A ratio of chips, and the rates of the other chip that it implies."""
    out: list[Scaled] = []
    for claim in sheet.claims:
        if not isinstance(claim, ChipRatio):
            continue
        chip, reference = knowledge.chip(claim.chip), knowledge.chip(claim.reference)
        if chip is not None and reference is not None:
            out.append(_chip_row(claim, chip, reference, knowledge))
            of, on_chip = sheet.about(claim.conditions), [p for p in placed if p.claim.conditions.chip == claim.chip]
            rates = [p for p in on_chip if claim.conditions.model is None or knowledge.same_model(of, p.model.name)]
            out += [_implied(claim, p, reference, knowledge) for p in rates]
    return out


def _chip_row(claim: ChipRatio, chip: Chip, reference: Chip, knowledge: Knowledge) -> Scaled:
    specs = [e.value for e in spec_ratios(chip, reference)[:3] if e.value is not None]
    found = pairs(claim.chip, claim.reference, knowledge)
    steps = [link("published", p.words, p.ratio, "ratio") for p in found]
    return Scaled(
        id=claim.id,
        claim=claim.id,
        quantity=f"{chip.title} over {reference.title}",
        reported=claim.ratio,
        unit="ratio",
        measured=None,
        hardware=Interval.of(specs, level=0.99) if specs else None,
        hardware_as="ratios of sourced peaks and memory bandwidth",
        transfers="no",
        why="Neither chip is here; published pairs under like conditions stand in the chain.",
        chain=(*steps, link("published", "claimed", claim.ratio, "ratio")),
    )


def _implied(ratio: ChipRatio, placed: PlacedRate, chip: Chip, knowledge: Knowledge) -> Scaled:
    """The reference chip's rate that a reported rate and a ratio imply together."""
    claim, rate, _, model = placed
    implied, phase = rate / ratio.ratio, claim.conditions.phase
    assert phase is not None
    of_chip = (r for r in knowledge.rates if r.chip == chip.name and r.phase == phase and not r.threshold)
    like = (r for r in of_chip if not r.conditions.cache_hits_counted)
    rows = [r for r in like if knowledge.same_model(r.model, model.name)]
    top, usual = _at_fastest(rows, chip, knowledge)
    if top is not None and implied > top.rate_tok_s:  # no bound of it: other conditions allow more
        given = {"batch": None, "chips": None} | ({} if phase == "decode" else {"prompt_tokens": None})
        top = highest(model.spec, chip, Deployment.of(claim.conditions).model_copy(update=given), phase)
    published = "nothing published"
    if rows:
        ends = Interval.of(r.rate_tok_s for r in rows)
        published = f"published {number(ends.low, 4)} to {number(ends.high, 4)} tok/s"
    return Scaled(
        id=f"{ratio.id}-implies-{phase}",
        claim=ratio.id,
        quantity=f"{chip.title} rate that the ratio implies, {phase}",
        reported=implied,
        unit="tok/s",
        measured=None,
        hardware=usual,
        hardware_as=f"what published systems would reach at the conditions of the fastest published rate; {published}",
        ceiling=None if top is None else top.rate_tok_s,
        ceiling_fraction=None if top is None else implied / top.rate_tok_s,
        transfers="no",
        why="Arithmetic on the source's own figures; the chip's published rates stand in the chain.",
        chain=(
            link("published", f"reported by '{claim.id}'", rate, "tok/s"),
            link("published", f"divided by '{ratio.id}'", ratio.ratio, "ratio"),
            link("modelled", f"implied for {chip.title}", implied, "tok/s"),
            *(link("published", f"published: {r.id}", r.rate_tok_s, "tok/s") for r in rows),
        ),
    )


def _at_fastest(rows: list[PublishedRate], chip: Chip, knowledge: Knowledge) -> tuple[Ceiling | None, Interval | None]:
    """The chip's ceiling at the conditions of its fastest published rate that gives them all, and what published
    systems would reach there."""
    fitted = law_without((), knowledge)
    for row in sorted(rows, key=lambda r: -r.rate_tok_s):
        model = knowledge.model(row.model)
        found = None if model is None else settled(model.spec, Deployment.of(row.conditions))
        if model is None or found is None or fitted is None or missing(model.spec, found, row.phase):
            continue
        bound = highest(model.spec, chip, found, row.phase).rate_tok_s
        rate = forecast(model.spec, chip, found, row.phase, fitted, bound).rate
        return ceiling(model.spec, chip, found, row.phase), Interval.of((rate.low90, rate.mid, rate.high90))
    return None, None
