"""`harness controls`: the promised rates, printed and held; and the copy of them in the docs."""

import json
import re
from pathlib import Path

from harness.verdict.selftest import REQUIRED, run_self_test
from tests.cli.program import ROOT, harness

METHOD = ROOT / "docs" / "explanation" / "method.md"
ROW = re.compile(r"^\| ([^|]+) \| (\d+) \| (\d+) \| ([^|]+) \|$", re.MULTILINE)


def test_all_required_rates_are_reached(tmp_path: Path) -> None:
    result = harness("controls", "--json", cwd=tmp_path)
    assert result.code == 0, result.out + result.err
    found = json.loads(result.out)
    assert found["passed"] and found["false_alarms"] == [] and found["true_rows"] >= 25
    reached = {d["kind"]: d for d in found["detections"]}
    for kind, share in REQUIRED.items():
        assert reached[kind]["caught"] >= share * reached[kind]["seeded"] > 0, kind


def test_in_words(tmp_path: Path) -> None:
    result = harness("controls", "--missed", cwd=tmp_path)
    assert result.code == 0
    assert "All required shares are reached." in result.out
    assert max(map(len, result.out.splitlines())) <= 100


FORGED = """\
sources:
  forged: {title: A forged benchmark, grade: A, how_seen: read}
rates:
  forged:
    source: forged
    system: A server that is ten times too fast
    model: deepseek-r1
    chip: ascend-910c
    phase: decode
    rate_tok_s: 19430
    conditions: {chips: 160, batch: 96, context_tokens: 4096, precision: int8, mtp_drafts: 1, mtp_acceptance: 0.7}
"""


def test_a_rate_that_is_damned_ends_with_an_error(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(FORGED)
    result = harness("controls", "--catalog", "own.yaml", cwd=tmp_path)
    assert result.code == 3
    assert "forged: refuted" in result.out
    assert "A required share is not reached." in result.out


def test_the_rates_in_the_docs_are_current() -> None:
    """Section 10 of docs/explanation/method.md: every kind with its counts, as measured today."""
    section = METHOD.read_text(encoding="utf-8").split("## 10.")[1]
    found = run_self_test()
    expected = {(d.kind, str(d.seeded), str(d.caught)) for d in found.detections}
    assert {(kind, seeded, caught) for kind, seeded, caught, _ in ROW.findall(section)} == expected
    assert f"{found.true_rows} published rates" in section
