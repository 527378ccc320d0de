"""What an accelerator can do at most: sourced peaks, memory, links and power. Knows no model and no workload.

All figures are of one *package* (what is sold and counted); a package may hold several dies. Peak rates are dense;
rates with 2:4 sparsity are kept in a field of their own and never used for a ceiling. Where sources disagree each
value is kept, the preferred one first. A precision is supported, unsupported, or unknown, and these three differ.
"""

from typing import Literal

from pydantic import Field

from harness.citation import Figure, Range, spread
from harness.frozen import Frozen

PeakName = Literal["bf16", "fp8", "int8", "fp4"]
"""Arithmetic that peaks are stated for. FP16 counts as bf16: no catalogued chip rates the two apart by more than
6 %, and where a source does, both values are listed."""


class Peak(Frozen):
    """Multiply-accumulate throughput in one number format, two operations to each multiply-add."""

    precision: PeakName
    supported: bool
    dense_flop_s: tuple[Figure, ...] = ()
    sparse_flop_s: tuple[Figure, ...] = Field(default=(), description="with 2:4 structured sparsity; never a ceiling")


class Chip(Frozen):
    """One accelerator package."""

    name: str
    title: str
    vendor: str
    dies_per_package: int = Field(default=1, gt=0, le=64)
    devices_per_package: int = Field(
        default=1, gt=0, le=64, description="parts that software addresses apart, each with weights of its own"
    )
    peaks: tuple[Peak, ...]
    memory_bytes: tuple[Figure, ...] = ()
    bandwidth_bytes_s: tuple[Figure, ...] = ()
    link_bytes_s: tuple[Figure, ...] = Field(default=(), description="scale-up links of a package, one direction")
    scale_up_packages: int | None = Field(
        default=None, gt=0, description="packages that the scale-up network joins; None: unknown"
    )
    scale_out_bytes_s: tuple[Figure, ...] = Field(
        default=(), description="network beyond the scale-up domain, a package, one direction"
    )
    power_w: tuple[Figure, ...] = Field(default=(), description="thermal design power of the package")
    note: str | None = None

    def supports(self, precision: PeakName) -> bool | None:
        """True, False, or None where no source says."""
        return next((p.supported for p in self.peaks if p.precision == precision), None)

    def peak(self, precision: PeakName) -> Range | None:
        """Dense peak in FLOP/s (OP/s for integers); None where unsupported or unknown (see `supports`)."""
        found = next((p for p in self.peaks if p.precision == precision), None)
        return spread(found.dense_flop_s) if found else None

    @property
    def memory(self) -> Range | None:
        return spread(self.memory_bytes)

    @property
    def bandwidth(self) -> Range | None:
        return spread(self.bandwidth_bytes_s)

    @property
    def link(self) -> Range | None:
        return spread(self.link_bytes_s)

    @property
    def scale_out(self) -> Range | None:
        return spread(self.scale_out_bytes_s)

    @property
    def power(self) -> Range | None:
        return spread(self.power_w)
