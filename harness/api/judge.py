"""A claim sheet against what is modelled, published and, with a record, measured; and the judges themselves tested."""

import datetime as dt
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from harness.api.loading import load_catalog, load_record, load_sheet
from harness.api.result import Judged, Predicted, SelfTested
from harness.catalog.collection import Catalog
from harness.claims import Sheet
from harness.errors import UsageError, unknown
from harness.results.record import Record
from harness.roofline.accuracy import accuracy
from harness.verdict.judge import assess
from harness.verdict.knowledge import knowledge_of
from harness.verdict.selftest import run_self_test

Files = Sequence[str | os.PathLike[str]]
"""Catalog files of a user."""


def judge(
    sheet: str | os.PathLike[str] | Sheet,
    record: str | os.PathLike[str] | Record | None = None,
    catalog: Files | Catalog = (),
    *,
    chips: Sequence[str] = (),
    claim: str | None = None,
    as_of: str | dt.date | None = None,
    store: str | os.PathLike[str] | None = None,
) -> Judged:
    """Judge a claim sheet: a file, a sheet, or the name of one that comes with the program.

    `record` is a run whose measurements count too (a file of `--json`, a stored run, or a record), `catalog` files of
    your own chips, models, rates and prices, `chips` are set beside the claims, `claim` judges one claim alone. `as_of`
    (a date, or YYYY-MM-DD) judges by what was public on that day, and names what has changed since. Measures nothing.
    Raises UsageError for what cannot be read as given, StoreError for a run that is not there.
    """
    read, known = load_sheet(sheet), load_catalog(catalog)
    names = [chip.name for chip in known.chips]
    for name in chips:
        if name not in names:
            raise UsageError(unknown("chip", name, names))
    if claim is not None and claim not in (ids := [c.id for c in read.claims]):
        raise UsageError(unknown("claim", claim, ids))
    measured = load_record(record, store=store) if record is not None else None
    judged = assess(read, record=measured, catalog=known, chips=tuple(chips), as_of=_day(as_of))
    if claim is not None:
        verdicts = tuple(v for v in judged.verdicts if v.id == claim)
        rows = tuple(row for row in judged.scaled if row.claim == claim)
        sets = tuple(one for one in judged.inconsistent_sets if claim in one.claims)
        judged = judged.model_copy(update={"verdicts": verdicts, "scaled": rows, "inconsistent_sets": sets})
        if judged.as_of is not None:
            changes = tuple(one for one in judged.as_of.changes if one.id == claim)
            judged = judged.model_copy(update={"as_of": judged.as_of.model_copy(update={"changes": changes})})
    return Judged(record=measured, assessment=judged)


def _day(given: str | dt.date | None) -> dt.date | None:
    if not isinstance(given, str):
        return given
    try:
        return dt.date.fromisoformat(given)
    except ValueError:
        raise UsageError(f"as-of {given!r}: not a date, expected YYYY-MM-DD, for example 2026-04-30") from None


def self_test(catalog: Files = ()) -> SelfTested:
    """Measure the judges: the share of seeded false claims that they catch, and of published rates that they call
    false.

    Raises UsageError for a catalog that cannot be read.
    """
    known = load_catalog([Path(path) for path in catalog]) if catalog else None
    return SelfTested(found=run_self_test(knowledge_of(known)))


def calibration(catalog: Files = (), told: Callable[[int, int], None] | None = None) -> Predicted:
    """Predict every published rate from the publications of others: coverage, width and error of the intervals.

    `told` hears how many rates are done, of how many. Raises UsageError for a catalog that cannot be read.
    """
    known = load_catalog([Path(path) for path in catalog]) if catalog else None
    return Predicted(found=accuracy(known, told))
