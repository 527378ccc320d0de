"""The verdict table of every sheet, as golden values with their sources."""

from functools import cache
from pathlib import Path

import pytest

from harness.claims import Sheet
from harness.files import validation
from harness.results.assessment import Assessment
from harness.verdict.judge import assess

SEEDS = Path(__file__).parents[2] / "seeds"
GOLDEN = validation.load(Path(__file__).with_name("verdicts.yaml"), what="golden verdicts").plain()
assert isinstance(GOLDEN, dict)
ROWS = [(name, claim) for name, rows in GOLDEN.items() if isinstance(rows, dict) for claim in rows]


@cache
def assessment(name: str) -> Assessment:
    return assess(validation.read(SEEDS / f"{name}.yaml", Sheet, what="claim sheet"))


def test_every_sheet_has_its_table_and_every_claim_its_row() -> None:
    assert isinstance(GOLDEN, dict)
    assert sorted(GOLDEN) == sorted(p.stem for p in SEEDS.glob("*.yaml"))
    for name, rows in GOLDEN.items():
        assert isinstance(rows, dict)
        assert list(rows) == [v.id for v in assessment(name).verdicts]


@pytest.mark.parametrize(("name", "claim"), ROWS, ids=lambda v: v)
def test_verdict(name: str, claim: str) -> None:
    assert isinstance(GOLDEN, dict)
    rows = GOLDEN[name]
    assert isinstance(rows, dict)
    row = rows[claim]
    assert isinstance(row, list)
    outcome, flags, source = row
    found = next(v for v in assessment(name).verdicts if v.id == claim)
    assert isinstance(flags, list)
    assert (found.outcome, set(found.flags)) == (outcome, set(flags)), f"expected by: {source}; found: {found.reason}"


def test_every_verdict_can_be_checked_by_a_reader() -> None:
    """A reason always; evidence unless nothing bears on it; what is missing wherever something is."""
    for name in GOLDEN if isinstance(GOLDEN, dict) else ():
        for found in assessment(name).verdicts:
            assert found.reason
            assert found.evidence or found.outcome in ("out of reach", "undecided"), found.id
            if "missing-condition" in found.flags:
                assert found.missing, found.id
            if found.stability is not None and found.stability < 0.9 and found.outcome == "undecided":
                assert found.also is not None, found.id
