"""Claims of fitting, latency, efficiency and cost: each a rate or a size in other words. Measures nothing."""

from harness.catalog.chips import Chip
from harness.catalog.models import ReleasedModel
from harness.claims import Arithmetic, Capacity, Cost, Efficiency, Latency, Sheet, Throughput
from harness.model.counts import parameters
from harness.results.assessment import Evidence, Outcome
from harness.roofline.achieved import AchievedRange, reference_tok_s
from harness.roofline.attention import kv_bytes
from harness.roofline.ceiling import ceiling, most_generous, runs
from harness.roofline.deployment import number_format
from harness.stats import Interval
from harness.units import binary, number, seconds
from harness.verdict.finding import CEILING_SLACK, IDENTITY_TOLERANCE, Finding, tally
from harness.verdict.knowledge import Knowledge
from harness.verdict.rating import made_of, usual_range
from harness.verdict.scenarios import PACKAGES_OF_A_NODE, Scenario, largest_effect, scenarios
from harness.verdict.throughput import judge_throughput
from harness.vocabulary import PRECISIONS, Frozen, Precision, RatePhase

BEYOND_ANY_RATE = 1e18
"""Tokens a second; an implied rate past it, or below its inverse, is as impossible there as where it stood."""
ROOM = 0.90
"""Of the memory for weights and caches where a claim of fitting is to be supported; the rest is the runtime's."""


CROWDED = 0.95
"""Of the largest sourced memory: weights and caches above it leave the runtime less than a twentieth, where buffers of
communication alone take 0.6 GB a die (CloudMatrix384) and released engines keep a tenth back by default."""


def subject(
    claim: Capacity | Latency, knowledge: Knowledge, sheet: Sheet
) -> tuple[Chip, tuple[ReleasedModel, ...]] | Finding:
    """The chip and the models that a claim is about, or why it cannot be judged."""
    name, chip_name = claim.conditions.model or sheet.subject, claim.conditions.chip
    if name is None or chip_name is None:
        what = "model" if name is None else "chip"
        return Finding(outcome="undecided", reason=f"The source names no {what}.", missing=(what,))
    chip, models = knowledge.chip(chip_name), knowledge.could_be(name)
    if chip is None:
        return Finding(outcome="out of reach", reason=knowledge.unknown_chip(chip_name))
    if not models:
        return Finding(outcome="out of reach", reason=knowledge.unknown_model(name))
    return chip, models


def judge_capacity(claim: Capacity, knowledge: Knowledge, sheet: Sheet) -> Finding:
    """Weights and caches against the memory of the chips named: arithmetic over sourced sizes."""
    found = subject(claim, knowledge, sheet)
    if isinstance(found, Finding):
        return found
    chip, models = found
    if chip.memory is None:
        return Finding(outcome="out of reach", reason=f"No source gives the memory of {chip.title}.")
    chips = _packages(claim)
    missing = [] if chips is not None else ["chips"]
    missing += [] if claim.conditions.precision else ["precision"]
    missing += [] if len(models) == 1 else ["which model of the family"]
    precisions: tuple[Precision, ...] = (claim.conditions.precision,) if claim.conditions.precision else PRECISIONS[1:]
    counts = (chips,) if chips is not None else (1, 8, 64)
    sizes = [(m, p, n, _need(claim, m, p, n)) for m in models for p in precisions for n in counts]
    outcomes = [_fits(claim, need, n * chip.memory.low, n * chip.memory.high) for _, _, n, need in sizes]
    whole = tally(outcomes)
    evidence = tuple(
        Evidence(
            quantity=f"{m.title} in {p}: weights{' and caches' if claim.conditions.batch else ''}, {n} x {chip.title}",
            value=need[0],
            unit="bytes",
            interval=Interval(low=need[0], high=need[1], level=0.99),
            basis="modelled",
            source=f"counted from the configuration; memory {binary(n * chip.memory.best)}",
            stance="supports" if o == "supported" else "contradicts" if o == "refuted" else "allows",
        )
        for (m, p, n, need), o in list(zip(sizes, outcomes, strict=True))[:12]
    )
    first, have = sizes[0][3][0], counts[0] * chip.memory.high
    words = f"{binary(first)} of weights and caches at least, {binary(have)} of memory at most"
    words += ", which leaves the runtime less than a twentieth" if outcomes == ["implausible"] else ""
    reason = f"{words}." if len(sizes) == 1 else f"Over {len(sizes)} scenarios: {whole.in_words}; the first: {words}."
    return Finding(
        outcome=whole.outcome,
        reason=reason,
        also=whole.also,
        flags=("missing-condition",) if missing else (),
        missing=tuple(missing),
        stability=whole.stability,
        binding="capacity",
        evidence=evidence,
        largest_uncertainty=missing[0] if missing else "size of caches and buffers",
    )


def _packages(claim: Capacity) -> int | None:
    c = claim.conditions
    if c.chips is not None:
        return c.chips
    if c.per == "package":
        return 1
    if c.per == "node":
        return c.packages_per_unit or PACKAGES_OF_A_NODE
    return c.packages_per_unit


