"""Result files as rates of a catalog: what they say, per package, and nothing that they do not say."""

import contextlib
import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import harness
from harness.api.catalog_import import import_rates
from harness.catalog.collection import builtin, with_files
from harness.catalog.names import chip_key, model_key
from harness.errors import UsageError
from tests.cli import program

FILES = Path(__file__).parent.parent / "golden" / "formats"
CHIPS = [c.name for c in builtin().chips]
MODELS = [m.name for m in builtin().models]


def stated(**known: Any) -> harness.Stated:
    return harness.Stated(**known)


def written(path: Path, changes: dict[str, Any], name: str = "vllm_serve.json") -> Path:
    path.write_text(json.dumps({**json.loads((FILES / name).read_text()), **changes}))
    return path


def test_a_session_of_vllm_is_two_rates_per_package_with_its_conditions() -> None:
    file = import_rates([FILES / "vllm_serve.json"], stated=stated(chip="h200", chips=8)).file
    output, total = (file.rates[f"vllm_serve-{phase}"] for phase in ("output-all", "total-all"))
    assert (output.model, output.chip, output.phase) == ("llama-3.1-405b", "h200", "output_all")
    assert output.rate_tok_s == pytest.approx(1198.8884495761356 / 8)
    assert total.rate_tok_s == pytest.approx(3336.581187066595 / 8)
    conditions = output.conditions
    assert (conditions.precision, conditions.chips) == ("fp8", 8)  # the model's name says FP8
    assert conditions.prompt_tokens == pytest.approx(215196 / 1000)
    assert conditions.output_tokens == pytest.approx(120689 / 1000)
    assert conditions.tpot_s == pytest.approx(0.10653889521346394)
    # Not in the file: unknown, and no default of ours.
    assert conditions.batch is conditions.context_tokens is conditions.mtp_drafts is conditions.kv_bytes is None
    assert output.left_out == "requests came at 16.0 a second, whatever the system could take"
    source = file.sources["vllm_serve"]
    assert (source.date, source.grade, source.how_seen) == ("2024-11-09", "B", "read")


def test_requests_that_were_held_at_a_number_give_the_batch(tmp_path: Path) -> None:
    path = written(tmp_path / "a.json", {"request_rate": "inf", "max_concurrency": 64})
    rate = import_rates([path], stated=stated(chip="h200", chips=8)).file.rates["a-output-all"]
    assert rate.conditions.batch == 8 and rate.left_out is None
    unsaid = written(tmp_path / "b.json", {"request_rate": None, "max_concurrency": 64})
    rate = import_rates([unsaid], stated=stated(chip="h200", chips=8)).file.rates["b-output-all"]
    assert rate.conditions.batch is None and rate.left_out is not None


def test_the_written_file_is_a_catalog_that_judges_claims(tmp_path: Path) -> None:
    path = written(tmp_path / "a.json", {"request_rate": "inf", "max_concurrency": 64})
    output = tmp_path / "mine.yaml"
    done = program.harness(
        *("catalog", "import", str(path), "--chip", "h200", "--chips", "8", "-o", str(output)), cwd=tmp_path
    )
    assert (done.code, done.out, done.err) == (0, "", f"wrote {output}: 2 rates\n")
    known = with_files((output,))
    assert {r.id for r in known.rates} - {r.id for r in builtin().rates} == {"a-output-all", "a-total-all"}
    sheet = tmp_path / "sheet.yaml"
    sheet.write_text(
        "sheet: 1\nid: s\nsource: {title: An article}\nclaims:\n  - {id: same, kind: throughput, "
        "rate_tok_s: 149.861, place: p, statement: 149.861 tokens a second.,\n     conditions: {model: llama-3.1-405b, "
        "chip: h200, phase: output_all}}\n"
    )
    (with_it,) = harness.judge(sheet, catalog=[output]).verdicts
    (without,) = harness.judge(sheet).verdicts
    assert "a-output-all" in str(with_it.model_dump()) or "a.json" in str(with_it.model_dump())
    assert "a.json" not in str(without.model_dump())


