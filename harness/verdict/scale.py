"""Every reported number and ratio of a sheet beside what was measured here, and what separates the two.

A CPU's tokens a second cannot be multiplied up to an accelerator's. Each row shows the nearest comparable case, the
factor, what the chip's own limits allow, and the fraction of them that the report implies; a chain leads from this
host's figure to the reported one, and says which link does not transfer. Rules on what transfers stand at the end.
"""

from typing import Any

from harness.catalog.chips import Chip
from harness.catalog.models import ReleasedModel
from harness.claims import Sheet, Throughput
from harness.results.assessment import ChainLink, Scaled
from harness.results.record import Record
from harness.roofline.ceiling import Ceiling, ceiling, most_generous, runs
from harness.roofline.deployment import Deployment
from harness.roofline.forecast import forecast
from harness.stats import Interval
from harness.units import number
from harness.verdict.host_measurement import HostMeasurement, moe_measurements, nearest, over
from harness.verdict.knowledge import Knowledge
from harness.verdict.rating import law_without
from harness.verdict.readings import readings
from harness.verdict.scaled_ratios import PlacedRate, link, measured_link, ratio_rows
from harness.verdict.tracing import per_package, trace
from harness.vocabulary import Frozen, Precision


class Placed(Frozen):
    """A reported rate with the chip's limits at the conditions that were found for it."""

    claim: Throughput
    chip: Chip
    model: ReleasedModel
    rate_tok_s: float
    """per package"""
    nominal: Ceiling
    generous: Ceiling
    at: str
    """the conditions, in words"""
    active: float
    """active parameters: the source's own figure, else the model's"""
    deployment: Deployment

    @property
    def fraction(self) -> float:
        return self.rate_tok_s / self.nominal.rate_tok_s

    @property
    def balance(self) -> float:
        return self.nominal.compute_s / self.nominal.memory_s


def place(claim: Throughput, sheet: Sheet, knowledge: Knowledge) -> Placed | None:
    """The claim's rate under the conditions of its publication, or at those that published systems would have; None
    where the chip, the model or the unit is not known."""
    chip = knowledge.chip(claim.conditions.chip)
    if chip is None or claim.conditions.phase not in ("prefill", "decode"):
        return None
    rate = per_package(claim, chip.dies_per_package)
    traced = None if rate is None else trace(claim, rate, sheet.source.own_publications, knowledge)
    conditions = traced.conditions if traced else claim.conditions
    models = knowledge.could_be(conditions.model or sheet.subject)
    if rate is None or not models:
        return None
    found, fitted = readings(conditions, chip, models), law_without(sheet.source.own_publications, knowledge)
    able = [(r, r.bound) for r in found.each if r.bound is not None]
    if not able or fitted is None:
        return None
    chosen, bound = max(able, key=lambda item: item[1].rate_tok_s * item[0].most_packages)
    deployment = forecast(chosen.model.spec, chip, chosen.deployment, chosen.phase, fitted).typical
    usual = ceiling(chosen.model.spec, chip, deployment, chosen.phase)
    source = f"conditions of {traced.rate.source.title}" if traced else "one of the conditions that it leaves open"
    stated = (c for c in sheet.claims if c.kind == "architecture" and c.figure == "active_parameters")
    of = sheet.about(claim.conditions)
    active = next((c.value for c in stated if sheet.about(c.conditions) == of), None)
    return Placed(
        claim=claim,
        chip=chip,
        model=chosen.model,
        rate_tok_s=rate,
        nominal=usual if rate <= usual.rate_tok_s else bound,  # no bound, so that a rate may pass it
        generous=bound,
        at=f"{chosen.model.title} on {chip.title}, {source}",
        active=active or chosen.model.published_active,
        deployment=deployment,
    )


