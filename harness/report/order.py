"""The order in which a newcomer reads a report: verdicts first, then what they rest on, then where it was measured."""

from collections import Counter

from harness.report.blocks import Block, Bullets, Callout, Chart, Heading, Report, Text
from harness.report.chart_data import reported_chart, roofline_chart, throughput_charts
from harness.report.run_tables import host_blocks, measured_blocks
from harness.report.verdicts import OUTCOMES, as_of_blocks, scaled_blocks, verdict_blocks
from harness.results.assessment import Assessment
from harness.results.record import Record


def build(record: Record | None, assessment: Assessment | None) -> Report:
    """The report on a run, on a judged sheet, or on both.

    Without a record nothing was measured and the report says so; without an assessment there was no sheet to judge.
    """
    blocks: list[Block] = []
    if assessment is not None:
        blocks.append(Text(text=headline(assessment), lead=True))
        if record is None and assessment.record_id is None:
            blocks.append(Callout(tone="note", text="Judged without measuring: modelled and published evidence only."))
        if assessment.as_of is not None:
            blocks += as_of_blocks(assessment.as_of)
        blocks += verdict_blocks(assessment, _present(reported_chart(assessment)))
    if record is not None:
        if assessment is None:
            blocks.append(Text(text=_measured_headline(record), lead=True))
        blocks += measured_blocks(record, (*throughput_charts(record), *_present(roofline_chart(record))))
    if assessment is not None:
        blocks += scaled_blocks(assessment)
    if record is not None:
        blocks += host_blocks(record)
    if assessment is not None and assessment.transfers:
        blocks += [Heading(level=2, text="What transfers from a CPU"), Bullets(items=assessment.transfers)]
    return Report(title=_title(record, assessment), blocks=tuple(blocks))


def _present(chart: Chart | None) -> tuple[Chart, ...]:
    return () if chart is None else (chart,)


def _title(record: Record | None, assessment: Assessment | None) -> str:
    if assessment is not None:
        return assessment.sheet_title
    if record is not None:
        return record.label or record.name
    return "Nothing to report"


def headline(assessment: Assessment) -> str:
    """How many claims and how many of each outcome, worst first."""
    seen = Counter(v.outcome for v in assessment.verdicts)
    total = len(assessment.verdicts)
    parts = ", ".join(f"{seen[outcome]} {outcome}" for outcome in OUTCOMES if seen[outcome])
    return f"{total} claim{'' if total == 1 else 's'}: {parts or 'none judged'}."


def _measured_headline(record: Record) -> str:
    cases = len(record.measurements)
    rated = sum(1 for m in record.measurements if m.good and not m.invalid)
    models = len({m.model for m in record.measurements})
    return (
        f"{rated} of {cases} case{'' if cases == 1 else 's'} measured, {models} model{'' if models == 1 else 's'}; "
        "no claim sheet was judged."
    )
