"""What a report says, before any format: order, counts, what is named when it is missing, and the charts' numbers."""

import pytest
from pydantic import ValidationError

from harness.report.blocks import (
    Block,
    Column,
    Details,
    Heading,
    Link,
    ReportedData,
    RooflineData,
    Table,
    Text,
    ThroughputData,
)
from harness.report.chart_data import reported_chart, roofline_chart, throughput_charts
from harness.report.order import build, headline
from harness.report.run_tables import measured_table
from harness.report.verdicts import verdict_blocks
from harness.results.assessment import Assessment
from harness.results.gains import gain_rows, measured_rows
from harness.results.record import Record
from tests import factories

RECORD = factories.record()
ASSESSMENT = factories.assessment()


def sections(blocks: tuple[Block, ...]) -> list[str]:
    return [b.text for b in blocks if isinstance(b, Heading) and b.level == 2]


def words(table: Table) -> str:
    return "\n".join(c if isinstance(c, str) else c.text for row in table.rows for c in row)


def test_the_headline_counts_every_claim_once() -> None:
    said = headline(ASSESSMENT)
    assert said == "5 claims: 1 refuted, 1 supported, 1 consistent, 1 undecided, 1 out of reach."
    assert headline(ASSESSMENT.model_copy(update={"verdicts": ()})) == "0 claims: none judged."


def test_verdicts_come_first_and_what_transfers_last() -> None:
    report = build(RECORD, ASSESSMENT)
    first = report.blocks[0]
    assert isinstance(first, Text) and first.lead
    assert sections(report.blocks) == [
        "Verdicts",
        "Evidence",
        "Measured here",
        "Scaled against the article",
        "Host",
        "What transfers from a CPU",
    ]


def test_either_half_stands_alone() -> None:
    measured, judged = build(RECORD, None), build(None, factories.assessment(None))
    assert sections(measured.blocks) == ["Measured here", "Host"]
    assert sections(judged.blocks) == [
        "Verdicts",
        "Evidence",
        "Scaled against the article",
        "What transfers from a CPU",
    ]
    assert any("without measuring" in getattr(b, "text", "") for b in judged.blocks)
    assert build(None, None).blocks == ()


def test_the_verdict_table_names_flags_missing_conditions_and_the_rival_outcome() -> None:
    tables = [b for b in verdict_blocks(ASSESSMENT, ()) if isinstance(b, Table)]
    assert sum(len(table.rows) for table in tables) == len(ASSESSMENT.verdicts)
    text = "\n".join(words(table) for table in tables)
    for verdict in ASSESSMENT.verdicts:
        assert verdict.reason in text
        assert all(flag in text for flag in verdict.flags)
        assert all(condition in text for condition in verdict.missing)
    assert "undecided\nor supported" in text
    assert "bound by compute" in text


def test_every_piece_of_evidence_keeps_its_basis_and_source() -> None:
    details = [b for b in build(RECORD, ASSESSMENT).blocks if isinstance(b, Details)]
    details = [d for d in details if d.outcome]
    assert [d.summary for d in details] == [v.id for v in ASSESSMENT.verdicts]
    for verdict, detail in zip(ASSESSMENT.verdicts, details, strict=True):
        tables = [b for b in detail.blocks if isinstance(b, Table)]
        assert len(tables) == bool(verdict.evidence)
        for evidence, row in zip(verdict.evidence, tables[0].rows if tables else (), strict=True):
            source = row[-1].text if isinstance(row[-1], Link) else row[-1]
            assert (row[0], source) == (evidence.basis, evidence.source)


def test_every_chain_is_told_step_by_step_with_what_does_not_transfer() -> None:
    (chain,) = (b for b in build(RECORD, ASSESSMENT).blocks if isinstance(b, Details) and not (b.outcome or b.folded))
    (told,) = (s for s in ASSESSMENT.scaled if s.chain)
    steps = chain.brief.split("\n")[1:]
    assert len(steps) == len(told.chain)
    for step, said in zip(told.chain, steps, strict=True):
        assert said.startswith(step.text) and step.basis in said
        assert ("does not transfer" in said) is not step.transferable


def test_brief_evidence_leads_with_what_decided() -> None:
    against = factories.verdict(outcome="refuted").model_copy(
        update={
            "evidence": (
                factories.verdict().evidence[0],
                factories.verdict().evidence[1].model_copy(update={"stance": "contradicts", "quantity": "the breach"}),
            )
        }
    )
    blocks = build(None, ASSESSMENT.model_copy(update={"verdicts": (against,)})).blocks
    brief = next(b.brief for b in blocks if isinstance(b, Details))
    assert "1 modelled, 1 published; contradicts: the breach" in brief


def test_one_sample_has_no_interval_and_shows_none() -> None:
    single = RECORD.model_copy(update={"measurements": (factories.measurement(rounds=1),)})
    (row,) = measured_table(measured_rows(single)).rows
    assert row[3] == "680 –" or str(row[3]).endswith(" –")
    assert row[4] == "1"