def scale(sheet: Sheet, record: Record | None, knowledge: Knowledge, chips: tuple[str, ...] = ()) -> tuple[Scaled, ...]:
    """The scaled table. Without a record the measured column is empty and the chip's side remains. The ceilings of
    `chips` are set beside every reported rate."""
    placed = [p for c in sheet.claims if c.kind == "throughput" and (p := place(c, sheet, knowledge)) is not None]
    beside = [knowledge.catalog.chip(name) for name in chips]
    cases = [_case(p, record) for p in placed]
    rows: list[Scaled] = []
    for p, case in zip(placed, cases, strict=True):
        others = (chip for chip in beside if chip.name != p.chip.name)
        rows += [_package(p, case), _work(p, case), *_die(p), *_system(p), *(_beside(p, chip) for chip in others)]
    rates = tuple(PlacedRate(p.claim, p.rate_tok_s, p.nominal, p.model) for p in placed)
    return (*ratio_rows(sheet, record, knowledge, rates, tuple(cases)), *rows)


def _case(p: Placed, record: Record | None) -> HostMeasurement | None:
    phase = p.claim.conditions.phase
    if record is None or phase is None or phase not in ("prefill", "decode"):
        return None
    return nearest(moe_measurements(record, phase), p.balance)


def _row(p: Placed, name: str, quantity: str, packages: float, **more: Any) -> Scaled:
    """The rate of so many packages beside their ceilings, with nothing measured."""
    fields: dict[str, Any] = {
        "id": f"{p.claim.id}-{name}",
        "claim": p.claim.id,
        "quantity": f"{p.nominal.phase} {quantity}",
        "reported": packages * p.rate_tok_s,
        "unit": "tok/s",
        "measured": None,
        "hardware": Interval(low=packages * p.nominal.rate_tok_s, high=packages * p.generous.rate_tok_s, level=0.99),
        "ceiling": packages * p.nominal.rate_tok_s,
        "ceiling_fraction": p.fraction,
        "transfers": "no",
    }
    return Scaled(**{**fields, **more})


def chain(p: Placed, case: HostMeasurement | None) -> tuple[ChainLink, ...]:
    """From this host's figure to the reported one."""
    return (
        *(() if case is None else _host_links(p, case)),
        link("modelled", f"the chip's ceiling, bound by {p.nominal.binding}: {p.at}", p.nominal.rate_tok_s, "tok/s"),
        *(() if case is None or case.fraction is None else (_same_fraction(p, case.fraction),)),
        link("published", "fraction that the report implies", p.fraction, "fraction"),
        link("published", "reported", p.rate_tok_s, "tok/s"),
    )


def _same_fraction(p: Placed, fraction: float) -> ChainLink:
    text = "were the chip to reach the fraction reached here: its software, links and operators are others, so this "
    text += "link does not transfer"
    return link("modelled", text, fraction * p.nominal.rate_tok_s, "tok/s", transferable=False)


def _host_links(p: Placed, case: HostMeasurement) -> list[ChainLink]:
    """What was measured here, beside this host's ceiling and the size and balance of the claim's model."""
    steps = [measured_link(case)]
    if case.ceiling_tok_s is None or case.fraction is None:
        return steps
    text = f"this host's ceiling for that work, bound by {case.bound_by} (ceilings measured in the same run)"
    steps.append(link("measured", text, case.ceiling_tok_s, "tok/s"))
    steps.append(link("measured", "fraction of it reached here", case.fraction, "fraction"))
    if case.measurement.counts is not None:
        larger = p.active / case.measurement.counts.parameters_active
        text = "active parameters of the claim's model over the model measured here"
        steps.append(link("modelled", text, larger, "ratio"))
    text = f"balance of arithmetic and memory time: {number(case.balance, 2)} here, {number(p.balance, 2)} there"
    return [*steps, link("modelled", text)]


