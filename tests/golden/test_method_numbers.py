"""The accuracy table of docs/explanation/method.md says what the usual range measures today."""

import re
from pathlib import Path

import pytest

from harness.catalog.collection import builtin
from harness.roofline.achieved import achieved_range
from harness.roofline.deployment import Deployment
from harness.roofline.projection import project
from harness.vocabulary import RatePhase

METHOD = Path(__file__).parents[2] / "docs" / "explanation" / "method.md"
ROW = re.compile(r"\| (prefill|decode|output_all) \| (\d+) \| (\d+) \| (source|vendor) \| (\d+) % \| (\d+) % \|")


def rows() -> list[tuple[str, ...]]:
    return ROW.findall(METHOD.read_text(encoding="utf-8"))


def test_the_table_is_complete() -> None:
    assert len(rows()) == 6


@pytest.mark.parametrize(("phase", "count", "publications", "by", "coverage", "error"), rows())
def test_the_table_is_current(
    phase: RatePhase, count: str, publications: str, by: str, coverage: str, error: str
) -> None:
    found = achieved_range(phase)
    measured = found.loso if by == "source" else found.lovo
    assert measured is not None
    own = {row.source_id for row in found.rows if row.phase == phase}
    assert (measured.rows, len(own)) == (int(count), int(publications))
    assert round(100 * measured.coverage) == int(coverage)
    assert round(100 * measured.median_error) == int(error)


KEPT = re.compile(r"\| (?:GB300|GB200|H200|MI300X|910C), .+ \| ([\d,]+) \| ([\d,]+) to ([\d,]+) \| ([+-]\d+) % \|")


def test_the_rates_kept_to_check_are_current() -> None:
    found = set()
    for rate in builtin().rates:
        if rate.left_out == "kept to check the band, not to make it":
            made = project(
                builtin().model(rate.model).spec, builtin().chip(rate.chip), Deployment.of(rate.conditions), rate.phase
            ).usual90_tok_s
            miss = round(100 * (made.mid / rate.rate_tok_s - 1))
            found.add((f"{rate.rate_tok_s:,.0f}", f"{made.low:,.0f}", f"{made.high:,.0f}", f"{miss:+d}"))
    assert set(KEPT.findall(METHOD.read_text(encoding="utf-8"))) == found
