"""Load of the devices that hold experts, by placement: a table and JSON."""

from typing import Any

from harness.report.blocks import Table, columns
from harness.roofline.expert_load import ExpertLoad, Factor
from harness.units import interval, number, times, whole

_KINDS = {
    "as numbered": "experts in order of their numbers",
    "greedy": "placed by load, one copy each",
    "replicated": "placed by load, with redundant copies",
}


def table(found: ExpertLoad) -> Table:
    """Of devices, not of experts: each cell has the middle and the 90 % interval of the draws."""
    assumed = found.assumed
    return Table(
        title=f"Busiest of {whole(found.devices)} devices over the mean, and what its time costs",
        columns=columns("Placement", ">Copies", ">Load", ">Time of experts", ">Time of a step"),
        rows=tuple(
            (_KINDS[p.kind], whole(p.slots), _words(p.load), _words(p.experts_time), _words(p.step_time))
            for p in found.placements
        ),
        note=f"{number(found.positions)} positions a step in the group; popularity by Zipf's law, exponent "
        f"{_ends(assumed.skew)}, moved by {_ends(assumed.staleness)} (deviation of its logarithm) since experts were "
        "placed. Both are assumed: no source publishes them. Times are over the even case.",
        narrow="cards",
    )


def _ends(ends: tuple[float, float]) -> str:
    return number(ends[0], 2) if ends[0] == ends[1] else f"{number(ends[0], 2)} to {number(ends[1], 2)}"


def _words(factor: Factor) -> str:
    return f"{times(factor.mid)} {interval(factor.low, factor.high)}"


def document(found: ExpertLoad) -> dict[str, Any]:
    """Factors as [low, middle, high]."""
    return {
        "devices": found.devices,
        "positions": found.positions,
        "assumed": found.assumed.model_dump(mode="json"),
        "placements": [
            {
                "placement": p.kind,
                "slots": p.slots,
                **{name: _three(getattr(p, name)) for name in ("load", "experts_time", "step_time")},
            }
            for p in found.placements
        ],
    }


def _three(factor: Factor) -> list[float]:
    return [factor.low, factor.mid, factor.high]
