"""Number formats of a deployment: bytes per weight and the peak that its matrix products run at. Knows no chip."""

from typing import Literal

from harness.frozen import Frozen
from harness.hardware import PeakName

Precision = Literal["fp32", "bf16", "fp16", "fp8", "int8", "fp4", "int4", "w4a8"]
PRECISIONS: tuple[Precision, ...] = ("fp32", "bf16", "fp16", "fp8", "int8", "fp4", "int4", "w4a8")


class Format(Frozen):
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
_FORMATS: dict[Precision, Format] = {
    "fp32": Format(weight_bytes=4, peak="bf16", dispatch_bytes=2, surrounding="fp32"),
    "bf16": Format(weight_bytes=2, peak="bf16", dispatch_bytes=2, surrounding="bf16"),
    "fp16": Format(weight_bytes=2, peak="bf16", dispatch_bytes=2, surrounding="fp16"),
    "fp8": Format(weight_bytes=1, peak="fp8", dispatch_bytes=1, surrounding="fp8"),
    "int8": Format(weight_bytes=1, peak="int8", dispatch_bytes=1, surrounding="int8"),
    "fp4": Format(weight_bytes=0.5 + 1 / 32, peak="fp4", stand_in="bf16", dispatch_bytes=1, surrounding="fp8"),
    "int4": Format(weight_bytes=0.5, peak="bf16", dispatch_bytes=2, surrounding="bf16"),
    "w4a8": Format(weight_bytes=0.5, peak="int8", stand_in="fp8", dispatch_bytes=1, surrounding="int8"),
}


def format_of(precision: Precision) -> Format:
    return _FORMATS[precision]
