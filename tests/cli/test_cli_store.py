"""Runs kept, carried elsewhere and gone on with, as a user sees it; and files that were cut or changed on the way."""

import datetime as dt
import json
import shutil
from pathlib import Path

import pytest

from harness.measure.worker import failed
from harness.results.assemble import case_round_key
from harness.store.runs import Store
from tests.cli.program import CONFIG, SEEDS, ended, harness

ARTICLE = SEEDS / "deepseek-v4-ascend.yaml"
STORE = Path(".harness") / "store.sqlite"


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of one small run."""
    folder = tmp_path_factory.mktemp("run")
    (folder / "a.yaml").write_text(CONFIG)
    result = harness("run", "a.yaml", "--json", "r.json", "--label", "mine", cwd=folder)
    assert result.code == 0, result.err
    return folder


@pytest.fixture
def folder(ran: Path, tmp_path: Path) -> Path:
    """A copy of it, to be changed."""
    return Path(shutil.copytree(ran, tmp_path / "copy"))


@pytest.mark.slow
def test_a_run_is_carried_to_another_store(folder: Path) -> None:
    assert harness("store", "export", "mine", "-o", "out/e.json", cwd=folder).code == 0
    assert (folder / "out" / "e.json").read_text() == (folder / "r.json").read_text()
    assert harness("store", "export", cwd=folder).out == (folder / "r.json").read_text()
    taken = harness("store", "import", "out/e.json", "--store", "team.sqlite", cwd=folder)
    assert taken.code == 0 and "added run" in taken.out
    there = harness("show", "--store", "team.sqlite", cwd=folder)
    assert there.out == harness("show", cwd=folder).out == harness("show", "r.json", cwd=folder).out
    twice = harness("store", "import", "out/e.json", "--store", "team.sqlite", cwd=folder)
    assert twice.code == 2 and "holds a run named" in twice.err
    assert "No damage found." in harness("store", "check", "--store", "team.sqlite", cwd=folder).out


def test_a_file_that_was_changed_is_refused_by_all_that_read_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    text = (folder / "r.json").read_text()
    (folder / "changed.json").write_text(text.replace('"tokens_per_step": 1,', '"tokens_per_step": 2,', 1))
    (folder / "cut.json").write_text(text[: len(text) // 2])
    for name, words in (("changed.json", "checksum does not match"), ("cut.json", "cut short")):
        for command in (
            ("show", name),
            ("judge", ARTICLE, "--record", name),
            ("compare", "r.json", name),
            ("store", "import", name),
        ):
            code, out, err = ended(*command)
            assert (code, out) == (2, ""), command
            assert name in err and words in err


@pytest.mark.slow
def test_what_failed_is_measured_again_only_when_asked(folder: Path) -> None:
    with Store(folder / STORE) as store:
        record_id = store.resolve("latest")
        task = next(t for t in store.header(record_id).plan.tasks if t.kind == "variant")
        lost = failed(task.round, dt.datetime.now(dt.UTC), "the measuring process was killed by SIGKILL")
        store.keep(record_id, task, task.workloads[0], lost)
    assert harness("run", "--resume", cwd=folder).code == 5, "one process is no interval"
    assert good(folder) == 1
    again = harness("run", "--resume", "--retry-failed", cwd=folder)
    assert again.code == 0, again.err
    assert good(folder) == 2
    alone = harness("run", "a.yaml", "--retry-failed", cwd=folder)
    assert alone.code == 2 and "--resume" in alone.err


def begun_anew(folder: Path, record_id: str, leave_out: int, **changes: object) -> None:
    """The folder's run under another name, without its last observations, with other words in its header."""
    with Store(folder / STORE) as store:
        first = store.resolve("mine")
        header = store.header(first)
        store.begin(header.model_copy(update={"record_id": record_id, "label": None, **changes}))
        of = {case_round_key(t, w): (t, w) for t in header.plan.tasks for w in (t.workloads or (None,))}
        kept = [(of[case], one) for case, one in store.kept(first) if one is not None]
        for (task, workload), one in kept[: len(kept) - leave_out]:
            made = one.observation or one.ceiling
            assert made is not None
            store.keep(record_id, task, workload, made)


def test_a_bench_is_gone_on_with_and_a_side_of_a_comparison_is_not(folder: Path) -> None:
    bench = {"made_by": "bench", "config_path": None, "config_text": "harness bench moe-tiny\n", "name": "bench"}
    begun_anew(folder, "b-1", 1, **bench)
    result = harness("run", "--resume", "b-1", cwd=folder)
    assert result.code == 0, result.err
    assert "| tg4" in result.out and result.out.endswith("are told by: harness bench moe-tiny\n")
    with Store(folder / STORE, write=False) as store:
        assert store.load("b-1").state == "complete" and len(store.done("b-1")) == len(
            store.done(store.resolve("mine"))
        )
    mixed = harness("run", "a.yaml", "--resume", "b-1", cwd=folder)
    assert mixed.code == 2 and "harness run --resume b-1" in mixed.err and "harness bench moe-tiny" in mixed.err
    begun_anew(folder, "a-1", 1, made_by="ab", created=dt.datetime.now(dt.UTC))
    latest = harness("run", "--resume", "--dry-run", cwd=folder)
    assert latest.code == 0, "a comparison is no run that could be meant"
    refused = harness("run", "--resume", "a-1", cwd=folder)
    assert refused.code == 2 and "one side of a `harness ab`" in refused.err and "harness show a-1" in refused.err


def good(folder: Path) -> int:
    case = json.loads(harness("show", "--format", "json", cwd=folder).out)["measurements"][0]
    return len(case["samples_s"])


def test_other_versions_are_not_mixed_into_a_run(folder: Path) -> None:
    with Store(folder / STORE) as store:
        header = store.header(store.resolve("latest"))
        older = {**dict(header.host.packages), "onnxruntime": "0.0.1", "harness": "0.0.9"}
        host = header.host.model_copy(update={"packages": tuple(older.items()), "python": "3.0"})
        store.begin(header.model_copy(update={"record_id": "older", "host": host}))
    refused = harness("run", "--resume", "older", cwd=folder)
    assert refused.code == 2
    for was in ("harness was 0.0.9 and is", "onnxruntime was 0.0.1 and is", "python was 3.0 and is"):
        assert was in refused.err
    assert "start a new run" in refused.err


def test_a_changed_config_is_refused_with_what_changed(folder: Path) -> None:
    spec = "specs:\n  mine: {model_type: llama, hidden_size: 64, num_hidden_layers: 1, vocab_size: 64, "
    spec += "num_attention_heads: 2, num_key_value_heads: 2, head_dim: 32, intermediate_size: 64}\n"
    (folder / "b.yaml").write_text(CONFIG.replace("decode_tokens: 4", "decode_tokens: 5") + spec)
    refused = harness("run", "b.yaml", "--resume", cwd=folder)
    assert refused.code == 2
    assert "measure.decode_tokens was 4 and is 5" in refused.err and "specs.mine was added" in refused.err


def test_a_damaged_store_is_checked_and_recovered(folder: Path) -> None:
    raw = (folder / STORE).read_bytes()
    assert b"tokens_per_step" in raw
    (folder / STORE).write_bytes(raw.replace(b'"tokens_per_step":1', b'"tokens_per_step":7'))
    found = harness("store", "check", cwd=folder)
    assert found.code == 5 and "checksum does not match" in found.out
    saved = harness("store", "recover", cwd=folder)
    assert saved.code == 0 and "the old file is kept as" in saved.out
    assert harness("store", "check", cwd=folder).code == 0