def test_failed_and_invalid_cells_are_told_not_hidden() -> None:
    report = build(RECORD, None)
    text = "\n".join(words(b) for b in report.blocks if isinstance(b, Table))
    remarks = "\n".join(item for b in report.blocks if b.kind == "bullets" for item in b.items)
    assert "not measured" in text and "set aside" in text
    assert "needs 9.1 GiB" in remarks and "drifted by 7 %" in remarks


def test_an_interrupted_run_says_so() -> None:
    half = RECORD.model_copy(update={"state": "interrupted"})
    assert any(b.kind == "callout" and "interrupted" in b.text for b in build(half, None).blocks)


def test_conditions_that_differ_become_columns_and_others_a_note() -> None:
    same = measured_table(measured_rows(RECORD))
    assert "Precision" not in [c.name for c in same.columns]
    assert "precision int8" in (same.note or "")
    mixed = Record.model_validate(
        {**dict(RECORD), "measurements": (*RECORD.measurements, factories.measurement(batch=1, precision="int4"))}
    )
    assert "Precision" in [c.name for c in measured_table(measured_rows(mixed)).columns]


def test_charts_hold_every_usable_cell_and_no_other() -> None:
    usable = [m for m in RECORD.measurements if m.rate_tok_s is not None and not m.invalid]
    drawn = throughput_charts(RECORD)
    assert [c.name for c in drawn] == ["throughput-prefill", "throughput-decode"]
    datas = [c.data for c in drawn if isinstance(c.data, ThroughputData)]
    points = [(s.name, d.phase, p.batch) for d in datas for s in d.series for p in s.points]
    assert sorted(points) == sorted((m.model, m.phase, m.batch) for m in usable)
    roofline = roofline_chart(RECORD)
    assert roofline is not None and isinstance(roofline.data, RooflineData)
    assert len(roofline.data.points) == len(usable) == len(roofline.table.rows)


def test_no_chart_without_its_numbers() -> None:
    bare = RECORD.model_copy(update={"ceilings": None})
    assert roofline_chart(bare) is None
    empty = RECORD.model_copy(update={"measurements": ()})
    assert throughput_charts(empty) == () and roofline_chart(empty) is None
    assert reported_chart(ASSESSMENT.model_copy(update={"verdicts": (), "scaled": ()})) is None
    build(empty, None)


def test_reported_rates_take_band_from_the_verdict_and_ceiling_from_the_scaled_row() -> None:
    chart = reported_chart(ASSESSMENT)
    assert chart is not None and isinstance(chart.data, ReportedData)
    by_name = {r.name: r for r in chart.data.rates}
    prefill = by_name["prefill-per-npu"]
    assert prefill.ceiling_tok_s == 16372.0
    assert prefill.usual_tok_s is not None and prefill.usual_tok_s.high == 7549
    assert "ratio-to-h100" not in by_name, "a ratio is no rate"
    assert by_name["H100 prefill that 0.60 implies"].outcome is None


def test_gains_are_paired_and_lie_where_the_rates_say() -> None:
    found = gain_rows(RECORD)
    rates = {(m.model, m.phase, m.batch): m.rate_tok_s for m in RECORD.measurements}
    assert len(found) == 16
    for gain in found:
        ours, theirs = (
            rates[gain.model, gain.phase, gain.batch],
            rates[f"{gain.model}:{gain.counterpart}", gain.phase, gain.batch],
        )
        assert ours is not None and theirs is not None and gain.ratio.n == 5
        assert gain.ratio.point == pytest.approx(ours.point / theirs.point, rel=0.2)


def test_an_invalid_cell_enters_no_gain() -> None:
    broken = tuple(m.model_copy(update={"invalid": ("drift",)}) for m in RECORD.measurements if m.phase == "decode")
    kept = tuple(m for m in RECORD.measurements if m.phase == "prefill")
    assert {g.phase for g in gain_rows(RECORD.model_copy(update={"measurements": (*kept, *broken)}))} == {"prefill"}


def test_the_ceiling_is_the_lesser_of_reading_and_arithmetic() -> None:
    for row in measured_rows(RECORD):
        assert row.flop_per_byte is not None and row.ceiling_tok_s is not None
        ridge = factories.MATMUL_FLOP_S / factories.READ_BYTES_S
        assert row.binding == ("memory" if row.flop_per_byte < ridge else "compute")
    faster = factories.ceilings()
    faster = faster.model_copy(
        update={"read_bytes_s": faster.read_bytes_s.model_copy(update={"point": 2 * faster.read_bytes_s.point})}
    )
    for before, after in zip(
        measured_rows(RECORD), measured_rows(RECORD.model_copy(update={"ceilings": faster})), strict=True
    ):
        assert (after.ceiling_tok_s or 0) >= (before.ceiling_tok_s or 0)


def test_a_ragged_table_cannot_be_made() -> None:
    with pytest.raises(ValidationError, match="needs 2 cells"):
        Table(title="t", columns=(Column(name="a"), Column(name="b")), rows=(("x",),))


def test_a_sheet_without_verdicts_is_a_report_still() -> None:
    empty = Assessment(sheet_id="s", sheet_title="Empty", record_id=None, scaled=(), verdicts=())
    assert build(None, empty).title == "Empty"
