"""The main job as a user sees it: run, show, list, judge, resume, interrupt, and what the commands print."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import jsonschema
import pytest

from harness.api.reference import schema
from tests.cli.program import CONFIG, CONFIGS, SEEDS, Result, environment_of, harness, here, mind_interrupts


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """One small run with every output, and the folder that it was started in."""
    folder = tmp_path_factory.mktemp("run")
    (folder / "a.yaml").write_text(CONFIG)
    (folder / "r.json").write_text("old")
    arguments = ("--json", "r.json", "--markdown", "out/r.md", "--html", "out/r.html", "--label", "first")
    return folder, harness("run", "a.yaml", *arguments, cwd=folder)


def test_a_run_prints_its_report_and_keeps_the_record(ran: tuple[Path, Result]) -> None:
    folder, result = ran
    assert result.code == 0, result.err
    assert "moe-tiny" in result.out
    assert "decode" in result.out
    assert max(len(line) for line in result.out.splitlines()) <= 100
    assert (folder / ".harness" / "store.sqlite").is_file()
    assert "\x1b" not in result.out + result.err


def test_outputs_are_whole_and_nothing_is_left_beside_them(ran: tuple[Path, Result]) -> None:
    folder, _ = ran
    record = json.loads((folder / "r.json").read_text())
    jsonschema.validate(record, json.loads(schema("record")))
    case = record["measurements"][0]
    assert len(case["samples_s"]) == 2
    assert case["rate_tok_s"]["low"] <= case["rate_tok_s"]["point"] <= case["rate_tok_s"]["high"]
    assert record["ceilings"]["read_bytes_s"]["point"] > 0
    assert (folder / "out" / "r.md").read_text().count("|") > 10
    assert "</html>" in (folder / "out" / "r.html").read_text()
    left = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    assert left == {"a.yaml", "r.json", "out/r.md", "out/r.html", ".harness/store.sqlite"}


def without_page(out: str) -> str:
    """What `run` printed, without the page that it wrote."""
    return out.replace("Page: out/r.html    ", "")


def test_show_and_list_need_no_measurement(ran: tuple[Path, Result]) -> None:
    folder, result = ran
    shown = harness("show", cwd=folder)
    assert shown.code == 0
    assert shown.out == without_page(result.out)
    runs = json.loads(harness("list", "--json", cwd=folder).out)
    assert [(run["name"], run["label"], run["state"]) for run in runs] == [("tiny", "first", "complete")]
    by_prefix = harness("show", runs[0]["record_id"][:12], "--format", "json", cwd=folder)
    assert json.loads(by_prefix.out) == json.loads((folder / "r.json").read_text())
    assert runs[0]["record_id"] in harness("list", cwd=folder).out
    unknown = harness("show", "nothing-like-it", cwd=folder)
    assert unknown.code == 2
    assert "unknown run" in unknown.err


def test_a_sheet_is_judged_with_a_stored_run(ran: tuple[Path, Result]) -> None:
    folder, _ = ran
    sheet = SEEDS / "deepseek-v4-ascend.yaml"
    alone = here("judge", sheet, "--format", "json", cwd=folder)
    assert alone.code == 0, alone.err
    verdicts = json.loads(alone.out)["verdicts"]
    assert len(verdicts) > 10
    beside = here("judge", sheet, "--record", "latest", "--chip", "ascend-910c", cwd=folder)
    assert beside.code == 0, beside.err
    assert here("judge", sheet, "--strict", cwd=folder).code == 3


def test_a_finished_run_is_resumed_without_measuring(ran: tuple[Path, Result]) -> None:
    folder, result = ran
    started = time.monotonic()
    again = harness("run", "a.yaml", "--resume", cwd=folder)
    assert again.code == 0, again.err
    assert time.monotonic() - started < 10
    assert again.out == without_page(result.out)
    changed = folder / "b.yaml"
    changed.write_text(CONFIG.replace("batches: [1]", "batches: [1, 2]"))
    refused = harness("run", "b.yaml", "--resume", cwd=folder)
    changed.unlink()
    assert refused.code == 2
    assert "measure.batches was (1,) and is (1, 2)" in refused.err


@pytest.mark.slow
def test_interrupted_runs_keep_what_they_have_and_go_on(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(CONFIG.replace("repetitions: 2", "repetitions: 6"))
    program = Path(sys.executable).with_name("harness")
    process = subprocess.Popen(
        [str(program), "run", "a.yaml"],
        cwd=tmp_path,
        env=environment_of(tmp_path),
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=mind_interrupts,  # noqa: PLW1509  no thread runs in the tests
    )
    store = tmp_path / ".harness" / "store.sqlite"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and kept(tmp_path, store) < 2:
        time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    assert out == ""
    found = re.search(r"harness run --resume (\S+)", err)
    assert found, err
    before = kept(tmp_path, store)
    assert before >= 2
    shown = harness("show", cwd=tmp_path)
    assert "nterrupted" in shown.out
    resumed = harness("run", "--resume", found[1], cwd=tmp_path)
    assert resumed.code == 0, resumed.err
    runs = json.loads(harness("list", "--json", cwd=tmp_path).out)
    assert [(run["state"], run["record_id"]) for run in runs] == [("complete", found[1])]
    case = json.loads(harness("show", "--format", "json", cwd=tmp_path).out)["measurements"][0]
    assert len(case["samples_s"]) == 6


def kept(folder: Path, store: Path) -> int:
    if not store.exists():
        return 0
    listed = harness("list", "--json", cwd=folder)
    return int(json.loads(listed.out)[0]["observations"]) if listed.code == 0 else 0


def test_two_runs_on_one_host_notice_each_other(tmp_path: Path, ran: tuple[Path, Result]) -> None:
    """The one that waits has nothing left to measure."""
    (tmp_path / "a.yaml").write_text(CONFIG)
    program = Path(sys.executable).with_name("harness")
    first = subprocess.Popen(
        [str(program), "run", "a.yaml", "--quiet"],
        cwd=tmp_path,
        env=environment_of(tmp_path),
        stdout=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and not (tmp_path / ".harness").exists():
            time.sleep(0.1)
        second = harness("run", "a.yaml", cwd=tmp_path)
        assert second.code == 5
        assert "--wait" in second.err
        assert "--force" in second.err
        third = harness("run", "--resume", "--wait", cwd=ran[0])
        assert third.code == 0
        assert "waiting for another run" in third.err
    finally:
        first.wait(timeout=60)


@pytest.mark.parametrize("config", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.name)
def test_plans_of_all_examples(tmp_path: Path, config: Path) -> None:
    result = here("run", config, "--dry-run", cwd=tmp_path)
    assert result.code == 0, result.err
    assert "Memory: about" in result.out
    assert "Time: about" in result.out
    plan = json.loads(here("run", config, "--dry-run", "--format", "json", cwd=tmp_path).out)
    assert plan["needs"]["peak_bytes"] > 0
    assert list(tmp_path.iterdir()) == []


def test_the_starter_config_runs_as_printed(tmp_path: Path) -> None:
    (tmp_path / "my.yaml").write_text(here("init", cwd=tmp_path).out.replace("auto", "moe-tiny", 3))
    assert here("run", "my.yaml", "--dry-run", cwd=tmp_path).code == 0


def test_help_is_quick_and_teaches(tmp_path: Path) -> None:
    took = []
    for _ in range(3):
        started = time.perf_counter()
        result = harness("--help", cwd=tmp_path)
        took.append(time.perf_counter() - started)
    assert result.code == 0
    assert "harness run quick" in result.out
    assert min(took) < 0.6, "0.1 s when nothing else runs; heavy imports belong inside the commands"


@pytest.mark.parametrize("command", ["models", "chips"])
def test_lists_fit_the_terminal(tmp_path: Path, command: str) -> None:
    result = harness(command, cwd=tmp_path)
    assert result.code == 0, result.err
    assert max(len(line) for line in result.out.splitlines()) <= 100


def test_schemas_are_printed(tmp_path: Path) -> None:
    for name in ("config", "sheet", "catalog", "record"):
        jsonschema.Draft202012Validator.check_schema(json.loads(harness("schema", name, cwd=tmp_path).out))


def test_version(tmp_path: Path) -> None:
    assert re.fullmatch(r"harness \S+, onnxruntime \S+, numpy \S+\n", harness("--version", cwd=tmp_path).out)


def test_a_closed_pipe_is_quiet(tmp_path: Path) -> None:
    """As in `harness schema sheet | head -1`: the reader goes away while more is to come."""
    program = Path(sys.executable).with_name("harness")
    process = subprocess.Popen(
        [str(program), "schema", "sheet"],
        cwd=tmp_path,
        env={**environment_of(tmp_path), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    with process.stderr:
        assert process.stderr.read() == b""
    assert process.wait(timeout=30) == 0


def test_defects_are_reported_in_one_line(tmp_path: Path) -> None:
    code = (
        "from harness.api import reference; from harness.cli.main import main; "
        "reference.chips = lambda: 1 / 0; main(['chips'])"
    )
    for debug, lines in (("", 1), ("1", 5)):
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
            env={**os.environ, "HARNESS_DEBUG": debug},
        )
        assert done.returncode == 1
        assert "ZeroDivisionError" in done.stderr
        assert ("Traceback" in done.stderr) == bool(debug)
        assert len(done.stderr.splitlines()) >= lines
