"""Linear equations in logarithms: what is inconsistent, what is smallest, and the article's own sets."""

import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.claims import Sheet
from harness.files import validation
from harness.verdict.equations import Equation, contradictions, implied, inconsistent, residual
from harness.verdict.knowledge import knowledge_of
from harness.verdict.sets import inconsistent_sets
from tests.sheets import R1_DECODE, one, sheet

ARTICLE = Path(__file__).parents[2] / "seeds" / "deepseek-v4-ascend.yaml"


def equation(name: str, value: float, sd: float = 0.01, *, claim: bool = True, **terms: float) -> Equation:
    return Equation(name=name, claim=name if claim else None, terms=tuple(terms.items()), value=math.log(value), sd=sd)


def test_two_values_of_one_unknown_contradict_beyond_their_spread() -> None:
    a, near, far = equation("a", 100, x=1), equation("b", 101, x=1), equation("c", 150, x=1)
    assert not inconsistent([a, near])
    assert inconsistent([a, far])
    assert residual([a, far])[2] == pytest.approx(math.log(1.5))


def test_a_set_without_redundancy_cannot_contradict() -> None:
    assert residual([equation("a", 1, x=1), equation("b", 1e9, y=1)]) == (0.0, 0, 0.0)


def test_the_smallest_sets_are_named_and_no_larger_one() -> None:
    """r = x/y with x = 60, y = 100 holds for 0.6; for 0.9 the three contradict, and no two of them do."""
    x, y = equation("x", 60, x=1), equation("y", 100, y=1)
    spare = equation("spare", 5, z=1)
    assert contradictions([x, y, equation("r", 0.6, x=1, y=-1), spare]) == ()
    [found] = contradictions([x, y, equation("r", 0.9, x=1, y=-1), spare])
    assert {m.name for m in found.members} == {"x", "y", "r"}
    assert found.residual == pytest.approx(math.log(1.5), rel=1e-6)


def test_published_figures_alone_are_not_the_sheet_s_contradiction() -> None:
    assert contradictions([equation("a", 1, claim=False, x=1), equation("b", 9, claim=False, x=1)]) == ()


def test_what_the_others_imply() -> None:
    others = [equation("x", 60, x=1), equation("r", 0.6, x=1, y=-1)]
    value = implied(equation("y", 1, y=1), others)
    assert value is not None and math.exp(value) == pytest.approx(100)
    assert implied(equation("z", 1, z=1), others) is None


@settings(max_examples=50, deadline=None)
@given(st.floats(1, 1e6), st.floats(1, 1e6), st.floats(0.1, 1000))
def test_rescaling_every_figure_changes_nothing(a: float, b: float, scale: float) -> None:
    def found(s: float) -> bool:
        return inconsistent([equation("a", a * s, x=1), equation("b", b * s, x=1)])

    assert found(1.0) == found(scale)


@settings(max_examples=50, deadline=None)
@given(st.floats(1, 1e3), st.floats(1, 1e3), st.floats(0.01, 1))
def test_a_wider_spread_never_makes_a_contradiction(a: float, b: float, sd: float) -> None:
    narrow = inconsistent([equation("a", a, sd, x=1), equation("b", b, sd, x=1)])
    wide = inconsistent([equation("a", a, 2 * sd, x=1), equation("b", b, 2 * sd, x=1)])
    assert narrow or not wide


def test_the_article_s_sixty_percent_cannot_stand_beside_its_own_rates() -> None:
    """6,688 / 0.60 = 11,147 where 7,417 is published; 1,943 / 0.60 = 3,238 where 2,172 is."""
    article = validation.read(ARTICLE, Sheet, what="sheet")
    found = {s.claims: s for s in inconsistent_sets(article, knowledge_of())}
    prefill = found["cloudmatrix-prefill", "inference-60-percent"]
    assert "11,147" in prefill.explanation and "7,417" in prefill.members[-1]
    decode = found["cloudmatrix-decode", "inference-60-percent"]
    assert "3,238" in decode.explanation and "2,172" in decode.members[-1]
    assert any("5,655" in " ".join(s.members) for s in found.values())
    assert ("total-parameters",) in found and ("active-parameters",) in found


def test_a_source_that_contradicts_itself() -> None:
    claims = (
        one("throughput", rate_tok_s=1943, conditions={**R1_DECODE, "model": "kimi-k2"}),
        one("efficiency", figure="tok_s_per_tflops", value=2.6, conditions={**R1_DECODE, "model": "kimi-k2"}),
    )
    [found] = inconsistent_sets(sheet(*claims), knowledge_of())
    assert found.claims == ("c0", "c1")
    assert abs(found.residual) == pytest.approx(math.log(2.6 * 1504 / 1943), rel=0.01)