def _package(p: Placed, case: HostMeasurement | None) -> Scaled:
    measured: dict[str, Any] = {}
    if case is not None:
        measured = {"measured": case.rate.point, "measured_interval": case.interval, "measured_as": case.words}
        measured["factor"] = over(p.rate_tok_s, case.interval, case.rate.point)
    return _row(
        p,
        "per-package",
        "rate of a package",
        1,
        hardware_as=f"ceilings from the preferred to the most generous figures, {p.at}",
        why="Tokens a second of a CPU and a small model say nothing of another chip and a large one; only the fraction "
        "of the ceiling can be set beside.",
        chain=chain(p, case),
        **measured,
    )


def _work(p: Placed, case: HostMeasurement | None) -> Scaled:
    """Rate times twice the active parameters: the unit in which models of different size can be compared."""
    reported, most = 2.0 * p.active * p.rate_tok_s, 2.0 * p.active * p.generous.rate_tok_s
    measured: dict[str, Any] = {}
    steps: list[ChainLink] = []
    if case is not None and case.active_flop_s is not None and case.measurement.counts is not None:
        mine, span = case.active_flop_s, case.interval
        if span is not None:
            span = Interval.of(end * (mine / case.rate.point) for end in (span.low, span.high))
        measured = {"measured": mine, "measured_interval": span, "measured_as": case.words}
        measured["factor"] = over(reported, span, mine)
        active = float(case.measurement.counts.parameters_active)
        text = "from this host's arithmetic to the chip's: another machine"
        steps = [
            measured_link(case),
            link("modelled", "active parameters of the model measured", active, "parameters"),
            link("measured", "active work here", mine, "FLOP/s"),
            link("modelled", text, transferable=False),
        ]
    return Scaled(
        id=f"{p.claim.id}-per-active-work",
        claim=p.claim.id,
        quantity=f"{p.nominal.phase}: active work, 2 x active parameters x rate",
        reported=reported,
        unit="FLOP/s",
        hardware=Interval(low=2.0 * p.active * p.nominal.rate_tok_s, high=most, level=0.99),
        hardware_as=f"active work at the chip's ceiling, {p.at}",
        ceiling=p.nominal.rate_tok_s,
        ceiling_fraction=p.fraction,
        transfers="partly",
        why="Work for each active parameter is comparable between models of one design; how much of a chip's peak it "
        "reaches is not.",
        chain=(
            *steps,
            link("published", f"reported rate of {number(p.rate_tok_s, 4)} tok/s"),
            link("published", "active parameters", p.active, "parameters"),
            link("published", "active work reported", reported, "FLOP/s"),
        ),
        **{"measured": None, **measured},
    )


def _beside(p: Placed, chip: Chip) -> Scaled:
    """Another chip's ceiling for the same work: what its hardware alone would allow of the reported rate."""
    wanted: tuple[Precision | None, ...] = (p.deployment.precision, "fp8", "int8", "bf16")
    precision = next((x for x in wanted if x is not None and runs(chip, x)), None)
    deployment = p.deployment.model_copy(update={"precision": precision, "expert_slots": None})
    hardware = top = None
    bound = "nothing that is known"
    if precision is not None and chip.bandwidth is not None:
        nominal = ceiling(p.model.spec, chip, deployment, p.nominal.phase)
        most = most_generous(p.model.spec, chip, deployment, p.nominal.phase)
        hardware = Interval(low=nominal.rate_tok_s, high=most.rate_tok_s, level=0.99)
        top = nominal.rate_tok_s if p.rate_tok_s <= nominal.rate_tok_s else most.rate_tok_s
        bound = f"{nominal.binding}{'; the work does not fit its memory' if nominal.fits is False else ''}"
    return _row(
        p,
        f"beside-{chip.name}",
        f"rate of a package, beside the ceiling of {chip.title}",
        1,
        hardware=hardware,
        hardware_as=f"ceilings of {chip.title} for the same work in {precision}, bound by {bound}",
        ceiling=top,
        ceiling_fraction=None if top is None else p.rate_tok_s / top,
        why="Set beside, not compared: which fraction of its ceiling a chip reaches is its own.",
        chain=(
            link("modelled", f"ceiling of {p.chip.title}", p.nominal.rate_tok_s, "tok/s"),
            link("modelled", f"ceiling of {chip.title} for the same work", top, "tok/s"),
            link("published", "reported", p.rate_tok_s, "tok/s"),
        ),
    )


