"""Verdicts as of a day: what is dated later is not used, what has no date is, and what has changed since is named."""

import datetime as dt
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

import harness
from harness.api.result import Judged
from harness.catalog.citation import last_day
from harness.catalog.facts import Fact, facts
from harness.errors import UsageError
from harness.report import markdown, summary
from harness.results import reportfile
from harness.results.assessment import Verdict
from harness.verdict.knowledge import Knowledge, knowledge_of

SHEET = "deepseek-v4-ascend"
FAR = dt.date(2100, 1, 1)


def named(result: Judged, claim: str) -> Verdict:
    return next(v for v in result.verdicts if v.id == claim)


@pytest.mark.parametrize(
    ("date", "day"),
    [
        ("2026-04-24", "2026-04-24"),
        ("2026-04", "2026-04-30"),
        ("2024-02", "2024-02-29"),
        ("2026", "2026-12-31"),
        (None, None),
        ("spring 2026", None),
        ("2026-13", None),
        ("2026-02-30", None),
    ],
)
def test_a_coarse_date_counts_from_its_last_day(date: str | None, day: str | None) -> None:
    assert last_day(date) == (None if day is None else dt.date.fromisoformat(day))


def test_every_fact_and_every_source_of_one_has_a_date() -> None:
    for fact in facts():
        assert last_day(fact.date), fact.topic
        assert all(last_day(s.source.date) for s in fact.sources), fact.topic


def test_a_fact_is_no_older_than_the_first_source_that_answers_so() -> None:
    for fact in facts():
        side = {True: "for", False: "against", None: None}[fact.holds]
        days = [last_day(s.source.date) for s in fact.sources if s.stance == side]
        if days and fact.topic != "v4-prices-fell-with-950-supernodes":  # a price page shows prices since August
            assert last_day(fact.date) >= min(d for d in days if d is not None), fact.topic  # type: ignore[operator]


def test_the_far_future_knows_what_today_knows() -> None:
    today = knowledge_of()
    then = today.as_of(FAR)
    assert then.facts == today.facts
    assert (then.models, then.rates, then.later) == (today.models, today.rates, frozenset())


@given(st.dates(dt.date(2023, 1, 1), dt.date(2027, 1, 1)), st.dates(dt.date(2023, 1, 1), dt.date(2027, 1, 1)))
def test_knowledge_only_grows(a: dt.date, b: dt.date) -> None:
    early, late = (knowledge_of().as_of(day) for day in sorted((a, b)))
    assert set(early.models) <= set(late.models)
    assert {r.id for r in early.rates} <= {r.id for r in late.rates}
    assert {f.topic for f in early.facts} <= {f.topic for f in late.facts}
    assert late.later <= early.later


@given(st.dates(dt.date(2023, 1, 1), dt.date(2027, 1, 1)))
def test_nothing_that_is_dated_later_is_left(day: dt.date) -> None:
    then = knowledge_of().as_of(day)
    dates = [r.source.date for r in then.rates] + [s.source.date for f in then.facts for s in f.sources]
    dates += [m.released for m in then.models] + [f.superseded.date for f in then.facts if f.superseded]
    assert all((last_day(date) or day) <= day for date in dates)
    assert {r.model for r in then.rates} <= {m.name for m in then.models}


def fact(**given: object) -> Fact:
    source = {"title": "t", "grade": "A", "how_seen": "read"}
    shown = {"stance": "for", "shows": "it does"}
    sources = [{**shown, "source": {**source, "date": d}} for d in ("2025-01-01", "2026-01-01")]
    return Fact.model_validate_json(
        json.dumps(
            {"topic": "x", "statement": "it holds", "found": "all of it", "holds": True, "sources": sources, **given}
        )
    )


def test_what_is_left_of_a_fact_speaks_in_the_words_of_the_sources_left() -> None:
    then = fact().as_of(dt.date(2025, 6, 1))
    assert then is not None
    assert (then.holds, len(then.sources), then.found) == (True, 1, "By 2025-06-01: it does.")
    assert fact().as_of(dt.date(2024, 6, 1)) is None
    assert fact().as_of(FAR) == fact()


def test_an_answer_dated_later_is_open_before() -> None:
    then = fact(date="2026-01-01").as_of(dt.date(2025, 6, 1))
    assert then is not None and then.holds is None
    assert fact(holds=None, value=2.0, date="2026-01-01").as_of(dt.date(2025, 6, 1)) is None


def test_superseded_follows_the_date_of_what_superseded_it() -> None:
    told = fact(superseded={"by": "a newer one", "date": "2026-03-01"})
    before, after = told.as_of(dt.date(2026, 2, 1)), told.as_of(dt.date(2026, 4, 1))
    assert before is not None and before.superseded is None
    assert after == told


def test_the_article_before_the_release_after_it_and_today() -> None:
    before = harness.judge(SHEET, as_of="2026-04-10")
    after = harness.judge(SHEET, as_of=dt.date(2026, 4, 30))
    today = harness.judge(SHEET)
    assert named(before, "total-parameters").outcome == "out of reach"
    assert "was public by 2026-04-10" in named(before, "total-parameters").reason
    for result, flags in ((after, ()), (today, ("superseded",))):
        images = named(result, "text-and-images")
        assert (images.outcome, images.flags) == ("refuted", flags)
    assert before.assessment is not None and before.assessment.as_of is not None
    changes = {c.id: (c.then, c.now) for c in before.assessment.as_of.changes}
    assert changes["total-parameters"] == ("out of reach", "refuted")
    assert "nvidia-fall" not in changes
    assert today.assessment is not None and today.assessment.as_of is None


def test_all_reports_say_the_day_and_what_changed() -> None:
    result = harness.judge(SHEET, as_of="2026-04-30")
    ended = summary.render(None, result.assessment)
    assert "Judged by what was public on 2026-04-30." in ended
    assert "Changed since 2026-04-30: text-and-images refuted then and now, now superseded" in " ".join(ended.split())
    page = markdown.render(result.report())
    assert "Changed since 2026-04-30" in page and page.count("Without a date, hence used") == 1
    alone = summary.claim(None, result.assessment, "text-and-images", width=100, colour=False)  # type: ignore[arg-type]
    assert "now superseded" in alone
    kept = reportfile.parse(result.to_json())[1]
    assert kept == result.assessment
    assert result.to_dict()["as_of"]["day"] == "2026-04-30"


def test_without_any_rate_a_claim_is_left_open_and_nothing_fails() -> None:
    found = named(harness.judge(SHEET, as_of="2020-01-01"), "inference-60-percent")
    assert found.outcome == "undecided"


def test_a_day_that_is_none_is_refused() -> None:
    with pytest.raises(UsageError, match="expected YYYY-MM-DD"):
        harness.judge(SHEET, as_of="last spring")


def test_what_has_no_date_is_used_and_named_once() -> None:
    today: Knowledge = knowledge_of()
    undated = [m for m in today.models if m.released is None]
    then = today.as_of(dt.date(2000, 1, 1))
    assert set(then.models) == set(undated)
    assert len(then.undated) == len(set(then.undated))
    assert {m.title for m in undated} <= set(then.undated)
