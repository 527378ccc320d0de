"""How chips are written in a catalogue file, and how an entry becomes a `Chip`. Knows no file and no chip by name."""

from typing import Annotated, Literal

from pydantic import Field

from harness.citation import Citation, Figure, Key
from harness.errors import UsageError, unknown
from harness.frozen import Frozen
from harness.hardware.chip import Chip, Peak, PeakName


class FigureEntry(Frozen):
    """A value and the key of its source."""

    value: float = Field(gt=0, lt=1e30)
    source: Key
    note: str | None = None


Figures = Annotated[tuple[FigureEntry, ...], Field(max_length=16)]


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


def cited(entries: Figures, sources: dict[str, Citation]) -> tuple[Figure, ...]:
    """Replace each source's key by the source. Raises UsageError for a key that is not listed."""
    for entry in entries:
        if entry.source not in sources:
            raise UsageError(f"{unknown('source', entry.source, sources)}; list it under 'sources'")
    return tuple(Figure(value=e.value, source=sources[e.source], note=e.note) for e in entries)


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
