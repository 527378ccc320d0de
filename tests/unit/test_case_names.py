"""Names of cases: short, as people say them, and none twice."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.comparison.table import Setting, key
from harness.report.case_names import name_cases
from harness.report.text import cells, shortened

Key = tuple[Setting, ...]


def names(*keys: Key) -> tuple[list[str], str]:
    found = name_cases((k, "rate") for k in keys)
    return [found[k, "rate"] for k in keys], ", ".join(found.common)


def llama(prompt: int, gen: int, depth: int = 0, **others: object) -> Key:
    return key(n_prompt=prompt, n_gen=gen, n_depth=depth, **others)


@pytest.mark.parametrize(
    ("keys", "expected", "common"),
    [
        ([llama(512, 0), llama(0, 128)], ["pp512", "tg128"], ""),
        ([llama(512, 0, 1024), llama(512, 128, 1024)], ["pp512@d1024", "pp512+tg128@d1024"], ""),
        ([llama(512, 0, fa=0), llama(512, 0, fa=1)], ["fa 0", "fa 1"], "pp512"),
        ([llama(512, 0, fa=0, t=4), llama(0, 8, fa=1, t=4)], ["pp512, fa 0", "tg8, fa 1"], "t 4"),
        ([llama(512, 0, model_type="x", poll=50)], ["x, pp512"], "poll 50"),
        ([key(test="tests/a.py::test_x"), key(test="tests/a.py::test_y")], ["x", "y"], "tests/a.py::test_…"),
        ([key(benchmark="BM/8/manual_time"), key(benchmark="BM/64/manual_time")], ["BM/8", "BM/64"], "…/manual_time"),
        ([key(benchmark="sort/"), key(benchmark="sort/64")], ["sort/", "sort/64"], ""),
        ([key(command="sleep 1"), key(command="sleep 1 2")], ["1", "1 2"], "sleep …"),
        (
            [
                key(phase="prefill", prompt_tokens=64, decode_tokens=16, batch=1),
                key(phase="decode", prompt_tokens=32, decode_tokens=8, batch=1),
            ],
            ["prefill 64", "decode 8"],
            "batch 1",
        ),
        (
            [key(phase="decode", prompt_tokens=n, decode_tokens=16 - n) for n in (4, 8)] + [key(phase="decode")],
            ["decode 12", "decode 8", "decode"],
            "",
        ),
    ],
)
def test_names_are_those_that_people_use(keys: list[Key], expected: list[str], common: str) -> None:
    assert names(*keys) == (expected, common)


def test_metrics_tell_rows_of_one_key_apart() -> None:
    found = name_cases([(key(x=1), "time"), (key(x=1), "memory")])
    assert (found[key(x=1), "time"], found[key(x=1), "memory"]) == ("x 1, time", "x 1, memory")


_SETTINGS = st.dictionaries(
    st.sampled_from(["test", "n_prompt", "n_gen", "n_depth", "phase", "prompt_tokens", "decode_tokens", "metric", "z"]),
    st.sampled_from(["0", "1", "512", "prefill", "decode", "none", "", "a/b", "a/b/c", "1, n_gen 0"]),
)


@given(st.lists(_SETTINGS, min_size=1, max_size=8))
def test_no_two_cases_have_one_name(settings: list[dict[str, str]]) -> None:
    cases = {(key(**s), metric) for s in settings for metric in ("rate", "time")}
    found = name_cases(cases)
    assert len({found[c] for c in cases}) == len(cases)


@given(st.lists(st.text(alphabet="ab/é深", min_size=1, max_size=40), min_size=1, max_size=30), st.integers(6, 30))
def test_shortened_names_fit_and_stay_apart(texts: list[str], room: int) -> None:
    found = shortened(texts, room)
    assert all(cells(f) <= room for f in found)
    assert len(set(found)) == len(set(texts))
