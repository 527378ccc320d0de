"""Coverage-guided fuzzing of every reader of a stranger's file, with atheris where it is installed."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

from harness.results import reportfile
from tests.reliability import plans

ROOT = Path(__file__).parents[2]
RUNS = 10_000


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="atheris is not installed: the extra `fuzz`")
def test_guided_fuzzing_finds_no_crash_hang_or_write(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for number, path in enumerate(sorted([*(ROOT / "configs").glob("*.yaml"), *(ROOT / "seeds").glob("*.yaml")])):
        (corpus / f"{number}.yaml").write_bytes(path.read_bytes())
    (corpus / "report.json").write_text(reportfile.document(plans.record(count=1), None))
    limits = (f"-runs={RUNS}", "-seed=1", "-timeout=20", "-rss_limit_mb=2048", "-max_len=20000")
    # The peak memory of a process that execs counts as that of what it becomes, and this one may have held a model: a
    # shell in between forks the fuzzer anew.
    apart = ("sh", "-c", '"$@"; exit $?', "sh")
    command = [*apart, sys.executable, "-m", "tests.reliability.fuzz_target", *limits, f"-artifact_prefix={tmp_path}/"]
    done = subprocess.run([*command, str(corpus)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    ran = re.search(r"Done (\d+) runs", done.stderr)
    assert ran is not None and int(ran[1]) >= RUNS
