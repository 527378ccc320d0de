"""A published rate with the conditions that its source gives. Knows no theory; what a source leaves out is None.

Rates are per package, whatever unit the source used. The four phases are different quantities: input tokens per
prefill package, output per decode package, output over all packages, input and output over all packages.
"""

from typing import Annotated, Literal

from pydantic import Field

from harness.citation import Citation, Key
from harness.frozen import Frozen

Positive = Annotated[float, Field(gt=0, lt=1e30)]
RatePhase = Literal["prefill", "decode", "output_all", "total_all"]
RatePrecision = Literal["fp32", "bf16", "fp16", "fp8", "int8", "fp4", "int4", "w4a8"]


class Conditions(Frozen):
    """What a source says of how a rate came about."""

    chips: int | None = Field(default=None, gt=0, description="packages of the group that works together")
    batch: Positive | None = Field(default=None, description="sequences per package")
    prompt_tokens: Positive | None = None
    context_tokens: Positive | None = Field(default=None, description="mean cached tokens in decode")
    output_tokens: Positive | None = None
    precision: RatePrecision | None = None
    attention_precision: Literal["bf16", "fp8"] | None = None
    kv_bytes: float | None = Field(default=None, gt=0, le=4)
    mtp_drafts: int | None = Field(default=None, ge=0, le=16)
    mtp_acceptance: float | None = Field(default=None, ge=0, le=16, description="drafts accepted a step")
    tpot_s: Positive | None = None
    tpot_independent: bool | None = Field(
        default=None, description="batch and time per token come from independent statements"
    )
    idealised: bool = Field(default=False, description="perfect balance, a projection, or an offline mode")
    cache_hits_counted: bool = False


class Rate(Frozen):
    """One published rate, tokens per second and package."""

    id: str
    source_id: str = Field(description="the publication; rows of one publication share it")
    system: str
    model: str
    chip: str
    phase: RatePhase
    rate_tok_s: float = Field(gt=0)
    conditions: Conditions
    calibrates: bool = Field(description="whether a band may be made from it")
    left_out: str | None = Field(default=None, description="why it does not calibrate")
    source: Citation
    note: str | None = None


class RateEntry(Frozen):
    """One published rate as it is written in a catalogue file. Conditions that the source leaves out stay absent."""

    source: Key
    system: str
    model: Key
    chip: Key
    phase: RatePhase
    rate_tok_s: Positive
    conditions: Conditions = Conditions()
    left_out: str | None = Field(default=None, description="give a reason, and the rate makes no band")
    grade: Literal["A", "B", "C", "D", "P"] | None = Field(
        default=None, description="where it differs from the source's"
    )
    note: str | None = None
