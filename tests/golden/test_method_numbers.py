"""The accuracy table of docs/method.md says what the band measures today."""

import re
from pathlib import Path

import pytest

from harness.cost import Phase, band

METHOD = Path(__file__).parents[2] / "docs" / "method.md"
ROW = re.compile(r"\| (prefill|decode|output_all) \| (\d+) \| (\d+) \| (source|vendor) \| (\d+) % \| (\d+) % \|")


def rows() -> list[tuple[str, ...]]:
    return ROW.findall(METHOD.read_text(encoding="utf-8"))


def test_the_table_is_complete() -> None:
    assert len(rows()) == 6


@pytest.mark.parametrize(("phase", "count", "publications", "by", "coverage", "error"), rows())
def test_the_table_is_current(phase: Phase, count: str, publications: str, by: str, coverage: str, error: str) -> None:
    found = band(phase)
    measured = found.loso if by == "source" else found.lovo
    assert measured is not None
    own = {row.source_id for row in found.rows if row.phase == phase}
    assert (measured.rows, len(own)) == (int(count), int(publications))
    assert round(100 * measured.coverage) == int(coverage)
    assert round(100 * measured.median_error) == int(error)
