"""Decisions are quiet on a no-op, awake to a change, and never merge what is not surely the same thing."""

import datetime as dt
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.comparison.calibration import Trial, calibrate, settle
from harness.comparison.decision import ANALYSES, Decision, decide, decide_pairs, order
from harness.comparison.matching import interleaved_pairs, match, resolve
from harness.comparison.table import Attribute, Better, Metric, ResultTable, Row, Sample, Setting, Summary, key
from harness.comparison.tables import Comparison, compare
from harness.comparison.thresholds import Thresholds, parse
from harness.errors import UsageError
from harness.stats import Estimate
from tests.simulated_host import HOSTS, SimulatedHost

THRESHOLDS = Thresholds()
START = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)


def row(
    name: str,
    values: list[float],
    *,
    better: Better = "higher",
    slots: list[int] | None = None,
    unit: str = "tok/s",
    **extra: object,
) -> Row:
    times = [START + dt.timedelta(seconds=s) for s in slots] if slots else [None] * len(values)
    return Row(
        key=key(case=name, **extra),
        metric=Metric(name="rate", unit=unit, better=better),
        sampled="process",
        samples=tuple(Sample(value=v, started=t) for v, t in zip(values, times, strict=True)),
    )


def table(*rows: Row, name: str = "a", tool: str = "t", facts: tuple[Attribute, ...] = ()) -> ResultTable:
    return ResultTable(tool=tool, name=name, facts=facts, rows=rows)


def abba(n: int) -> tuple[list[int], list[int]]:
    """Start times of two variants in ABBA order."""
    return [2 * i + i % 2 for i in range(n)], [2 * i + 1 - i % 2 for i in range(n)]


def decision_of(comparison: Comparison) -> Decision:
    (only,) = comparison.rows
    return only.decision


def exact(low: float, point: float, high: float) -> Estimate:
    return Estimate(point=point, low=low, high=high, level=0.95, n=9)


@pytest.mark.parametrize(
    ("shown", "alarm", "word"),
    [
        (exact(1.05, 1.1, 1.15), exact(1.04, 1.1, 1.16), "faster"),
        (exact(0.85, 0.9, 0.95), exact(0.84, 0.9, 0.96), "slower"),
        (exact(1.04, 1.1, 1.15), exact(1.02, 1.1, 1.16), "faster"),
        (exact(1.04, 1.1, 1.15), exact(0.99, 1.1, 1.16), "warn"),
        (exact(1.02, 1.1, 1.15), exact(1.01, 1.1, 1.16), "warn"),
        (exact(0.985, 1.0, 1.015), exact(0.96, 1.0, 1.04), "same"),
        (exact(1.01, 1.02, 1.029), exact(1.0, 1.02, 1.05), "same"),
        (exact(0.9, 1.02, 1.1), exact(0.8, 1.02, 1.2), "undecided"),
        (exact(1.005, 1.02, 1.05), exact(0.99, 1.02, 1.06), "undecided"),
        (Estimate(point=3.0, low=None, high=None, n=1), Estimate(point=3.0, low=None, high=None, n=1), "undecided"),
    ],
)
def test_the_rule(shown: Estimate, alarm: Estimate, word: Decision) -> None:
    assert decide(shown, alarm, 0.03).decision == word


def one_ab(rng: np.random.Generator, host: SimulatedHost, slow_down: float) -> Decision:
    """One comparison as it is run: 10 pairs, then 20, 40, 80 and 160 while undecided or only warned."""
    new, old = host.variants(rng, ANALYSES[-1], slow_down)
    return settle(new, old, THRESHOLDS).decision


@pytest.mark.parametrize("host", HOSTS)
def test_interleaved_no_ops_raise_at_most_one_alarm_in_a_hundred(host: str) -> None:
    rng = np.random.default_rng(11)
    words = [one_ab(rng, HOSTS[host], 0.0) for _ in range(400)]
    assert sum(w in ("faster", "slower") for w in words) <= 4


