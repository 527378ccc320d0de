"""A table of many rows is as quiet on a no-op as one row, and still sees what moved."""

import datetime as dt

import numpy as np
import pytest

from harness.comparison.decision import Decided, decide, decide_pairs
from harness.comparison.multiple_testing import decide_together
from harness.comparison.table import Metric, ResultTable, Row, Sample, key
from harness.comparison.tables import Comparison, compare
from harness.comparison.thresholds import Thresholds
from harness.stats import Estimate

RATE = Metric(name="rate", unit="tok/s", better="higher")
START = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
LEVELS = Thresholds(margin=0.01)


def judged(rng: np.random.Generator, speeds: list[float], pairs: int = 20, noise: float = 0.05) -> list[Decided]:
    """Rows measured in pairs with these true speeds, decided together."""

    def judge(index: int, thresholds: Thresholds) -> Decided:
        return decide_pairs(variants[index].tolist(), [1.0] * pairs, LEVELS.margin, thresholds)

    variants = [speed * np.exp(noise * rng.standard_normal(pairs)) for speed in speeds]
    return list(decide_together([lambda t, i=i: judge(i, t) for i in range(len(speeds))], LEVELS))  # type: ignore[misc]


def test_fifty_rows_of_identical_code_cry_wolf_no_more_than_one() -> None:
    """Alarms and warnings; the margin is made small here so that only the correction stands between noise and alarm."""
    rng, tables = np.random.default_rng(3), 60
    loud = sum(any(d.decision not in ("undecided", "same") for d in judged(rng, [1.0] * 50)) for _ in range(tables))
    alone = sum(judged(rng, [1.0])[0].decision == "warn" for _ in range(50 * tables))
    assert loud <= 0.05 * tables + 5
    assert alone > 60  # so that nearly every table of 50 would have warned


def test_what_moved_is_found_among_rows_that_did_not() -> None:
    """Over forty tables: nearly all of what moved, and of all alarms at most the share that may be false."""
    found = false = 0
    for seed in range(40):
        words = [d.decision for d in judged(np.random.default_rng(seed), [0.85] * 10 + [1.0] * 40)]
        found += words[:10].count("slower")
        false += sum(word in ("slower", "faster") for word in words[10:])
    assert found >= 380
    assert false <= 6  # of the 400 and more alarms, 0.3 % of which may be false: 1.2, and six or fewer in 99.9 %


def test_one_row_is_decided_as_on_its_own() -> None:
    rng = np.random.default_rng(5)
    for _ in range(20):
        new = (0.94 * np.exp(0.05 * rng.standard_normal(20))).tolist()
        alone = decide_pairs(new, [1.0] * 20, 0.01, LEVELS)
        (together,) = decide_together([lambda t, new=new: decide_pairs(new, [1.0] * 20, 0.01, t)], LEVELS)  # type: ignore[misc]
        assert together == alone


@pytest.mark.parametrize("moved", [1, 3, 10])
def test_the_number_upheld_is_that_of_the_procedure(moved: int) -> None:
    """Against Benjamini and Hochberg's rule written out on p-values of normal rows: for being off 1 at either level,
    and then for lying beyond the margin."""
    from scipy.stats import norm

    rng = np.random.default_rng(moved)
    scores = np.concatenate([rng.normal(-5.0, 1.0, moved), rng.normal(0.0, 1.0, 30 - moved)])  # beyond the margin
    edge, error, levels = np.log1p(0.03), 0.01, Thresholds()

    def judge(score: float, thresholds: Thresholds) -> Decided:
        centre = score * error - edge

        def at(level: float) -> Estimate:
            half = norm.ppf(0.5 + level / 2) * error
            low, high = (float(np.exp(centre + s * half)) for s in (-1, 1))
            return Estimate(point=float(np.exp(centre)), low=low, high=high, level=level, n=9)

        return decide(at(thresholds.level), at(thresholds.alarm_level), 0.03)

    def upheld(p_values: np.ndarray, error: float) -> int:
        return max((k for k in range(1, 31) if np.sort(p_values)[k - 1] <= error * k / 30), default=0)

    decided = decide_together([lambda t, s=float(s): judge(s, t) for s in scores], levels)  # type: ignore[misc]
    off_one, beyond = 2 * norm.cdf(-np.abs(scores - edge / error)), 2 * norm.cdf(scores)
    candidates = beyond <= 1 - levels.level
    alarms = upheld(np.where(candidates, off_one, 1.0), 1 - levels.alarm_level)
    warnings = upheld(off_one, 1 - levels.level)
    expected = (off_one <= (1 - levels.alarm_level) * alarms / 30) & (beyond <= (1 - levels.level) * warnings / 30)
    assert [d.decision == "slower" for d in decided] == expected.tolist()
    assert expected.any() and not expected.all()


def table(name: str, rng: np.random.Generator, first: int, speeds: dict[str, float]) -> ResultTable:
    rows = []
    for case, speed in speeds.items():
        values = speed * np.exp(0.02 * rng.standard_normal(20))
        slots = [START + dt.timedelta(seconds=2 * i + (first + i) % 2) for i in range(20)]
        samples = tuple(Sample(value=float(v), started=s) for v, s in zip(values, slots, strict=True))
        rows.append(Row(key=key(case=case), metric=RATE, sampled="process", samples=samples))
    return ResultTable(tool="t", name=name, facts=(), rows=tuple(rows))


def compared(speeds: dict[str, float], seed: int = 0) -> Comparison:
    rng = np.random.default_rng(seed)
    return compare(table("a", rng, 0, dict.fromkeys(speeds, 1.0)), table("b", rng, 1, speeds), Thresholds())


def test_a_table_says_that_rows_were_decided_together() -> None:
    comparison = compared({"moved": 0.8} | {f"still{i}": 1.0 for i in range(9)})
    (moved,) = [r for r in comparison.rows if r.decision == "slower"]
    assert moved.key[0].value == "moved" and "as one of 10 rows" in moved.reason
    assert moved.sure_change is not None and 0.03 < moved.sure_change < 0.25
    assert moved.ratio is not None and moved.ratio.level == 0.95
    (only,) = compared({"moved": 0.8}).rows
    assert "rows" not in only.reason
