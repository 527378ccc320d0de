"""Released models and a user's own catalog files."""

from pathlib import Path

import pytest

import harness
from harness.catalog.collection import builtin, with_files
from harness.catalog.models import ReleasedModel, released, released_models, released_names
from harness.claims import Sheet
from harness.errors import UsageError
from harness.model.counts import parameters
from harness.roofline.deployment import Deployment
from harness.roofline.forecast import law
from harness.roofline.projection import project

WANTED = (
    "deepseek-v2-lite deepseek-v2 deepseek-v3 deepseek-r1 deepseek-v3.2 deepseek-v4-pro deepseek-v4-flash kimi-k2 "
    "qwen3-235b-a22b qwen3-30b-a3b mixtral-8x7b mixtral-8x22b gpt-oss-120b gpt-oss-20b"
)

OWN = """
sources:
  mine: {title: My bench, grade: A, how_seen: read}
chips:
  my-chip:
    title: My chip
    vendor: Me
    peaks:
      bf16: {dense: [{value: 1.0e15, source: mine}]}
      fp8: unsupported
      int8: {dense: [{value: 2.0e15, source: mine}]}
    memory_bytes: [{value: 1.0e11, source: mine}]
    bandwidth_bytes_s: [{value: 3.0e12, source: mine}]
    link_bytes_s: [{value: 4.0e11, source: mine}]
models:
  my-model:
    title: My model
    vendor: Me
    published_total: 30.0e+9
    published_active: 3.0e+9
    source: mine
    spec:
      model_type: qwen3_moe
      hidden_size: 2048
      num_hidden_layers: 48
      num_attention_heads: 32
      num_key_value_heads: 4
      head_dim: 128
      n_routed_experts: 128
      num_experts_per_tok: 8
      moe_intermediate_size: 768
      vocab_size: 151936
rates:
  my-rate:
    source: mine
    system: My server
    model: my-model
    chip: my-chip
    phase: decode
    rate_tok_s: 9000
    conditions: {chips: 8, batch: 128, context_tokens: 2048, precision: int8, kv_bytes: 2}
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "own.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_every_model_of_the_scope_is_there() -> None:
    assert set(WANTED.split()) <= set(released_names())
    assert any(model.spec.model_type == "llama" for model in released_models())


@pytest.mark.parametrize("model", released_models(), ids=lambda m: m.name)
def test_counts_reproduce_what_the_maker_publishes(model: ReleasedModel) -> None:
    """Makers round, to whole billions even, and count embedding and head or not: totals to 3 %, active to 6 % on one of
    the counts, or to half a billion."""
    counted = parameters(model.spec)
    assert counted.total == pytest.approx(model.published_total, rel=0.03)
    counts = (counted.active, counted.active_with_embedding, counted.active - counted.head)
    nearest = min(abs(active - model.published_active) for active in counts)
    whole = 0.5e9 if model.published_active % 1e9 == 0 else 0.0
    assert nearest <= max(0.06 * model.published_active, whole)


def test_no_released_model_is_the_article_s() -> None:
    """One trillion in total with 37 billion active: no released architecture has both within ten percent."""
    for model in released_models():
        counted = parameters(model.spec)
        near_total = abs(counted.total / 1e12 - 1) < 0.1
        near_active = abs(counted.active_with_embedding / 37e9 - 1) < 0.1
        assert not (near_total and near_active), model.name


def test_an_unknown_model_names_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean 'deepseek-r1'"):
        released("deepseek-r11")


def test_a_user_s_file_adds_chip_model_and_rate(tmp_path: Path) -> None:
    found = with_files((write(tmp_path, OWN),))
    assert len(found.chips) == len(builtin().chips) + 1
    projection = project(
        found.model("my-model").spec,
        found.chip("my-chip"),
        Deployment(precision="int8", batch=128, context_tokens=2048, chips=8, kv_bytes=2),
        "decode",
        catalog=found,
    )
    assert "mine" in projection.forecast.sources
    assert projection.missing == ()


def test_the_user_s_own_rate_moves_the_law(tmp_path: Path) -> None:
    found = with_files((write(tmp_path, OWN),))
    with_it, without = law(found), law(found, ("mine",))
    assert with_it is not None and without is not None
    assert len(with_it.samples) == len(without.samples) + 1
    assert with_it.factors != without.factors


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("value: 1.0e15", "value: -1.0e15", r"own\.yaml:\d+:\d+: "),
        ("vendor: Me\n    peaks", "vender: Me\n    peaks", r"own\.yaml:\d+:\d+: .*vender"),
        ("chip: my-chip", "chip: h100", r"own\.yaml:\d+:\d+: rates\.my-rate: .*did you mean"),
        (
            "source: mine\n    system",
            "source: mein\n    system",
            r"own\.yaml:\d+:\d+: rates\.my-rate: unknown source 'mein'.*'mine'",
        ),
        ("grade: A", "grade: Z", r"own\.yaml:3:\d+: "),
    ],
)
def test_a_mistake_is_named_with_its_place(tmp_path: Path, before: str, after: str, message: str) -> None:
    assert before in OWN
    with pytest.raises(UsageError, match=message):
        with_files((write(tmp_path, OWN.replace(before, after, 1)),))


def test_a_user_s_entry_replaces_the_built_in_one(tmp_path: Path) -> None:
    found = with_files(
        (write(tmp_path, OWN.replace("my-chip:", "h100-sxm:").replace("chip: my-chip", "chip: h100-sxm")),)
    )
    assert found.chip("h100-sxm").vendor == "Me"
    assert len(found.chips) == len(builtin().chips)


def test_the_example_of_the_documentation_loads(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "reference" / "catalog.md").read_text(encoding="utf-8")
    example = page.split("```yaml\n")[1].split("```")[0]
    found = with_files((write(tmp_path, example),))
    made = found.chip("my-chip")
    assert made.supports("fp8") is False
    assert made.supports("fp4") is None
    fitted = law(found)
    assert fitted is not None
    assert "my-bench" in fitted.sources


@pytest.mark.parametrize(
    ("model", "tokens", "outcome", "kind"),
    [
        ("deepseek-v3", 131072, "supported", "released context"),
        ("qwen3-235b-a22b", 32768, "supported", "native context"),
        ("qwen3-235b-a22b", 131072, "supported", "extended context"),
        ("kimi-k2", 262144, "supported", "released context"),
        ("deepseek-v3", 1048576, "refuted", "more than 5 % off"),
    ],
)
def test_a_context_is_judged_by_every_kind_there_is(model: str, tokens: int, outcome: str, kind: str) -> None:
    claim = {"id": "c", "kind": "architecture", "figure": "context_tokens", "value": tokens, "place": "p"}
    claim |= {"statement": "s", "conditions": {"model": model}}
    sheet = Sheet.model_validate(
        {"sheet": 1, "id": "s", "source": {"title": "A page"}, "claims": [claim]}, strict=False
    )
    (verdict,) = harness.judge(sheet).verdicts
    assert verdict.outcome == outcome
    assert kind in verdict.reason
