"""The rows of `harness bench` from a record: figures, formats, and what a row says that has none."""

import csv
import io
import json
import sqlite3

import pytest

from harness.model.operators import ProfileRow
from harness.report import bench
from harness.results.bench import BenchRow, Inspections, VariantProfile, rows
from harness.results.disturbance import share_of
from harness.results.inspection import Fidelity, Profile
from harness.results.plan import Variant, Workload
from harness.results.record import Record
from tests import factories


def a_record() -> Record:
    made = (
        factories.measurement(phase="prefill"),
        factories.measurement(),
        factories.measurement(batch=4, invalid=("experts activated: it's off",)),
        factories.measurement(batch=8, rounds=0, error="needs more | memory than 'there' is"),
    )
    variant = Variant(model="v4-scale", spec=factories.spec(), precision="int8", threads=made[0].threads)
    return factories.record().model_copy(update={"measurements": made, "variants": (variant,)})


FIDELITY = Fidelity(
    precision="int8",
    phase="decode",
    logits_error=0.15,
    rerouted_error=0.4,
    top_token_match=0.9,
    experts_kept=0.97,
    sequences=32,
)


def some_rows(record: Record) -> tuple[BenchRow, ...]:
    m, variant = record.measurements[1], record.variants[0]
    profile = Profile(
        workload=Workload(**{name: m.named[name] for name in Workload.model_fields}),
        steps=4,
        rows=(
            ProfileRow(part="routed experts", operator="QMoE", calls=3, duration_s=0.003, share=0.75),
            ProfileRow(part="attention", operator="MatMul", calls=8, duration_s=0.00097, share=0.2425),
            ProfileRow(part="attention", operator="Add", calls=4, duration_s=0.00002, share=0.005),
            ProfileRow(part="attention", operator="Mul", calls=4, duration_s=0.00001, share=0.0025),
        ),
    )
    found = Inspections(model=variant.model, fidelities=(FIDELITY,), problem="the process died")
    return rows(record, (found,), (VariantProfile(variant=variant, profile=profile),))


def test_a_row_says_what_the_record_holds() -> None:
    record = a_record()
    made = some_rows(record)
    assert len(made) == len(record.measurements)
    for row, m in zip(made, record.measurements, strict=True):
        assert row.samples_s == m.samples_s
        assert (row.rate_tok_s is None) == (m.rate_tok_s is None)
        assert row.error == m.error
        if row.rate_tok_s and m.rate_tok_s and m.counts and row.ceiling_fraction and record.ceilings:
            assert row.rate_tok_s.n == len(row.samples_s)
            assert row.ceilings.read_bytes_s is not None
            assert row.ceilings.matmul_flop_s is not None
            limit = min(
                row.ceilings.read_bytes_s / m.counts.bytes_per_token,
                row.ceilings.matmul_flop_s / m.counts.flop_per_token,
            )
            assert row.ceiling_fraction == pytest.approx(row.rate_tok_s.point / limit)


def test_precision_is_told_by_phase_or_why_not() -> None:
    prefill, decode, *_ = some_rows(a_record())
    assert decode.quantisation_error == 0.15
    assert decode.experts_kept == 0.97
    assert prefill.quantisation_error is None
    assert any("the process died" in warning for warning in prefill.warnings)
    assert not any("quantisation" in warning for warning in decode.warnings)


def test_outside_is_a_share_of_all_steps() -> None:
    m = a_record().measurements[1]
    durations_s = sum(sum(o.durations_s) for o in m.good)
    assert share_of(m, lambda o: o.outside_s) == pytest.approx(0.0002 * len(m.good) / durations_s)
    assert share_of(m.model_copy(update={"observations": ()}), lambda o: o.outside_s) is None


def test_json_and_json_lines_are_the_same_rows() -> None:
    made = some_rows(a_record())
    array = json.loads(bench.render(made, "json"))
    assert array == [json.loads(line) for line in bench.render(made, "jsonl").splitlines()]
    asked_for = (
        "model phase batch prompt_tokens decode_tokens depth precision threads rate_tok_s samples_s bits_per_weight "
        "bytes_per_token flop_per_token ceiling_fraction ceilings peak_rss_bytes "
        "rss_after_load_bytes load_s experts_activated "
        "parameters error outside_fraction quantisation_error"
    )
    for row in array:
        assert set(asked_for.split()) <= row.keys()
        assert {"read_bytes_s", "matmul_flop_s"} <= row["ceilings"].keys()
        assert row["experts_activated"].keys() == {"measured", "expected"}
        assert row["parameters"].keys() == {"total", "active"}
        assert row["rate_tok_s"] is None or row["rate_tok_s"].keys() == {"point", "low", "high", "n"}
    assert [BenchRow.model_validate_json(json.dumps(row)) for row in array] == list(made)


def test_sql_runs_and_gives_the_rows_back() -> None:
    made = some_rows(a_record())
    database = sqlite3.connect(":memory:")
    database.executescript(bench.render(made, "sql"))
    database.executescript(bench.render(made[:1], "sql"))  # rows of another run lie in the same table
    names = [field.name for field in bench.FIELDS]
    found = database.execute(f"SELECT {', '.join(names)} FROM {bench.TABLE}").fetchall()
    database.close()
    assert found == [tuple(field.read(row) for field in bench.FIELDS) for row in (*made, made[0])]


def test_csv_has_a_header_and_a_line_a_row() -> None:
    made = some_rows(a_record())
    table = list(csv.DictReader(io.StringIO(bench.render(made, "csv"))))
    assert len(table) == len(made)
    assert [row["error"] for row in table] == [row.error or "" for row in made]
    assert float(table[0]["rate_tok_s"]) == made[0].rate_tok_s.point if made[0].rate_tok_s else False


def test_neither_terminal_nor_spreadsheet_obeys_a_row() -> None:
    row = some_rows(a_record())[0].model_copy(update={"host": "=1+1", "error": "-2 \x9b31m \u202e"})
    (line,) = csv.DictReader(io.StringIO(bench.render([row], "csv")))
    assert (line["host"], line["error"][:3]) == ("'=1+1", "'-2")
    forms: tuple[bench.BenchTableFormat, ...] = ("json", "jsonl")
    for form in forms:
        text = bench.render([row], form)
        assert "\x9b" not in text and "\u202e" not in text
        assert json.loads(text) in ([row.model_dump(mode="json")], row.model_dump(mode="json"))


def test_markdown_marks_what_is_not_to_be_relied_upon() -> None:
    text = bench.render(some_rows(a_record()), "md")
    grid = [line for line in text.splitlines() if line.startswith("| v4-scale")]
    assert len(grid) == 4
    assert len({line.replace("\\|", "").count("|") for line in grid}) == 1
    assert "*" in grid[2].split("|")[6]
    assert "failed" in grid[3]
    assert "needs more \\| memory" in text
    assert "experts activated: it's off" in text


def test_a_profile_adds_up_and_tells_small_operators_together() -> None:
    text = bench.render(some_rows(a_record()), "md")
    assert "**routed experts**" in text
    assert "2 others, each below 1.0 %" in text
    assert "Sum 4.00 ms a step" in text
    assert text.count("Parts: attention holds") == 1
    assert "Parts: " not in bench.render(rows(a_record()), "md"), "no profile, no legend"
