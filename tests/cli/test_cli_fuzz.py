"""Whatever stands in a config or a sheet: it is used or refused, never a traceback; nothing is written, nobody called.

The same entry as the installed program's, in this process: thousands of starts would take hours.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.cli.fuzzed import mutated
from tests.cli.program import CONFIG, CONFIGS, SEEDS, ended
from tests.watch import Watch

LONGEST_S = 30.0  # a second at most where nothing else runs
MOST_BYTES = 1 << 30

CONFIG_TEXTS = [
    CONFIG,
    *(path.read_text(encoding="utf-8").replace("../seeds", str(SEEDS)) for path in CONFIGS.glob("*.yaml")),
]
SPEC = """\
specs:
  mine:
    model_type: deepseek_v3
    hidden_size: 64
    num_hidden_layers: 2
    vocab_size: 256
    num_attention_heads: 2
    kv_lora_rank: 32
    qk_nope_head_dim: 16
    qk_rope_head_dim: 16
    v_head_dim: 16
    intermediate_size: 64
    first_k_dense_replace: 1
    n_routed_experts: 8
    num_experts_per_tok: 2
    n_shared_experts: 1
    moe_intermediate_size: 32
    scoring_func: sigmoid
    topk_method: noaux_tc
"""
CONFIG_TEXTS.append(CONFIG.replace("moe-tiny", "mine, 'mine:equal-total', 'mine:equal-active'") + SPEC)
SHEET_TEXTS = [path.read_text(encoding="utf-8") for path in SEEDS.glob("*.yaml")]
FIXTURES = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    before = Path.cwd()
    os.chdir(tmp_path)
    yield tmp_path
    os.chdir(before)


def used_or_refused(folder: Path, name: str, text: str, *arguments: str) -> int:
    path = folder / name
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    with Watch() as watch:
        code, out, err = ended(*arguments)
    assert not watch.seen
    assert watch.duration_s < LONGEST_S and watch.grown_bytes < MOST_BYTES
    assert code in (0, 2), err
    assert (out == "") == (code == 2)
    assert "internal error" not in err
    assert all(c.isprintable() or c == "\n" for c in err)
    assert sorted(p.name for p in folder.iterdir()) == [name]
    return code


def a_config(folder: Path, text: str) -> None:
    used_or_refused(folder, "a.yaml", text, "run", "a.yaml", "--dry-run")


def a_sheet(folder: Path, text: str) -> None:
    used_or_refused(folder, "s.yaml", text, "judge", "s.yaml")


@settings(max_examples=150, deadline=None, suppress_health_check=FIXTURES)
@given(text=mutated(CONFIG_TEXTS))
def test_configs(folder: Path, text: str) -> None:
    a_config(folder, text)


@settings(max_examples=40, deadline=None, suppress_health_check=FIXTURES)
@given(text=mutated(SHEET_TEXTS))
def test_sheets(folder: Path, text: str) -> None:
    a_sheet(folder, text)


@settings(max_examples=100, deadline=None, suppress_health_check=FIXTURES)
@given(raw=st.binary(max_size=200))
def test_bytes(folder: Path, raw: bytes) -> None:
    (folder / "a.yaml").write_bytes(raw)
    code, out, err = ended("run", "a.yaml", "--dry-run")
    assert (code, out) == (2, ""), err
    assert "internal error" not in err


@pytest.mark.slow
@pytest.mark.timeout(1500)
@settings(max_examples=8000, deadline=None, suppress_health_check=FIXTURES)
@given(text=mutated(CONFIG_TEXTS))
def test_many_configs(folder: Path, text: str) -> None:
    a_config(folder, text)


@pytest.mark.slow
@pytest.mark.timeout(1500)
@settings(max_examples=2000, deadline=None, suppress_health_check=FIXTURES)
@given(text=mutated(SHEET_TEXTS))
def test_many_sheets(folder: Path, text: str) -> None:
    a_sheet(folder, text)


@pytest.mark.slow
@pytest.mark.parametrize("text", [CONFIG, CONFIG_TEXTS[-1]])
def test_configs_cut_at_every_byte(folder: Path, text: str) -> None:
    for end in range(len(text)):
        a_config(folder, text[:end])
