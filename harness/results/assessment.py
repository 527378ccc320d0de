"""What a verdict rests on: evidence with its basis and source, the scaled rows, and the assessment of a whole sheet."""

import datetime as dt
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from harness.results.record import SCHEMA, as_current
from harness.stats import Interval
from harness.vocabulary import Frozen

Basis = Literal["measured", "modelled", "published"]
Outcome = Literal["refuted", "implausible", "supported", "consistent", "undecided", "out of reach"]
Flag = Literal["missing-condition", "model-mismatch", "unit-trap", "misattributed", "superseded"]
Stance = Literal["supports", "contradicts", "allows", "context"]


class Evidence(Frozen):
    """One quantity that bears on a claim."""

    quantity: str = Field(description="what it is, in words, for example 'H100, matched prefill, 4,096-token prompts'")
    value: float | None = Field(default=None, description="None where the evidence is a statement")
    unit: str = Field(default="", description="tok/s, ratio, parameters, fraction, s, bytes, or empty")
    interval: Interval | None = None
    basis: Basis
    source: str = Field(description="title or the cases measured, with the address where there is one")
    url: str | None = None
    stance: Stance
    note: str | None = None


class Verdict(Frozen):
    """A claim, its outcome, and what it rests on."""

    id: str
    statement: str
    place: str
    kind: str
    claimed: float | None = None
    unit: str = ""
    outcome: Outcome
    also: Outcome | None = Field(default=None, description="the other leading outcome where stability is under 0.9")
    flags: tuple[Flag, ...] = ()
    reason: str = Field(description="one or two sentences that a reader can check against the evidence")
    interval: Interval | None = Field(
        default=None, description="what is possible or usual for the claimed quantity, 90 %"
    )
    interval_of: str | None = Field(default=None, description="what the interval is of")
    binding: str | None = Field(default=None, description="the ceiling that binds, where one was computed")
    missing: tuple[str, ...] = Field(
        default=(), description="conditions that the source leaves out and the verdict needs"
    )
    stability: float | None = Field(
        default=None, ge=0, le=1, description="share of admissible scenarios with the leading outcome"
    )
    largest_uncertainty: str | None = None
    evidence: tuple[Evidence, ...] = ()


class ChainLink(Frozen):
    """One link of the chain from this host's figure to the reported one."""

    text: str
    value: float | None = None
    unit: str = ""
    basis: Basis
    transferable: bool = Field(
        default=True, description="False where this link does not transfer to the other hardware"
    )


class Scaled(Frozen):
    """One reported number or ratio beside what was measured here, and what separates the two."""

    id: str
    claim: str | None = Field(default=None, description="id of the claim")
    quantity: str
    reported: float
    unit: str
    measured: float | None = Field(description="None: nothing comparable was measured here")
    measured_interval: Interval | None = None
    measured_as: str | None = Field(default=None, description="the cases and conditions measured")
    factor: Interval | None = Field(default=None, description="reported over measured")
    hardware: Interval | None = Field(default=None, description="what the hardware's own ratio or ceiling would allow")
    hardware_as: str | None = None
    ceiling: float | None = Field(default=None, description="overlap ceiling for the reported quantity, tok/s")
    ceiling_fraction: float | None = Field(default=None, description="reported over ceiling")
    transfers: Literal["yes", "partly", "no"]
    why: str = Field(description="what does and does not transfer, in words")
    chain: tuple[ChainLink, ...] = ()


class InconsistentSet(Frozen):
    """A smallest set of claims and published figures that cannot all hold."""

    claims: tuple[str, ...]
    residual: float = Field(description="logarithm by which the equations miss")
    explanation: str
    members: tuple[str, ...] = Field(default=(), description="the claims and the published figures, in words")


class VerdictChange(Frozen):
    """A claim whose verdict is another one today than it was as of an earlier day."""

    id: str
    then: Outcome
    now: Outcome
    flags_then: tuple[Flag, ...] = ()
    flags_now: tuple[Flag, ...] = ()
    reason: str = Field(description="the reason of today's verdict")


class AsOf(Frozen):
    """The day that a sheet was judged for, and what has changed since."""

    day: dt.date = Field(description="nothing that is dated later was used")
    undated: tuple[str, ...] = Field(default=(), description="used although they have no date: models and sources")
    changes: tuple[VerdictChange, ...] = Field(default=(), description="claims that today's knowledge judges otherwise")


class Assessment(Frozen):
    """A sheet, judged."""

    schema_version: Annotated[Literal[3], BeforeValidator(as_current)] = SCHEMA
    sheet_id: str
    sheet_title: str
    record_id: str | None
    scaled: tuple[Scaled, ...]
    verdicts: tuple[Verdict, ...]
    inconsistent_sets: tuple[InconsistentSet, ...] = ()
    transfers: tuple[str, ...] = Field(default=(), description="what does and does not transfer from a CPU, in words")
    as_of: AsOf | None = Field(default=None, description="None: judged by all that is known today")