def test_an_aggregate_of_inferencex_is_per_gpu_already() -> None:
    file = import_rates([FILES / "inferencex_aggregate.json"], stated=stated(model="glm-5")).file
    rate = file.rates["inferencex_aggregate-total-all"]
    assert (rate.rate_tok_s, rate.chip, rate.system) == (966.0, "h200", "sglang")
    assert (rate.conditions.chips, rate.conditions.batch, rate.conditions.precision) == (8, 2.0, "fp8")
    assert rate.note is not None and "GLM-5" in rate.note  # what the file called the model


def test_an_offline_run_of_mlperf_is_marked_as_one() -> None:
    known = stated(model="llama-3.1-405b", chip="b200", chips=8)
    rate = import_rates([FILES / "mlperf_offline.txt"], stated=known).file.rates["mlperf_offline-output-all"]
    assert (rate.rate_tok_s, rate.conditions.idealised, rate.grade) == (3600.25 / 8, True, "P")
    served = import_rates([FILES / "mlperf_summary.txt"], stated=known).file.rates["mlperf_summary-output-all"]
    assert (served.rate_tok_s, served.conditions.idealised, served.grade) == (47561.71 / 8, False, None)


def test_an_offline_run_of_sglang_is_marked_as_one(tmp_path: Path) -> None:
    entry = {"backend": "engine", "successful_requests": 10, "total_latency": 5.0, "total_input_tokens": 5120}
    entry |= {"total_output_tokens": 1280, "request_throughput": 2.0, "output_throughput": 256.0}
    path = tmp_path / "o.jsonl"
    path.write_text(json.dumps({**entry, "input_throughput": 1024.0, "total_throughput": 1280.0}) + "\n")
    known = stated(model="llama-3.1-8b", chip="h100-sxm", chips=2)
    rate = import_rates([path], stated=known).file.rates["o-total-all"]
    assert (rate.rate_tok_s, rate.grade, rate.conditions.idealised) == (640.0, "P", True)
    assert (rate.conditions.prompt_tokens, rate.conditions.output_tokens, rate.left_out) == (512.0, 128.0, None)


def test_each_run_of_a_file_is_a_rate_and_each_file_a_source() -> None:
    known = stated(model="llama-3.1-8b", chip="h100-sxm", chips=1)
    file = import_rates([FILES / "sglang.jsonl", FILES / "sglang.jsonl"], stated=known).file
    assert set(file.sources) == {"sglang", "sglang-2"} and len(file.rates) == 8
    assert file.rates["sglang-2-output-all"].rate_tok_s == 256.0
    assert {r.source for r in file.rates.values()} == {"sglang", "sglang-2"}


@pytest.mark.parametrize(
    ("name", "changes", "known", "message"),
    [
        ("vllm_serve.json", {}, {}, "does not say which chips served it; --chip NAME"),
        ("vllm_serve.json", {}, {"chip": "h200"}, "does not say how many packages served it; add --chips N"),
        ("vllm_serve.json", {}, {"chip": "h100", "chips": 8}, "did you mean 'h100-sxm'"),
        ("vllm_serve.json", {"model_id": None}, {"chip": "h200", "chips": 8}, "which model was served; add --model"),
        ("vllm_serve.json", {"model_id": "x/Llama-3.1-70C"}, {"chip": "h200", "chips": 8}, "known: llama-3.1-405b"),
        ("vllm_serve.json", {}, {"model": "llama-3.1-8b", "chip": "h200", "chips": 8}, "its model is llama-3.1-405b"),
        ("vllm_serve.json", {"completed": 0}, {"chip": "h200", "chips": 8}, "no request was completed"),
        ("vllm_serve.json", {}, {"chip": "h200", "chips": 8, "precision": "fp9"}, "unknown precision 'fp9'"),
        ("inferencex_aggregate.json", {}, {"model": "glm-5", "chip": "b200"}, "its chip is h200, expected b200"),
        ("inferencex_aggregate.json", {}, {"model": "glm-5", "chips": 4}, "served by 8 packages, expected 4"),
        ("inferencex_aggregate.json", {"hw": "h100x"}, {"model": "glm-5"}, "unknown chip 'h100x'; did you mean"),
        ("inferencex_aggregate.json", {"disagg": True}, {"model": "glm-5"}, "prefill and decode on GPUs"),
        ("jmh.json", None, {}, "a result of jmh that states no such rates"),
        ("vllm_latency.json", {}, {}, "states no rate of tokens"),
        ("vllm_console.txt", None, {}, "states no such rates"),
    ],
)
def test_what_is_not_certain_is_refused_by_name(
    tmp_path: Path, name: str, changes: dict[str, Any] | None, known: dict[str, Any], message: str
) -> None:
    path = FILES / name if changes is None else written(tmp_path / name, changes, name)
    with pytest.raises(UsageError, match=message):
        import_rates([path], stated=stated(**known))


