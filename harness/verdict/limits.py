"""Claims of fitting, latency, efficiency and cost: each a rate or a size in other words."""

import math
from decimal import Decimal

from harness.catalog.chips import Chip
from harness.catalog.citation import Range
from harness.catalog.models import ReleasedModel
from harness.claims import Arithmetic, Capacity, Cost, Efficiency, Hedge, Latency, Sheet, Throughput
from harness.results.assessment import Evidence, Outcome
from harness.roofline.ceiling import footprint
from harness.roofline.deployment import Deployment, number_format
from harness.stats import Interval
from harness.units import binary, number
from harness.verdict.economics import hour_span
from harness.verdict.finding import (
    ABOUT,
    ARTEFACT_TOLERANCE,
    IDENTITY_TOLERANCE,
    Finding,
    around,
    evidence,
    flagged,
    left_open,
    stance_of,
    tally,
)
from harness.verdict.knowledge import Knowledge, named_chip, named_models
from harness.verdict.readings import PACKAGES_OF_A_NODE
from harness.verdict.throughput import judge_throughput
from harness.vocabulary import PRECISIONS, Precision

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
    if not per_peak:
        return _at_power(claim, chip, found, knowledge, sheet)
    factor = found.best / 1e12
    return _as_rate(claim, claim.value * factor, factor, f"times {number(factor, 4)} {what}", knowledge, sheet)


LEAST_OF_RATED = 0.1
"""Of a chip's rated power, drawn at work: assumed, and low on purpose; it only parts refuted from implausible."""


def _at_power(claim: Efficiency, chip: Chip, rated: Range, knowledge: Knowledge, sheet: Sheet) -> Finding:
    """Judged at the measured power that the source states; else at the rated one, which the chip need not draw: then
    only what is impossible at the least that a chip draws as well is refuted."""
    if claim.power_w is not None:
        packages = _packages_of_unit(claim, chip)
        if packages is None:
            reason = "Its power is of a system, and the source does not say of how many packages."
            return Finding(outcome="undecided", reason=reason, missing=("packages of a unit",))
        watts = claim.power_w / packages
        how = f"times {number(watts, 4)} W of the package, as stated"
        return _as_rate(claim, claim.value * watts, watts, how, knowledge, sheet)

    def at(watts: float) -> Finding:
        how = f"times {number(watts, 4)} W of the package, its rated power"
        return _as_rate(claim, claim.value * watts, watts, how, knowledge, sheet)

    found = at(rated.best)
    missing = (*dict.fromkeys((*found.missing, "power drawn")),)
    found = found.model_copy(update={"missing": missing, "flags": (*dict.fromkeys((*found.flags, *flagged(missing))),)})
    if found.outcome != "refuted" or at(LEAST_OF_RATED * rated.low).outcome == "refuted":
        return found
    reason = f"{found.reason} A chip can draw less than that."
    return found.model_copy(update={"outcome": "implausible", "reason": reason})


def _packages_of_unit(claim: Efficiency, chip: Chip) -> float | None:
    """Packages of the unit that a stated power is of."""
    c = claim.conditions
    node = float(c.packages_per_unit or PACKAGES_OF_A_NODE)
    system = c.packages_per_unit or c.chips
    units = {"die": 1 / chip.dies_per_package, "node": node, "system": None if system is None else float(system)}
    return units.get(c.per or "package", 1.0)


_TURNED: dict[Hedge, Hedge] = {"up to": "at least", "at least": "up to"}


def _as_rate(
    claim: Efficiency | Cost, rate: float, factor: float, how: str, knowledge: Knowledge, sheet: Sheet
) -> Finding:
    """Judge the implied rate, and give the interval in the claim's own unit."""
    rate = min(max(rate, 1 / BEYOND_ANY_RATE), BEYOND_ANY_RATE)
    words = claim.model_dump(include={"id", "place", "statement", "attributed_to", "hedge", "conditions"})
    if claim.kind == "efficiency":  # of the package's own peak or power, whatever the unit of the source's rates
        words["conditions"] |= {"per": "package", "packages_per_unit": None}
    else:  # a token that costs less is one made faster
        words["hedge"] = _TURNED.get(claim.hedge, claim.hedge)
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
    return _identity(claim.usd_per_mtok, implied, how, "USD per million tokens", claim.hedge)


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
    return _identity(claim.value, implied, shown, "", claim.hedge)


def _room(claimed: float, implied: float, hedge: Hedge) -> float:
    """How far off what is implied a figure may be: as printed; with 'about', half of its last digit, if that is more.

    Zeros at the end are no digits, or they are: a figure that ends in them before the point has a tenth at most.
    """
    if hedge != "about":
        return IDENTITY_TOLERANCE
    place = int(Decimal(repr(claimed)).normalize().as_tuple().exponent)
    half = 0.5 * 10.0**place / implied
    return max(IDENTITY_TOLERANCE, half if place <= 0 else min(half, ABOUT))


def _identity(claimed: float, implied: float, how: str, unit: str, hedge: Hedge) -> Finding:
    """The stated figure against the one that the source's own figures give; a bound has to be kept, no more.

    Figures that give less than an 'up to' leave open whether it is reached.
    """
    off, room = claimed / implied - 1, _room(claimed, implied, hedge)
    beyond: dict[tuple[Hedge, bool], Outcome] = {("up to", True): "undecided", ("at least", False): "supported"}
    outcome: Outcome = "supported" if abs(off) <= room else beyond.get((hedge, off > 0), "refuted")
    source = "exact arithmetic on the source's own figures"
    tail = {"supported": f", which keeps the stated '{hedge}'", "undecided": ": less than that, and no more is shown"}
    said = f"{how} = {number(implied, 4)}, {100 * abs(off):.1f} % from the stated {number(claimed, 4)}"
    said += tail.get(outcome, "") if abs(off) > room else ""
    return Finding(
        outcome=outcome,
        reason=f"{said}.",
        interval=around(implied, implied, room, level=0.99),
        interval_of=f"the identity, {100 * room:.2g} % either way",
        stability=1.0,
        evidence=(evidence("modelled", how, implied, unit, source, stance_of(outcome)),),
    )
