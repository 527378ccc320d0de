"""Claims of fitting, latency, efficiency and cost: each a rate or a size in other words."""

import math

from harness.catalog.chips import Chip
from harness.catalog.citation import Range
from harness.catalog.models import ReleasedModel
from harness.claims import Arithmetic, Capacity, Cost, Efficiency, Latency, Sheet, Throughput
from harness.results.assessment import Evidence, Outcome
from harness.roofline.bound import MOST_CHIPS, highest
from harness.roofline.ceiling import footprint, runs
from harness.roofline.deployment import Deployment, number_format
from harness.roofline.forecast import each_per_s, forecast, mixture
from harness.roofline.law import Law
from harness.stats import Interval
from harness.units import binary, number, seconds
from harness.verdict.economics import hour_span
from harness.verdict.finding import (
    ARTEFACT_TOLERANCE,
    CEILING_SLACK,
    IDENTITY_TOLERANCE,
    Finding,
    allowed_if,
    around,
    evidence,
    left_open,
    stance_of,
    tally,
)
from harness.verdict.knowledge import Knowledge, named_chip, named_models
from harness.verdict.rating import law_without
from harness.verdict.readings import PACKAGES_OF_A_NODE, WORDS, Reading, readings
from harness.verdict.throughput import judge_throughput
from harness.vocabulary import PRECISIONS, Frozen, Precision, RatePhase

BEYOND_ANY_RATE = 1e18
"""Tokens a second; an implied rate above it, or below its inverse, is cut to it: it is impossible either way."""
ROOM = 0.90
"""Of the memory for weights and caches where a claim of fitting is to be supported; the rest is the runtime's."""


CROWDED = 0.95
"""Of the largest sourced memory: weights and caches above it leave the runtime less than a twentieth, where buffers of
communication alone take 0.6 GB a die (CloudMatrix384) and released engines keep a tenth back by default."""


def subject(
    claim: Capacity | Latency, knowledge: Knowledge, sheet: Sheet
) -> tuple[Chip, tuple[ReleasedModel, ...]] | Finding:
    """The chip and the models that a claim is about, or why it cannot be judged."""
    models = named_models(claim.conditions.model or sheet.subject, knowledge)
    chip = named_chip(claim.conditions.chip, knowledge)
    if isinstance(models, Finding):
        return models
    return chip if isinstance(chip, Finding) else (chip, models)


def judge_capacity(claim: Capacity, knowledge: Knowledge, sheet: Sheet) -> Finding:
    """Weights and caches against the memory of the chips named: arithmetic over sourced sizes."""
    found = subject(claim, knowledge, sheet)
    if isinstance(found, Finding):
        return found
    (chip, models), precision, chips = found, claim.conditions.precision, _packages(claim)
    if chip.memory is None:
        return Finding(outcome="out of reach", reason=f"No source gives the memory of {chip.title}.")
    open_ = {"chips": chips is None, "precision": precision is None, "which model of the family": len(models) > 1}
    missing = left_open(open_)
    precisions: tuple[Precision, ...] = PRECISIONS[1:] if precision is None else (precision,)
    counts = (1, 8, 64) if chips is None else (chips,)
    sizes = [(m, p, n, _need(claim, chip, m, p, n)) for m in models for p in precisions for n in counts]
    outcomes = [_fits(claim, need, n * chip.memory.low, n * chip.memory.high) for _, _, n, need in sizes]
    whole = tally(outcomes)
    first, have = sizes[0][3][0], counts[0] * chip.memory.high
    words = f"{binary(first)} of weights and caches at least, {binary(have)} of memory at most"
    words += ", which leaves the runtime less than a twentieth" if outcomes == ["implausible"] else ""
    return whole.finding(
        f"{words}." if len(sizes) == 1 else f"Over {len(sizes)} scenarios: {whole.in_words}; the first: {words}.",
        missing,
        binding="capacity",
        evidence=tuple(_size(claim, chip, chip.memory, s, o) for s, o in list(zip(sizes, outcomes, strict=True))[:12]),
        largest_uncertainty=missing[0] if missing else "size of caches and buffers",
    )


Size = tuple[ReleasedModel, Precision, int, tuple[float, float]]
"""A model in a precision on so many chips, and the bytes that it needs there."""


