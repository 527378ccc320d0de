"""How much of a chip's limits published systems reach, with the sources under test left out. Looks at no claim."""

from functools import lru_cache

from harness.catalogue import builtin
from harness.cost import Ceiling, Phase
from harness.cost.band import Band, band, reference_tok_s
from harness.errors import UsageError
from harness.verdict.knowledge import Knowledge


@lru_cache(maxsize=256)
def reach_of(phase: Phase, vendor: str, leave_out: tuple[str, ...], knowledge: Knowledge) -> Band | None:
    """The band for a rate on a chip of `vendor`, without the publications `leave_out`; None where nothing is left.

    Other publications on the vendor's chips stay in: leaving them out as well costs a quarter of the plants of factor
    4 and saves no true rate (see `controls`). Where none is left the band has a vendor term in its width.
    """
    catalogue = None if knowledge.catalogue is builtin() else knowledge.catalogue
    try:
        return band(phase, vendor=vendor, exclude_sources=leave_out, catalogue=catalogue)
    except UsageError:
        return None


def made_of(found: Band) -> str:
    """Rows and publications that made a band, in words."""
    return f"{len(found.rows)} published rates of {len(found.sources)} publications: {', '.join(found.sources)}"


def usual_tok_s(found: Band, limits: Ceiling) -> tuple[float, float, float]:
    """Rates at the band's lower end, middle and upper end (90 %), for one deployment's limits."""
    reference = reference_tok_s(limits, found.exposed_link)
    return reference * found.low90, reference * found.mid, reference * found.high90


def fraction(found: Band, limits: Ceiling, rate_tok_s: float) -> float:
    """What share of its reference point a rate is."""
    return rate_tok_s / reference_tok_s(limits, found.exposed_link)
