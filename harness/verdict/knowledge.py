"""Everything that a judgement may look into, as one value: catalogs and public facts. Judges nothing."""

from dataclasses import dataclass

from harness.catalog.chips import Chip
from harness.catalog.collection import Catalog, builtin
from harness.catalog.facts import Fact, facts
from harness.catalog.models import ReleasedModel
from harness.catalog.rates import PublishedRate
from harness.errors import unknown


@dataclass(frozen=True, eq=False)
class Knowledge:
    """Chips, released models, published rates and public facts: the built-in ones, and a user's own.

    Compared by identity, so that what is derived from it can be kept without comparing catalogs.
    """

    catalog: Catalog
    facts: tuple[Fact, ...]

    @property
    def rates(self) -> tuple[PublishedRate, ...]:
        return self.catalog.rates

    @property
    def models(self) -> tuple[ReleasedModel, ...]:
        return self.catalog.models

    def chip(self, name: str) -> Chip | None:
        return next((c for c in self.catalog.chips if c.name == name), None)

    def model(self, name: str) -> ReleasedModel | None:
        return next((m for m in self.models if m.name == name), None)

    def fact(self, topic: str) -> Fact | None:
        return next((f for f in self.facts if f.topic == topic), None)

    def could_be(self, name: str) -> tuple[ReleasedModel, ...]:
        """The released models that `name` could mean: that very one, or all variants of the family so named."""
        exact = self.model(name)
        if exact is not None:
            return (exact,)
        return tuple(m for m in self.models if m.name.startswith(f"{name}-"))

    def unknown_model(self, name: str) -> str:
        return f"{unknown('model', name, [m.name for m in self.models])}; add it with a catalog of your own."

    def unknown_chip(self, name: str) -> str:
        return f"{unknown('chip', name, [c.name for c in self.catalog.chips])}; add it with a catalog of your own."

    def unknown_fact(self, topic: str) -> str:
        return f"{unknown('topic', topic, [f.topic for f in self.facts])}."


def knowledge_of(catalog: Catalog | None = None, topics: tuple[Fact, ...] | None = None) -> Knowledge:
    """What comes with the program, or the catalog and the facts given."""
    return Knowledge(catalog=catalog or builtin(), facts=facts() if topics is None else topics)
