"""`harness bench` as a user types it: rows in every format, refusals beside results, wrong use, interruption."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from harness.catalog.models import preset, released
from harness.model.counts import parameters
from tests.cli.program import Result, environment_of, harness, mind_interrupts
from tests.released import RELEASED

SMALL = ("-p", "8", "-n", "4", "-r", "2")


@pytest.fixture(scope="module")
def benched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """Two batches, one depth that fits and one beyond the model's positions."""
    folder = tmp_path_factory.mktemp("bench")
    wanted = (*SMALL, "-b", "1,2", "-d", "0,8000", "-o", "json")
    return folder, harness("bench", "moe-tiny", *wanted, cwd=folder, timeout_s=120)


def rows_of(result: Result) -> list[dict[str, Any]]:
    parsed = json.loads(result.out)
    assert isinstance(parsed, list)
    return parsed


def test_every_case_is_a_row_and_those_that_cannot_run_say_why(benched: tuple[Path, Result]) -> None:
    _, result = benched
    assert result.code in (0, 5), result.err  # 5 where this busy host spoils every row
    rows = rows_of(result)
    assert len(rows) == 2 + 2 * 2  # batches: prefill, decode at two depths
    failed = [row for row in rows if row["error"] is not None]
    assert {row["depth"] for row in failed} == {8000}
    assert all("4,096 positions" in row["error"] and row["rate_tok_s"] is None for row in failed)
    good = [row for row in rows if row["error"] is None]
    wanted = [(phase, batch) for phase in ("prefill", "decode") for batch in (1, 2)]
    assert [(row["phase"], row["batch"]) for row in good] == wanted


def test_rows_are_measured_with_ceilings_and_precision_beside_speed(benched: tuple[Path, Result]) -> None:
    _, result = benched
    for row in rows_of(result):
        if row["error"] is not None:
            continue
        rate = row["rate_tok_s"]
        assert rate["low"] <= rate["point"] <= rate["high"]
        assert rate["n"] == len(row["samples_s"]) == 2
        tokens = row["batch"] * (row["prompt_tokens"] if row["phase"] == "prefill" else 1)
        rates = [tokens / s for s in row["samples_s"]]
        assert min(rates) <= rate["point"] <= max(rates)
        assert row["ceilings"]["read_bytes_s"] > 1e8
        assert row["ceilings"]["matmul_flop_s"] > 1e8
        assert row["parameters"]["total"] == 22_998_368  # as the preset is documented
        assert row["parameters"]["active"] == parameters(preset("moe-tiny")).active
        assert row["peak_rss_bytes"] >= row["rss_after_load_bytes"] > row["weight_bytes"]
        assert row["load_s"] > 0
        assert 0 <= row["outside_fraction"] < 1
        assert row["experts_activated"]["measured"] > 0
        assert 8 < row["bits_per_weight"] < 11
        assert 0.001 < row["quantisation_error"] < 0.15, "eight bits, the same experts: rounding alone"
        assert row["quantisation_error"] <= row["rerouted_error"] < 1.5
        assert 0.5 < row["experts_kept"] <= 1


def test_the_run_is_kept_like_any_other(benched: tuple[Path, Result]) -> None:
    folder, result = benched
    run = {row["run"] for row in rows_of(result)}
    assert len(run) == 1
    shown = harness("show", *run, "--format", "json", cwd=folder)
    cases = json.loads(shown.out)["measurements"]
    assert len(cases) == len(rows_of(result))
    exported = harness("export", *run, cwd=folder)
    assert exported.code == 0, exported.err


