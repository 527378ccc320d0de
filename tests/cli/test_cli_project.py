"""`harness project`: the golden decode of a 910C, missing conditions as ranges, wrong use refused in one message."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.cli.program import ROOT, Result, harness, here

GOLDEN = (
    "--model", "deepseek-r1", "--chip", "ascend-910c", "--phase", "decode", "--batch", "96", "--context", "4096",
    "--precision", "int8", "--chips", "160", "--mtp", "1", "--acceptance", "0.7",
)  # fmt: skip


def project(cwd: Path, *arguments: str | Path) -> Result:
    return here("project", *arguments, cwd=cwd)


def answer(cwd: Path, *arguments: str | Path) -> dict[str, Any]:
    result = project(cwd, *arguments, "--json")
    assert result.code == 0, result.err
    found: dict[str, Any] = json.loads(result.out)
    return found


def changed(option: str, value: str | None) -> tuple[str, ...]:
    """The golden arguments with one option set, or left out."""
    pairs = {GOLDEN[i]: GOLDEN[i + 1] for i in range(0, len(GOLDEN), 2)}
    if value is None:
        del pairs[option]
    else:
        pairs[option] = value
    return tuple(part for pair in pairs.items() for part in pair)


def test_decode_of_r1_on_910c(tmp_path: Path) -> None:
    """Times by hand from the CloudMatrix384 paper's deployment; ceiling and serial point follow from them."""
    found = json.loads(harness("project", *GOLDEN, "--json", cwd=tmp_path).out)
    for resource, milliseconds in (("compute", 27.1), ("memory", 19.3), ("link", 5.6)):
        assert 1000 * found["time_s"][resource] == pytest.approx(milliseconds, rel=0.01)
        parts = sum(part[f"{resource}_s"] for part in found["components"].values())
        assert parts == pytest.approx(found["time_s"][resource])
    assert found["overlap_tok_s"] == pytest.approx(6018, rel=0.01)
    assert found["serial_tok_s"] == pytest.approx(3138, rel=0.01)
    assert found["binding"] == "compute"
    assert found["missing"] == [] and found["fits"] is True


def test_the_document(tmp_path: Path) -> None:
    found = answer(tmp_path, *GOLDEN)
    low90, mid, high90 = found["usual90_tok_s"]
    low99, mid99, high99 = found["usual99_tok_s"]
    assert low99 < low90 < mid == mid99 < high90 < high99 <= found["ceiling_tok_s"]
    assert {n["per"] for n in found["normalisers"]} == {"package", "die", "TFLOP/s", "TB/s", "GB", "W"}
    assert found["memory"]["needed_bytes"] < found["memory"]["capacity_bytes"]
    assert found["identities"] and found["forecast"]["sources"]
    assert sum(found["forecast"]["parts"].values()) == pytest.approx(1.0)
    levels = found["forecast"]["levels"]
    assert low90 == levels["low90"] < levels["low50"] < mid < levels["high50"] < levels["high80"] < high90
    assert found["basis"] == "modelled"


def test_conditions_not_given_are_ranges(tmp_path: Path) -> None:
    found = answer(tmp_path, "--model", "kimi-k2", "--chip", "h200", "--phase", "decode", "--context", "2000")
    assert found["missing"] == ["precision", "chips", "batch"]
    low, mid, high = found["usual90_tok_s"]
    assert low < mid < high and high / low > 10
    narrower = answer(
        tmp_path, "--model", "kimi-k2", "--chip", "h200", "--phase", "decode", "--context", "2000", "--batch", "100"
    )
    assert narrower["missing"] == ["precision", "chips"]
    assert narrower["usual90_tok_s"][0] > low and narrower["usual90_tok_s"][2] < high


@pytest.mark.parametrize("phase", ["prefill", "decode", "output_all", "total_all"])
@pytest.mark.parametrize("form", ["text", "markdown"])
def test_every_phase_in_words(tmp_path: Path, phase: str, form: str) -> None:
    result = project(
        tmp_path, *changed("--phase", phase), "--prompt", "4096", "--output", "512", "--format", form, "--chips", "32"
    )
    assert result.code == 0, result.err
    assert phase in result.out.replace("\\", "") and "Published systems would reach" in result.out
    if form == "text":
        assert max(map(len, result.out.splitlines())) <= 100


def test_the_format_of_a_grouped_query_cache_is_a_condition(tmp_path: Path) -> None:
    arguments = (
        "--model", "qwen3-30b-a3b", "--chip", "h200", "--phase", "decode", "--batch", "64", "--context", "8192",
        "--chips", "1", "--precision", "fp8",
    )  # fmt: skip
    assert answer(tmp_path, *arguments)["missing"] == ["cache"]
    wide, narrow = (answer(tmp_path, *arguments, "--cache-bytes", size) for size in ("2", "1"))
    assert wide["missing"] == narrow["missing"] == []
    assert wide["ceiling_tok_s"] < narrow["ceiling_tok_s"] == answer(tmp_path, *arguments)["ceiling_tok_s"]


def test_what_is_not_given_is_named_in_words(tmp_path: Path) -> None:
    result = project(tmp_path, *changed("--batch", None))
    assert "Not given: --batch." in result.out


def test_a_model_that_does_not_fit_is_an_answer(tmp_path: Path) -> None:
    found = answer(tmp_path, *changed("--chips", "2"))
    assert found["fits"] is False and found["binding"] == "capacity"
    assert "It does not fit: " in project(tmp_path, *changed("--chips", "2")).out


def test_a_publication_left_out_is_not_in_the_law(tmp_path: Path) -> None:
    found = answer(tmp_path, *GOLDEN, "--without-source", "cloudmatrix384", "--without-vendor", "AMD")
    assert "cloudmatrix384" not in found["forecast"]["sources"]
    assert found["forecast"]["excluded_sources"] == ["cloudmatrix384"]


