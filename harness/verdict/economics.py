"""What an hour of a chip and a token on it cost, as ranges over what sources and assumptions leave open.

An hour costs the owner `P * a(i, n) / 8766 + W * PUE * e`: the purchase price P of a package with its share of the
system, times the annuity factor `a = i / (1 - (1 + i)^-n)` of n years at interest i, over the hours of a year; and the
power W of that share times the site's overhead and the price of energy e (total cost of ownership, as Barroso, Hoelzle
and Ranganathan model it in The Datacenter as a Computer, without staff and buildings). A total that a source states is
a further value of the same hour. Sources and assumptions: `harness/catalog/prices.yaml`.

Intervals are the 5 and 95 % points of seeded draws, each input log-uniform over its range, a stated total and one built
from price and power equally likely. Years, interest and PUE are the same for both chips of a ratio; the share of hours
in use then cancels.
"""

import random
from collections.abc import Callable
from math import exp, log, sqrt
from statistics import quantiles

from harness.catalog.prices import Item, Price
from harness.claims import CostRatio, Sheet
from harness.results.assessment import Evidence, Outcome
from harness.stats import Interval
from harness.units import number
from harness.verdict.finding import ARTEFACT_TOLERANCE, SEED, Finding, tally
from harness.verdict.knowledge import Knowledge, named_chip
from harness.verdict.ratios import Pair, pairs
from harness.vocabulary import Frozen

HOURS = 8766.0
"""Of a mean year."""
COST_DRAWS = 2000
"""The 5 and 95 % points of a log-uniform sample of this size are known to about 2 %."""
Span = tuple[float, float]
Common = tuple[float, float, float]


class HourInputs(Frozen):
    """What an hour of one chip depends on, each as a range; None where no source gives it."""

    purchase_usd: Span | None
    power_w: Span | None
    stated_usd_h: tuple[float, ...]
    """totals that sources state outright"""
    used: tuple[Price, ...]


def hour_usd(purchase_usd: float, power_w: float, usd_kwh: float, years: float, interest: float, pue: float) -> float:
    """US dollars that an hour of a package costs its owner."""
    annuity: float = interest / (1 - (1 + interest) ** -years)
    return purchase_usd * annuity / HOURS + power_w / 1000 * pue * usd_kwh


def span_of(item: Item, knowledge: Knowledge, chip: str | None = None) -> Span | None:
    """Least and largest of an item; None where there is none."""
    found = [p for p in knowledge.catalog.prices if p.item == item and (chip is None or p.chip == chip)]
    return (min(p.value for p in found), max(p.most for p in found)) if found else None


def hour_span(chip: str, knowledge: Knowledge) -> Span | None:
    """Least and largest price of an hour: stated totals, rentals, and what price and power make of one.

    The cost falls with the years and rises with every other input, so its ends are at two corners.
    """
    of, shared, rental = inputs_of(chip, knowledge), _shared(knowledge), span_of("rental", knowledge, chip)
    ends = [*of.stated_usd_h, *(rental or ())]
    if of.purchase_usd is not None and of.power_w is not None and len(shared) == 4:
        for i in (0, 1):
            energy, interest, pue = (shared[name][i] for name in ("electricity", "interest", "pue"))
            ends.append(hour_usd(of.purchase_usd[i], of.power_w[i], energy, shared["years"][1 - i], interest, pue))
    return (min(ends), max(ends)) if ends else None


def inputs_of(chip: str, knowledge: Knowledge) -> HourInputs:
    used = tuple(p for p in knowledge.catalog.prices if p.chip == chip and p.item in ("purchase", "power", "tco"))
    return HourInputs(
        purchase_usd=span_of("purchase", knowledge, chip),
        power_w=span_of("power", knowledge, chip),
        stated_usd_h=tuple(v for p in used if p.item == "tco" for v in (p.value, p.most)),
        used=used,
    )


def _shared(knowledge: Knowledge) -> dict[str, Span]:
    """Energy price, years, interest and PUE."""
    items: tuple[Item, ...] = ("electricity", "years", "interest", "pue")
    return {item: found for item in items if (found := span_of(item, knowledge)) is not None}


def _drawn(span: Span, rng: random.Random) -> float:
    return exp(rng.uniform(log(span[0]), log(span[1])))


def _hour(of: HourInputs, usd_kwh: Span, common: Common, rng: random.Random) -> float:
    """One draw of an hour's cost; `common` are years, interest and PUE."""
    built = of.purchase_usd is not None and of.power_w is not None
    if of.stated_usd_h and (not built or rng.random() < 0.5):
        return rng.choice(of.stated_usd_h)
    purchase, power = _drawn(of.purchase_usd or (0, 0), rng), _drawn(of.power_w or (0, 0), rng)
    return hour_usd(purchase, power, _drawn(usd_kwh, rng), *common)


def hour_ratio(ours: HourInputs, theirs: HourInputs, shared: dict[str, Span]) -> Interval | None:
    """Ratio of an hour's costs, 90 %; None where sources do not give enough."""
    if len(shared) < 4 or not all(_known(of) for of in (ours, theirs)):
        return None
    rng = random.Random(SEED)
    found = []
    for _ in range(COST_DRAWS):
        common = _drawn(shared["years"], rng), _drawn(shared["interest"], rng), _drawn(shared["pue"], rng)
        a, b = (_hour(of, shared["electricity"], common, rng) for of in (ours, theirs))
        found.append(a / b)
    points = quantiles(found, n=20)
    return Interval(low=points[0], high=points[-1])


