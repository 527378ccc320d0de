"""The plugin as another project's tests would use it: in a pytest of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.comparison.formats.detect import parse
from harness.pytest_plugin import case, cases

SUITE = """
import numpy as np
import pytest
from harness.pytest_plugin import case

@pytest.mark.parametrize("phase", ["prefill", "decode"])
def test_tiny(harness_benchmark, phase):
    assert np.isfinite(harness_benchmark(case("moe-tiny", phase, tokens=8, threads=1), rounds=3, warmup_rounds=1)).all()
"""


def run(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_suite.py").write_text(SUITE)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options]
    alone = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_XDIST")}
    return subprocess.run(command, cwd=folder, env=alone, capture_output=True, text=True, timeout=110, check=False)


def test_its_file_is_a_table_of_rates_and_still_pytest_benchmarks_own(tmp_path: Path) -> None:
    found = run(tmp_path, "--benchmark-json=out.json")
    assert found.returncode == 0, found.stdout + found.stderr
    text = (tmp_path / "out.json").read_text()
    table = parse(text, "out.json")
    assert [len(r.samples) for r in table.rows] == [3, 3]
    assert {(r.metric.unit, r.metric.better) for r in table.rows} == {("tok/s", "higher")}
    assert {"phase", "seed", "architecture"} <= {s.name for s in table.rows[0].inputs}
    assert {"fingerprint", "onnxruntime"} <= {f.name for f in table.facts}
    for entry in json.loads(text)["benchmarks"]:
        info, stats = entry["extra_info"], entry["stats"]
        assert info["harness_rate_tok_s"] == pytest.approx(info["harness_tokens"] / stats["median"])
        assert stats["rounds"] == 3


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("-p", "no:benchmark"), "2 skipped"),
        (("--benchmark-skip",), "2 skipped"),
        (("--benchmark-disable",), "2 passed"),
    ],
)
def test_it_steps_aside(tmp_path: Path, options: tuple[str, ...], words: str) -> None:
    found = run(tmp_path, *options)
    assert found.returncode == 0 and words in found.stdout, found.stdout + found.stderr


def test_it_times_nothing_under_xdist(tmp_path: Path) -> None:
    pytest.importorskip("xdist")
    found = run(tmp_path, "-n", "1", "--benchmark-json=out.json")
    assert found.returncode == 0 and "2 passed" in found.stdout
    assert not (tmp_path / "out.json").exists() or "harness_rate" not in (tmp_path / "out.json").read_text()


def test_importing_it_is_light() -> None:
    code = "import sys, harness.pytest_plugin; print(sorted({'numpy', 'onnxruntime', 'pydantic'} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_a_config_gives_its_cases(tmp_path: Path) -> None:
    config = tmp_path / "c.yaml"
    measure = "  models: [moe-tiny, 'moe-tiny:equal-active']\n  batches: [1, 2]\n  threads: 1\n"
    config.write_text(f"harness: 1\nname: x\nmeasure:\n{measure}")
    found = cases(config)
    assert len(found) == 2 * 2 * 2 == len({str(c) for c in found})


def test_a_case_says_what_it_is() -> None:
    assert str(case("moe-tiny", "prefill", tokens=8, threads=1)) == "moe-tiny-int8-prefill-batch1-tokens8"