def test_interleaved_slow_downs_are_found_on_a_quiet_host() -> None:
    rng = np.random.default_rng(12)
    tens = [one_ab(rng, HOSTS["quiet"], 0.10) for _ in range(100)]
    fives = [one_ab(rng, HOSTS["quiet"], 0.05) for _ in range(100)]
    assert sum(w == "slower" for w in tens) >= 95
    assert sum(w in ("slower", "warn") for w in fives) >= 80
    assert not any(w == "faster" for w in tens + fives)


@pytest.mark.parametrize("inside", [0.01, 0.05])
def test_separate_no_ops_are_quiet_under_the_drift_that_was_assumed(inside: float) -> None:
    """Two sessions of identical code whose levels differ by drift: at most 1 % alarms, where plain intervals of the
    samples inside the sessions would have called most of them a change."""
    rng = np.random.default_rng(13)
    words, naive = [], 0
    for _ in range(600):
        sides = [np.exp(THRESHOLDS.drift * rng.standard_normal() + inside * rng.standard_normal(10)) for _ in range(2)]
        a, b = (table(row("x", s.tolist())) for s in sides)
        words.append(decision_of(compare(a, b, THRESHOLDS)))
        naive += decision_of(compare(a, b, Thresholds(drift=0.0))) in ("faster", "slower")
    assert sum(w in ("faster", "slower") for w in words) <= 6 + 6
    assert sum(w in ("faster", "slower", "warn") for w in words) <= 0.07 * 600  # off 1 at 95 %
    assert naive > 200


def test_a_doubling_is_seen_across_sessions_and_ten_per_cent_is_not() -> None:
    values = [99.0, 100.0, 101.0, 100.5, 99.5, 100.2]
    a = table(row("x", values))
    assert decision_of(compare(a, table(row("x", [v / 2 for v in values])), THRESHOLDS)) == "slower"
    assert decision_of(compare(a, table(row("x", [v / 1.1 for v in values])), THRESHOLDS)) == "undecided"
    steady = Thresholds(drift=0.01)
    assert decision_of(compare(a, table(row("x", [v / 1.1 for v in values])), steady)) == "slower"


def test_durations_that_grow_are_slower() -> None:
    a = table(row("x", [1.0] * 6, better="lower", unit="s"))
    b = table(row("x", [3.0] * 6, better="lower", unit="s"))
    comparison = compare(a, b, THRESHOLDS)
    assert decision_of(comparison) == "slower"
    assert comparison.rows[0].ratio is not None and comparison.rows[0].ratio.point == pytest.approx(3)
    assert comparison.speed is not None and comparison.speed.point == pytest.approx(1 / 3)


def test_times_show_who_was_measured_side_by_side() -> None:
    a_slots, b_slots = abba(10)
    values = [float(v) for v in range(1, 11)]
    a, b = row("x", values, slots=a_slots), row("x", values, slots=b_slots)
    assert len(interleaved_pairs(a, b)) == 10
    later = row("x", values, slots=[s + 100 for s in b_slots])
    assert interleaved_pairs(a, later) == ()
    untimed = row("x", values)
    assert interleaved_pairs(a, untimed) == ()


def test_a_run_is_not_compared_with_itself() -> None:
    """Its processes would interim analysis measured side by side, and alike for sure."""
    slots, _ = abba(10)
    one = table(row("x", [1.0, 1.1] * 5, slots=slots))
    (only,) = compare(one, one, THRESHOLDS).rows
    assert only.decision == "not comparable" and "with itself" in only.reason


def test_a_failed_process_breaks_no_pairing() -> None:
    a_slots, b_slots = abba(10)
    a = row("x", [1.0] * 9, slots=[s for i, s in enumerate(a_slots) if i != 4])
    b = row("x", [2.0] * 10, slots=b_slots)
    found = interleaved_pairs(a, b)
    assert len(found) >= 9 and set(found) == {(1.0, 2.0)}


def test_pairing_sees_through_a_host_that_slows_down() -> None:
    rng = np.random.default_rng(5)
    a_slots, b_slots = abba(20)
    host = np.exp(-np.linspace(0, 1.2, 40) + 0.005 * rng.standard_normal(40))
    a = table(row("x", (100 * host[a_slots]).tolist(), slots=a_slots))
    b = table(row("x", (90 * host[b_slots]).tolist(), slots=b_slots))
    comparison = compare(a, b, THRESHOLDS)
    assert comparison.rows[0].way == "interleaved"
    assert decision_of(comparison) == "slower"


