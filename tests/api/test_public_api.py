"""What a notebook user guesses: the public functions, what they return, and that each command is one call of one."""

import ast
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import harness
from harness.api import result
from harness.errors import UsageError
from harness.results.record import Record
from tests import factories

ROOT = Path(harness.__file__).parent
GOLDEN = Path(__file__).parents[1] / "golden" / "tables"


def measured() -> Record:
    """A record whose cases all belong to variants that it names."""
    made = factories.record()
    known = {(v.model, v.precision, v.threads) for v in made.variants}
    kept = tuple(m for m in made.measurements if (m.model, m.precision, m.threads) in known)
    return made.model_copy(update={"measurements": kept})


def fresh(code: str) -> str:
    """What a fresh interpreter prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.strip()


def test_importing_it_loads_nothing_heavy() -> None:
    heavy = ("numpy", "onnxruntime", "scipy", "pydantic", "onnx", "altair", "pandas", "typer")
    code = f"import sys, harness; print(sorted(set({heavy}) & set(sys.modules)))"
    assert fresh(code) == "[]"


def test_importing_it_is_quick() -> None:
    """In process time, the interpreter's own start left out: 50 ms, where 12 were measured beside other work."""
    code = "import time; t = time.process_time(); import harness; print(time.process_time() - t)"
    assert min(float(fresh(code)) for _ in range(3)) < 0.05


@pytest.mark.parametrize("name", harness.__all__)
def test_every_public_name_is_there_and_documented(name: str) -> None:
    member = getattr(harness, name)
    assert isinstance(member, str) or (member.__doc__ or "").strip()
    assert name in dir(harness)


def test_compare_stays_a_function_whatever_is_imported() -> None:
    code = "import harness, harness.comparison.table, harness.cli.app; print(callable(harness.compare))"
    assert fresh(code) == "True"


def test_an_unknown_name_names_the_known_ones() -> None:
    with pytest.raises(AttributeError, match=r"no attribute 'jugde'.*judge"):
        harness.jugde  # noqa: B018


def test_a_sheet_is_judged_by_name_by_file_and_as_it_is() -> None:
    by_name = harness.judge("v4-pro-on-gb300")
    assert by_name == harness.judge(harness.load_sheet("v4-pro-on-gb300"))
    assert {v.id for v in by_name.verdicts} == {c.id for c in harness.load_sheet("v4-pro-on-gb300").claims}
    one = harness.judge("deepseek-v4-ascend", claim="active-parameters")
    assert [v.outcome for v in one.verdicts] == ["refuted"]
    with pytest.raises(UsageError, match="did you mean 'active-parameters'"):
        harness.judge("deepseek-v4-ascend", claim="active-parameter")


def test_a_file_of_json_loads_again(tmp_path: Path) -> None:
    judged = result.Judged(record=factories.record(), assessment=factories.assessment())
    file = tmp_path / "run.json"
    file.write_text(judged.to_json(), encoding="utf-8")
    assert harness.load_record(file) == judged.record
    assert harness.load_table(file).rows
    assert harness.judge("v4-pro-on-gb300", record=file).record == judged.record


def test_pandas_reads_what_json_writes(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    projected = harness.project(model="deepseek-r1", chip="h200", phase="decode", batch=64)
    verdicts = pandas.json_normalize(harness.judge("v4-pro-on-gb300").to_dict()["verdicts"])
    assert {"id", "outcome", "interval.low"} <= set(verdicts.columns)
    rows = tmp_path / "rows.json"
    rows.write_text(result.Benched(cases=result.bench_rows(measured())).to_json(), encoding="utf-8")
    assert len(pandas.read_json(rows)) == len(measured().measurements)
    assert pandas.json_normalize(projected.to_dict()).loc[0, "chip"] == "h200"


RESULTS: dict[str, Callable[[], result.Result]] = {
    "judged": lambda: harness.judge("v4-pro-on-gb300"),
    "measured": lambda: result.Judged(record=measured(), assessment=None),
    "benched": lambda: result.Benched(cases=result.bench_rows(measured())),
    "projected": lambda: harness.project(model="deepseek-r1", chip="h200", phase="decode", batch=64),
    "compared": lambda: harness.compare(GOLDEN / "llama_bench.json", GOLDEN / "llama_bench.json"),
}


@pytest.mark.parametrize("kind", RESULTS)
def test_results_are_frozen_and_become_a_dict_a_frame_and_a_table(kind: str) -> None:
    found = RESULTS[kind]()
    assert found.to_dict() == json.loads(found.to_json())
    rows = found.rows()
    assert rows and all(not isinstance(value, dict) for row in rows for value in row.values())
    assert found._repr_html_().startswith("<table>")
    assert str(found).strip()
    with pytest.raises(ValueError, match="frozen"):
        setattr(found, "anything", 1)  # noqa: B010
    frame = found.to_frame()
    assert len(frame) == len(rows)


def test_without_pandas_the_message_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(UsageError, match="pip install pandas"):
        harness.judge("v4-pro-on-gb300").to_frame()


def test_a_notebook_escapes_what_a_sheet_says() -> None:
    judged = harness.judge("v4-pro-on-gb300")
    assert judged.assessment is not None
    hostile = judged.verdicts[0].model_copy(update={"statement": "<script>alert(1)</script>"})
    assessment = judged.assessment.model_copy(update={"verdicts": (hostile,)})
    assert "<script>" not in result.Judged(assessment=assessment)._repr_html_()


COMMANDS = {
    "ab": "ab", "bench": "bench", "calibrate": "calibrate", "compare": "compare", "doctor": "doctor",
    "export": "export",
    "history": "history", "project": "project", "self_test": "self_test", "run": "run", "judge": "judge",
    "tunnel": "tunnel",
}  # fmt: skip


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_one_call_of_the_public_function(name: str) -> None:
    """Its body imports that function from `harness.api`, and calls it once (`bench` once in a `try`)."""
    file = "run" if name == "judge" else name
    tree = ast.parse((ROOT / "cli" / f"{file}.py").read_text(encoding="utf-8"))
    body = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == name)
    local = {
        alias.asname or alias.name
        for node in ast.walk(body)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("harness.api")
        for alias in node.names
        if alias.name == COMMANDS[name]
    }
    calls = [
        n for n in ast.walk(body) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name) and n.func.id in local
    ]
    assert len(calls) == 1


@pytest.mark.slow
def test_a_model_is_timed_and_a_config_run_from_python(tmp_path: Path) -> None:
    session = harness.Session(store=tmp_path / "store.sqlite")
    seen: list[object] = []
    benched = harness.bench(
        "moe-tiny", prompt=16, generate=4, batch=[1, 2], repetitions=2, session=session, on_row=seen.append
    )
    assert len(benched.cases) == len(seen) == 4
    assert harness.load_table("latest", store=session.store).rows
