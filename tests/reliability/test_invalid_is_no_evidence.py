"""A case that breaks a validity rule is shown with the rule's name, and no verdict or comparison uses it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.claims import Sheet
from harness.comparison.formats import record as own
from harness.files import validation
from harness.report import text
from harness.report.order import build
from harness.results.record import Measurement, Observation, Record
from harness.results.validity import apply
from harness.verdict.judge import assess
from tests import factories

SHEET = validation.read(Path(__file__).parents[2] / "seeds" / "deepseek-v4-ascend.yaml", Sheet, what="claim sheet")


COUNTED = ("active-over-total",)
"""Scaled rows that count the parameters of the model that ran; no clock has part in them."""


def each(change: Callable[[Observation], dict[str, object]]) -> Callable[[Measurement], Measurement]:
    """A case with every observation changed."""
    return lambda m: m.model_copy(
        update={"observations": tuple(o.model_copy(update=change(o)) for o in m.observations)}
    )


SPOILED: dict[str, Callable[[Measurement], Measurement]] = {
    "no-interval": lambda m: m.model_copy(update={"observations": m.observations[:1]}),
    "not-positive": each(lambda o: {"durations_s": (*o.durations_s, -1.0)}),
    "token-count": each(lambda o: {"tokens_per_step": o.tokens_per_step + 1}),
    "below-clock": each(lambda o: {"durations_s": tuple(d * 1e-7 for d in o.durations_s)}),
    "experts-activated": each(
        lambda o: {"experts_activated": None if o.experts_activated is None else o.experts_activated * 1.2}
    ),
}


def measured(record: Record) -> list[str]:
    """Claims whose verdict rests on something measured here."""
    found = assess(SHEET, record=record)
    scaled = [s.id for s in found.scaled if s.measured is not None and s.id not in COUNTED]
    return [*(v.id for v in found.verdicts if any(e.basis == "measured" for e in v.evidence)), *scaled]


def host_of(record: Record) -> Record:
    return record.model_copy(update={"host": record.host.model_copy(update={"timer_resolution_s": 5e-8})})


def test_a_valid_record_is_used() -> None:
    assert len(measured(apply(host_of(factories.record())))) > 10


@pytest.mark.parametrize("rule", SPOILED)
def test_an_invalid_case_is_shown_and_never_used(rule: str) -> None:
    record = host_of(factories.record())
    spoiled = record.model_copy(update={"measurements": tuple(SPOILED[rule](m) for m in record.measurements)})
    judged = apply(spoiled)
    hit = [m for m in judged.measurements if any(line.startswith(f"{rule}:") for line in m.invalid)]
    assert hit
    assert rule in text.render(build(judged, None))
    table = own.table(judged, "run")
    assert all(row.problem for row, m in zip(table.rows, judged.measurements, strict=True) if m in hit)
    left = judged.model_copy(update={"measurements": tuple(m for m in judged.measurements if not m.invalid)})
    assert measured(judged) == measured(left)