def _die(p: Placed) -> tuple[Scaled, ...]:
    dies = p.chip.dies_per_package
    if dies == 1:
        return ()
    chain = (
        link("published", "reported for a package", p.rate_tok_s, "tok/s"),
        link("published", "dies of a package", float(dies)),
        link("modelled", "for one die", p.rate_tok_s / dies, "tok/s"),
    )
    why = "A share of a package by arithmetic; no die runs the model alone, and nothing here is like one."
    limits = f"the package's ceilings over {dies} dies"
    return (_row(p, "per-die", f"rate of one die of {dies}", 1 / dies, hardware_as=limits, why=why, chain=chain),)


def _system(p: Placed) -> tuple[Scaled, ...]:
    """The whole scale-up system, were every package busy with this one phase."""
    count = p.chip.scale_up_packages
    if count is None or count <= 8:
        return ()
    text = "all in one phase at once: no published run did that, so this link does not transfer"
    chain = (
        link("published", "reported for a package", p.rate_tok_s, "tok/s"),
        link("published", "packages of the system", float(count)),
        link("modelled", text, count * p.rate_tok_s, "tok/s", transferable=False),
    )
    why = "Our multiplication, not the source's: it takes every package to work in this phase at once, while a served "
    why += "model needs both phases."
    limits, quantity = f"{count} times the package's ceilings", f"rate of {count} packages, arithmetic"
    return (_row(p, "aggregate", quantity, count, hardware_as=limits, why=why, chain=chain),)


TRANSFERS = (
    "Transfers: counts (parameters, work and bytes of a token, experts that a batch touches), the same on any machine.",
    "Transfers: the gain of MoE over dense where arithmetic binds on both machines, as in prefill of long prompts.",
    "Transfers in part: MoE over dense in decode, and the gain of a larger batch: both follow the experts that a "
    "batch touches, but at which batch arithmetic takes over depends on the machine's balance of arithmetic to memory.",
    "Transfers in part: prefill over decode, as far as the fractions reached of the two ceilings are alike.",
    "Does not transfer: tokens a second, the fraction of a peak that is reached, latencies, and the effect of links "
    "between chips, of which a single host has none.",
    "Does not transfer: number formats; 8-bit arithmetic here is another instruction with another peak.",
    "Cannot be seen here: load imbalance between chips, scheduling of requests, prefix caches, drafted tokens.",
)


def transfers(record: Record | None) -> tuple[str, ...]:
    """The rules, and what this record adds to them."""
    if record is None:
        return (*TRANSFERS, "Nothing was measured for this assessment: ratios of MoE and dense are modelled only.")
    return TRANSFERS + _balance(record) + _host(record)


def _balance(record: Record) -> tuple[str, ...]:
    """How far the measured decode cases are from the balance at which the claimed rates were taken."""
    balances = [c.balance for c in moe_measurements(record, "decode") if c.balance is not None]
    if not balances:
        return ()
    return (
        f"In the decode cases measured here arithmetic takes {number(min(balances), 2)} to {number(max(balances), 2)} "
        "times as long as memory; compare a figure from elsewhere at a like balance.",
    )


def _host(record: Record) -> tuple[str, ...]:
    set_aside = sum(bool(m.invalid) for m in record.measurements)
    remarks = []
    if set_aside:
        cases = "1 measured case" if set_aside == 1 else f"{set_aside} measured cases"
        remarks.append(f"{cases} broke a validity rule, not used as evidence.")
    if record.state != "complete":
        remarks.append("The run did not end; cases that are missing leave claims undecided.")
    return tuple(remarks)