def _size(claim: Capacity, chip: Chip, memory: Range, size: Size, outcome: Outcome) -> Evidence:
    model, precision, n, need = size
    words = (
        f"{model.title} in {precision}: weights{' and caches' if claim.conditions.batch else ''}, {n} x {chip.title}"
    )
    source = f"counted from the configuration; memory {binary(n * memory.best)}"
    stance, span = stance_of(outcome, "allows"), Interval.of(need, level=0.99)
    return evidence("modelled", words, need[0], "bytes", source, stance, span)


def _packages(claim: Capacity) -> int | None:
    c = claim.conditions
    usual = {"package": 1, "node": c.packages_per_unit or PACKAGES_OF_A_NODE}
    return c.chips or usual.get(c.per or "", c.packages_per_unit)


def _need(claim: Capacity, chip: Chip, model: ReleasedModel, precision: Precision, chips: int) -> tuple[float, float]:
    """Least and usual bytes over all chips, as the cost model counts them for rates."""
    c = claim.conditions
    given = {"precision": precision, "chips": chips, "context_tokens": c.context_tokens or c.prompt_tokens}
    deployment = Deployment.of(c).model_copy(update={**given, "batch": c.batch or 1.0})
    found = footprint(model.spec, chip, deployment)
    return chips * found.least, chips * found.usual


_OPPOSITE: dict[Outcome, Outcome] = {"supported": "refuted", "refuted": "supported"}


def _fits(claim: Capacity, need: tuple[float, float], low: float, high: float) -> Outcome:
    fits: Outcome = "supported" if need[1] <= ROOM * low else "refuted" if need[0] > high else "consistent"
    if not claim.fits:
        return _OPPOSITE.get(fits, fits)
    return "implausible" if fits == "consistent" and need[0] > CROWDED * high else fits


def judge_latency(claim: Latency, knowledge: Knowledge, sheet: Sheet) -> Finding:
    """A time against the least that the chip's limits allow, and against what published systems take."""
    found = subject(claim, knowledge, sheet)
    if isinstance(found, Finding):
        return found
    (chip, models), precision = found, claim.conditions.precision
    if precision is not None and not runs(chip, precision):
        return _cannot_run(chip, precision)
    phase: RatePhase = "decode" if claim.figure == "tpot" else "prefill"
    own = sheet.source.own_publications
    read = readings(claim.conditions.model_copy(update={"phase": phase, "per": "package"}), chip, models)
    times = [_time(r, chip, claim, law_without(own, knowledge)) for r in read.each]
    whole = tally([_time_outcome(claim.duration_s, t) for t in times])
    least = min(times, key=lambda t: t.floor_s)
    tail = f"; over the ways to read it {whole.in_words}" if len(times) > 1 else ""
    tail += "; time in a queue is not known" if claim.figure == "ttft" else ""
    known = [t.usual for t in times if t.usual is not None]
    span = Interval.of(end for u in known for end in (u.low90, u.high90)) if known else None
    moved = next((t.moves_most for t in times if t.moves_most), None)
    return whole.finding(
        f"{seconds(claim.duration_s)} against a floor of {seconds(least.floor_s)}{tail}.",
        read.missing,
        interval=span,
        interval_of="time that published systems would take" if span else None,
        binding=least.binding,
        largest_uncertainty=WORDS[moved] if moved else "how well the software uses the chip",
        evidence=_time_evidence(claim, times, span),
    )


def _cannot_run(chip: Chip, precision: Precision) -> Finding:
    if runs(chip, precision) is None:
        return Finding(outcome="undecided", reason=f"No source gives a {precision} peak of {chip.title}.")
    return Finding(outcome="refuted", reason=f"{chip.title} has no {precision} arithmetic.")


class Time(Frozen):
    """What one reading makes of a time."""

    floor_s: float
    """least possible, over all that is left open"""
    binding: str
    usual: "UsualTime | None"
    moves_most: str | None
    made_of: str


class UsualTime(Frozen):
    """Seconds that published systems would take (90 and 99 %)."""

    low99: float
    low90: float
    high90: float


def _time_outcome(duration_s: float, time: Time) -> Outcome:
    if duration_s * CEILING_SLACK < time.floor_s:
        return "refuted"
    if time.usual is None:
        return "undecided"
    if duration_s < time.usual.low99:
        return "implausible"
    return "consistent" if time.usual.low90 <= duration_s <= time.usual.high90 else "undecided"


