"""Drills of identical code stay quiet, injected ones are found, extra work takes the share it says, and a torn line
costs nothing but itself."""

import datetime as dt
import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.compare.calibration import Drill, settle
from harness.compare.decision import LOOKS
from harness.compare.thresholds import Thresholds
from harness.measure.drill import Slowed
from harness.measure.trials import trial
from harness.report import reliability
from harness.store.ledger import Ledger

SIZES = (0.0, 0.03, 0.05, 0.10)


def host(seed: int, spread: float) -> object:
    """Rates of a scripted host: 1,000 tokens a second, each process at its own level."""
    draw = random.Random(seed)

    def measured(shares: Sequence[float]) -> tuple[float | None, ...]:
        return tuple(1000 * (1 + draw.gauss(0, spread)) / (1 + share) for share in shares)

    return measured


def drill(injected: float, old: Sequence[float], new: Sequence[float]) -> Drill:
    return Drill(
        host_fingerprint="here",
        created=dt.datetime(2026, 11, 1, tzinfo=dt.UTC),
        harness_version="1",
        runtime_version="1",
        case="made up",
        seed=0,
        looks=LOOKS,
        injected=injected,
        old=tuple(old),
        new=tuple(new),
    )


def test_a_steady_host_tells_sizes_apart() -> None:
    rounds = trial(host(1, 0.005), SIZES, Thresholds(), seed=3)  # type: ignore[arg-type]
    words = [settle(r.new, r.old, Thresholds()).decision for r in rounds]
    assert [r.injected for r in rounds] == list(SIZES)
    assert words[0] == "same" and words[2:] == ["slower", "slower"]


def test_a_failed_process_costs_its_pair() -> None:
    steady, calls = host(2, 0.001), []

    def measured(shares: Sequence[float]) -> tuple[float | None, ...]:
        calls.append(shares)
        return (None,) * len(shares) if len(calls) == 4 else steady(shares)  # type: ignore[operator]

    (one,) = trial(measured, (0.10,), Thresholds(), seed=1)
    assert len(one.old) == len(one.new) == 9


def test_the_first_final_look_counts() -> None:
    """What comes after it would be a second chance that `harness ab` does not have."""
    old, new = [1.0, 1.001] * 10, [0.8, 0.801] * 5 + [1.0, 1.001] * 5
    assert settle(new, old, Thresholds()).decision == "slower" and settle(new, old, Thresholds()).shown.n == 10


class Step:
    """A stepper on a scripted clock: each step takes 1,000 ticks, each reading of the clock 1."""

    tokens_per_step, outside_s = 1, 0.0

    def __init__(self) -> None:
        self.now = 0

    def clock(self) -> int:
        self.now += 1
        return self.now

    def step(self) -> None:
        self.now += 1000

    def coverage(self) -> float | None:
        return None

    def logits(self) -> NDArray[np.float32]:
        return np.zeros(1, np.float32)


@pytest.mark.parametrize("share", [0.03, 0.05, 0.10])
def test_extra_work_takes_its_share(share: float) -> None:
    inner = Step()
    Slowed(inner, share, inner.clock).step()
    assert inner.now == pytest.approx(1000 * (1 + share), rel=0.005)


def test_a_torn_line_costs_only_itself(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "store.sqlite")
    assert ledger.drills("here") == ()
    ledger.add([drill(0, [1.0], [1.0])])
    with ledger.path.open("a") as file:
        file.write('{"host_fingerprint": "here", "crea')
    ledger.add([drill(0.05, [1.0], [0.95])])
    assert [d.injected for d in ledger.drills("here")] == [0, 0.05]
    assert ledger.drills("elsewhere") == ()


def test_few_drills_are_shown_and_not_quoted(tmp_path: Path) -> None:
    from harness.cli.reliability import calibrated, known

    store = tmp_path / "store.sqlite"
    drills = [drill(0, [1.0, 1.001] * 5, [1.0, 1.001] * 5)] * 19
    Ledger(store).add(drills)
    assert known(store, "here", Thresholds()) is None
    assert "19 of at least 20" in str(reliability.build(calibrated(drills, "here", Thresholds()), 19, 20))
    Ledger(store).add(drills[:1])
    found = known(store, "here", Thresholds())
    assert found is not None and found.false_alarms.n == 20 and found.false_alarms.point == 0
    assert "0 of 20" in found.sentence
