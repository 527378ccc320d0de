"""Claims whose truth is known: hedges reach as far as evidence, stated conditions count, no source is its own
evidence."""

import pytest

from harness.claims import Sheet
from harness.verdict.judge import assess

LMSYS = "LMSYS: Kimi K2 with PD disaggregation and large-scale expert parallelism on 128 H200"
ADDRESS = "https://lmsys.org/blog/2025-07-20-k2-large-scale-ep/"


def outcome(claim: dict[str, object], **source: str) -> str:
    sheet = Sheet.model_validate(
        {
            "sheet": 1,
            "id": "s",
            "source": {"title": "A source", **source},
            "claims": [{"id": "c", "place": "a", "statement": "as it stands", **claim}],
        }
    )
    return assess(sheet).verdicts[0].outcome


def architecture(value: float, hedge: str, figure: str = "total_parameters") -> dict[str, object]:
    return {
        "kind": "architecture",
        "figure": figure,
        "value": value,
        "hedge": hedge,
        "conditions": {"model": "deepseek-v3"},
    }


@pytest.mark.parametrize(
    ("value", "hedge", "expected"),
    [
        (671e9, "up to", "supported"),
        (1e15, "up to", "refuted"),
        (700e9, "up to", "supported"),
        (600e9, "up to", "refuted"),
        (600e9, "at least", "supported"),
        (800e9, "at least", "refuted"),
    ],
)
def test_up_to_supports_no_more_than_evidence_reaches(value: float, hedge: str, expected: str) -> None:
    assert outcome(architecture(value, hedge)) == expected


@pytest.mark.parametrize(
    ("value", "conditions", "expected"),
    [  # 61 layers of 512 + 64 elements; 36 layers of keys and values of 8 heads of 64, half of them in windows of 128
        (70_272, {"model": "deepseek-v3", "precision": "fp8"}, "refuted"),
        (35_136, {"model": "deepseek-v3", "precision": "fp8"}, "supported"),
        (70_272, {"model": "deepseek-v3", "precision": "bf16"}, "supported"),
        (70_272, {"model": "deepseek-v3"}, "supported"),
        (73_728, {"model": "gpt-oss-120b", "precision": "bf16"}, "supported"),
        (36_864, {"model": "gpt-oss-120b", "precision": "bf16", "context_tokens": 131_072}, "supported"),
        (73_728, {"model": "gpt-oss-120b", "precision": "bf16", "context_tokens": 131_072}, "refuted"),
    ],
)
def test_cache_bytes_are_of_the_format_and_the_context_stated(
    value: float, conditions: dict[str, object], expected: str
) -> None:
    claim = {"kind": "architecture", "figure": "kv_bytes_per_token", "value": value, "conditions": conditions}
    assert outcome(claim) == expected


def test_a_thousand_times_an_h100_is_never_supported() -> None:
    conditions = {"phase": "decode", "model": "deepseek-r1", "batch": 96, "precision": "int8", "software": "x"}
    claim = {"kind": "chip_ratio", "chip": "ascend-910c", "reference": "h100-sxm", "conditions": conditions}
    assert outcome({**claim, "ratio": 1000, "hedge": "up to"}) in ("refuted", "implausible")


def test_a_fact_s_figure_bounds_up_to_as_well() -> None:
    claim = {"kind": "fact", "topic": "cloudmatrix-packages", "hedge": "up to"}
    assert outcome({**claim, "value": 384}) == "supported"
    assert outcome({**claim, "value": 3840}) == "refuted"


@pytest.mark.parametrize("source", [{"title": LMSYS}, {"url": ADDRESS}, {"url": ADDRESS.removesuffix("/").upper()}])
def test_a_source_is_no_evidence_for_itself(source: dict[str, str]) -> None:
    """Known by its title or its address, without saying under which name it is catalogued."""
    conditions = {
        "model": "kimi-k2", "chip": "h200", "per": "package", "chips": 96, "phase": "decode", "batch": 480,
        "context_tokens": 2050, "precision": "fp8",
    }  # fmt: skip
    claim: dict[str, object] = {"kind": "throughput", "rate_tok_s": 3000, "conditions": conditions}
    assert outcome(claim) == "supported"
    assert outcome(claim, **source) != "supported"


def test_figures_of_two_models_are_not_held_against_each_other() -> None:
    """All true: R1's total, K2's total and active parameters."""
    figures = (("deepseek-r1", "total", 6.71e11), ("kimi-k2", "active", 3.2e10), ("kimi-k2", "total", 1.04e12))
    claims = [
        {
            "kind": "architecture", "id": f"c{i}", "place": "a", "statement": "as it stands",
            "figure": f"{figure}_parameters", "value": value, "conditions": {"model": model},
        }
        for i, (model, figure, value) in enumerate(figures)
    ]  # fmt: skip
    found = assess(Sheet.model_validate({"sheet": 1, "id": "s", "source": {"title": "A source"}, "claims": claims}))
    assert [v.outcome for v in found.verdicts] == ["supported"] * 3
    assert found.inconsistent_sets == ()
    share = next(row for row in found.scaled if row.id == "active-over-total")
    assert share.reported == pytest.approx(3.2e10 / 1.04e12)


def test_an_article_that_names_several_models_is_not_about_one() -> None:
    """Rates of two models by name; the subject of the article is one of them, or neither."""

    def rate(number: int, model: str) -> dict[str, object]:
        conditions = {"model": model, "chip": "h200", "per": "package", "phase": "decode", "precision": "fp8"}
        told = {"place": "a", "statement": "as it stands", "id": f"c{number}"}
        return {"kind": "throughput", "rate_tok_s": 1234 + number, "conditions": conditions, **told}

    claims = [rate(0, "deepseek-r1"), rate(1, "kimi-k2")]
    for subject in ("kimi-k2", "deepseek-v4"):
        sheet = {"sheet": 1, "id": "s", "source": {"title": "A source"}, "subject": subject, "claims": claims}
        assert not any("model-mismatch" in v.flags for v in assess(Sheet.model_validate(sheet)).verdicts)
    alone = {"sheet": 1, "id": "s", "source": {"title": "A source"}, "subject": "kimi-k2", "claims": claims[:1]}
    assert "model-mismatch" in assess(Sheet.model_validate(alone)).verdicts[0].flags
