"""Wrong use: one clear message, exit code 2, nothing on stdout, never a traceback."""

import os
from pathlib import Path

import pytest

from tests.cli.program import CONFIG, SEEDS, harness, here


def refused(result: "object") -> str:
    code, out, err = result.code, result.out, result.err  # type: ignore[attr-defined]
    assert code == 2, err
    assert out == ""
    assert "Traceback" not in err
    assert "internal error" not in err
    assert 0 < len(err.splitlines()) <= 12
    return str(err)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("models: [moe-tiny]", "models: [moe-tinny]"), ":4:12: unknown model 'moe-tinny'; did you mean 'moe-tiny'?"),
        (("models: [moe-tiny]", "models: ['moe-tiny:equal']"), ":4:12: unknown counterpart 'equal'"),
        (("batches: [1]", "batches: [0]"), ":6:13: 0 in measure.batches[0], expected more than 0"),
        (("batches: [1]", "batches: [-1]"), ":6:13: -1 in measure.batches[0], expected more than 0"),
        (("batches: [1]", "batches: ['1']"), ":6:13: '1' in measure.batches[0], expected a whole number"),
        (("batches: [1]", "batchs: [1]"), ":6:3: unknown key 'batchs' in measure, expected one of"),
        (("batches: [1]", "batches: [4096]\n  prompt_tokens: 1048576"), ":8:3: key 'prompt_tokens' a second time"),
        (("step_time_s: 0.02", "precisions: [fp8]"), ":10:16: 'fp8' in measure.precisions[0], expected one of fp32"),
        (("step_time_s: 0.02", "step_time_s: .nan"), ":10:16: '.nan' is not a number"),
        (("name: tiny", "name: tiny\nchips: [h100]"), ":3:9: unknown chip 'h100'; did you mean"),
        (("name: tiny", "name: tiny\nsheet: none.yaml"), "none.yaml: no such file, expected a claim sheet (named in"),
        (("name: tiny", "name: tiny\ncatalog: [none.yaml]"), "none.yaml: no such file, expected a catalog (named in"),
        (("name: tiny", "name: tiny\noutputs: {json: .}"), "names a folder"),
        (("prompt_tokens: 8", "prompt_tokens: 100000"), "positions for 4,096 tokens"),
        (("harness: 1", "harness: 2"), ":1:10: 2 in harness, expected 1"),
        (("harness: 1\n", ""), ":1:1: missing key 'harness'"),
        ((CONFIG, ""), "empty, expected a config"),
        ((CONFIG, "measure: ["), "not valid YAML"),
        ((CONFIG, "just words"), "'just words', expected a config"),
    ],
)
def test_configs(tmp_path: Path, change: tuple[str, str], words: str) -> None:
    assert change[0] in CONFIG
    path = tmp_path / "a.yaml"
    path.write_text(CONFIG.replace(*change, 1))
    assert words in refused(here("run", "a.yaml", "--dry-run", cwd=tmp_path))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.yaml"]


