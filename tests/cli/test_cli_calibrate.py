"""`harness calibrate` as a user types it: what is kept counts where it speaks for now, and one comparison is made."""

import datetime as dt
import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from harness.comparison.calibration import PowerTrial
from harness.comparison.decision import ANALYSES, PROCEDURE
from harness.measure.host import description
from harness.store.calibration_log import CalibrationLog
from tests.cli.test_cli_compare import run

STEADY = (1.0, 1.001, 0.999, 1.002, 0.998) * 2


def power_trial(**changes: object) -> PowerTrial:
    fields: dict[str, object] = {
        "host_fingerprint": description.describe().fingerprint,
        "created": dt.datetime(2026, 11, 1, tzinfo=dt.UTC),
        "harness_version": "1",
        "runtime_version": version("onnxruntime"),
        "case": "made up",
        "seed": 0,
        "procedure": PROCEDURE,
        "analyses": ANALYSES,
        "injected": 0.0,
        "old": STEADY,
        "new": STEADY,
    }
    return PowerTrial.model_validate({**fields, **changes})


def test_what_is_kept_counts_where_it_speaks_for_now(tmp_path: Path) -> None:
    slower = power_trial(injected=0.10, new=tuple(x / 1.1 for x in STEADY))
    CalibrationLog(tmp_path / "store.sqlite").add(
        [*[power_trial()] * 20, slower, power_trial(procedure=1), power_trial(runtime_version="0.1")]
    )
    found = run(tmp_path, "calibrate", "--budget", "0", "--json", "--store", "store.sqlite")
    assert found.returncode == 0, found.stderr
    body = json.loads(found.stdout)
    assert (body["no_op_comparisons"], body["set_aside"]) == (20, 2)
    calibration = body["calibration"]
    assert calibration["false_alarms"]["point"] == 0 and calibration["median_pairs"] == 10
    assert [(p["injected"], p["slower"]["point"]) for p in calibration["power"]] == [(0.10, 1.0)]


FEW_ANALYSES = (10, 20)
PROGRAM = f"""
from harness.comparison import decision
decision.ANALYSES = {FEW_ANALYSES}
from harness.cli.main import main
main()
"""


@pytest.mark.slow
@pytest.mark.timeout(450)
def test_a_comparison_is_made_and_kept(tmp_path: Path) -> None:
    """A comparison once begun is finished. It interim analyses twice only: up to 160 pairs of four cases take 400 s
    and more."""
    options = ("calibrate", "--trials", "1", "--budget", "1", "--force")
    command = [sys.executable, "-c", PROGRAM, *options]
    found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=400, check=False)
    assert found.returncode == 0 and "1 of 1 comparisons" in found.stderr, found.stderr
    assert "1 of at least 20" in found.stdout
    kept = CalibrationLog(tmp_path / ".harness" / "store.sqlite").power_trials(description.describe().fingerprint)
    assert [d.injected for d in kept] == [0.0, 0.03, 0.05, 0.10]
    assert all(len(d.old) == len(d.new) and FEW_ANALYSES[0] <= len(d.new) <= FEW_ANALYSES[1] for d in kept)
