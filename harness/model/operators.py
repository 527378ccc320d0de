"""Operators that ran, with their times and shapes, and where a step's time went. Knows no runtime and no graph."""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence

from pydantic import Field

from harness.frozen import Frozen

Shape = tuple[int, ...]


class Executed(Frozen):
    """One run of one operator. `part` is the part of the model that it belongs to."""

    node: str
    part: str
    operator: str
    duration_s: float = Field(ge=0)
    inputs: tuple[Shape, ...]
    outputs: tuple[Shape, ...]


class ProfileRow(Frozen):
    """One kind of operator in one part of the model, over a step."""

    part: str
    operator: str
    calls: float = Field(description="runs in a step")
    duration_s: float = Field(description="time in a step, under the profiler, which slows small operators")
    share: float = Field(ge=0, le=1, description="of all operators' time")


def rows(executed: Iterable[Executed], steps: int) -> tuple[ProfileRow, ...]:
    """Time by part and operator, longest first."""
    times: dict[tuple[str, str], list[float]] = defaultdict(list)
    for run in executed:
        times[run.part, run.operator].append(run.duration_s)
    total = math.fsum(t for ts in times.values() for t in ts)
    made = [
        ProfileRow(
            part=part,
            operator=operator,
            calls=len(ts) / steps,
            duration_s=math.fsum(ts) / steps,
            share=math.fsum(ts) / total if total else 0.0,
        )
        for (part, operator), ts in times.items()
    ]
    return tuple(sorted(made, key=lambda row: (-row.duration_s, row.part, row.operator)))


def by_part(profile: Sequence[ProfileRow]) -> tuple[tuple[str, float], ...]:
    """Share of the time by part of the model, largest first."""
    shares: dict[str, float] = defaultdict(float)
    for row in profile:
        shares[row.part] += row.share
    return tuple(sorted(shares.items(), key=lambda item: -item[1]))