def test_an_invalid_run_is_never_a_rate(tmp_path: Path) -> None:
    path = tmp_path / "s.txt"
    path.write_text((FILES / "mlperf_summary.txt").read_text().replace("Result is : VALID", "Result is : INVALID"))
    with pytest.raises(UsageError, match="INVALID"):
        import_rates([path], stated=stated(model="llama-3.1-405b", chip="b200", chips=8))


@pytest.mark.parametrize(
    ("text", "key", "precision"),
    [
        ("meta-llama/Llama-3.1-405B-FP8", "llama-3.1-405b", "fp8"),
        ("meta-llama/Meta-Llama-3.1-8B-Instruct", "llama-3.1-8b", None),
        ("deepseek-ai/DeepSeek-R1-0528", "deepseek-r1", None),
        ("nvidia/DeepSeek-R1-0528-FP4", "deepseek-r1", "fp4"),
        ("openai/gpt-oss-120b", "gpt-oss-120b", None),
        ("Qwen/Qwen3-235B-A22B-Instruct-2507-FP8", "qwen3-235b-a22b", "fp8"),
        ("/models/Mixtral-8x7B-Instruct/", "mixtral-8x7b", None),
        ("x/Llama-3.1-8B-w8a8", "llama-3.1-8b", None),
    ],
)
def test_names_of_models_that_are_certain(text: str, key: str, precision: str | None) -> None:
    assert model_key(text, MODELS) == (key, precision)


@pytest.mark.parametrize("text", ["DeepSeek-R1-Distill-Llama-70B", "Llama-3-8B", "", "-", "DeepSeek-R1-v2", "x" * 9999])
def test_names_of_models_that_are_not(text: str) -> None:
    with pytest.raises(UsageError, match="unknown model"):
        model_key(text, MODELS)


def test_names_of_chips() -> None:
    for text, key in (
        ("NVIDIA H100 80GB HBM3", "h100-sxm"),
        ("NVIDIA A100-SXM4-80GB", "a100-sxm"),
        ("NVIDIA H200", "h200"),
        ("AMD Instinct MI300X", "mi300x"),
        ("GB200", "gb200"),
    ):
        assert chip_key(text, CHIPS) == key
    for text in ("H100", "NVIDIA H100 PCIe", "NVIDIA H200 NVL", "A100-PCIE-40GB", "TPU v4", ""):
        with pytest.raises(UsageError, match="unknown chip"):
            chip_key(text, CHIPS)


def test_every_alias_of_a_chip_is_a_chip_of_the_catalog() -> None:
    from harness.catalog.names import _CHIPS

    assert set(_CHIPS.values()) <= set(CHIPS)


def test_the_result_is_a_value_like_the_others() -> None:
    found = import_rates([FILES / "vllm_serve.json"], stated=stated(chip="h200", chips=8))
    assert found.to_dict() == json.loads(found.to_json()) and len(found.rows()) == 2
    assert all(not isinstance(v, dict) for row in found.rows() for v in row.values())


WRONG: list[Any] = [None, True, -1, 0, 1e300, 1e-300, float("nan"), "x", [], {}, 10**400, "20261301", "inf"]
SERVED = ["vllm_serve.json", "vllm_throughput.json", "inferencex.json", "inferencex_aggregate.json"]


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(SERVED), st.data())
def test_any_value_of_a_file_may_be_of_the_wrong_kind(name: str, data: st.DataObject) -> None:
    entry = json.loads((FILES / name).read_text())
    for field in data.draw(st.lists(st.sampled_from(sorted(entry)), min_size=1, max_size=3)):
        entry[field] = data.draw(st.sampled_from(WRONG))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_text(json.dumps(entry))
        with contextlib.suppress(UsageError):
            file = import_rates([path], stated=stated(model="llama-3.1-405b", chip="h200", chips=8)).file
            assert all(0 < rate.rate_tok_s < 1e30 for rate in file.rates.values())
