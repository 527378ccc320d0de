"""How a model is served: number formats, and the conditions that a rate depends on; None is unknown, no default.

Batch is sequences per package (a package may hold several devices); `chips` counts the packages that share one set of
experts, or, for a dense model, one set of weights.
"""

from typing import Self

from pydantic import Field

from harness.vocabulary import Frozen, PeakName, Precision, ServingConditions


class NumberFormat(Frozen):
    """One weight format. Bytes leave scales out where formats differ in them, so that a ceiling stays a ceiling."""

    weight_bytes: float
    peak: PeakName
    stand_in: PeakName | None = None
    """arithmetic that such weights run in on a chip without `peak`; None: they do not run there"""
    dispatch_bytes: float
    surrounding: Precision


# Dispatch: activations travel in 8 bits beside 8- and 4-bit experts (DeepSeek-V3 report, section 3.4; CloudMatrix384,
# section 4.2), in 16 bits otherwise. `surrounding` is the format of attention projections beside 4-bit experts:
# released NVFP4 and W4A8 checkpoints of DeepSeek keep 8 bits there. FP32 runs at the BF16 peak at best (an upper
# bound: no chip here is rated faster in it). FP4 carries one scale byte to 32 values at least (OCP MX 1.0, table 1); it
# is also used as storage alone, widened to BF16 for the product (gpt-oss on H100 and A100); W4A8 exists with INT8 and
# with FP8 activations. FP8 and INT8 name the arithmetic itself, so nothing stands in for them.
_FORMATS: dict[Precision, NumberFormat] = {
    "fp32": NumberFormat(weight_bytes=4, peak="bf16", dispatch_bytes=2, surrounding="fp32"),
    "bf16": NumberFormat(weight_bytes=2, peak="bf16", dispatch_bytes=2, surrounding="bf16"),
    "fp16": NumberFormat(weight_bytes=2, peak="bf16", dispatch_bytes=2, surrounding="fp16"),
    "fp8": NumberFormat(weight_bytes=1, peak="fp8", dispatch_bytes=1, surrounding="fp8"),
    "int8": NumberFormat(weight_bytes=1, peak="int8", dispatch_bytes=1, surrounding="int8"),
    "fp4": NumberFormat(weight_bytes=0.5 + 1 / 32, peak="fp4", stand_in="bf16", dispatch_bytes=1, surrounding="fp8"),
    "int4": NumberFormat(weight_bytes=0.5, peak="bf16", dispatch_bytes=2, surrounding="bf16"),
    "w4a8": NumberFormat(weight_bytes=0.5, peak="int8", stand_in="fp8", dispatch_bytes=1, surrounding="int8"),
}


def number_format(precision: Precision) -> NumberFormat:
    return _FORMATS[precision]


class Deployment(ServingConditions):
    """Conditions of a rate. Those that are None are ranged over by `project` and listed as missing."""

    projection_precision: Precision | None = Field(
        default=None, description="of attention projections; None: as the experts, 8 bits beside 4-bit experts"
    )
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

    @classmethod
    def of(cls, conditions: ServingConditions) -> Self:
        """The deployment that a source states; what it leaves out stays None."""
        return cls(**{name: getattr(conditions, name) for name in ServingConditions.model_fields})

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
