"""How well the law predicts rates that it has not seen: every publication predicted from all the others.

Everything that is fitted is fitted again without the publication: factors, traits, and the scales of the deviation. A
forecast is good if its intervals hold what they say *and* are narrow, so both are given, and also how many rates that
are three and four times too high lie outside.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from statistics import median
from typing import Literal

from harness.catalog.collection import Catalog, builtin
from harness.catalog.rates import PublishedRate
from harness.roofline.bound import highest
from harness.roofline.deployment import Deployment
from harness.roofline.forecast import SAMPLE_DRAWS, law, mixture, samples, share_of_rates_above
from harness.roofline.law import Prediction, quantiles
from harness.vocabulary import Frozen, Maturity, RatePhase

LEVELS = (50, 80, 90, 99)
TOO_HIGH = (3.0, 4.0)
BINS = 10
LEAST_RATES, LEAST_SOURCES = 10, 4
"""Of a group whose coverage says something."""
PROMISED, REJECTED = 0.85, 0.01
"""A group is amiss where so few rates inside would be seen with less than this chance if the coverage were this."""


class Checked(Frozen):
    """One published rate beside its forecast from the other publications; tokens a second and package."""

    rate_id: str
    source_id: str
    phase: RatePhase
    vendor: str
    attention: str
    maturity: Maturity
    given: bool
    """whether its source states every condition that the rate depends on"""
    rate_tok_s: float
    expected: Prediction
    untold: Prediction
    """the same if nobody had said how mature the software is"""
    pit: float
    """probability of a lower rate"""
    bound_tok_s: float

    @property
    def refuted(self) -> bool:
        return self.rate_tok_s > self.bound_tok_s

    @property
    def implausible(self) -> bool:
        return self.rate_tok_s > self.expected.high99


class Group(Frozen):
    """The rates of one group, and how their forecasts did."""

    by: Literal["all", "conditions", "software", "phase", "vendor", "attention"]
    name: str
    rates: int
    sources: int
    held: dict[int, float]
    """share inside, by the level in percent"""
    width: float
    """median of high over low, 90 %"""
    median_error: float
    """of the middle, as a fraction of the published rate"""
    caught: dict[str, float]
    """share outside the 90 % interval or above the bound of rates that are so many times too high"""
    chance: float | None
    """of so few inside the 90 % interval, if it held 85 %; None for a group too small to tell"""


class Accuracy(Frozen):
    """The whole check."""

    checked: tuple[Checked, ...]
    groups: tuple[Group, ...]
    histogram: tuple[int, ...]
    """rates by the probability of a lower one, in tenths: even where the forecast is right"""
    refuted: tuple[str, ...]
    implausible: tuple[str, ...]

    @property
    def amiss(self) -> tuple[str, ...]:
        """Groups that hold too few."""
        return tuple(g.name for g in self.groups if g.chance is not None and g.chance < REJECTED)


def _check(rate: PublishedRate, catalog: Catalog, given: bool) -> Checked | None:
    """None where no rate of another publication is left."""
    spec, chip = catalog.model(rate.model).spec, catalog.chip(rate.chip)
    fitted = law(catalog, (rate.source_id,))
    if fitted is None:
        return None
    stated = Deployment.of(rate.conditions)
    told = stated.model_copy(update={"maturity": stated.maturity or "default"})
    bound = highest(spec, chip, stated, rate.phase).rate_tok_s
    drawn = mixture(spec, chip, told, rate.phase, fitted, SAMPLE_DRAWS)
    untold = mixture(spec, chip, stated.model_copy(update={"maturity": None}), rate.phase, fitted, SAMPLE_DRAWS)
    return Checked(
        rate_id=rate.id,
        source_id=rate.source_id,
        phase=rate.phase,
        vendor=chip.vendor,
        attention=spec.attention,
        maturity=stated.maturity or "default",
        given=given,
        rate_tok_s=rate.rate_tok_s,
        expected=quantiles(drawn.weighted, bound),
        untold=quantiles(untold.weighted, bound),
        pit=1 - share_of_rates_above(drawn, rate.rate_tok_s),
        bound_tok_s=bound,
    )


def _group(by: Literal["all", "conditions", "software", "phase", "vendor", "attention"], name: str,
           rows: list[tuple[Checked, Prediction]]) -> Group:  # fmt: skip
    """`rows`: what was published, beside the forecast that counts for this group."""
    from scipy.stats import binom

    inside = {level: sum(_holds(p, level, c.rate_tok_s) for c, p in rows) for level in LEVELS}
    n, sources = len(rows), len({c.source_id for c, _ in rows})
    enough = n >= LEAST_RATES and sources >= LEAST_SOURCES
    return Group(
        by=by,
        name=name,
        rates=n,
        sources=sources,
        held={level: count / n for level, count in inside.items()},
        width=median(p.width90 for _, p in rows),
        median_error=median(abs(p.mid / c.rate_tok_s - 1) for c, p in rows),
        caught={f"{k:g}": sum(_caught(c, p, k) for c, p in rows) / n for k in TOO_HIGH},
        chance=float(binom.cdf(inside[90], n, PROMISED)) if enough else None,
    )


def _holds(expected: Prediction, level: int, rate: float) -> bool:
    return bool(getattr(expected, f"low{level}") <= rate <= getattr(expected, f"high{level}"))


def _caught(checked: Checked, expected: Prediction, factor: float) -> bool:
    rate = factor * checked.rate_tok_s
    return rate > expected.high90 or rate > checked.bound_tok_s


def _groups(checked: tuple[Checked, ...]) -> Iterator[Group]:
    told = [(c, c.expected) for c in checked]
    yield _group("all", "all", told)
    yield _group("all", "all, software not told", [(c, c.untold) for c in checked])
    cuts: tuple[tuple[Literal["conditions", "software", "phase", "vendor", "attention"], Callable[[Checked], str]], ...]
    cuts = (
        ("conditions", lambda c: "all conditions given" if c.given else "conditions missing"),
        ("conditions", lambda c: f"{c.maturity}, all conditions given" if c.given else ""),
        ("software", lambda c: c.maturity),
        ("phase", lambda c: c.phase),
        ("vendor", lambda c: c.vendor),
        ("attention", lambda c: c.attention),
    )
    for by, key in cuts:
        for name, _ in sorted(Counter(map(key, checked)).items(), key=lambda item: (-item[1], item[0])):
            if name:
                yield _group(by, name, [(c, p) for c, p in told if key(c) == name])


def accuracy(catalog: Catalog | None = None, told: Callable[[int, int], None] | None = None) -> Accuracy:
    """Predict every published rate from the publications of others. `told` hears how many are done, of how many."""
    known = catalog or builtin()
    open_ = {s.rate_id: s.open for s in samples(known)}
    rates = [r for r in known.rates if r.id in open_]
    found = []
    for done, rate in enumerate(sorted(rates, key=lambda r: r.source_id)):
        if told is not None:
            told(done, len(rates))
        found.append(_check(rate, known, not open_[rate.id]))
    checked = tuple(c for c in found if c is not None)
    bins = Counter(min(BINS - 1, int(BINS * c.pit)) for c in checked)
    return Accuracy(
        checked=checked,
        groups=tuple(_groups(checked)) if checked else (),
        histogram=tuple(bins[i] for i in range(BINS)),
        refuted=tuple(c.rate_id for c in checked if c.refuted),
        implausible=tuple(c.rate_id for c in checked if c.implausible),
    )
