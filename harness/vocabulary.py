"""Types that all packages share: phases, number formats, dense counterparts, serving conditions, frozen values."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator


class Frozen(BaseModel):
    """An immutable value. Unknown keys, NaN and infinities are refused; sequences are tuples."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, protected_namespaces=())


Phase = Literal["prefill", "decode"]
"""What a step of the model does: read a prompt, or make one token of each sequence."""

RatePhase = Literal["prefill", "decode", "output_all", "total_all"]
"""What a rate counts: input tokens of prefill chips, output tokens of decode chips, output tokens over all chips, input
and output tokens over all chips. Four different quantities."""
MIXED_PHASES: tuple[RatePhase, ...] = ("output_all", "total_all")

Precision = Literal["fp32", "bf16", "fp16", "fp8", "int8", "fp4", "int4", "w4a8"]
"""Number format of weights, as a source states it."""
PRECISIONS: tuple[Precision, ...] = ("fp32", "bf16", "fp16", "fp8", "int8", "fp4", "int4", "w4a8")

RunPrecision = Literal["fp32", "int8", "int4"]
"""Number formats of weights that run on this host."""

PeakName = Literal["bf16", "fp8", "int8", "fp4"]
"""Arithmetic that a chip has a peak rate for. FP16 counts as bf16: no catalogued chip rates the two apart by more than
6 %, and where a source does, both values are listed."""

Counterpart = Literal["equal-total", "equal-active"]
"""A dense model beside a mixture of experts: with as many parameters in total (iso-total), or for each token
(iso-active). Only the feed-forward layers differ."""
COUNTERPARTS: tuple[Counterpart, ...] = ("equal-total", "equal-active")

ModelRole = Literal["moe", "equal-total", "equal-active", "other"]
"""What part a model plays in a record: a mixture of experts, one of its dense counterparts, or neither."""

Maturity = Literal["tuned", "default", "early"]
"""Of the software behind a rate: tuned for this very run, released and used with its defaults, or early (first support,
a baseline, the expected value of a test)."""
MATURITIES: tuple[Maturity, ...] = ("tuned", "default", "early")

Identifier = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]*$", max_length=80)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=2000, pattern=r"^[^\x00-\x08\x0b-\x1f\x7f]*$")]
Positive = Annotated[float, Field(gt=0, lt=1e30)]
Tokens = Annotated[float, Field(gt=0, lt=1e9)]
Sequences = Annotated[float, Field(gt=0, lt=1e7)]


class ServingConditions(Frozen):
    """How a model is served: the conditions that a rate depends on. None means unknown, never a default."""

    precision: Precision | None = Field(default=None, description="of the experts (or of all dense weights)")
    batch: Sequences | None = Field(default=None, description="sequences per package")
    context_tokens: Tokens | None = Field(default=None, description="mean cached tokens in decode")
    prompt_tokens: Tokens | None = None
    output_tokens: Tokens | None = None
    chips: int | None = Field(default=None, gt=0, lt=1_000_000, description="packages of the group that works together")
    mtp_drafts: int | None = Field(default=None, ge=0, le=16, description="draft tokens a step; positions are 1 + it")
    mtp_acceptance: float | None = Field(default=None, ge=0, le=16, description="drafts accepted a step")
    attention_precision: Literal["bf16", "fp8"] | None = Field(
        default=None, description="of the attention core; None: BF16, as in all disclosed systems"
    )
    kv_bytes: float | None = Field(default=None, gt=0, le=4, description="bytes per cached element; None: 2")
    tensor_parallel: int | None = Field(
        default=None, gt=0, lt=1_000_000, description="devices that share one copy of the non-expert weights"
    )
    maturity: Maturity | None = Field(
        default=None, description="of the software: tuned for this run, released with its defaults, or early"
    )


TimeBound = Literal["at most", "at least", "about", "exactly"]
"""How a stated time is meant. A latency objective is "at most": it is kept, and says nothing of how far."""


class TimedConditions(ServingConditions):
    """Serving conditions with the time per output token that a source states."""

    tpot_s: Positive | None = None
    tpot_bound: TimeBound | None = Field(
        default=None, description="how `tpot_s` is meant; an objective is 'at most'. None: exactly"
    )
    tpot_independent: bool | None = Field(
        default=None, description="batch and time per token come from independent statements"
    )

    @property
    def tpot_is_value(self) -> bool:
        """Whether the time per output token is known, and not only bounded from one side."""
        return self.tpot_s is not None and self.tpot_bound not in ("at most", "at least")

    @model_validator(mode="after")
    def _bound_of_a_time(self) -> Self:
        if self.tpot_bound is not None and self.tpot_s is None:
            raise ValueError("'tpot_bound' says how 'tpot_s' is meant; give 'tpot_s' as well, or leave both out")
        return self