def test_different_hosts_are_not_comparable_unless_asked() -> None:
    def on(cpu: str) -> ResultTable:
        return table(row("x", [1.0] * 6), facts=(Attribute(kind="host", name="cpu", value=cpu, binding=True),))

    comparison = compare(on("one"), on("two"), THRESHOLDS)
    assert decision_of(comparison) == "not comparable"
    assert comparison.rows[0].ratio is None and comparison.speed is None and comparison.moved is None
    assert [(d.name, d.a, d.b) for d in comparison.differences] == [("cpu", "one", "two")]
    assert decision_of(compare(on("one"), on("two"), THRESHOLDS, across_hosts=True)) != "not comparable"


def test_other_inputs_are_not_comparable() -> None:
    def seeded(seed: str) -> Row:
        return row("x", [1.0] * 6).model_copy(update={"inputs": (Setting(name="seed", value=seed),)})

    comparison = compare(table(seeded("0")), table(seeded("1")), THRESHOLDS)
    assert decision_of(comparison) == "not comparable" and "seed is 0" in comparison.rows[0].reason
    ignoring = compare(table(seeded("0")), table(seeded("1")), THRESHOLDS, ignore=frozenset({"seed"}))
    assert decision_of(ignoring) != "not comparable"


def test_rows_of_one_key_are_never_averaged() -> None:
    twice = table(row("x", [1.0] * 6, batch=1), row("x", [5.0] * 6, batch=8))
    comparison = compare(twice, twice, THRESHOLDS, ignore=frozenset({"batch"}))
    assert decision_of(comparison) == "not comparable" and "batch" in comparison.rows[0].reason


def test_a_setting_that_only_one_side_states_is_named() -> None:
    comparison = compare(table(row("x", [1.0] * 6)), table(row("x", [1.0] * 6, mode="auto")), THRESHOLDS)
    assert decision_of(comparison) == "not comparable"
    assert "mode = auto" in comparison.rows[0].reason and "--ignore mode" in comparison.rows[0].reason


def test_missing_cases_are_listed() -> None:
    a = table(row("x", [1.0] * 6), row("y", [1.0] * 6))
    b = table(row("x", [1.0] * 6), row("z", [1.0] * 6))
    comparison = compare(a, b, THRESHOLDS)
    assert [(lone.key[0].value, lone.only_in) for lone in comparison.lone] == [("y", "a"), ("z", "b")]


def test_unlike_tables_are_refused() -> None:
    with pytest.raises(UsageError, match="like with like"):
        compare(table(row("x", [1.0])), table(row("x", [1.0]), tool="other"), THRESHOLDS)
    with pytest.raises(UsageError, match="no row in common"):
        compare(table(row("x", [1.0])), table(row("y", [1.0])), THRESHOLDS)


def test_the_rows_that_are_most_alike_tell_why_none_is_shared() -> None:
    a = table(row("x", [1.0], batch=1, mode="p"), row("y", [1.0], batch=2, mode="p"))
    b = table(row("y", [1.0], batch=8, mode="p"), name="b")
    with pytest.raises(UsageError, match=r"batch is 2 and 8; .*: --ignore batch"):
        compare(a, b, THRESHOLDS)


def test_names_to_ignore_are_known_however_they_are_joined() -> None:
    fact = Attribute(kind="version", name="library build", value="x", binding=True)
    spaced = row("x", [1.0]).model_copy(update={"key": (Setting(name="parameter t", value="1"),)})
    one = table(spaced, facts=(fact,))
    assert resolve(["library-build", "parameter-t"], [one]) == {"library build", "parameter t"}
    assert resolve([], [one]) == frozenset()
    with pytest.raises(UsageError, match=r"--ignore librarybuild: .* did you mean 'library-build'"):
        resolve(["librarybuild"], [one])


def test_one_sample_decides_nothing() -> None:
    comparison = compare(table(row("x", [1.0])), table(row("x", [50.0])), THRESHOLDS)
    assert decision_of(comparison) == "undecided"
    assert comparison.rows[0].ratio is not None and comparison.rows[0].ratio.low is None