def _need(claim: Capacity, model: ReleasedModel, precision: Precision, chips: int) -> tuple[float, float]:
    """Least and usual bytes: one copy of the weights, and the caches in 8 or 16 bits."""
    weights = parameters(model.spec).total * number_format(precision).weight_bytes
    c = claim.conditions
    tokens = c.context_tokens or c.prompt_tokens
    sequences = (c.batch or 1.0) * chips
    caches = 0.0 if tokens is None else sequences * kv_bytes(model.spec, tokens, 1.0)
    return weights + caches, weights + 2 * caches


def _fits(claim: Capacity, need: tuple[float, float], low: float, high: float) -> Outcome:
    fits: Outcome = "supported" if need[1] <= ROOM * low else "refuted" if need[0] > high else "consistent"
    if fits == "consistent" and need[0] > CROWDED * high:
        return "implausible" if claim.fits else "consistent"
    if claim.fits or fits == "consistent":
        return fits
    return "refuted" if fits == "supported" else "supported"


def judge_latency(claim: Latency, knowledge: Knowledge, sheet: Sheet) -> Finding:
    """A time against the least that the chip's limits allow, and against what published systems take."""
    found = subject(claim, knowledge, sheet)
    if isinstance(found, Finding):
        return found
    chip, models = found
    phase: RatePhase = "decode" if claim.figure == "tpot" else "prefill"
    conditions = claim.conditions.model_copy(update={"phase": phase, "per": "package"})
    can = None if conditions.precision is None else runs(chip, conditions.precision)
    if conditions.precision is not None and not can:
        if can is False:
            return Finding(outcome="refuted", reason=f"{chip.title} has no {conditions.precision} arithmetic.")
        return Finding(outcome="undecided", reason=f"No source gives a {conditions.precision} peak of {chip.title}.")
    completed = scenarios(conditions, chip, models)
    own = (*sheet.source.derived_from, *sheet.source.catalogued_as)
    achieved = usual_range(phase, chip.vendor, own, knowledge) if claim.figure == "tpot" else None
    times = [_times(c, chip, claim, 0.0 if achieved is None else achieved.exposed_link) for c in completed.each]
    whole = tally([_time_outcome(claim.duration_s, t, achieved) for t in times])
    floor = min(t.floor_s for t in times)
    span = None if achieved is None else _usual_time(times, achieved)
    tail = f"; over the scenarios {whole.in_words}" if len(times) > 1 else ""
    return Finding(
        outcome=whole.outcome,
        reason=f"{seconds(claim.duration_s)} against a floor of {seconds(floor)}{tail}.",
        also=whole.also,
        flags=("missing-condition",) if completed.missing else (),
        interval=span,
        interval_of="time that published systems would take" if span else None,
        missing=completed.missing,
        stability=whole.stability,
        binding=min(times, key=lambda t: t.floor_s).binding,
        largest_uncertainty=largest_effect(completed.each, [t.floor_s for t in times])
        or "how much of a ceiling systems reach",
        evidence=_time_evidence(claim, times, achieved, span),
    )


class Time(Frozen):
    """What one scenario makes of a time."""

    floor_s: float
    """least possible, by the most generous ceiling and by the messages of experts"""
    reference_s: float
    """at the reference point that usual ranges are fractions of"""
    binding: str


def _time_outcome(duration_s: float, time: Time, achieved: AchievedRange | None) -> Outcome:
    if duration_s * CEILING_SLACK < time.floor_s:
        return "refuted"
    if achieved is None:
        return "undecided"
    return _share_outcome(time.reference_s / duration_s, achieved.low90, achieved.high90, achieved.high99)


def _usual_time(times: list[Time], achieved: AchievedRange) -> Interval:
    references = [t.reference_s for t in times]
    return Interval(low=min(references) / achieved.high90, high=max(references) / achieved.low90)


def _time_evidence(
    claim: Latency, times: list[Time], achieved: AchievedRange | None, span: Interval | None
) -> tuple[Evidence, ...]:
    floors = [t.floor_s for t in times]
    words = "time per output token" if claim.figure == "tpot" else "time to the first token"
    bound = Evidence(
        quantity=f"least possible {words}",
        value=min(floors),
        unit="s",
        interval=Interval(low=min(floors), high=max(floors), level=0.99),
        basis="modelled",
        source="most generous ceiling",
        stance="contradicts" if claim.duration_s * CEILING_SLACK < min(floors) else "allows",
    )
    if achieved is None or span is None:
        return (bound,)
    usual = Evidence(
        quantity="what published systems would take",
        unit="s",
        interval=span,
        basis="published",
        source=made_of(achieved),
        stance="context",
    )
    return bound, usual


def _share_outcome(share: float, low90: float, high90: float, high99: float) -> Outcome:
    if share > high99:
        return "implausible"
    return "consistent" if low90 <= share <= high90 else "undecided"


