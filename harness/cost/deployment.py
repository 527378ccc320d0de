"""How a model is served: the conditions that a rate depends on. None means unknown, never a default.

Batch is sequences per package (a package may hold several devices); `chips` counts the packages that share one set
of experts, or, for a dense model, one set of weights.
"""

from typing import Literal

from pydantic import Field

from harness.cost.precision import Precision
from harness.frozen import Frozen

Phase = Literal["prefill", "decode", "output_all", "total_all"]
PHASES: tuple[Phase, ...] = ("prefill", "decode", "output_all", "total_all")


class Deployment(Frozen):
    """Conditions of a rate. Those that are None are ranged over by `project` and listed as missing."""

    precision: Precision | None = Field(default=None, description="of the experts (or of all dense weights)")
    batch: float | None = Field(default=None, gt=0, lt=1e7, description="sequences per package")
    context_tokens: float | None = Field(default=None, gt=0, lt=1e9, description="mean cached tokens in decode")
    prompt_tokens: float | None = Field(default=None, gt=0, lt=1e9)
    output_tokens: float | None = Field(default=None, gt=0, lt=1e9)
    chips: int | None = Field(default=None, gt=0, lt=1_000_000)
    mtp_drafts: int | None = Field(default=None, ge=0, le=16, description="draft tokens a step; positions are 1 + it")
    mtp_acceptance: float | None = Field(default=None, ge=0, le=16, description="drafts accepted a step")
    attention_precision: Literal["bf16", "fp8"] | None = Field(
        default=None, description="of the attention core; None: BF16, as in all disclosed systems"
    )
    projection_precision: Precision | None = Field(
        default=None, description="of attention projections; None: as the experts, 8 bits beside 4-bit experts"
    )
    kv_bytes: float | None = Field(default=None, gt=0, le=4, description="bytes per cached element; None: 2")
    head_bytes: float | None = Field(default=None, gt=0, le=4, description="bytes per weight of the head; None: 2")
    expert_slots: float | None = Field(
        default=None, gt=0, description="expert copies per package; None: one set, rounded up to whole devices"
    )
    destinations: float | None = Field(
        default=None, gt=0, description="copies of a token that leave over the network; None: one per expert"
    )
    dense_shards: int | None = Field(
        default=None, gt=0, description="devices that share one copy of the non-expert weights"
    )

    @property
    def positions(self) -> float | None:
        """Positions per sequence and decode step (q)."""
        return None if self.mtp_drafts is None else 1.0 + self.mtp_drafts

    @property
    def tokens_per_step(self) -> float | None:
        """Tokens kept per sequence and decode step (1 + a)."""
        if self.mtp_drafts == 0:
            return 1.0
        return None if self.mtp_acceptance is None else 1.0 + self.mtp_acceptance
