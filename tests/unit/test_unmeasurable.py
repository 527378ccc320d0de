"""What is not settled on a host that was disturbed is unmeasurable; what is settled stands; a gate that nothing could
trip guards nothing."""

from types import SimpleNamespace
from typing import Any

import pytest

from harness.comparison.decision import Decision, decide_pairs
from harness.comparison.gate import exit_code, parse
from harness.comparison.tables import Comparison, RowComparison
from harness.comparison.thresholds import Thresholds
from harness.results.disturbance import disturbed
from harness.results.record import Observation
from harness.results.rules import RuleContext
from tests import factories

THRESHOLDS = Thresholds()
OLD = (1.0,) * 10
RATES = {
    "slower": tuple(0.9 + 0.001 * i for i in range(10)),
    "same": tuple(1 + 0.001 * i for i in range(10)),
    "warn": tuple(0.93 + 0.0085 * i for i in range(10)),
    "undecided": tuple(1 + 0.05 * (-1) ** i for i in range(10)),
}


@pytest.mark.parametrize("word", RATES)
def test_only_what_is_unsettled_gives_way_to_a_disturbance(word: str) -> None:
    alone = decide_pairs(RATES[word], OLD, 0.03, THRESHOLDS)
    beside = decide_pairs(RATES[word], OLD, 0.03, THRESHOLDS, disturbed="others used 0.9 processors")
    assert alone.decision == word
    assert (beside.shown, beside.alarm) == (alone.shown, alone.alarm)
    if word in ("slower", "same"):
        assert beside == alone
    else:
        assert beside.decision == "unmeasurable"
        assert beside.reason == f"{alone.reason}; others used 0.9 processors"


def observation(index: int, reference_kernel_s: tuple[float, ...], other_cpu_s: float) -> Observation:
    return Observation(
        round=index,
        started=factories.BEGUN,
        durations_s=(0.1,) * 5,
        tokens_per_step=1,
        reference_kernel_s=reference_kernel_s,
        other_cpu_s=other_cpu_s,
    )


@pytest.mark.parametrize(
    ("references", "other_cpu_s", "words"),
    [
        (((1.0, 1.0),) * 4, 0.0, None),
        (((),) * 4, 0.0, None),
        (((1.0, 1.0),) * 4, 0.4, "others used 0.80 processors"),
        (((1.0, 1.0), (1.3, 1.3)) * 2, 0.0, "reference kernel spread by"),
        (((1.0, 1.2),) * 4, 0.0, "reference kernel changed by"),
    ],
)
def test_a_disturbance_is_found_in_what_the_processes_kept(
    references: tuple[tuple[float, ...], ...], other_cpu_s: float, words: str | None
) -> None:
    kept = tuple(observation(i, reference_kernel_s, other_cpu_s) for i, reference_kernel_s in enumerate(references))
    case = factories.measurement().model_copy(update={"observations": kept})
    found = disturbed(case, RuleContext(host=factories.host()))
    assert found is None if words is None else words in (found or "")


def comparison(*words: Decision) -> Comparison:
    """No more of it than a gate interim analyses at."""
    row: dict[str, Any] = {"ratio": SimpleNamespace(point=1.0, interval=(0.9, 1.1)), "sure_change": 0.1}
    whole: dict[str, Any] = {"rows": tuple(RowComparison.model_construct(**row, decision=w) for w in words), "lone": ()}
    return Comparison.model_construct(**whole)


@pytest.mark.parametrize(
    ("rows", "gates", "code"),
    [
        (("same", "unmeasurable"), ("slower",), 0),
        (("same", "unmeasurable"), ("slower", "unmeasurable"), 5),
        (("same", "unmeasurable"), ("undecided",), 5),  # not decided either, for a reason that has a code of its own
        (("undecided", "unmeasurable"), ("undecided",), 5),
        (("undecided", "same"), ("undecided", "unmeasurable"), 4),
        (("slower", "unmeasurable"), ("slower", "unmeasurable"), 3),
        (("unmeasurable", "unmeasurable"), ("slower",), 5),
        (("unmeasurable", "not comparable"), ("slower",), 5),
        (("unmeasurable",), (), 0),
    ],
)
def test_gates_on_what_could_not_be_measured(rows: tuple[Decision, ...], gates: tuple[str, ...], code: int) -> None:
    assert exit_code((comparison(*rows),), tuple(map(parse, gates))) == code