def test_drift_does_not_average_out_over_rows() -> None:
    """A hundred rows of two sessions share the sessions' drift: the mean over them is no surer than one row."""
    rows = [row(f"r{i}", [1.0] * 6) for i in range(100)]
    whole = compare(table(*rows), table(*rows), THRESHOLDS).speed
    one = compare(table(rows[0]), table(rows[0]), THRESHOLDS).rows[0].ratio
    assert whole is not None and one is not None and whole.high is not None and one.high is not None
    assert whole.high == pytest.approx(one.high)


positive = st.floats(min_value=1e-3, max_value=1e3)
cases = st.dictionaries(st.sampled_from("abcdef"), st.lists(positive, min_size=1, max_size=9), min_size=1)


@settings(max_examples=200, deadline=None)
@given(cases, cases, st.sampled_from(["higher", "lower"]))
def test_the_other_way_round_is_the_inverse(
    left: dict[str, list[float]], right: dict[str, list[float]], better: Better
) -> None:
    a, b = (table(*(row(n, v, better=better) for n, v in side.items())) for side in (left, right))
    if not left.keys() & right.keys():
        with pytest.raises(UsageError):
            compare(a, b, THRESHOLDS)
        return
    forth, back = compare(a, b, THRESHOLDS), compare(b, a, THRESHOLDS)
    mirror = {"faster": "slower", "slower": "faster"}
    returned = {r.key: r for r in back.rows}
    for r in forth.rows:
        other = returned[r.key]
        assert other.decision == mirror.get(r.decision, r.decision)
        assert r.ratio is not None and other.ratio is not None
        assert r.ratio.point * other.ratio.point == pytest.approx(1)
        if r.ratio.low is not None and other.ratio.high is not None:
            assert r.ratio.low * other.ratio.high == pytest.approx(1)
    assert len(forth.lone) == len(back.lone) == len(left.keys() ^ right.keys())
    assert forth.speed is not None and back.speed is not None
    assert forth.speed.point * back.speed.point == pytest.approx(1)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(positive, positive), min_size=2, max_size=25))
def test_interleaved_decisions_mirror_too(values: list[tuple[float, float]]) -> None:
    old, new = [v for v, _ in values], [v for _, v in values]
    forth, back = decide_pairs(new, old, 0.03, THRESHOLDS), decide_pairs(old, new, 0.03, THRESHOLDS)
    assert back.decision == {"faster": "slower", "slower": "faster"}.get(forth.decision, forth.decision)
    assert forth.shown.point * back.shown.point == pytest.approx(1)


@settings(max_examples=100, deadline=None)
@given(cases, st.randoms(use_true_random=False), st.sampled_from([1e-9, 1e-3, 60.0]))
def test_order_and_unit_do_not_matter(side: dict[str, list[float]], random: object, scale: float) -> None:
    rows = [row(n, v) for n, v in side.items()]
    mixed = list(rows)
    random.shuffle(mixed)  # type: ignore[attr-defined]
    others = [row(n, [x * 1.2 for x in v]) for n, v in side.items()]
    plain_words = {r.key: r.decision for r in compare(table(*rows), table(*others), THRESHOLDS).rows}
    scaled = [row(n, [x * scale for x in v]) for n, v in side.items()]
    scaled_others = [row(n, [x * 1.2 * scale for x in v]) for n, v in side.items()]
    assert {r.key: r.decision for r in compare(table(*mixed), table(*others), THRESHOLDS).rows} == plain_words
    assert {r.key: r.decision for r in compare(table(*scaled), table(*scaled_others), THRESHOLDS).rows} == plain_words


key_lists = st.lists(st.dictionaries(st.sampled_from("pqr"), st.integers(0, 2), max_size=3), min_size=1, max_size=6)


