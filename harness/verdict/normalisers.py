"""One pair of published rates under several normalisers: per package, die, peak, bandwidth, and watt. Judges nothing.

A chip that leads per package may trail per watt; a ranking is stated only where all of them agree.
"""

from harness.frozen import Frozen
from harness.hardware import Chip
from harness.units import number
from harness.verdict.evidence import Evidence
from harness.verdict.ratios import Pair, eight_bit

EVEN = 0.03
"""Ratios this near to one rank nobody: the figures themselves are printed to two or three digits."""


class Normalised(Frozen):
    """A ratio of rates, each divided by what the chip has of one thing."""

    per: str
    ratio: float
    second_hand: bool
    """whether a figure that it rests on was not seen at its source"""


def normalised(pair: Pair, chip: Chip, reference: Chip) -> tuple[Normalised, ...]:
    """The pair's ratio per package, and per everything that sources give of both chips (preferred figures)."""
    out = [
        Normalised(per="package", ratio=pair.ratio, second_hand=False),
        Normalised(per="die", ratio=pair.ratio * reference.dies_per_package / chip.dies_per_package, second_hand=False),
    ]
    rows = (
        ("TFLOPS of 8-bit peak", eight_bit(chip), eight_bit(reference)),
        ("TB/s of memory", chip.bandwidth, reference.bandwidth),
        ("W", chip.power, reference.power),
    )
    for per, ours, theirs in rows:
        if ours is not None and theirs is not None:
            ratio = pair.ratio * theirs.best / ours.best
            out.append(Normalised(per=per, ratio=ratio, second_hand=per == "W" and _estimated(chip, reference)))
    return tuple(out)


def _estimated(*chips: Chip) -> bool:
    return any(c.power_w[0].source.how_seen in ("unverified", "second-hand") for c in chips if c.power_w)


def ranking(found: tuple[Normalised, ...], chip: Chip, reference: Chip) -> str:
    """Who leads under all normalisers, or that nobody does."""
    shown = ", ".join(f"{number(n.ratio, 2)} per {n.per}{' (estimated power)' if n.second_hand else ''}" for n in found)
    if all(n.ratio < 1 - EVEN for n in found):
        return f"{reference.title} leads under every normaliser: {shown}."
    if all(n.ratio > 1 + EVEN for n in found):
        return f"{chip.title} leads under every normaliser: {shown}."
    return f"No ranking holds under every normaliser: {shown}."


def as_evidence(pair: Pair, chip: Chip, reference: Chip) -> Evidence:
    """All normalisers of one pair, as one line of evidence."""
    found = normalised(pair, chip, reference)
    ratios = [n.ratio for n in found]
    return Evidence(
        quantity=f"{pair.rate.phase}, {pair.rate.system} over {pair.reference.system}: "
        f"{number(min(ratios), 2)} to {number(max(ratios), 2)} by normaliser",
        value=pair.ratio,
        unit="ratio",
        basis="published",
        source=f"{pair.rate.source.title}; {pair.reference.source.title}; sourced chip figures",
        url=pair.rate.source.url,
        bearing="context",
        note=ranking(found, chip, reference),
    )