def test_a_model_larger_than_memory_is_refused_before_it_is_built(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(
        CONFIG
        + """\
specs:
  giant: {model_type: deepseek_v3, hidden_size: 65536, num_hidden_layers: 100, vocab_size: 1000000,
    num_attention_heads: 128, kv_lora_rank: 512, qk_nope_head_dim: 128, qk_rope_head_dim: 64, v_head_dim: 128,
    n_routed_experts: 1024, num_experts_per_tok: 8, moe_intermediate_size: 4096}
"""
    )
    text = (tmp_path / "a.yaml").read_text().replace("[moe-tiny]", "[giant]")
    (tmp_path / "a.yaml").write_text(text)
    message = refused(harness("run", "a.yaml", cwd=tmp_path, timeout_s=20))
    assert ":4:12: giant at int8 needs about" in message
    assert "this host has" in message
    assert "choose" in message


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    assert "no such file" in refused(here("run", "none.yaml", cwd=tmp_path))
    assert "is a folder" in refused(here("run", ".", cwd=tmp_path))
    assert "no such file" in refused(here("judge", "none.yaml", cwd=tmp_path))
    os.mkfifo(tmp_path / "pipe.yaml")
    assert "not a regular file" in refused(here("run", "pipe.yaml", cwd=tmp_path))
    (tmp_path / "binary.yaml").write_bytes(bytes(range(256)))
    refused(here("run", "binary.yaml", cwd=tmp_path))
    if os.geteuid() != 0:
        (tmp_path / "locked.yaml").write_text(CONFIG)
        (tmp_path / "locked.yaml").chmod(0)
        assert "cannot be read" in refused(here("run", "locked.yaml", cwd=tmp_path))


def test_sheets_that_do_not_parse(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(CONFIG.replace("name: tiny", "name: tiny\nsheet: s.yaml"))
    (tmp_path / "s.yaml").write_text("sheet: 1\nid: s\nsource: {title: t}\nclaims:\n  - {id: a, kind: thruput}\n")
    for command in (("run", "a.yaml", "--dry-run"), ("judge", "s.yaml")):
        message = refused(here(*command, cwd=tmp_path))
        assert "s.yaml:5:19: unknown kind 'thruput' in claims[0], expected one of throughput" in message


@pytest.mark.parametrize(
    "option", ["--json", *(pytest.param(option, marks=pytest.mark.slow) for option in ("--html", "--markdown"))]
)
def test_outputs_that_cannot_be_written(tmp_path: Path, option: str) -> None:
    (tmp_path / "a.yaml").write_text(CONFIG)
    (tmp_path / "file").write_text("kept")
    for target in (".", "file/below.json", "/proc/nothing/here", "/dev/full/x"):  # refused before anything is measured
        message = refused(here("run", "a.yaml", option, target, cwd=tmp_path))
        assert option in message
    if option != "--json":  # before a config's name `--json` stands alone, and prints on stdout
        assert "would overwrite an input" in refused(here("run", "a.yaml", option, "a.yaml", cwd=tmp_path))
    assert (tmp_path / "file").read_text() == "kept"
    assert (tmp_path / "a.yaml").read_text() == CONFIG


def test_one_file_for_two_outputs(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(CONFIG)
    message = refused(here("run", "a.yaml", "--json", "x", "--html", "./x", cwd=tmp_path))
    assert "would overwrite the file of --json" in message


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "Usage"),
        (("runn",), "did you mean 'run'"),
        (("run",), "no config given"),
        (("run", "--dry-rn"), "no such option"),
        (("run", "a", "b"), "unexpected extra argument"),
        (("run", "a.yaml", "--format", "pdf"), "'pdf' is not one of"),
        (("run", "a.yaml", "--max-failures", "0"), "max-failures"),
        (("schema", "everything"), "'everything' is not one of"),
        (("show",), "store"),
        (("list",), "store"),
        (("run", "--resume"), "store"),
        (("judge",), "sheet"),
        (("judge", str(SEEDS / "deepseek-v4-ascend.yaml"), "--chip", "h10"), "unknown chip 'h10'"),
        (("store", "check"), "store"),
    ],
)
def test_arguments(tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    result = harness(*arguments, cwd=tmp_path)
    assert result.code == 2
    assert result.out == ""
    assert words.lower() in result.err.lower()
    assert "Traceback" not in result.err
    assert list(tmp_path.iterdir()) == []


def test_names_from_strangers_cannot_drive_the_terminal(tmp_path: Path) -> None:
    result = harness("run", "\x1b[31mred\x07.yaml", cwd=tmp_path)
    assert result.code == 2
    assert "\x1b" not in result.err
    assert "\x07" not in result.err


@pytest.mark.parametrize("key", ["json", "html", "markdown"])
@pytest.mark.parametrize("name", ["../out", "a/../../out", "/tmp/out-of-a-config", "link/out"])
def test_a_config_may_not_write_outside_the_folder(tmp_path: Path, key: str, name: str) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path)
    (folder / "a.yaml").write_text(f"{CONFIG}outputs:\n  {key}: {name}\n")
    message = refused(here("run", "a.yaml", cwd=folder))
    assert name in message and f"outputs.{key}" in message and f"--{key} FILE" in message
    assert sorted(p.name for p in folder.iterdir()) == ["a.yaml", "link"]
    assert [p.name for p in tmp_path.iterdir()] == ["here"]
    asked = here("run", "a.yaml", f"--{key}", "../out", "--dry-run", cwd=folder)
    assert asked.code == 0, asked.err
