"""Everything that a judge may look up, as one value: catalogs and public facts, of today or as of a day; and the chip
and models of a claim."""

import datetime as dt
from dataclasses import dataclass

from harness.catalog.chips import Chip
from harness.catalog.citation import last_day
from harness.catalog.collection import Catalog, builtin
from harness.catalog.facts import Fact, facts
from harness.catalog.models import ReleasedModel
from harness.catalog.rates import PublishedRate
from harness.errors import unknown
from harness.results.assessment import Outcome
from harness.verdict.finding import Finding


@dataclass(frozen=True, eq=False)
class Knowledge:
    """Chips, released models, published rates and public facts: the built-in ones, and a user's own.

    Compared by identity, so that what is derived from it can be kept without comparing catalogs.
    """

    catalog: Catalog
    facts: tuple[Fact, ...]
    day: dt.date | None = None
    """what was public by then, and nothing later; None: all of today's"""
    later: frozenset[str] = frozenset()
    """names of models and topics that only came after `day`"""

    def as_of(self, day: dt.date) -> "Knowledge":
        """What was public by the end of `day`: facts, published rates and prices by the dates of their sources, models
        by their release. What has no date stays in (see `undated`); what is dated by month or year counts from its last
        day. Chips stay: their figures are those of the hardware."""

        def public(date: str | None) -> bool:
            return (last_day(date) or day) <= day

        models = tuple(m for m in self.models if public(m.released))
        names = {m.name for m in models}
        rates = tuple(r for r in self.rates if public(r.source.date) and r.model in names)
        facts = tuple(found for f in self.facts if (found := f.as_of(day)) is not None)
        later = {m.name for m in self.models} - names | {f.topic for f in self.facts} - {f.topic for f in facts}
        prices = tuple(p for p in self.catalog.prices if public(p.source.date))
        catalog = self.catalog.model_copy(update={"models": models, "rates": rates, "prices": prices})
        return Knowledge(catalog=catalog, facts=facts, day=day, later=frozenset(later))

    @property
    def undated(self) -> tuple[str, ...]:
        """What has no date, so that `as_of` keeps it whatever the day: titles of models and of sources."""
        sources = (*(r.source for r in self.rates), *(s.source for f in self.facts for s in f.sources))
        models = (m.title for m in self.models if last_day(m.released) is None)
        return tuple(dict.fromkeys((*models, *(s.title for s in sources if last_day(s.date) is None))))

    @property
    def rates(self) -> tuple[PublishedRate, ...]:
        return self.catalog.rates

    @property
    def models(self) -> tuple[ReleasedModel, ...]:
        return self.catalog.models

    def chip(self, name: str | None) -> Chip | None:
        return next((c for c in self.catalog.chips if c.name == name), None)

    def model(self, name: str) -> ReleasedModel | None:
        return next((m for m in self.models if m.name == name), None)

    def fact(self, topic: str) -> Fact | None:
        return next((f for f in self.facts if f.topic == topic), None)

    def could_be(self, name: str | None) -> tuple[ReleasedModel, ...]:
        """The released models that `name` could stand for: that very one, or all of the family of that name."""
        exact = tuple(m for m in self.models if m.name == name)
        return exact or tuple(m for m in self.models if m.name.startswith(f"{name}-"))

    def same_model(self, a: str | None, b: str | None) -> bool:
        """Whether two names stand for one model: one could be the other, or their configurations are the same."""
        ours, theirs = self.could_be(a), self.could_be(b)
        return any(x.name == y.name or x.spec == y.spec for x in ours for y in theirs)

    def _not_yet(self, name: str) -> str | None:
        """Why a name is not known that is known today."""
        if self.day is None or not any(n == name or n.startswith(f"{name}-") for n in self.later):
            return None
        return f"Nothing on '{name}' was public by {self.day.isoformat()}."

    def unknown_model(self, name: str) -> str:
        if (why := self._not_yet(name)) is not None:
            return why
        return f"{unknown('model', name, [m.name for m in self.models])}; add it with a catalog of your own."

    def unknown_chip(self, name: str) -> str:
        return f"{unknown('chip', name, [c.name for c in self.catalog.chips])}; add it with a catalog of your own."

    def unknown_fact(self, topic: str) -> str:
        return self._not_yet(topic) or f"{unknown('topic', topic, [f.topic for f in self.facts])}."


def named_chip(name: str | None, knowledge: Knowledge, unnamed: Outcome = "undecided") -> Chip | Finding:
    """The chip of that name, or the finding where the source names none or an unknown one."""
    if name is None:
        return Finding(outcome=unnamed, reason="The source names no chip.", missing=("chip",))
    return knowledge.chip(name) or Finding(outcome="out of reach", reason=knowledge.unknown_chip(name))


def named_models(name: str | None, knowledge: Knowledge) -> tuple[ReleasedModel, ...] | Finding:
    """The models of that name, or the finding where the source names none or an unknown one."""
    if name is None:
        return Finding(outcome="undecided", reason="The source names no model.", missing=("model",))
    return knowledge.could_be(name) or Finding(outcome="out of reach", reason=knowledge.unknown_model(name))


def knowledge_of(catalog: Catalog | None = None, topics: tuple[Fact, ...] | None = None) -> Knowledge:
    """What comes with the program, or the catalog and the facts given."""
    return Knowledge(catalog=catalog or builtin(), facts=facts() if topics is None else topics)