def _times(c: Scenario, chip: Chip, claim: Latency, exposed: float) -> Time:
    generous = most_generous(c.model.spec, chip, c.deployment, c.phase)
    nominal = ceiling(c.model.spec, chip, c.deployment, c.phase)
    if claim.figure == "tpot":
        step, messages = generous.tpot_floor_s or 0.0, generous.latency_floor_s or 0.0
        reference = (c.deployment.batch or 1.0) / reference_tok_s(nominal, exposed)
        binding = "link" if messages > step else generous.binding
        return Time(floor_s=max(step, messages), reference_s=reference, binding=binding)
    prompt, chips = c.deployment.prompt_tokens or 1.0, c.deployment.chips or 1
    least = prompt / (generous.rate_tok_s * chips)
    return Time(floor_s=least, reference_s=prompt / (nominal.rate_tok_s * chips), binding=generous.binding)


def judge_efficiency(claim: Efficiency, knowledge: Knowledge, sheet: Sheet) -> Finding:
    """The rate that it implies at the chip's sourced peak or power, judged as a rate."""
    chip = knowledge.chip(claim.conditions.chip) if claim.conditions.chip else None
    if chip is None:
        name = claim.conditions.chip
        reason = knowledge.unknown_chip(name) if name else "The source names no chip."
        return Finding(outcome="out of reach", reason=reason)
    if claim.figure == "tok_s_per_tflops":
        name = number_format(claim.conditions.precision).peak if claim.conditions.precision else "fp8"
        peak = chip.peak(name) or chip.peak("int8")
        factor, what = (peak.best / 1e12 if peak else None), "TFLOPS of dense peak"
    else:
        factor, what = (chip.power.best if chip.power else None), "W of the package"
    if factor is None:
        return Finding(outcome="out of reach", reason=f"No source gives the {what} of {chip.title}.")
    return _as_rate(claim, claim.value * factor, factor, f"times {number(factor, 4)} {what}", knowledge, sheet)


def _as_rate(
    claim: Efficiency | Cost, rate: float, factor: float, how: str, knowledge: Knowledge, sheet: Sheet
) -> Finding:
    """Judge the implied rate; the interval is given back in the claim's own unit."""
    rate = min(max(rate, 1 / BEYOND_ANY_RATE), BEYOND_ANY_RATE)
    words = claim.model_dump(include={"id", "place", "statement", "attributed_to", "hedge", "conditions"})
    implied = Throughput.model_validate({**words, "kind": "throughput", "rate_tok_s": rate})
    found = judge_throughput(implied, knowledge, sheet)
    ends = (
        None
        if found.interval is None
        else sorted(_back(claim, v, factor) for v in (found.interval.low, found.interval.high))
    )
    reason = f"It implies {number(rate, 4)} tok/s ({how}). {found.reason}"
    interval = None if ends is None else Interval(low=ends[0], high=ends[1])
    return found.model_copy(update={"reason": reason, "interval": interval})


def _back(claim: Efficiency | Cost, rate: float, factor: float) -> float:
    return rate / factor if claim.kind == "efficiency" else factor / rate


def judge_cost(claim: Cost, knowledge: Knowledge, sheet: Sheet) -> Finding:
    """Price of an hour over tokens of an hour; without a price nothing bears on it."""
    if claim.usd_per_hour is None:
        reason = "The source gives no price of an hour of the chip, and none is assumed here."
        return Finding(outcome="out of reach", reason=reason, missing=("price of an hour",))
    if claim.rate_tok_s is None:
        factor = claim.usd_per_hour / 3600 * 1e6
        return _as_rate(claim, factor / claim.usd_per_mtok, factor, "at the price of an hour given", knowledge, sheet)
    implied = claim.usd_per_hour / (3600 * claim.rate_tok_s) * 1e6
    return _identity(
        claim.usd_per_mtok, implied, "price of an hour / (3600 x rate) x 1,000,000", "USD per million tokens"
    )


def judge_arithmetic(claim: Arithmetic, knowledge: Knowledge, sheet: Sheet) -> Finding:
    """The product that the source's own figures give."""
    del knowledge, sheet
    implied = 1.0
    for factor in claim.factors:
        implied *= factor
    for divisor in claim.divisors:
        implied /= divisor
    shown = " x ".join(number(f, 4) for f in claim.factors)
    shown += "".join(f" / {number(d, 4)}" for d in claim.divisors)
    return _identity(claim.value, implied, shown, "")


def _identity(claimed: float, implied: float, how: str, unit: str) -> Finding:
    off = claimed / implied - 1
    fine = abs(off) <= IDENTITY_TOLERANCE
    return Finding(
        outcome="supported" if fine else "refuted",
        reason=f"{how} = {number(implied, 4)}, {100 * abs(off):.1f} % from the stated {number(claimed, 4)}.",
        interval=Interval(low=implied * (1 - IDENTITY_TOLERANCE), high=implied * (1 + IDENTITY_TOLERANCE), level=0.99),
        interval_of="the identity, 3 % either way",
        stability=1.0,
        evidence=(
            Evidence(
                quantity=how,
                value=implied,
                unit=unit,
                basis="modelled",
                source="exact arithmetic on the source's own figures",
                stance="supports" if fine else "contradicts",
            ),
        ),
    )
