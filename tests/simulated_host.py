"""Hosts whose noise is known, for tests of decisions: drift that lasts, each process's own noise, rare slow processes.

Shapes follow two-core virtual machines: medians of fresh processes spread by 15 to 24 % while quiet and by 27 to 42 %
beside a bursty neighbour, with rare processes at up to twice the time. Nothing here is a measurement.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Levels = NDArray[np.float64]


@dataclass(frozen=True)
class SimulatedHost:
    """Log-levels of processes. `memory` is how much of the drift one process passes on to the next."""

    own: float
    drift: float
    memory: float
    slow_share: float

    def levels(self, rng: np.random.Generator, count: int) -> Levels:
        """Log-durations of `count` processes, one after the other, of the same code."""
        host = np.zeros(count)
        host[0] = self.drift * rng.standard_normal()
        for i in range(1, count):
            host[i] = self.memory * host[i - 1] + math.sqrt(1 - self.memory**2) * self.drift * rng.standard_normal()
        slow = np.where(rng.random(count) < self.slow_share, rng.uniform(0.2, 0.7, count), 0.0)
        return np.asarray(host + self.own * rng.standard_normal(count) + slow)

    def variants(self, rng: np.random.Generator, pairs: int, slow_down: float = 0.0) -> tuple[list[float], list[float]]:
        """Speeds of a new and an old variant in ABBA order; the new one takes `slow_down` (a share) longer."""
        levels = self.levels(rng, 2 * pairs)
        first = np.arange(pairs) % 2
        old = levels[2 * np.arange(pairs) + first]
        new = levels[2 * np.arange(pairs) + 1 - first]
        return (np.exp(-new) / (1 + slow_down)).tolist(), np.exp(-old).tolist()


# Neighbouring processes of the quiet host differ by 5 to 6 %: the upper end of what the power of paired tests on such
# machines implies (3 to 6 %).
HOSTS = {
    "quiet": SimulatedHost(own=0.02, drift=0.15, memory=0.95, slow_share=0.03),
    "unsteady": SimulatedHost(own=0.05, drift=0.20, memory=0.80, slow_share=0.06),
    "busy": SimulatedHost(own=0.10, drift=0.30, memory=0.60, slow_share=0.10),
}
