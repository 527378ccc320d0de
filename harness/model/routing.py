"""How many experts a batch touches, and how unevenly: even routing, and a skewed case beside it.

Letters: E experts, k chosen, T positions. Even routing touches the most experts and balances best; skew does the
opposite on both counts: fewer weights to read, and a busiest expert that all others wait for.
"""

import math
from collections.abc import Sequence

from harness.model.spec import Spec
from harness.vocabulary import Frozen


class RoutingCase(Frozen):
    """One way to route, and what follows for one layer."""

    name: str
    experts_touched: float
    busiest_over_mean: float
    """positions of the busiest expert over the mean; what redundant copies of experts are there to lower"""


def experts_touched(experts: int, chosen: int, positions: float) -> float:
    """`U(T) = E * (1 - (1 - k/E)^T)`: expected distinct experts under independent even routing."""
    return experts * -math.expm1(positions * math.log1p(-chosen / experts)) if chosen < experts else float(experts)


def touched_deviation(experts: int, chosen: int, positions: float) -> float:
    """Standard deviation of the distinct experts of one layer, under independent even routing.

    Of the experts that no position chose: each is one with probability q = (1 - k/E)^T, each pair with probability
    r = ((E-k)(E-k-1) / (E(E-1)))^T, so the variance is E*q + E*(E-1)*r - (E*q)^2.
    """
    one = (1 - chosen / experts) ** positions
    pair = ((experts - chosen) * (experts - chosen - 1) / (experts * max(1, experts - 1))) ** positions
    variance = experts * one + experts * (experts - 1) * pair - (experts * one) ** 2
    return math.sqrt(max(0.0, variance))


def inclusion(weights: Sequence[float], chosen: int) -> list[float]:
    """Probability of each expert to be among the k chosen: proportional to its weight, none above 1, k in all."""
    sure: set[int] = set()
    while True:
        open_weight = math.fsum(w for i, w in enumerate(weights) if i not in sure)
        scale = (chosen - len(sure)) / open_weight if open_weight else 0.0
        over = {i for i, w in enumerate(weights) if i not in sure and w * scale > 1}
        if not over:
            return [1.0 if i in sure else w * scale for i, w in enumerate(weights)]
        sure |= over


def skewed(experts: int, chosen: int, positions: float, exponent: float) -> RoutingCase:
    """Routing by Zipf's law: the expert of rank i is wanted in proportion to `i^-exponent` (0 is even)."""
    chance = inclusion([(i + 1.0) ** -exponent for i in range(experts)], chosen)
    touched = math.fsum(1.0 if p >= 1 else -math.expm1(positions * math.log1p(-p)) for p in chance)
    name = "even" if exponent == 0 else f"skewed (Zipf, exponent {exponent:g})"
    return RoutingCase(name=name, experts_touched=touched, busiest_over_mean=max(chance) * experts / chosen)


def routing_cases(spec: Spec, positions: float) -> tuple[RoutingCase, ...]:
    """Even routing, and Zipf's law with exponent 1; empty for a dense model."""
    if not spec.is_sparse:
        return ()
    size = spec.n_routed_experts, spec.num_experts_per_tok
    return tuple(skewed(*size, positions, exponent) for exponent in (0.0, 1.0))
