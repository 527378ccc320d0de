"""Claims and published figures as linear equations in logarithms, and the smallest sets of them that cannot all hold.

A rate, a peak or a count is an unknown; a claim or a published figure is one equation over unknowns, with a standard
deviation. A set is inconsistent where the least squares of its residuals exceed the 95 % point of chi-squared with as
many degrees of freedom as it has redundant equations."""

from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING

from harness.vocabulary import Frozen

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LEVEL = 0.95
LARGEST_SET = 4
"""Members of a set at most: beyond it a reader cannot follow why they contradict one another."""
MOST_EQUATIONS = 24
"""In one group of equations that share unknowns; larger ones are cut, claims kept first, to bound the search."""


class Equation(Frozen):
    """`sum(coefficient * unknown) = value`, in natural logarithms, give or take `sd`."""

    name: str
    """the claim, or the published figure, in words"""
    claim: str | None
    """id of the claim that says so; None for a published figure"""
    terms: tuple[tuple[str, float], ...]
    value: float
    sd: float


class Contradiction(Frozen):
    """A smallest set of equations that cannot all hold."""

    members: tuple[Equation, ...]
    residual: float
    """logarithm by which the set misses, least over all ways to share it out"""


def _system(equations: Sequence[Equation]) -> "tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]":
    import numpy as np

    unknowns = sorted({name for e in equations for name, _ in e.terms})
    column = {name: j for j, name in enumerate(unknowns)}
    a = np.zeros((len(equations), len(unknowns)))
    for i, e in enumerate(equations):
        for name, coefficient in e.terms:
            a[i, column[name]] += coefficient
    return a, np.array([e.value for e in equations]), np.array([e.sd for e in equations])


def residual(equations: Sequence[Equation]) -> tuple[float, int, float]:
    """Least weighted squares, degrees of freedom, and the residual in logarithms (0 where nothing is redundant)."""
    import numpy as np

    a, b, sd = _system(equations)
    weighted, target = a / sd[:, None], b / sd
    rank = int(np.linalg.matrix_rank(weighted)) if a.size else 0
    free = len(equations) - rank
    if free == 0:
        return 0.0, 0, 0.0
    solution, *_ = np.linalg.lstsq(weighted, target, rcond=None)
    off = target - weighted @ solution
    squares = float(off @ off)
    # One redundant equation misses by the root of its squares times the deviation that all members share.
    share = float(np.sqrt(np.sum(sd**2)))
    return squares, free, float(np.sqrt(squares / free)) * share


def inconsistent(equations: Sequence[Equation]) -> bool:
    """Whether the equations miss by more than chance allows at 95 %."""
    from scipy.special import chdtri

    squares, free, _ = residual(equations)
    return free > 0 and squares > float(chdtri(free, 1 - LEVEL))


def implied(target: Equation, others: Sequence[Equation]) -> float | None:
    """What the others make of the value of `target`; None where they leave it open."""
    import numpy as np

    a, b, _ = _system([*others, target])
    solution, *_ = np.linalg.lstsq(a[:-1], b[:-1], rcond=None)
    if np.linalg.matrix_rank(a) > np.linalg.matrix_rank(a[:-1]):
        return None
    return float(a[-1] @ solution)


def _groups(equations: Sequence[Equation]) -> list[list[Equation]]:
    """Equations that share unknowns, directly or through others."""
    groups: list[tuple[set[str], list[Equation]]] = []
    for e in equations:
        names = {name for name, _ in e.terms}
        touching = [g for g in groups if g[0] & names]
        merged = (names.union(*(g[0] for g in touching)), [x for g in touching for x in g[1]] + [e])
        groups = [g for g in groups if g not in touching] + [merged]
    return [g[1] for g in groups]


def contradictions(equations: Sequence[Equation]) -> tuple[Contradiction, ...]:
    """Every smallest inconsistent set with a claim in it, smaller sets and larger misses first."""
    found: list[Contradiction] = []
    for group in _groups(equations):
        kept = sorted(group, key=lambda e: e.claim is None)[:MOST_EQUATIONS]
        seen: list[frozenset[int]] = []
        for size in range(2, LARGEST_SET + 1):
            for chosen in combinations(range(len(kept)), size):
                members = [kept[i] for i in chosen]
                if all(m.claim is None for m in members) or any(s <= set(chosen) for s in seen):
                    continue
                if inconsistent(members):
                    seen.append(frozenset(chosen))
                    found.append(Contradiction(members=tuple(members), residual=residual(members)[2]))
    return tuple(sorted(found, key=lambda c: (len(c.members), -c.residual)))
