"""What the hardware of two chips and the gap between serving systems account for, of a ratio of their rates."""

import math

from harness.catalog.chips import Chip
from harness.catalog.citation import Range
from harness.claims import ChipRatio, Sheet
from harness.roofline.deployment import number_format
from harness.units import number
from harness.verdict.knowledge import Knowledge
from harness.verdict.rating import law_without
from harness.vocabulary import PeakName, Precision

_BITS: dict[PeakName, int] = {"bf16": 16, "fp8": 8, "int8": 8, "fp4": 4}


def width(precision: Precision) -> tuple[float, int]:
    """Bytes of a weight and bits of the arithmetic: what makes two number formats like each other."""
    form = number_format(precision)
    return form.weight_bytes, _BITS[form.peak]


def resources(chip: Chip, reference: Chip) -> tuple[tuple[str, Range, Range], ...]:
    """What sources give of both chips: peaks, memory and links."""
    rows = (
        ("dense 8-bit peak", chip.eight_bit, reference.eight_bit),
        ("dense 16-bit peak", chip.peak("bf16"), reference.peak("bf16")),
        ("memory bandwidth", chip.bandwidth, reference.bandwidth),
        ("memory", chip.memory, reference.memory),
        ("scale-up links", chip.link, reference.link),
        ("power", chip.power, reference.power),
    )
    return tuple((words, a, b) for words, a, b in rows if a is not None and b is not None)


def _equal_peaks(chip: Chip, reference: Chip, precision: Precision | None) -> list[float]:
    """Most ratios of peaks of one width of numbers: of the claim's where both chips have it, else of all in common."""
    common = {
        bits: ours.high / theirs.low
        for bits, ours, theirs in (
            (16, chip.peak("bf16"), reference.peak("bf16")),
            (8, chip.eight_bit, reference.eight_bit),
            (4, chip.peak("fp4"), reference.peak("fp4")),
        )
        if ours is not None and theirs is not None
    }
    wanted = None if precision is None else width(precision)[1]
    return [common[wanted]] if wanted in common else list(common.values())


def _unlike_peaks(chip: Chip, reference: Chip) -> list[float]:
    """The fastest number format of the one chip over 16 bits of the other: not like, yet what a source may set
    beside."""
    fastest = max((peak.high for p in chip.peaks if (peak := chip.peak(p.precision))), default=None)
    wide = reference.peak("bf16")
    return [] if fastest is None or wide is None else [fastest / wide.low]


def _most_ratio(chip: Chip, reference: Chip, peaks: list[float], own: tuple[str, ...], of: Knowledge) -> float:
    """A ratio that needs more than any resource's own and the widest gap of software between the two.

    The resource: the most generous figures of one chip over the least of the other. The gap: how far published systems
    lie apart under the same conditions (99 %). Infinite where nothing is published. Latency objectives that only one
    chip can meet are not considered.
    """
    ratios = list(peaks)
    wanted = ("memory bandwidth", "memory", "scale-up links")
    ratios += [a.high / b.low for words, a, b in resources(chip, reference) if words in wanted]
    fitted = law_without(own, of)
    return max(ratios) * fitted.widest if ratios and fitted is not None else math.inf


def excessive(
    claim: ChipRatio, chip: Chip, reference: Chip, sheet: Sheet, knowledge: Knowledge
) -> tuple[bool, str] | None:
    """Why the ratio is above (or below) all that hardware and software together account for at equal precision, and
    whether that is implausible: where the source gives no precision, it may compare unlike formats."""
    own, precision = sheet.source.own_publications, claim.conditions.precision

    def outside(ours: list[float], theirs: list[float]) -> str | None:
        most = _most_ratio(chip, reference, ours, own, knowledge)
        least = 1 / _most_ratio(reference, chip, theirs, own, knowledge)
        if claim.ratio <= most and (least <= claim.ratio or claim.hedge == "at least"):
            return None
        return f"{number(least, 2)} to {number(most, 2)}"

    equal = outside(_equal_peaks(chip, reference, precision), _equal_peaks(reference, chip, precision))
    if equal is None:
        return None
    why = "The chips' own figures and the widest gap between published systems explain "
    why += f"{equal} at like conditions, equal precision among them."
    if precision is not None or outside(_unlike_peaks(chip, reference), _unlike_peaks(reference, chip)) is not None:
        return True, why
    return False, f"{why} It takes unlike number formats on the two chips, from which nothing can be judged."