def _time_evidence(claim: Latency, times: list[Time], span: Interval | None) -> tuple[Evidence, ...]:
    floors = [t.floor_s for t in times]
    words = f"least possible time {'per output' if claim.figure == 'tpot' else 'to the first'} token"
    stance = allowed_if(claim.duration_s * CEILING_SLACK >= min(floors))
    bound = evidence(
        "modelled", words, min(floors), "s", "most generous ceiling", stance, Interval.of(floors, level=0.99)
    )
    if span is None:
        return (bound,)
    words = "what published systems would take" + ("" if claim.figure == "tpot" else ", time in a queue left out")
    return bound, evidence("published", words, None, "s", times[0].made_of, "context", span)


def _time(read: Reading, chip: Chip, claim: Latency, fitted: Law | None) -> Time:
    """The floor is of a lone sequence where no batch is given; the prompt is shared by all packages of the group."""
    spec, given = read.model.spec, read.deployment
    if claim.figure == "tpot":
        batch = given.batch or LEAST_BATCH
        bound = highest(spec, chip, given.model_copy(update={"batch": batch}), read.phase)
        floor = batch / bound.rate_tok_s
    else:
        bound = highest(spec, chip, given, read.phase)
        floor = (given.prompt_tokens or 1.0) / (bound.rate_tok_s * (given.chips or MOST_CHIPS))
    if fitted is None:
        return Time(floor_s=floor, binding=bound.binding, usual=None, moves_most=None, made_of="")
    usual = _usual_time(read, chip, claim, fitted)
    found = forecast(spec, chip, given, read.phase, fitted)
    return Time(floor_s=floor, binding=bound.binding, usual=usual, moves_most=found.moves_most, made_of=found.made_of)


LEAST_BATCH = 1e-6
"""Sequences a package: one in the largest group that a sheet can state."""


def _usual_time(read: Reading, chip: Chip, claim: Latency, fitted: Law) -> UsualTime:
    """Per output token: batch over rate. To the first: the prompt over the rate, of all packages of the group or of the
    one that a prompt may be kept on."""
    drawn = mixture(read.model.spec, chip, read.deployment, read.phase, fitted)
    if claim.figure == "tpot":
        fast = slow = each_per_s(drawn, lambda d: d.batch or 1.0)
    else:
        fast = each_per_s(drawn, lambda d: (d.prompt_tokens or 1.0) / (d.chips or 1))
        slow = each_per_s(drawn, lambda d: d.prompt_tokens or 1.0)
    return UsualTime(low99=1 / fast.high99, low90=1 / fast.high90, high90=1 / slow.low90)


def stated_peak(claim: Efficiency, chip: Chip) -> Range | None:
    """The peak that a rate for each TFLOPS is taken of: of the claim's precision, else of 8 bits."""
    precision = claim.conditions.precision
    return chip.peak(number_format(precision).peak if precision else "fp8") or chip.peak("int8")


def judge_efficiency(claim: Efficiency, knowledge: Knowledge, sheet: Sheet) -> Finding:
    """The rate that it implies at the chip's sourced peak or power, judged as a rate."""
    chip = named_chip(claim.conditions.chip, knowledge, "out of reach")
    if isinstance(chip, Finding):
        return chip
    per_peak = claim.figure == "tok_s_per_tflops"
    found, what = (stated_peak(claim, chip), "TFLOPS of dense peak") if per_peak else (chip.power, "W of the package")
    if found is None:
        return Finding(outcome="out of reach", reason=f"No source gives the {what} of {chip.title}.")
    factor = found.best / 1e12 if per_peak else found.best
    return _as_rate(claim, claim.value * factor, factor, f"times {number(factor, 4)} {what}", knowledge, sheet)


