"""Every reported number and ratio of a sheet beside what was measured here, and what separates the two.

A CPU's tokens a second cannot be multiplied up to an accelerator's. Each row shows the nearest comparable case, the
factor, what the chip's own limits allow, and the fraction of them that the report implies; a chain can be followed
from this host's figure to the reported one, and says at which link it may not be walked.

MERGED: What a run on a CPU may say of another chip, in sentences."""

from harness.catalog.chips import Chip
from harness.catalog.models import ReleasedModel
from harness.claims import Sheet, Throughput
from harness.results.assessment import ChainLink, Scaled
from harness.results.record import Record
from harness.roofline.ceiling import Ceiling, ceiling, most_generous, runs
from harness.roofline.deployment import Deployment
from harness.stats import Interval
from harness.units import number
from harness.verdict.host_measurement import HostMeasurement, moe_measurements, nearest, over
from harness.verdict.knowledge import Knowledge
from harness.verdict.rating import supported
from harness.verdict.scaled_ratios import ratio_rows
from harness.verdict.scenarios import scenarios
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
    """The claim's rate under the conditions of its publication, or the first scenario of its own; None where the
    chip, the model or the unit is not known."""
    chip = knowledge.chip(claim.conditions.chip) if claim.conditions.chip else None
    if chip is None or claim.conditions.phase not in ("prefill", "decode"):
        return None
    rate = per_package(claim, chip.dies_per_package)
    own = (*sheet.source.derived_from, *sheet.source.catalogued_as)
    traced = None if rate is None else trace(claim, rate, own, knowledge)
    conditions = traced.conditions if traced else claim.conditions
    models = knowledge.could_be(conditions.model or sheet.subject or "")
    if rate is None or not models:
        return None
    each = scenarios(conditions, chip, models).each
    chosen = each[len(each) // 2]
    if not supported(chip, chosen):
        return None
    spec, deployment, phase = chosen.model.spec, chosen.deployment, chosen.phase
    source = f"conditions of {traced.rate.source.title}" if traced else "one of the conditions that it leaves open"
    active = next((c.value for c in sheet.claims if c.kind == "architecture" and c.figure == "active_parameters"), None)
    return Placed(
        claim=claim,
        chip=chip,
        model=chosen.model,
        rate_tok_s=rate,
        nominal=ceiling(spec, chip, deployment, phase),
        generous=most_generous(spec, chip, deployment, phase),
        at=f"{chosen.model.title} on {chip.title}, {source}",
        active=active or chosen.model.published_active,
        deployment=deployment,
    )


def scale(sheet: Sheet, record: Record | None, knowledge: Knowledge, chips: tuple[str, ...] = ()) -> tuple[Scaled, ...]:
    """The scaled table. Without a record the measured column is empty and the chip's side remains. The ceilings of
    `chips` are set beside every reported rate."""
    placed = [p for c in sheet.claims if c.kind == "throughput" and (p := place(c, sheet, knowledge)) is not None]
    rows: list[Scaled] = []
    for p in placed:
        case = _case(p, record)
        others = [c for name in chips if name != p.chip.name and (c := knowledge.chip(name)) is not None]
        rows += [_package(p, case), _work(p, case), *_die(p), *_system(p), *(_beside(p, c) for c in others)]
    rates = tuple((p.claim, p.rate_tok_s, p.nominal) for p in placed)
    cases = tuple(_case(p, record) for p in placed)
    return (*ratio_rows(sheet, record, knowledge, rates, cases), *rows)


def _case(p: Placed, record: Record | None) -> HostMeasurement | None:
    if record is None or p.claim.conditions.phase not in ("prefill", "decode"):
        return None
    return nearest(moe_measurements(record, p.claim.conditions.phase), p.balance)


def chain(p: Placed, case: HostMeasurement | None) -> tuple[ChainLink, ...]:
    """From this host's figure to the reported one."""
    steps: list[ChainLink] = []
    if case is not None:
        steps.append(
            ChainLink(text=f"measured here: {case.words}", value=case.rate.point, unit="tok/s", basis="measured")
        )
    if case is not None and case.ceiling_tok_s is not None and case.fraction is not None:
        text = f"this host's ceiling for that work, bound by {case.bound_by} (ceilings measured in the same run)"
        steps.append(ChainLink(text=text, value=case.ceiling_tok_s, unit="tok/s", basis="measured"))
        steps.append(
            ChainLink(text="fraction of it reached here", value=case.fraction, unit="fraction", basis="measured")
        )
        counts = case.measurement.counts
        if counts is not None:
            larger = p.active / counts.parameters_active
            text = "active parameters of the claim's model over the model measured here"
            steps.append(ChainLink(text=text, value=larger, unit="ratio", basis="modelled"))
        text = f"balance of arithmetic and memory time: {number(case.balance, 2)} here, {number(p.balance, 2)} there"
        steps.append(ChainLink(text=text, basis="modelled"))
    text = f"the chip's ceiling, bound by {p.nominal.binding}: {p.at}"
    steps.append(ChainLink(text=text, value=p.nominal.rate_tok_s, unit="tok/s", basis="modelled"))
    if case is not None and case.fraction is not None:
        steps.append(
            ChainLink(
                text="were the chip to reach the fraction reached here: its software, links and operators are others, "
                "so this link may not be walked",
                value=case.fraction * p.nominal.rate_tok_s,
                unit="tok/s",
                basis="modelled",
                transferable=False,
            )
        )
    steps.append(
        ChainLink(text="fraction that the report implies", value=p.fraction, unit="fraction", basis="published")
    )
    steps.append(ChainLink(text="reported", value=p.rate_tok_s, unit="tok/s", basis="published"))
    return tuple(steps)


def _package(p: Placed, case: HostMeasurement | None) -> Scaled:
    return Scaled(
        id=f"{p.claim.id}-per-package",
        claim=p.claim.id,
        quantity=f"{p.nominal.phase} rate of a package",
        reported=p.rate_tok_s,
        unit="tok/s",
        measured=None if case is None else case.rate.point,
        measured_interval=None if case is None else case.interval,
        measured_as=None if case is None else case.words,
        factor=None if case is None else over(p.rate_tok_s, case.interval, case.rate.point),
        hardware=Interval(low=p.nominal.rate_tok_s, high=p.generous.rate_tok_s, level=0.99),
        hardware_as=f"ceilings from the preferred to the most generous figures, {p.at}",
        ceiling=p.nominal.rate_tok_s,
        ceiling_fraction=p.fraction,
        transfers="no",
        why="Tokens a second of a CPU and a small model say nothing of another chip and a large one; only the fraction "
        "of the ceiling can be set beside.",
        chain=chain(p, case),
    )


def _work(p: Placed, case: HostMeasurement | None) -> Scaled:
    """Rate times twice the active parameters: the unit in which models of different size can be compared."""
    reported = 2.0 * p.active * p.rate_tok_s
    mine = None if case is None else case.active_flop_s
    span = None
    if case is not None and mine is not None and case.interval is not None:
        scale_by = mine / case.rate.point
        span = Interval(low=case.interval.low * scale_by, high=case.interval.high * scale_by)
    ceilings = 2.0 * p.active * p.nominal.rate_tok_s
    return Scaled(
        id=f"{p.claim.id}-per-active-work",
        claim=p.claim.id,
        quantity=f"{p.nominal.phase}: active work, 2 x active parameters x rate",
        reported=reported,
        unit="FLOP/s",
        measured=mine,
        measured_interval=span,
        measured_as=None if case is None or mine is None else case.words,
        factor=None if mine is None else over(reported, span, mine),
        hardware=Interval(low=ceilings, high=2.0 * p.active * p.generous.rate_tok_s, level=0.99),
        hardware_as=f"active work at the chip's ceiling, {p.at}",
        ceiling=p.nominal.rate_tok_s,
        ceiling_fraction=p.fraction,
        transfers="partly",
        why="Work for each active parameter is comparable between models of one design; how much of a chip's peak it "
        "reaches is not.",
        chain=(
            *_work_steps(case, mine),
            ChainLink(text=f"reported rate of {number(p.rate_tok_s, 4)} tok/s", basis="published"),
            ChainLink(text="active parameters", value=p.active, unit="parameters", basis="published"),
            ChainLink(text="active work reported", value=reported, unit="FLOP/s", basis="published"),
        ),
    )


def _work_steps(case: HostMeasurement | None, mine: float | None) -> tuple[ChainLink, ...]:
    if case is None or mine is None or case.measurement.counts is None:
        return ()
    active = float(case.measurement.counts.parameters_active)
    return (
        ChainLink(text=f"measured here: {case.words}", value=case.rate.point, unit="tok/s", basis="measured"),
        ChainLink(text="active parameters of the model measured", value=active, unit="parameters", basis="modelled"),
        ChainLink(text="active work here", value=mine, unit="FLOP/s", basis="measured"),
        ChainLink(
            text="from this host's arithmetic to the chip's: another machine", basis="modelled", transferable=False
        ),
    )


def _beside(p: Placed, chip: Chip) -> Scaled:
    """Another chip's ceiling for the same work: what its hardware alone would allow of the reported rate."""
    wanted: tuple[Precision | None, ...] = (p.deployment.precision, "fp8", "int8", "bf16")
    precision = next((x for x in wanted if x is not None and runs(chip, x)), None)
    deployment = p.deployment.model_copy(update={"precision": precision, "expert_slots": None})
    known = precision is not None and chip.bandwidth is not None
    nominal = ceiling(p.model.spec, chip, deployment, p.nominal.phase) if known else None
    most = most_generous(p.model.spec, chip, deployment, p.nominal.phase) if known else None
    top = None if nominal is None else nominal.rate_tok_s
    fits = "" if nominal is None or nominal.fits is not False else "; the work does not fit its memory"
    return Scaled(
        id=f"{p.claim.id}-beside-{chip.name}",
        claim=p.claim.id,
        quantity=f"{p.nominal.phase} rate of a package, beside the ceiling of {chip.title}",
        reported=p.rate_tok_s,
        unit="tok/s",
        measured=None,
        hardware=None
        if nominal is None or most is None
        else Interval(low=nominal.rate_tok_s, high=most.rate_tok_s, level=0.99),
        hardware_as=f"ceilings of {chip.title} for the same work in {precision}, bound by "
        f"{nominal.binding if nominal else 'nothing that is known'}{fits}",
        ceiling=top,
        ceiling_fraction=None if top is None else p.rate_tok_s / top,
        transfers="no",
        why="Set beside, not compared: which fraction of its ceiling a chip reaches is its own.",
        chain=(
            ChainLink(text=f"ceiling of {p.chip.title}", value=p.nominal.rate_tok_s, unit="tok/s", basis="modelled"),
            ChainLink(text=f"ceiling of {chip.title} for the same work", value=top, unit="tok/s", basis="modelled"),
            ChainLink(text="reported", value=p.rate_tok_s, unit="tok/s", basis="published"),
        ),
    )


def _die(p: Placed) -> tuple[Scaled, ...]:
    dies = p.chip.dies_per_package
    if dies == 1:
        return ()
    return (
        Scaled(
            id=f"{p.claim.id}-per-die",
            claim=p.claim.id,
            quantity=f"{p.nominal.phase} rate of one die of {dies}",
            reported=p.rate_tok_s / dies,
            unit="tok/s",
            measured=None,
            hardware=Interval(low=p.nominal.rate_tok_s / dies, high=p.generous.rate_tok_s / dies, level=0.99),
            hardware_as=f"the package's ceilings over {dies} dies",
            ceiling=p.nominal.rate_tok_s / dies,
            ceiling_fraction=p.fraction,
            transfers="no",
            why="A share of a package by arithmetic; no die runs the model alone, and nothing here is like one.",
            chain=(
                ChainLink(text="reported for a package", value=p.rate_tok_s, unit="tok/s", basis="published"),
                ChainLink(text="dies of a package", value=float(dies), basis="published"),
                ChainLink(text="for one die", value=p.rate_tok_s / dies, unit="tok/s", basis="modelled"),
            ),
        ),
    )


def _system(p: Placed) -> tuple[Scaled, ...]:
    """The whole scale-up system, were every package busy with this one phase."""
    count = p.chip.scale_up_packages
    if count is None or count <= 8:
        return ()
    return (
        Scaled(
            id=f"{p.claim.id}-aggregate",
            claim=p.claim.id,
            quantity=f"{p.nominal.phase} rate of {count} packages, arithmetic",
            reported=count * p.rate_tok_s,
            unit="tok/s",
            measured=None,
            hardware=Interval(low=count * p.nominal.rate_tok_s, high=count * p.generous.rate_tok_s, level=0.99),
            hardware_as=f"{count} times the package's ceilings",
            ceiling=count * p.nominal.rate_tok_s,
            ceiling_fraction=p.fraction,
            transfers="no",
            why="Our multiplication, not the source's: it takes every package to work in this phase at once, while a "
            "served model needs both phases.",
            chain=(
                ChainLink(text="reported for a package", value=p.rate_tok_s, unit="tok/s", basis="published"),
                ChainLink(text="packages of the system", value=float(count), basis="published"),
                ChainLink(
                    text="all in one phase at once: no published run did that, so this link may not be walked",
                    value=count * p.rate_tok_s,
                    unit="tok/s",
                    basis="modelled",
                    transferable=False,
                ),
            ),
        ),
    )


TRANSFERS = (
    "Transfers: counts (parameters, work and bytes of a token, experts that a batch touches), the same on any machine.",
    "Transfers: the gain of sparse over dense where arithmetic binds on both machines, as in prefill of long prompts.",
    "Transfers in part: sparse over dense in decode, and the gain of a larger batch: both follow the experts that a "
    "batch touches, but at which batch arithmetic takes over depends on the machine's balance of arithmetic to memory.",
    "Transfers in part: prefill over decode, so far as the fractions of the two ceilings that are reached are alike.",
    "Does not transfer: tokens a second, the fraction of a peak that is reached, latencies, and the effect of links "
    "between chips, of which a single host has none.",
    "Does not transfer: number formats; 8-bit arithmetic here is another instruction with another peak.",
    "Cannot be seen here: load imbalance between chips, scheduling of requests, prefix caches, drafted tokens.",
)


def transfers(record: Record | None) -> tuple[str, ...]:
    """The rules, and what this record adds to them."""
    if record is None:
        return (*TRANSFERS, "Nothing was measured for this assessment: ratios of sparse and dense are modelled only.")
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
    set_aside = sum(1 for m in record.measurements if m.invalid)
    remarks = []
    if set_aside:
        cases = "1 measured case" if set_aside == 1 else f"{set_aside} measured cases"
        remarks.append(f"{cases} broke a validity rule, not used as evidence.")
    if record.state != "complete":
        remarks.append("The run did not end; cases that are missing leave claims undecided.")
    return tuple(remarks)