CATALOG = """\
sources:
  mine: {title: My datasheet, date: "2026-05", grade: B, how_seen: read}
chips:
  my-chip:
    title: My chip
    vendor: Me
    peaks:
      bf16: {dense: [{value: 1.0e15, source: mine}]}
      int8: {dense: [{value: 2.0e15, source: mine}]}
      fp8: unsupported
    memory_bytes: [{value: 1.0e11, source: mine}]
    bandwidth_bytes_s: [{value: 3.0e12, source: mine}]
    link_bytes_s: [{value: 4.0e11, source: mine}]
"""


def test_a_chip_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(CATALOG)
    found = answer(tmp_path, *changed("--chip", "my-chip"), "--catalog", "own.yaml")
    assert found["chip"] == "my-chip"
    assert next(n for n in found["normalisers"] if n["per"] == "W")["usual90_tok_s"] is None
    (tmp_path / "own.yaml").write_text(CATALOG.replace("1.0e11", "-1.0"))
    result = project(tmp_path, *changed("--chip", "my-chip"), "--catalog", "own.yaml")
    assert result.code == 2 and "own.yaml:11:" in result.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (changed("--model", "deepseek-r2"), "unknown model 'deepseek-r2'; did you mean"),
        (changed("--chip", "910c"), "unknown chip '910c'; did you mean 'ascend-910c'?"),
        (changed("--phase", "train"), "'train' is not one of"),
        (changed("--precision", "fp9"), "'fp9' is not one of"),
        (changed("--precision", "fp8"), "ascend-910c has no arithmetic for fp8 (it has "),
        (changed("--batch", "0"), "--batch 0.0: expected a value greater than 0"),
        (changed("--batch", "-3"), "--batch -3.0: expected a value greater than 0"),
        (changed("--batch", "nan"), "--batch nan: expected a "),
        (changed("--batch", "inf"), "--batch inf: expected a "),
        (changed("--batch", "1e300"), "--batch 1e+300: expected a value less than"),
        (changed("--batch", "many"), "invalid value for '--batch'"),
        (changed("--context", "1e8"), "deepseek-r1 takes 163,840 tokens at most"),
        ((*GOLDEN, "--cache-bytes", "16"), "--cache-bytes 16.0: expected a value less than or equal to 4"),
        (changed("--chips", "-1"), "--chips -1: expected a value greater than 0"),
        (changed("--chips", "1.5"), "invalid value for '--chips'"),
        (changed("--chips", "1" + 30 * "0"), "--chips 1000"),
        (changed("--mtp", "-1"), "--mtp -1: expected a value greater than or equal to 0"),
        (changed("--acceptance", "1.2"), "expected at most the 1 drafts of --mtp 1"),
        (changed("--mtp", None), "--acceptance 0.7: expected --mtp beside it"),
        (changed("--model", None), "missing option '--model'"),
        ((*GOLDEN, "--without-source", "me"), "unknown publication 'me'"),
        ((*GOLDEN, "--without-vendor", "me"), "unknown vendor 'me'"),
        ((*GOLDEN, "--catalog", "none.yaml"), "none.yaml: no such file"),
    ],
)
def test_wrong_use_is_one_message(tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    result = project(tmp_path, *arguments)
    assert result.code == 2
    assert result.out == ""
    assert words in result.err
    assert "Traceback" not in result.err and len(result.err.splitlines()) <= 3


def test_every_key_of_the_document_is_in_the_docs(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "reference" / "projection.md").read_text(encoding="utf-8")
    named = {key for row in re.findall(r"^\| (`.+?) \|", page, re.MULTILINE) for key in re.findall(r"`(\w+)`", row)}
    assert named == set(answer(tmp_path, *GOLDEN, "--skew", "0"))


def test_load_of_the_experts_devices(tmp_path: Path) -> None:
    """The device that waits is not the expert: with copies at hand the busiest of 32 carries a tenth more."""
    few = ("--model", "deepseek-r1", "--chip", "ascend-910c", "--phase", "prefill", "--prompt", "4096", "--chips", "16")
    found = answer(tmp_path, *few, "--precision", "int8", "--skew", "0.5", "--replicas", "32", "--staleness", "0:0.3")
    load = found["expert_load"]
    assert load["devices"] == 32 and load["assumed"]["skew"] == [0.5, 0.5] and load["assumed"]["replicas"] == 32
    placed = {p["placement"]: p for p in load["placements"]}
    assert placed["replicated"]["slots"] == 288
    for name in ("load", "experts_time", "step_time"):
        low, mid, high = placed["replicated"][name]
        assert 1 <= low <= mid <= high < placed["as numbered"][name][0]
    assert "expert_load" not in answer(tmp_path, *GOLDEN)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--skew", "1:0"), "--skew 1:0: expected"),
        (("--skew", "much"), "--skew much: expected"),
        (("--staleness", "-1"), "--staleness -1: expected"),
        (("--replicas", "-3"), "--replicas -3: expected"),
        (("--phase", "output_all", "--skew", "1"), "expected prefill or decode"),
        (("--model", "qwen3-8b", "--skew", "1"), "dense model"),
    ],
)
def test_wrong_use_of_routing_is_one_message(tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    pairs = dict(zip(arguments[::2], arguments[1::2], strict=True))
    asked = {"--model": "deepseek-r1", "--chip": "h200", "--phase": "decode", **pairs}
    result = project(tmp_path, *(part for pair in asked.items() for part in pair))
    assert result.code == 2 and words in result.err and result.out == "" and "Traceback" not in result.err
