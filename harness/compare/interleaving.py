"""Whether two rows were measured side by side, found in the times at which their processes started.

A label or a flag could claim it; the times show it. Knows no statistics.
"""

from harness.tables.table import Row

_LEAST_SHARE = 0.8
"""Share of the processes that must have found a neighbour of the other arm: a failed process or two in 20 break no
comparison, while two runs one after the other share a single pair."""


def pairs(a: Row, b: Row) -> tuple[tuple[float, float], ...]:
    """Values of neighbouring processes, one of each row, in order of time; empty where the rows were not interleaved.

    In order of start, each process is paired with the next one if that is of the other row; ABBA and ABAB both yield
    every round as a pair. Repetitions inside one process are never pairs.
    """
    if "inside" in (a.sampled, b.sampled):
        return ()
    timed = [(s.started, side, s.value) for side, row in enumerate((a, b)) for s in row.samples if s.started]
    if len(timed) < len(a.samples) + len(b.samples) or not timed:
        return ()
    timed.sort(key=lambda t: (t[0], t[1]))
    found, place = [], 0
    while place + 1 < len(timed):
        first, second = timed[place], timed[place + 1]
        if first[1] == second[1]:
            place += 1
            continue
        old, new = (first, second) if first[1] == 0 else (second, first)
        found.append((old[2], new[2]))
        place += 2
    return tuple(found) if 2 * len(found) >= _LEAST_SHARE * len(timed) else ()