@pytest.mark.slow
def test_json_lines_come_as_rows_are_finished(tmp_path: Path) -> None:
    program = Path(sys.executable).with_name("harness")
    wanted = ("bench", "moe-tiny", *SMALL, "-d", "0,5000", "-q", "fp32", "-r", "1", "-o", "jsonl", "--quiet")
    with subprocess.Popen(
        [str(program), *wanted],
        cwd=tmp_path,
        env=environment_of(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        first = json.loads(process.stdout.readline())
        assert process.poll() is None, "the refused row comes before anything is measured"
        rest = [json.loads(line) for line in process.stdout]
        code, err = process.wait(), process.stderr.read() if process.stderr else ""
    assert code in (0, 5), err
    assert first["error"].startswith("5,004 tokens are asked for")
    assert [(row["phase"], row["depth"]) for row in rest] in (
        [("prefill", 0), ("decode", 0)],
        [("decode", 0), ("prefill", 0)],
    )
    assert all(row["rate_tok_s"]["low"] is None for row in rest), "one process gives no interval"


@pytest.mark.slow
def test_profiles_name_the_parts_of_the_model(tmp_path: Path) -> None:
    wanted = ("-p", "8", "-n", "0", "-q", "fp32", "-r", "1", "-o", "sql", "--profile")
    result = harness("bench", "moe-tiny", *wanted, cwd=tmp_path)
    database = sqlite3.connect(":memory:")
    database.executescript(result.out)
    found = database.execute("SELECT model, quantisation_error, bits_per_weight FROM harness_bench").fetchall()
    database.close()
    assert found == [("moe-tiny", 0.0, 32.0)]
    for part in ("attention", "router", "routed experts", "shared expert", "head"):
        assert f"**{part}**" in result.err, "what the format cannot hold goes to stderr"


@pytest.mark.slow
def test_a_model_of_your_own(tmp_path: Path) -> None:
    spec = """\
model_type: mixtral
hidden_size: 64
num_hidden_layers: 2
vocab_size: 256
num_attention_heads: 4
num_key_value_heads: 2
head_dim: 16
n_routed_experts: 4
num_experts_per_tok: 2
moe_intermediate_size: 64
"""
    (tmp_path / "mine.yaml").write_text(spec)
    wanted = ("-p", "0", "-n", "2", "-r", "1", "-t", "1", "--quiet")
    result = harness("bench", "mine.yaml", "mine.yaml:equal-total", *wanted, cwd=tmp_path)
    table = [[case.strip() for case in line.split("|")] for line in result.out.splitlines() if "tg2 " in line]
    assert [row[1] for row in table] == ["mine", "mine:equal-total"], result.err
    assert all(float(row[6].rstrip("*").replace(",", "")) > 0 for row in table)
    assert result.err == ""


def test_what_cannot_fit_is_refused_before_anything_is_built(tmp_path: Path) -> None:
    spec = """\
model_type: llama
hidden_size: 65536
num_hidden_layers: 500
vocab_size: 1024
num_attention_heads: 64
num_key_value_heads: 8
head_dim: 128
intermediate_size: 262144
"""
    (tmp_path / "huge.yaml").write_text(spec)
    started = time.monotonic()
    result = harness("bench", "huge.yaml", "-o", "json", cwd=tmp_path)
    assert time.monotonic() - started < 10
    assert result.code == 5
    rows = rows_of(result)
    assert len(rows) == 2
    assert all("of memory" in row["error"] and row["run"] is None for row in rows)
    assert rows[0]["parameters"]["total"] > 1e13
    assert sorted(p.name for p in tmp_path.iterdir()) == ["huge.yaml"]


def test_the_architecture_of_a_released_config_is_a_model(tmp_path: Path) -> None:
    """The weights of such a folder may be missing or quantised: only the architecture is read."""
    folder = tmp_path / "deepseek-v3"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(RELEASED["deepseek-v3"]))
    wanted = ("-q", "fp32", "-n", "0", "-o", "json")
    result = harness("bench", "./deepseek-v3", "deepseek-v3/config.json:equal-active", *wanted, cwd=tmp_path)
    rows = rows_of(result)
    assert [row["model"] for row in rows] == ["deepseek-v3", "deepseek-v3:equal-active"]
    assert rows[0]["parameters"]["total"] == parameters(released("deepseek-v3").spec).total
    assert all("of memory" in row["error"] for row in rows)


def test_a_process_that_takes_too_long_is_a_failed_row(tmp_path: Path) -> None:
    result = harness("bench", "moe-tiny", *SMALL, "-q", "fp32", "--timeout", "0.1", "-o", "json", cwd=tmp_path)
    assert result.code == 5
    assert all("took over 0.1 s" in row["error"] for row in rows_of(result))


@pytest.mark.slow
def test_interruption_prints_what_is_there(tmp_path: Path) -> None:
    program = Path(sys.executable).with_name("harness")
    process = subprocess.Popen(
        [str(program), "bench", "moe-tiny", "-p", "8", "-n", "4", "-q", "fp32", "-r", "50", "-o", "json"],
        cwd=tmp_path,
        env=environment_of(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=mind_interrupts,  # noqa: PLW1509  no thread runs in the tests
    )
    store = tmp_path / ".harness" / "store.sqlite"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and kept(store) < 4:
        time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert err.strip().splitlines()[-1].startswith("interrupted")
    rows = json.loads(out)
    assert rows
    assert all(1 <= row["rate_tok_s"]["n"] < 50 for row in rows)
    listed = json.loads(harness("list", "--json", cwd=tmp_path).out)
    assert [run["state"] for run in listed] == ["interrupted"]


def kept(store: Path) -> int:
    if not store.is_file():
        return 0
    database = sqlite3.connect(f"file:{store}?mode=ro", uri=True)
    try:
        return int(database.execute("SELECT count(*) FROM observation").fetchone()[0])
    except sqlite3.OperationalError:
        return 0
    finally:
        database.close()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "missing argument 'MODEL...'"),
        (("moe-tyni",), "unknown model 'moe-tyni'; did you mean 'moe-tiny'"),
        (("moe-tiny:equal",), "unknown counterpart 'equal'; did you mean 'equal-"),
        (("nothing.yaml",), "no such file"),
        (("moe-tiny", "-p", "x"), "-p: 'x' is neither a number nor a range"),
        (("moe-tiny", "-p", "0", "-n", "0"), "nothing to measure"),
        (("moe-tiny", "-b", "0"), "-b: 0 is out of range"),
        (("moe-tiny", "-b", ""), "-b: is empty"),
        (("moe-tiny", "-q", "int5"), "-q: unknown precision 'int5'"),
        (("moe-tiny", "-t", "9999"), "-t: 9,999 is out of range"),
        (("moe-tiny", "-r", "0"), "-r"),
        (("moe-tiny", "-o", "xml"), "'xml' is not one of"),
        (("moe-tiny", "--routing-skew", "11"), "routing-skew"),
        (("moe-tiny", "--store", "."), "."),
    ],
)
def test_wrong_use(tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    result = harness("bench", *arguments, cwd=tmp_path, timeout_s=20)
    assert result.code == 2, result.err
    assert result.out == ""
    assert words in result.err.replace("Missing", "missing")
    assert len(result.err.strip().splitlines()) == 1
    assert "Traceback" not in result.err
    assert os.listdir(tmp_path) == []
