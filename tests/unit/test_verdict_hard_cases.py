"""Claims that a judge without care would let pass, and true ones that a hasty one would damn."""

import pytest

from tests.sheets import R1_DECODE, judged, one


def test_more_drafts_accepted_than_made_break_an_identity() -> None:
    found = judged(one("throughput", rate_tok_s=1943.0, conditions={**R1_DECODE, "mtp_acceptance": 1.7}))
    assert found.outcome == "refuted"
    assert "1.7 drafts a step accepted of 1 made" in found.reason


def test_a_multiple_of_a_rate_at_another_batch_is_no_trap() -> None:
    """974 tok/s at batch 24 (CloudMatrix384, table 4); four times that at batch 96 is not four chips read as one."""
    found = judged(one("throughput", rate_tok_s=1943.0, conditions={**R1_DECODE, "per": "die"}))
    assert "unit-trap" in found.flags
    assert "2 times a published rate" in found.reason and "batch 96" in found.reason


@pytest.mark.parametrize(
    ("model", "chip", "chips", "outcome"),
    [
        ("deepseek-r1", "h100-sxm", 8, "implausible"),  # 671 GB of 687: no room for a cache
        ("deepseek-r1", "h200", 8, "supported"),
        ("deepseek-r1", "h100-sxm", 16, "supported"),
        ("deepseek-r1", "h100-sxm", 7, "refuted"),
        ("gpt-oss-120b", "h100-sxm", 1, "refuted"),  # 117 GB in 8 bits
    ],
)
def test_fitting_needs_room_for_more_than_weights(model: str, chip: str, chips: int, outcome: str) -> None:
    conditions = {"model": model, "chip": chip, "chips": chips, "precision": "fp8"}
    assert judged(one("capacity", conditions=conditions)).outcome == outcome
    denied = {"implausible": "consistent", "supported": "refuted", "refuted": "supported"}[outcome]
    assert judged(one("capacity", fits=False, conditions=conditions)).outcome == denied


@pytest.mark.parametrize(
    ("chip", "reference", "ratio", "damned"),
    [
        ("ascend-910c", "h100-sxm", 100.0, True),
        ("ascend-910c", "h100-sxm", 0.01, True),
        ("ascend-910c", "h100-sxm", 0.6, False),
        ("gb200", "h100-sxm", 4.0, False),
        ("gb200", "h100-sxm", 30.0, False),  # FP4 over FP8, another network, one latency for both: as advertised
        ("h20", "h100-sxm", 0.3, False),
    ],
)
def test_ratios_of_chips_beyond_hardware_and_software(chip: str, reference: str, ratio: float, damned: bool) -> None:
    found = judged(one("chip_ratio", ratio=ratio, chip=chip, reference=reference))
    assert (found.outcome == "implausible") == damned, found.reason


def test_both_formats_of_a_cache_are_named() -> None:
    found = judged(
        one("architecture", figure="kv_bytes_per_token", value=516_000.0, conditions={"model": "deepseek-r1"})
    )
    assert found.outcome == "refuted"
    assert "34.3 KiB to 68.6 KiB" in found.reason


def test_a_true_rate_of_a_dense_model_passes() -> None:
    """LLaMA 3.3 70B on two H200 at maximum load: 2,587 tok/s a GPU (TensorRT-LLM, perf-overview.md, commit 03e27c7)."""
    conditions = {
        "phase": "output_all", "model": "llama-3.1-70b", "chip": "h200", "per": "package", "chips": 2,
        "prompt_tokens": 1000.0, "output_tokens": 1000.0, "precision": "fp8",
    }  # fmt: skip
    assert judged(one("throughput", rate_tok_s=2587.0, conditions=conditions)).outcome not in ("refuted", "implausible")
    assert judged(one("throughput", rate_tok_s=8 * 2587.0, conditions=conditions)).outcome in ("refuted", "implausible")