def _as_rate(
    claim: Efficiency | Cost, rate: float, factor: float, how: str, knowledge: Knowledge, sheet: Sheet
) -> Finding:
    """Judge the implied rate, and give the interval in the claim's own unit."""
    rate = min(max(rate, 1 / BEYOND_ANY_RATE), BEYOND_ANY_RATE)
    words = claim.model_dump(include={"id", "place", "statement", "attributed_to", "hedge", "conditions"})
    implied = Throughput.model_validate({**words, "kind": "throughput", "rate_tok_s": rate})
    found = judge_throughput(implied, knowledge, sheet)
    ends = () if found.interval is None else (found.interval.low, found.interval.high)
    interval = Interval.of(v / factor if claim.kind == "efficiency" else factor / v for v in ends) if ends else None
    reason = f"It implies {number(rate, 4)} tok/s ({how}). {found.reason}"
    return found.model_copy(update={"reason": reason, "interval": interval})


def judge_cost(claim: Cost, knowledge: Knowledge, sheet: Sheet) -> Finding:
    """Price of an hour over tokens of an hour; without a price, over the range of the catalog's for that chip."""
    if claim.usd_per_hour is None:
        return _at_catalogued_price(claim, knowledge, sheet)
    if claim.rate_tok_s is None:
        factor = claim.usd_per_hour / 3600 * 1e6
        return _as_rate(claim, factor / claim.usd_per_mtok, factor, "at the price of an hour given", knowledge, sheet)
    implied = claim.usd_per_hour / (3600 * claim.rate_tok_s) * 1e6
    how = "price of an hour / (3600 x rate) x 1,000,000"
    return _identity(claim.usd_per_mtok, implied, how, "USD per million tokens")


def _at_catalogued_price(claim: Cost, knowledge: Knowledge, sheet: Sheet) -> Finding:
    """Judged at five prices of an hour from the least to the largest: refuted only if it is at each."""
    name = claim.conditions.chip
    prices = hour_span(name, knowledge) if name is not None else None
    if prices is None:
        reason = "The source gives no price of an hour of the chip, and neither does the catalog."
        return Finding(outcome="out of reach", reason=reason, missing=("price of an hour",))
    words = f"at {number(prices[0], 2)} to {number(prices[1], 2)} USD an hour, the catalog's prices"
    if claim.rate_tok_s is not None:
        low, high = (p / (3600 * claim.rate_tok_s) * 1e6 for p in prices)
        span = around(low, high, ARTEFACT_TOLERANCE)
        return Finding(
            outcome="consistent" if span.low <= claim.usd_per_mtok <= span.high else "undecided",
            reason=f"The rate given costs {number(low, 2)} to {number(high, 2)} USD per million tokens {words}.",
            interval=span,
            interval_of="cost at the catalog's prices, 5 % either way",
            missing=("price of an hour",),
        )
    least, most = prices
    factors = [least * (most / least) ** (i / 4) / 3600 * 1e6 for i in range(5)]
    found = [_as_rate(claim, f / claim.usd_per_mtok, f, words, knowledge, sheet) for f in factors]
    whole = tally([f.outcome for f in found])
    spans = [f.interval for f in found if f.interval is not None]
    ends = Interval(low=min(s.low for s in spans), high=max(s.high for s in spans)) if spans else None
    missing = (*dict.fromkeys((*found[0].missing, "price of an hour")),)
    return found[0].model_copy(
        update={**dict(whole.finding(found[0].reason, missing)), "interval": ends, "evidence": found[0].evidence}
    )


def judge_arithmetic(claim: Arithmetic) -> Finding:
    """The product that the source's own figures give."""
    implied = math.prod(claim.factors)
    for divisor in claim.divisors:
        implied /= divisor
    shown = " x ".join(number(f, 4) for f in claim.factors)
    shown += "".join(f" / {number(d, 4)}" for d in claim.divisors)
    return _identity(claim.value, implied, shown, "")


def _identity(claimed: float, implied: float, how: str, unit: str) -> Finding:
    off = claimed / implied - 1
    outcome: Outcome = "supported" if abs(off) <= IDENTITY_TOLERANCE else "refuted"
    source = "exact arithmetic on the source's own figures"
    return Finding(
        outcome=outcome,
        reason=f"{how} = {number(implied, 4)}, {100 * abs(off):.1f} % from the stated {number(claimed, 4)}.",
        interval=around(implied, implied, IDENTITY_TOLERANCE, level=0.99),
        interval_of="the identity, 3 % either way",
        stability=1.0,
        evidence=(evidence("modelled", how, implied, unit, source, stance_of(outcome)),),
    )
