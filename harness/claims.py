"""What a source states: a sheet of checkable claims in our own words.
A claim names its place in the source, its quantity with a unit, the conditions that the source gives, and those that
it leaves out. What is left out is unknown, never defaulted.
"""

import datetime as dt
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from harness.vocabulary import Frozen, Identifier, Positive, RatePhase, Text, TimedConditions

Unit = Literal["package", "die", "node", "system"]
Hedge = Literal["exactly", "about", "up to", "at least"]


class Source(Frozen):
    """The document under test."""

    title: Text
    publisher: Text | None = None
    date: Text | None = Field(default=None, description="as precisely as it is known, for example 2026-04")
    url: Text | None = None
    derived_from: tuple[Identifier, ...] = Field(
        default=(),
        description="published sources that it repeats; they are left out of the usual range that judges it",
    )
    catalogued_as: tuple[Identifier, ...] = Field(
        default=(),
        description="names under which the catalog of published rates holds this very source; no source is "
        "evidence for itself",
    )
    note: Text | None = None

    @property
    def own_publications(self) -> tuple[str, ...]:
        """Publications that are no evidence for it: those that it repeats, and itself."""
        return (*self.derived_from, *self.catalogued_as)


class StatedConditions(TimedConditions):
    """What a source says of how a figure came about. None means that it does not say."""

    phase: RatePhase | None = None
    model: Identifier | None = Field(default=None, description="the model that the source gives the figure for")
    chip: Identifier | None = None
    per: Unit | None = Field(default=None, description="what one unit of the rate is")
    packages_per_unit: int | None = Field(
        default=None, gt=0, le=1 << 20, description="packages of one unit, where the unit is a node or a system"
    )
    idealised: bool | None = Field(default=None, description="perfect balance or another projection, not measured")
    cache_hits_counted: bool | None = None
    software: Text | None = None


class ClaimBase(Frozen):
    """What each claim has, whatever its kind."""

    id: Identifier
    place: Text = Field(description="where in the source, for example 'paragraph 4'")
    statement: Text = Field(description="in our own words")
    attributed_to: Text | None = Field(default=None, description="whom the source names for it")
    attribution: Identifier | None = Field(
        default=None, description="topic of the facts catalog on whether the person named made the statement"
    )
    hedge: Hedge = "exactly"
    conditions: StatedConditions = StatedConditions()
    omitted: tuple[Text, ...] = Field(
        default=(), description="conditions that the source leaves out, named for a reader"
    )
    note: Text | None = None


class Throughput(ClaimBase):
    """An absolute rate in tokens a second per unit named by `conditions.per`."""

    kind: Literal["throughput"]
    rate_tok_s: Positive


class ChipRatio(ClaimBase):
    """One chip's rate over another's."""

    kind: Literal["chip_ratio"]
    ratio: Positive
    chip: Identifier
    reference: Identifier


class ModelRatio(ClaimBase):
    """One model's rate, work or memory over another's."""

    kind: Literal["model_ratio"]
    figure: Literal["rate", "flop_per_token", "kv_bytes"]
    ratio: Positive
    model: Identifier
    reference: Identifier


class Architecture(ClaimBase):
    """A figure that follows from a model's architecture."""

    kind: Literal["architecture"]
    figure: Literal["total_parameters", "active_parameters", "activation_ratio", "kv_bytes_per_token", "context_tokens"]
    value: Positive


class Capacity(ClaimBase):
    """A model fits (or does not fit) on so many chips."""

    kind: Literal["capacity"]
    fits: bool = True


class Latency(ClaimBase):
    """A time: per output token, or to the first token."""

    kind: Literal["latency"]
    figure: Literal["tpot", "ttft"]
    duration_s: Positive


class Efficiency(ClaimBase):
    """A rate normalised by peak arithmetic or by power."""

    kind: Literal["efficiency"]
    figure: Literal["tok_s_per_tflops", "tok_per_joule"]
    value: Positive
    power_w: Positive | None = Field(
        default=None,
        description="measured power of the unit that `conditions.per` names (of a package where it names none); "
        "None: the rated power stands in",
    )


class Cost(ClaimBase):
    """A price per million tokens, with the price of an hour of the unit where the source gives one."""

    kind: Literal["cost"]
    usd_per_mtok: Positive
    usd_per_hour: Positive | None = None
    rate_tok_s: Positive | None = None


class CostRatio(ClaimBase):
    """What a token costs on one chip, over what it costs on another."""

    kind: Literal["cost_ratio"]
    ratio: Positive
    chip: Identifier
    reference: Identifier


class Design(ClaimBase):
    """A qualitative statement about a design, tied to a ratio that can be measured."""

    kind: Literal["design"]
    test: Literal["sparse_latency", "sparse_compute", "latent_cache", "batch_amortisation"]
    compared_with: Literal["equal_total", "equal_active"] | None = Field(
        default=None, description="the dense model that the source compares with; None: it does not say"
    )


class Arithmetic(ClaimBase):
    """An identity inside the source: `value` should equal the product of `factors` over the product of `divisors`."""

    kind: Literal["arithmetic"]
    value: Positive
    factors: tuple[Positive, ...] = Field(min_length=1)
    divisors: tuple[Positive, ...] = ()


class PublicFact(ClaimBase):
    """A statement that the public record can confirm or contradict, named by a topic of the facts catalog."""

    kind: Literal["fact"]
    topic: Identifier
    value: float | None = Field(default=None, description="where the statement has a figure")
    says: bool | None = Field(default=None, description="where the statement is a yes or a no")

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.value is None) == (self.says is None):
            raise ValueError("a fact has either 'value' or 'says'")
        return self


class OutOfReach(ClaimBase):
    """A statement that nothing here can measure, model or cite."""

    kind: Literal["out_of_reach"]
    reason: Text


Claim = Annotated[
    Throughput
    | ChipRatio
    | ModelRatio
    | Architecture
    | Capacity
    | Latency
    | Efficiency
    | Cost
    | CostRatio
    | Design
    | Arithmetic
    | PublicFact
    | OutOfReach,
    Field(discriminator="kind"),
]


class Sheet(Frozen):
    """A source as a list of claims."""

    sheet: Literal[1] = Field(description="version of the sheet's schema")
    id: Identifier
    source: Source
    subject: Identifier | None = Field(
        default=None, description="the model that the source is about; figures beside it read as this model's"
    )
    accessed: dt.date | None = None
    claims: tuple[Claim, ...] = Field(min_length=1, max_length=1000)

    def about(self, conditions: StatedConditions) -> Identifier | None:
        """The model that a figure is of: the one that stands beside it, else the one that the source is about."""
        return conditions.model or self.subject

    @model_validator(mode="after")
    def _unique(self) -> Self:
        ids = [claim.id for claim in self.claims]
        twice = sorted({i for i in ids if ids.count(i) > 1})
        if twice:
            raise ValueError(f"claim ids must differ: {', '.join(twice)}")
        return self