def _known(of: HourInputs) -> bool:
    return bool(of.stated_usd_h) or (of.purchase_usd is not None and of.power_w is not None)


def judge_cost_ratio(claim: CostRatio, knowledge: Knowledge, sheet: Sheet) -> Finding:
    """Consistent, implausible or undecided over the published pairs of rates: prices are too coarse to settle it."""
    for name in (claim.chip, claim.reference):
        if isinstance(unknown := named_chip(name, knowledge), Finding):
            return unknown
    ours, theirs = inputs_of(claim.chip, knowledge), inputs_of(claim.reference, knowledge)
    hours = hour_ratio(ours, theirs, _shared(knowledge))
    if hours is None:
        reason = f"No source gives what an hour of both {claim.chip} and {claim.reference} costs."
        return Finding(outcome="out of reach", reason=reason, missing=("purchase price and power",))
    phase = claim.conditions.phase or "decode"
    own = sheet.source.catalogued_as
    rates = pairs(claim.chip, claim.reference, knowledge, phase, thresholds=True)  # by system, so that they stand apart
    found = [p for p in rates if p.rate.source_id not in own]
    if not found:
        reason = "No two published rates of these chips were taken under like conditions."
        return Finding(outcome="out of reach", reason=reason, missing=("rates under like conditions",))
    spans = [_of_pair(hours, pair) for pair in found]
    outcomes = [_outcome(claim, span) for span in spans]
    whole = Interval(low=min(s.low for s in spans), high=max(s.high for s in spans))
    missing = tuple(n for n in ("model", "precision", "software") if getattr(claim.conditions, n) is None)
    return tally(outcomes).finding(
        f"A token costs {_by_system(found, spans)} of what it costs on the other chip.",
        missing,
        interval=whole,
        interval_of="ratio of costs over prices, assumptions and published rates",
        largest_uncertainty=_largest(ours, theirs, _shared(knowledge), found),
        evidence=(*(_as_evidence(p, s) for p, s in zip(found, spans, strict=True)), *_priced(ours, theirs)),
    )


def _of_pair(hours: Interval, pair: Pair) -> Interval:
    return Interval(low=hours.low / pair.ratio, high=hours.high / pair.ratio, level=hours.level)


def _outcome(claim: CostRatio, span: Interval) -> Outcome:
    """Whether the whole range is on the claim's side, off it, or on both."""
    low, high = claim.ratio * (1 - ARTEFACT_TOLERANCE), claim.ratio * (1 + ARTEFACT_TOLERANCE)
    above, below = span.low > high, span.high < low
    if claim.hedge == "up to":
        return "implausible" if above else "consistent" if span.high <= high else "undecided"
    if claim.hedge == "at least":
        return "implausible" if below else "consistent" if span.low >= low else "undecided"
    return "implausible" if above or below else "consistent"


def _by_system(found: list[Pair], spans: list[Interval]) -> str:
    systems: dict[str, list[Interval]] = {}
    for pair, span in zip(found, spans, strict=True):
        systems.setdefault(pair.rate.system, []).append(span)
    return ", ".join(
        f"{number(min(s.low for s in v), 2)} to {number(max(s.high for s in v), 2)} with {name}"
        for name, v in systems.items()
    )


def _largest(ours: HourInputs, theirs: HourInputs, shared: dict[str, Span], found: list[Pair]) -> str:
    """The input over whose range the ratio moves by the largest factor, the others at their geometric middle."""
    ratios = [p.ratio for p in found]
    moved = {"the rates: software and conditions": max(ratios) / min(ratios)}
    middle = {name: (sqrt(a * b), sqrt(a * b)) for name, (a, b) in shared.items()}

    def at(a: HourInputs, b: HourInputs, given: dict[str, Span]) -> float:
        span = hour_ratio(a, b, given)
        return 1.0 if span is None else span.high / span.low

    a, b = _middled(ours), _middled(theirs)
    moved["what an hour of the chip costs"] = at(ours, b, middle)
    moved["what an hour of the other chip costs"] = at(a, theirs, middle)
    for name, span in shared.items():
        moved[name] = at(a, b, {**middle, name: span})
    return max(moved, key=lambda name: moved[name])


def _middled(of: HourInputs) -> HourInputs:
    middle: Callable[[Span | None], Span | None] = lambda s: None if s is None else (sqrt(s[0] * s[1]),) * 2  # noqa: E731
    built = of.purchase_usd is not None and of.power_w is not None
    update = {"purchase_usd": middle(of.purchase_usd), "power_w": middle(of.power_w)}
    return of.model_copy(update={**update, "stated_usd_h": () if built else of.stated_usd_h[:1]})


def _as_evidence(pair: Pair, span: Interval) -> Evidence:
    source = f"{pair.rate.source.title}; {pair.reference.source.title}; prices of the catalog"
    words = f"cost of a token, {pair.words}"
    return Evidence(
        quantity=words, unit="ratio", interval=span, basis="modelled", source=source, stance="context",
        url=pair.rate.source.url,
    )  # fmt: skip


def _priced(ours: HourInputs, theirs: HourInputs) -> tuple[Evidence, ...]:
    """The prices and powers used, each with its source."""
    return tuple(
        Evidence(
            quantity=f"{p.chip}, {p.item}",
            value=p.value,
            unit=p.unit,
            basis="published",
            source=p.source.graded,
            url=p.source.url,
            stance="context",
            note=p.note,
        )
        for p in (*ours.used, *theirs.used)
    )
