"""Chips: sourced peaks, memory, links and power, how a catalog file writes them, and the list that comes with the
program.

All figures are of one *package* (what is sold and counted); a package may hold several dies. Peak rates are dense;
rates with structured sparsity are kept apart, because they need sparse weights.
"""

from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import Field

from harness.catalog.citation import Citation, Figure, Figures, Key, Range, cited, spread
from harness.errors import UsageError, unknown
from harness.files import validation
from harness.vocabulary import Frozen, PeakName


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


class PeakEntry(Frozen):
    """Peak rates in one precision, FLOP/s of the package."""

    dense: Figures = Field(min_length=1)
    sparse: Figures = ()


class ChipEntry(Frozen):
    """One accelerator package. Figures in SI base units: FLOP/s, bytes, bytes/s, W."""

    title: str
    vendor: str
    dies_per_package: int = Field(default=1, gt=0, le=64)
    devices_per_package: int = Field(default=1, gt=0, le=64)
    peaks: dict[PeakName, PeakEntry | Literal["unsupported"]] = Field(min_length=1)
    memory_bytes: Figures = Field(min_length=1)
    bandwidth_bytes_s: Figures = Field(min_length=1)
    link_bytes_s: Figures = ()
    scale_up_packages: int | None = Field(default=None, gt=0)
    scale_out_bytes_s: Figures = ()
    power_w: Figures = ()
    note: str | None = None


def to_chip(name: str, entry: ChipEntry, sources: dict[str, Citation]) -> Chip:
    """The chip that `entry` describes. Raises UsageError for a source that is not listed."""
    peaks = []
    for precision, peak in entry.peaks.items():
        if peak == "unsupported":
            peaks.append(Peak(precision=precision, supported=False))
        else:
            dense, sparse = cited(peak.dense, sources), cited(peak.sparse, sources)
            peaks.append(Peak(precision=precision, supported=True, dense_flop_s=dense, sparse_flop_s=sparse))
    return Chip(
        name=name,
        title=entry.title,
        vendor=entry.vendor,
        dies_per_package=entry.dies_per_package,
        devices_per_package=entry.devices_per_package,
        peaks=tuple(peaks),
        memory_bytes=cited(entry.memory_bytes, sources),
        bandwidth_bytes_s=cited(entry.bandwidth_bytes_s, sources),
        link_bytes_s=cited(entry.link_bytes_s, sources),
        scale_up_packages=entry.scale_up_packages,
        scale_out_bytes_s=cited(entry.scale_out_bytes_s, sources),
        power_w=cited(entry.power_w, sources),
        note=entry.note,
    )


class ChipFile(Frozen):
    """The built-in list of chips."""

    sources: dict[Key, Citation]
    chips: dict[Key, ChipEntry] = Field(min_length=1)


@cache
def chips() -> tuple[Chip, ...]:
    """All built-in chips, in the file's order."""
    found = validation.validate(validation.load(Path(__file__).with_name("chips.yaml"), what="chip catalog"), ChipFile)
    return tuple(to_chip(name, entry, found.sources) for name, entry in found.chips.items())


def chip_names() -> tuple[str, ...]:
    return tuple(chip.name for chip in chips())


def chip(name: str) -> Chip:
    """The built-in chip of that name. Raises UsageError, naming the nearest known one."""
    for known in chips():
        if known.name == name:
            return known
    raise UsageError(unknown("chip", name, chip_names()))
