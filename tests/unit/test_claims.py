"""The sheet's schema, and what must be true of every sheet in seeds/."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from harness.catalog.facts import facts
from harness.claims import Sheet
from harness.errors import UsageError
from harness.files import validation
from harness.verdict.knowledge import knowledge_of

SEEDS = sorted((Path(__file__).parents[2] / "seeds").glob("*.yaml"))
ARTICLE = "deepseek-v4-ascend"


def sheet(path: Path) -> Sheet:
    return validation.read(path, Sheet, what="claim sheet")


@pytest.mark.parametrize("path", SEEDS, ids=lambda p: p.stem)
def test_every_sheet_is_named_after_its_file_and_uses_known_names(path: Path) -> None:
    found, known = sheet(path), knowledge_of()
    sources = {r.source_id for r in known.rates}
    topics = {f.topic for f in facts()}
    assert found.id == path.stem
    assert found.subject is None or known.could_be(found.subject)
    assert {*found.source.derived_from, *found.source.catalogued_as} <= sources
    for claim in found.claims:
        assert claim.conditions.chip is None or known.chip(claim.conditions.chip), claim.id
        assert claim.conditions.model is None or known.could_be(claim.conditions.model), claim.id
        assert claim.attribution is None or claim.attribution in topics, claim.id
        if claim.kind == "fact":
            assert claim.topic in topics, claim.id


def test_the_article_has_every_statement_that_can_be_checked() -> None:
    """The figures of the article, paragraph by paragraph; a missing one would go unjudged and unnoticed."""
    claims = {c.id: c for c in sheet(SEEDS[[p.stem for p in SEEDS].index(ARTICLE)]).claims}
    numbers = {
        "total-parameters": 1e12,
        "active-parameters": 37e9,
        "inference-60-percent": 0.60,
        "cloudmatrix-prefill": 6688,
        "cloudmatrix-decode": 1943,
        "nvidia-fall": 0.17,
        "cloudmatrix-size": 384,
    }
    for name, value in numbers.items():
        fields = claims[name].model_dump()
        given = next(fields[k] for k in ("value", "ratio", "rate_tok_s") if fields.get(k) is not None)
        assert given == pytest.approx(value), name
    words = {
        "sparse-keeps-latency-low", "sparse-keeps-compute-low", "text-and-images", "training-barely-sufficient",
        "cloudmatrix-moe-mla", "competitive-economics", "orders", "code-rewritten",
    }  # fmt: skip
    assert words <= claims.keys()
    assert claims["cloudmatrix-prefill"].hedge == "up to"
    assert claims["total-parameters"].hedge == "about"
    assert claims["inference-60-percent"].attributed_to is not None


def test_what_the_article_leaves_out_is_unknown() -> None:
    """Neither rate names a model, a batch or a precision: filling one in would be inventing it."""
    claims = {c.id: c for c in sheet(SEEDS[[p.stem for p in SEEDS].index(ARTICLE)]).claims}
    for name in ("cloudmatrix-prefill", "cloudmatrix-decode"):
        given = claims[name].conditions
        assert (given.model, given.batch, given.precision, given.prompt_tokens, given.idealised) == (None,) * 5
        assert claims[name].omitted


def test_a_sheet_refuses_the_same_id_twice_and_unknown_kinds(tmp_path: Path) -> None:
    claim = {"id": "a", "kind": "out_of_reach", "place": "p", "statement": "s", "reason": "r"}
    base = {"sheet": 1, "id": "x", "source": {"title": "t"}}
    with pytest.raises(ValidationError, match="claim ids must differ: a"):
        Sheet.model_validate({**base, "claims": [claim, claim]})
    path = tmp_path / "x.yaml"
    path.write_text(
        "sheet: 1\nid: x\nsource: {title: t}\nclaims:\n  - {id: a, kind: guess, place: p, statement: s, reason: r}\n"
    )
    with pytest.raises(UsageError, match=r"x\.yaml:5"):
        sheet(path)


@pytest.mark.parametrize("rate", [0, -1, "fast"])
def test_a_rate_must_be_positive(rate: object) -> None:
    claim = {"id": "a", "kind": "throughput", "place": "p", "statement": "s", "rate_tok_s": rate}
    with pytest.raises(ValidationError):
        Sheet.model_validate({"sheet": 1, "id": "x", "source": {"title": "t"}, "claims": [claim]})
