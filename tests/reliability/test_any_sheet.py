"""Any sheet that parses is judged: no conditions, however odd, end in an exception or in a broken verdict."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.claims import Sheet, StatedConditions
from harness.verdict.judge import assess
from harness.verdict.knowledge import knowledge_of
from tests import factories

KNOWN = knowledge_of()
CHIPS = st.sampled_from([*(c.name for c in KNOWN.catalog.chips), "no-such-chip"])
MODELS = st.sampled_from([*(m.name for m in KNOWN.models), "deepseek-v4", "deepseek", "no-such-model"])
WIDE = st.floats(1e-9, 1e25)
TOKENS = st.floats(0.1, 0.99e9)


def maybe(of: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | of


CONDITIONS = st.fixed_dictionaries(
    {
        "phase": maybe(st.sampled_from(["prefill", "decode", "output_all", "total_all"])),
        "model": maybe(MODELS),
        "chip": maybe(CHIPS),
        "per": maybe(st.sampled_from(["package", "die", "node", "system"])),
        "packages_per_unit": maybe(st.sampled_from([1, 8, 72, 100_000])),
        "chips": maybe(st.sampled_from([1, 2, 8, 320, 100_000])),
        "batch": maybe(st.floats(0.01, 1e6)),
        "prompt_tokens": maybe(TOKENS),
        "context_tokens": maybe(TOKENS),
        "output_tokens": maybe(TOKENS),
        "tpot_s": maybe(st.floats(1e-6, 100)),
        "tpot_independent": maybe(st.booleans()),
        "precision": maybe(st.sampled_from(["fp32", "bf16", "fp16", "fp8", "int8", "fp4", "int4", "w4a8"])),
        "mtp_drafts": maybe(st.integers(0, 16)),
        "mtp_acceptance": maybe(st.floats(0, 16)),
        "idealised": maybe(st.booleans()),
    }
)
FIGURES = ["total_parameters", "active_parameters", "activation_ratio", "kv_bytes_per_token", "context_tokens"]
KINDS: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "throughput": {"rate_tok_s": WIDE | st.sampled_from([6688.0, 1943.0, 2172.0])},
    "chip_ratio": {"ratio": WIDE | st.just(0.6), "chip": CHIPS, "reference": CHIPS},
    "model_ratio": {
        "ratio": WIDE, "model": MODELS, "reference": MODELS,
        "figure": st.sampled_from(["rate", "flop_per_token", "kv_bytes"]),
    },
    "architecture": {"value": WIDE, "figure": st.sampled_from(FIGURES)},
    "capacity": {"fits": st.booleans()},
    "latency": {"duration_s": WIDE, "figure": st.sampled_from(["tpot", "ttft"])},
    "efficiency": {"value": WIDE, "figure": st.sampled_from(["tok_s_per_tflops", "tok_per_joule"])},
    "cost": {"usd_per_mtok": WIDE, "usd_per_hour": maybe(WIDE), "rate_tok_s": maybe(WIDE)},
    "design": {"test": st.sampled_from(["sparse_latency", "sparse_compute", "latent_cache", "batch_amortisation"])},
    "arithmetic": {"value": WIDE, "factors": st.lists(WIDE, min_size=1, max_size=4).map(tuple)},
}  # fmt: skip


@st.composite
def sheets(draw: st.DrawFn) -> Sheet:
    claims = []
    for i in range(draw(st.integers(1, 3))):
        kind = draw(st.sampled_from(sorted(KINDS)))
        given_ = {k: v for k, v in draw(CONDITIONS).items() if v is not None}
        fields = {name: draw(of) for name, of in KINDS[kind].items()}
        hedge = draw(st.sampled_from(["exactly", "about", "up to", "at least"]))
        words = {"id": f"c{i}", "place": "p", "statement": "s", "hedge": hedge}
        claims.append({**words, "kind": kind, "conditions": StatedConditions.model_validate(given_), **fields})
    subject = draw(maybe(MODELS))
    return Sheet.model_validate({"sheet": 1, "id": "x", "subject": subject, "source": {"title": "t"}, "claims": claims})


def check(sheet: Sheet, measured: bool) -> None:
    found = assess(sheet, record=factories.record() if measured else None)
    assert [v.id for v in found.verdicts] == [c.id for c in sheet.claims]
    for verdict in found.verdicts:
        assert verdict.reason
        assert verdict.interval is None or verdict.interval.low <= verdict.interval.high
        if verdict.outcome == "supported":
            assert any(e.stance == "supports" for e in verdict.evidence)
        if "missing-condition" in verdict.flags:
            assert verdict.missing
    assert found.model_dump_json()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(sheets(), st.booleans())
def test_any_sheet_is_judged(sheet: Sheet, measured: bool) -> None:
    check(sheet, measured)


@pytest.mark.slow
@settings(max_examples=1500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(sheets(), st.booleans())
def test_any_of_many_sheets_is_judged(sheet: Sheet, measured: bool) -> None:
    check(sheet, measured)