@settings(max_examples=200, deadline=None)
@given(key_lists, key_lists)
def test_every_row_is_accounted_for_and_no_two_are_merged(
    left: list[dict[str, int]], right: list[dict[str, int]]
) -> None:
    a, b = (table(*(Row(**(dict(row("x", [1.0])) | {"key": key(**keys)})) for keys in side)) for side in (left, right))
    found = match(a, b)
    for m in found.matched:
        if m.problem is None:
            assert m.a.key == m.b.key
            assert sum(r.key == m.a.key for r in a.rows) == sum(r.key == m.b.key for r in b.rows)
    clean = [m for m in found.matched if m.problem is None]
    assert len({id(m.a) for m in clean}) == len({id(m.b) for m in clean}) == len(clean)
    seen = {m.a.key for m in found.matched} | {r.key for r in found.only_a}
    assert seen == {r.key for r in a.rows}
    seen = {m.b.key for m in found.matched} | {r.key for r in found.only_b}
    assert seen >= {r.key for r in b.rows} - {r.key for r in a.rows}


def test_thresholds_from_a_file() -> None:
    text = "[compare]\nmargin = 0.05\ndrift = 0.02\n[[compare.rules]]\nmargin = 0.1\n"
    text += 'where = {phase = "decode", batch = 1}\n'
    thresholds = parse(text, "harness.toml")
    rate = Metric(name="rate", unit="tok/s", better="higher")
    assert thresholds.margin_of(rate, key(phase="decode", batch=1, model="m")) == 0.1
    assert thresholds.margin_of(rate, key(phase="decode", batch=8, model="m")) == 0.05
    assert thresholds.drift_known and not parse("", "harness.toml").drift_known


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("[compare", "not TOML"),
        ("compare = 3", "expected a table"),
        ("[compare]\nmargins = 0.1", "margins"),
        ("[compare]\nmargin = 0.0", "margin"),
        ("[compare]\nmargin = nan", "margin"),
        ("[compare]\nrules = 3", "no list"),
        ("[[compare.rules]]\nmetric = 'rate'", "margin"),
    ],
)
def test_wrong_thresholds_are_named(text: str, match: str) -> None:
    with pytest.raises(UsageError, match=match):
        parse(text, "harness.toml")


def test_a_calibration_counts_with_intervals() -> None:
    no_op = [Trial(injected=0, pairs=20, decision="slower" if i < 2 else "same", speed=1.01) for i in range(200)]
    slow = [Trial(injected=0.1, pairs=20, decision="slower" if i < 38 else "warn", speed=0.9) for i in range(40)]
    found = calibrate([*no_op, *slow], "host", START)
    assert found.false_alarms.point == 0.01
    assert found.false_alarms.high is not None and 0.02 < found.false_alarms.high < 0.04
    (power,) = found.power
    assert power.slower.point == 0.95 and power.noticed.point == 1.0
    assert "2 of 200" in found.sentence
    with pytest.raises(ValueError, match="at least"):
        calibrate(slow, "host", START)


def test_a_comparison_survives_json() -> None:
    comparison = compare(table(row("x", [1.0, 1.1])), table(row("x", [1.0, 1.2])), THRESHOLDS)
    assert Comparison.model_validate_json(json.dumps(comparison.model_dump(mode="json"))) == comparison


def test_a_summary_without_its_count_is_wide() -> None:
    known = row("x", [1.0]).model_copy(update={"samples": (), "summary": Summary(point=1.0, deviation=0.1, n=25)})
    unknown = known.model_copy(update={"summary": Summary(point=1.0, deviation=0.1, n=None)})
    narrow, wide = known.estimate(), unknown.estimate()
    assert narrow is not None and wide is not None and narrow.high is not None and wide.high is not None
    assert wide.high > narrow.high


@pytest.mark.parametrize("count", [1, 2, 7, 40])
def test_both_orders_occur_alike(count: int) -> None:
    plan = order(count, seed=4)
    assert len(plan) == count and all(set(p) == {"old", "new"} for p in plan)
    firsts = [p[0] for p in plan]
    assert abs(firsts.count("old") - firsts.count("new")) <= 1
    assert order(count, seed=4) == plan
    assert len({order(40, seed=s) for s in range(20)}) > 10


def test_nothing_is_decided_between_two_analyses() -> None:
    settled = settle([2.0] * 15, [1.0] * 15, THRESHOLDS)
    assert (settled.decision, settled.shown.n) == ("faster", ANALYSES[0])
    early = settle([2.0] * 9, [1.0] * 9, THRESHOLDS)
    assert early.shown.n == 9, "no analysis was reached: all pairs decide"
