"""Chips: sourced peaks, memory, links and power, how a catalog file writes them, and the list that comes with the
program.

All figures are of one *package* (what is sold and counted); a package may hold several dies. Peak rates are dense;
rates with structured sparsity are kept apart, because they need sparse weights.
"""

from functools import cache
from typing import Literal

from pydantic import Field

from harness.catalog.citation import Citation, EntryFile, Figure, Figures, Range, cited, named, shipped, spread
from harness.vocabulary import Frozen, PeakName


class Peak(Frozen):
    """Multiply-accumulate throughput in one number format, two operations to each multiply-add."""

    precision: PeakName
    supported: bool
    dense_flop_s: tuple[Figure, ...] = ()
    sparse_flop_s: tuple[Figure, ...] = Field(default=(), description="with 2:4 structured sparsity; never a ceiling")


class _Package(Frozen):
    """What a chip and its entry in a catalog file have in common."""

    title: str
    vendor: str
    dies_per_package: int = Field(default=1, gt=0, le=64)
    devices_per_package: int = Field(
        default=1, gt=0, le=64, description="parts that software addresses apart, each with weights of its own"
    )
    scale_up_packages: int | None = Field(
        default=None, gt=0, description="packages that the scale-up network joins; None: unknown"
    )
    note: str | None = None


class Chip(_Package):
    """One accelerator package."""

    name: str
    peaks: tuple[Peak, ...]
    memory_bytes: tuple[Figure, ...] = ()
    bandwidth_bytes_s: tuple[Figure, ...] = ()
    link_bytes_s: tuple[Figure, ...] = Field(default=(), description="scale-up links of a package, one direction")
    scale_out_bytes_s: tuple[Figure, ...] = Field(
        default=(), description="network beyond the scale-up domain, a package, one direction"
    )
    power_w: tuple[Figure, ...] = Field(default=(), description="thermal design power of the package")

    def supports(self, precision: PeakName) -> bool | None:
        """True, False, or None where no source says."""
        return next((p.supported for p in self.peaks if p.precision == precision), None)

    def peak(self, precision: PeakName) -> Range | None:
        """Dense peak in FLOP/s (OP/s for integers); None where unsupported or unknown (see `supports`)."""
        return next((spread(p.dense_flop_s) for p in self.peaks if p.precision == precision), None)

    @property
    def eight_bit(self) -> Range | None:
        """The 8-bit peak, floating-point first."""
        return self.peak("fp8") or self.peak("int8")

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


class PeakEntry(Frozen):
    """Peak rates in one precision, FLOP/s of the package."""

    dense: Figures = Field(min_length=1)
    sparse: Figures = ()


class ChipEntry(_Package):
    """One accelerator package. Figures in SI base units: FLOP/s, bytes, bytes/s, W."""

    peaks: dict[PeakName, PeakEntry | Literal["unsupported"]] = Field(min_length=1)
    memory_bytes: Figures = Field(min_length=1)
    bandwidth_bytes_s: Figures = Field(min_length=1)
    link_bytes_s: Figures = ()
    scale_out_bytes_s: Figures = ()
    power_w: Figures = ()


_CITED = ("memory_bytes", "bandwidth_bytes_s", "link_bytes_s", "scale_out_bytes_s", "power_w")


def to_chip(name: str, entry: ChipEntry, sources: dict[str, Citation]) -> Chip:
    """The chip that `entry` describes. Raises UsageError for a source that is not listed."""
    peaks = []
    for precision, peak in entry.peaks.items():
        if peak == "unsupported":
            peaks.append(Peak(precision=precision, supported=False))
        else:
            dense, sparse = cited(peak.dense, sources), cited(peak.sparse, sources)
            peaks.append(Peak(precision=precision, supported=True, dense_flop_s=dense, sparse_flop_s=sparse))
    figures = {field: cited(getattr(entry, field), sources) for field in _CITED}
    return Chip(**{**dict(entry), **figures, "name": name, "peaks": tuple(peaks)})


@cache
def chips() -> tuple[Chip, ...]:
    """All built-in chips, in the file's order."""
    return shipped("chips", EntryFile[ChipEntry], to_chip)


def chip(name: str) -> Chip:
    """The built-in chip of that name. Raises UsageError, naming the nearest known one."""
    return named("chip", name, chips())
