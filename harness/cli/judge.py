"""`harness judge`: a claim sheet against what is modelled, published, and (if a run is named) measured."""

from dataclasses import dataclass
from pathlib import Path

from harness.catalog.collection import Catalog, builtin
from harness.claims import Sheet
from harness.cli.delivery import Delivery, deliver
from harness.cli.sources import extended, read_sheet
from harness.errors import UsageError, unknown
from harness.results.assessment import Assessment
from harness.results.record import Record


@dataclass(frozen=True)
class JudgeOptions:
    """What the command line asks of a judgement."""

    sheet: Path
    delivery: Delivery
    record: str | None = None
    chips: tuple[str, ...] = ()
    store: Path | None = None
    catalog: tuple[Path, ...] = ()


def judge_command(options: JudgeOptions) -> int:
    """Judge a sheet and print the report. Returns the exit code."""
    sheet = read_sheet(options.sheet)
    catalog = builtin()
    for path in options.catalog:
        catalog = extended(catalog, path)
    known = [chip.name for chip in catalog.chips]
    for name in options.chips:
        if name not in known:
            raise UsageError(unknown("chip", name, known))
    options.delivery.check(inputs=(options.sheet, *options.catalog))
    record = _record(options) if options.record is not None else None
    return deliver(options.delivery, record, assess(sheet, record, catalog, options.chips))


def assess(sheet: Sheet, record: Record | None, catalog: Catalog, chips: tuple[str, ...]) -> Assessment:
    """The sheet, judged with all that is known here."""

    from harness.verdict.judge import assess as judged

    return judged(sheet, record=record, catalog=catalog, chips=chips)


def _record(options: JudgeOptions) -> Record:
    """The run named: a file that `--json` wrote, or a stored run."""
    from harness.cli.show import stored_record
    from harness.results import reportfile

    assert options.record is not None
    path = Path(options.record)
    if path.suffix != ".json":
        return stored_record(options.store, options.record)[0]
    record = reportfile.load(path)[0]
    if record is None:
        raise UsageError(f"{path}: holds verdicts and no measurements, expected the report of a run")
    return record
