"""Series keep hosts apart, and a change of level is found where there is one and seldom where there is none."""

import datetime as dt
import json
import math

import numpy as np
import pytest

from harness.comparison.history import Series, changes, gather, host_changes
from harness.comparison.table import Attribute, Better, Metric, ResultTable, Row, Sample, key
from harness.report import history, text

START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def table(day: int, host: str, better: Better = "higher", **values: float) -> ResultTable:
    metric = Metric(name="rate", unit="tok/s", better=better)
    return ResultTable(
        tool="t",
        name=f"run{day}",
        facts=(
            Attribute(kind="host", name="fingerprint", value=host, binding=True),
            Attribute(kind="run", name="created", value=(START + dt.timedelta(days=day)).isoformat()),
        ),
        rows=tuple(
            Row(key=key(case=n), metric=metric, sampled="process", samples=(Sample(value=v),))
            for n, v in values.items()
        ),
    )


def noisy(rng: np.random.Generator, runs: int, step: float, better: Better = "higher") -> Series:
    """A spread of 5 %, one run in 20 at 1.6 times; in the middle, speed grows by `step`."""
    logs = 0.05 * rng.standard_normal(runs) + np.where(rng.random(runs) < 0.05, 0.5, 0.0)
    logs[runs // 2 :] += math.log1p(step) * (1 if better == "higher" else -1)
    (series,) = gather([table(i, "h", better, x=math.exp(v)) for i, v in enumerate(logs)])
    return series


def test_hosts_are_never_joined() -> None:
    series = gather([table(0, "one", x=1, y=1), table(1, "two", x=5), table(2, "one", x=2)])
    assert [(s.key[0].value, s.host, [p.value.point for p in s.points]) for s in series] == [
        ("x", "one", [1, 2]),
        ("y", "one", [1]),
        ("x", "two", [5]),
    ]
    assert series[0].points[1].created == START + dt.timedelta(days=2)


def test_a_failed_row_is_a_gap() -> None:
    good = table(0, "h", x=1)
    bad = good.model_copy(update={"rows": (good.rows[0].model_copy(update={"problem": "crashed"}),)})
    assert gather([bad]) == ()


def test_series_without_a_change_stay_quiet() -> None:
    pytest.importorskip("ruptures")
    rng = np.random.default_rng(0)
    assert sum(bool(changes(noisy(rng, 40, 0.0), 0.03)) for _ in range(100)) <= 5


@pytest.mark.parametrize("better", ["higher", "lower"])
def test_a_step_is_found_near_its_place_with_its_size(better: Better) -> None:
    pytest.importorskip("ruptures")
    rng = np.random.default_rng(1)
    near = 0
    for _ in range(20):
        found = changes(noisy(rng, 60, 0.15, better), 0.03)
        near += any(27 <= c.runs_before <= 33 and 1.05 < c.speed < 1.3 for c in found)
    assert near >= 16


def test_changes_below_the_margin_and_short_series_say_nothing() -> None:
    pytest.importorskip("ruptures")
    levels = [1.0] * 10 + [1.02] * 10
    (series,) = gather([table(i, "h", x=v) for i, v in enumerate(levels)])
    assert changes(series, 0.03) == ()
    (change,) = changes(series, 0.01)
    assert change.since == "run10" and change.speed == pytest.approx(1.02)
    (short,) = gather([table(i, "h", x=v) for i, v in enumerate([1, 1, 1, 9, 9, 9])])
    assert changes(short, 0.03) == ()


def test_when_all_cases_move_at_once_the_host_moved() -> None:
    pytest.importorskip("ruptures")
    series = gather([table(i, "h", x=1 + (i > 9), y=2 + 2 * (i > 9), z=3 + 3 * (i > 9), w=1.0) for i in range(20)])
    found = [c for s in series for c in changes(s, 0.03)]
    assert host_changes(found, series) == ("run10",)
    lonely = [c for c in found if c.key == key(case="x")]
    assert host_changes(lonely, series) == ()
    written = text.render(history.build(series, found))
    assert "the host changed" in written and "run10" in written
    data = json.loads(history.as_json(series, found))
    assert len(data["series"]) == 4 and {c["key"]["case"] for c in data["changes"]} == {"x", "y", "z"}


def test_too_few_runs_are_no_sign_of_steadiness() -> None:
    series = gather([table(i, "h", x=1) for i in range(3)])
    assert "too few" in text.render(history.build(series, ()))


def test_not_having_looked_is_not_no_change() -> None:
    series = gather([table(0, "h", x=1)])
    assert "not looked for" in text.render(history.build(series, None))
    assert json.loads(history.as_json(series, None))["changes"] is None


@pytest.mark.parametrize(
    ("values", "line"), [([1, 2, 3, 4, 5, 6, 7, 8], "▁▂▃▄▅▆▇█"), ([5, 5, 5], "▄▄▄"), ([1.0], "▄"), ([1, 9, 1], "▁█▁")]
)
def test_sparklines(values: list[float], line: str) -> None:
    assert history.sparkline(values) == line
    assert len(history.sparkline(values * 20)) <= history.SPARK_WIDTH


def test_other_inputs_and_doubled_rows_are_not_joined() -> None:
    def seeded(day: int, seed: str) -> ResultTable:
        made = table(day, "h", x=1.0)
        return made.model_copy(
            update={"rows": tuple(r.model_copy(update={"inputs": key(seed=seed)}) for r in made.rows)}
        )

    series = gather([seeded(0, "1"), seeded(1, "1"), seeded(2, "2")])
    assert [len(s.points) for s in series] == [2, 1]
    assert "seed 2" in text.render(history.build(series, None))
    double = table(0, "h", x=1.0)
    assert gather([double.model_copy(update={"rows": double.rows * 2})]) == ()


def test_runs_are_shown_with_label_and_revision() -> None:
    def labelled(day: int) -> ResultTable:
        made = table(day, "h", x=1.0 if day < 10 else 2.0)
        about = (
            Attribute(kind="run", name="label", value=f"nightly-{day}"),
            Attribute(kind="version", name="commit", value=f"{day:040x}+"),
        )
        return made.model_copy(update={"facts": (*made.facts, *about)})

    series = gather([labelled(i) for i in range(20)])
    written = text.render(history.build(series, ()))
    assert "nightly-19" in written and "000000000000+" in written
    assert json.loads(history.as_json(series, ()))["series"][0]["points"][3]["label"] == "nightly-3"
    pytest.importorskip("ruptures")
    (change,) = changes(series[0], 0.03)
    assert change.revision == f"{10:040x}+"


def test_a_time_without_an_offset_is_universal() -> None:
    made = table(0, "h", x=1.0)
    naive = made.model_copy(update={"facts": (Attribute(kind="run", name="time", value="2026-01-01T00:00:00"),)})
    assert gather([naive])[0].points[0].created == START
