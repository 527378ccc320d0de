"""The engine catches seeded lies and lets true rows pass: the rates that the project promises, held."""

import pytest

from harness.verdict.knowledge import knowledge_of
from harness.verdict.selftest import REQUIRED, SelfTest, complete_rates, run_self_test, seeded_errors, without


@pytest.fixture(scope="module")
def controls() -> SelfTest:
    return run_self_test()


def test_no_published_rate_is_refuted_or_called_implausible(controls: SelfTest) -> None:
    assert controls.false_alarms == ()
    assert controls.true_rows >= 25


def test_the_promised_shares_of_seeded_errors_are_caught(controls: SelfTest) -> None:
    found = {d.kind: d for d in controls.detections}
    for kind, share in REQUIRED.items():
        assert found[kind].rate >= share, (kind, found[kind].missed)
    assert controls.passed


def test_every_kind_is_seeded_often_enough_to_say_something(controls: SelfTest) -> None:
    for detection in controls.detections:
        assert detection.seeded >= 7, detection.kind


def test_a_seeded_error_s_own_publication_is_never_seen() -> None:
    known = knowledge_of()
    blind = without(known, ("cloudmatrix384",))
    assert len(blind.rates) < len(known.rates)
    assert all(r.source_id != "cloudmatrix384" for r in blind.rates)
    assert all(p.catalogued_as for p in seeded_errors(known) if p.claim.kind == "throughput")


def test_projections_are_among_the_true_rows() -> None:
    assert any(r.conditions.idealised for r in complete_rates(knowledge_of()))
