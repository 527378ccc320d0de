"""Parameter counts, and the dense counterparts that are derived from them."""

import pytest
from pydantic import ValidationError

from harness.catalog.models import preset, preset_names
from harness.errors import UsageError
from harness.model.counts import dense_equal_total, parameters
from harness.model.spec import Spec
from harness.model.tensors import stored_bytes, tensor_layout
from tests.parity.architectures import ARCHITECTURES


def test_presets_have_the_parameters_that_peers_were_measured_with() -> None:
    """Source: the same configurations counted by transformers and by llama.cpp."""
    assert parameters(preset("moe-1b")).total == 961_309_824
    assert parameters(preset("moe-1b")).active == 75_263_104
    assert parameters(preset("moe-tiny")).total == 22_998_368


@pytest.mark.parametrize("name", [name for name in preset_names() if name.startswith("moe-article")])
def test_article_presets_have_its_activation_ratio(name: str) -> None:
    """37 billion of a trillion, within a tenth of a point."""
    count = parameters(preset(name))
    assert count.active / count.total == pytest.approx(0.037, abs=0.001)


@pytest.mark.parametrize("name", preset_names())
def test_counterparts_match_within_one_percent(name: str) -> None:
    sparse = parameters(preset(name))
    total, active = (preset(f"{name}:{counterpart}") for counterpart in ("equal-total", "equal-active"))
    assert parameters(total).total == pytest.approx(sparse.total, rel=0.01)
    assert parameters(active).active == pytest.approx(sparse.active, rel=0.01)
    for counterpart in (total, active):
        assert not counterpart.is_sparse
        assert parameters(counterpart).attention == sparse.attention


@pytest.mark.parametrize("spec", ARCHITECTURES.values(), ids=ARCHITECTURES)
def test_the_layout_has_every_counted_parameter(spec: Spec) -> None:
    assert sum(tensor.count for tensor in tensor_layout(spec)) == parameters(spec).total
    assert len({tensor.name for tensor in tensor_layout(spec)}) == len(tensor_layout(spec))


def test_fp32_stores_four_bytes_a_parameter_and_fewer_bits_store_less() -> None:
    spec = preset("moe-tiny")
    assert stored_bytes(spec, "fp32") == 4 * parameters(spec).total
    assert stored_bytes(spec, "fp32") > stored_bytes(spec, "int8") > stored_bytes(spec, "int4")


def test_unknown_names_list_the_known_ones() -> None:
    with pytest.raises(UsageError, match=r"did you mean 'moe-tiny'\?.*moe-1b"):
        preset("moe-tyni")
    with pytest.raises(UsageError, match="equal-total"):
        preset("moe-tiny:equal-totl")


def test_a_counterpart_of_a_dense_architecture_is_refused() -> None:
    with pytest.raises(ValueError, match="derived from a sparse"):
        dense_equal_total(preset("moe-tiny:equal-total"))


def test_a_width_that_no_kernel_takes_is_refused() -> None:
    spec = Spec.model_validate({**preset("moe-tiny").model_dump(), "hidden_size": 250})
    with pytest.raises(ValueError, match="not a multiple of 16"):
        stored_bytes(spec, "int4")
    assert stored_bytes(spec, "fp32") > 0


def test_contradictions_are_refused() -> None:
    fields = preset("moe-tiny").model_dump()
    with pytest.raises(ValidationError, match="num_experts_per_tok"):
        Spec.model_validate({**fields, "num_experts_per_tok": 33})
    with pytest.raises(ValidationError, match=r"kv_lora_rank|head_dim"):
        Spec.model_validate({**fields, "kv_lora_rank": None})
