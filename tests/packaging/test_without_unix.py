"""Without Unix's modules, judging, projecting and comparing say the same, and measuring says what it lacks."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TABLES = ROOT / "tests" / "golden" / "tables"
SHEET = ROOT / "seeds" / "deepseek-v4-ascend.yaml"


def called(module: str, arguments: tuple[str, ...], cwd: Path) -> "subprocess.CompletedProcess[str]":
    command = (sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r}); {_RUN}", module, *arguments)
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


_RUN = "import runpy; del sys.argv[0]; runpy.run_module(sys.argv[0], run_name='__main__')"


@pytest.mark.parametrize(
    "arguments",
    [
        ("judge", str(SHEET), "--record", str(ROOT / "tests" / "reliability" / "museum" / "report-v2.json")),
        ("project", "--model", "deepseek-v3", "--chip", "h100-sxm", "--phase", "decode"),
        ("compare", str(TABLES / "hyperfine.json"), str(TABLES / "hyperfine.csv")),
    ],
    ids=lambda arguments: arguments[0],
)
def test_what_measures_nothing_says_the_same(arguments: tuple[str, ...], tmp_path: Path) -> None:
    usual, elsewhere = (called(module, arguments, tmp_path) for module in ("harness", "tests.without_unix"))
    assert elsewhere.returncode == usual.returncode == 0, elsewhere.stderr
    assert elsewhere.stdout == usual.stdout and len(usual.stdout) > 200
    assert elsewhere.stderr == usual.stderr


@pytest.mark.parametrize(
    "arguments",
    [("run", str(ROOT / "configs" / "quick.yaml")), ("bench", "moe-tiny"), ("calibrate", "--budget", "1")],
    ids=lambda arguments: arguments[0],
)
def test_what_measures_says_what_is_missing(arguments: tuple[str, ...], tmp_path: Path) -> None:
    found = called("tests.without_unix", arguments, tmp_path)
    assert found.returncode == 5 and not found.stdout
    (line,) = found.stderr.splitlines()
    assert line.startswith("measuring needs file locks (fcntl) and process groups (os.killpg), which this system (")
    assert "judging, projecting and comparing work here" in line
    assert not list(tmp_path.iterdir()), "nothing is left behind"


def test_a_plan_is_shown_all_the_same(tmp_path: Path) -> None:
    found = called("tests.without_unix", ("run", str(ROOT / "configs" / "quick.yaml"), "--dry-run"), tmp_path)
    assert found.returncode == 0 and "moe" in found.stdout, found.stderr
