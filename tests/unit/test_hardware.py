"""The chip catalog: complete, sourced, physically plausible, and plain about what is unknown."""

import pytest

from harness.catalog.chips import Chip, ChipEntry, chip, chips, to_chip
from harness.catalog.citation import spread
from harness.errors import UsageError

WANTED = (
    "ascend-910b ascend-910c ascend-950pr ascend-950dt ascend-950dt-96gb a100-sxm h100-sxm h800 h20 h200 b200 b300 "
    "gb200 gb300 gb10 mi300x mi325x mi350x mi355x gaudi3 tpu-v5e tpu-v6e tpu-v7 trainium2 trainium3 groq-lpu "
    "cerebras-wse-3"
)
# Chips whose weights live in SRAM, and the desktop chip: their memory and bandwidth have other sizes than HBM's.
HBM = (1.5e10, 4e11, 8e11, 1e13)
"""Least and most memory in bytes, least and most bandwidth in bytes/s."""
OTHER_MEMORY = {
    "groq-lpu": (2e8, 3e8, 5e13, 1e14),
    "cerebras-wse-3": (4e10, 5e10, 1e16, 3e16),
    "gb10": (1.2e11, 1.4e11, 2e11, 3e11),
}
# Formats that a chip computes no faster than 16 bits in, by its source.
NO_FASTER = {
    ("gb300", "int8"),
    ("b300", "int8"),
    ("gb10", "fp8"),
    ("gb10", "int8"),
    ("gaudi3", "fp8"),
    ("tpu-v6e", "fp8"),
}


def test_every_chip_of_the_scope_is_there() -> None:
    assert set(WANTED.split()) <= {c.name for c in chips()}


def test_an_unknown_chip_names_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean 'h100-sxm'"):
        chip("h100-smx")


@pytest.mark.parametrize("made", chips(), ids=lambda c: c.name)
def test_figures_are_of_the_right_size(made: Chip) -> None:
    """A slip between GB and bytes, die and package, or dense and sparse moves a figure out of these ranges."""
    for peak in made.peaks:
        for figure in peak.dense_flop_s:
            assert 1e14 <= figure.value <= (2e17 if made.name == "cerebras-wse-3" else 2e16)
        dense, sparse = spread(peak.dense_flop_s), spread(peak.sparse_flop_s)
        if dense and sparse and made.name != "cerebras-wse-3":
            assert 1.1 <= sparse.best / dense.best <= (4.05 if made.vendor == "AWS" else 2.05)
    assert made.memory is not None
    assert made.bandwidth is not None
    least, most, slowest, fastest = OTHER_MEMORY.get(made.name, HBM)
    assert least <= made.memory.low <= made.memory.high <= most
    assert slowest <= made.bandwidth.low <= made.bandwidth.high <= fastest
    if made.link:
        assert 1e10 <= made.link.low <= made.link.high <= 3e12
    if made.power:
        assert 100 <= made.power.low <= made.power.high <= (3e4 if made.name == "cerebras-wse-3" else 2000)
    assert made.dies_per_package % made.devices_per_package == 0


@pytest.mark.parametrize("made", chips(), ids=lambda c: c.name)
def test_narrower_formats_are_no_slower(made: Chip) -> None:
    bf16 = made.peak("bf16")
    assert bf16 is not None
    for narrow in ("fp8", "int8", "fp4"):
        peak = made.peak(narrow)
        if peak is not None and (made.name, narrow) not in NO_FASTER:
            assert 1.7 <= peak.best / bf16.best <= 6.3


def test_figures_that_sources_settle() -> None:
    """GB300: NVIDIA's aiconfigurator, systems/gb300.yaml; B200 and GB200: the same, b200_sxm.yaml and gb200.yaml."""
    gb300 = chip("gb300")
    assert {n: gb300.peak(n) and gb300.peak(n).best for n in ("bf16", "fp8", "int8")} == {  # type: ignore[union-attr]
        "bf16": 2.5e15,
        "fp8": 5e15,
        "int8": 1.65e14,
    }
    memory = {name: chip(name).memory_bytes[0].value for name in ("b200", "gb200", "gb300")}
    assert memory == {"b200": 193_273_528_320, "gb200": 198_674_743_296, "gb300": 298_013_687_808}


def test_a_round_capacity_is_the_makers_and_an_exact_one_the_planners() -> None:
    """aiconfigurator counts 80 and 141 GiB; 80 and 141 GB are NVIDIA's words for the same packages."""
    for name in ("a100-sxm", "h100-sxm", "h200"):
        named, counted = chip(name).memory_bytes
        assert "datasheet" in named.source.title
        assert "aiconfigurator" in counted.source.title
        assert counted.value == pytest.approx(named.value * 1.0737, rel=1e-3)


def test_unsupported_differs_from_unknown() -> None:
    assert chip("ascend-910c").supports("fp8") is False
    assert chip("tpu-v7").supports("int8") is None
    assert chip("h100-sxm").supports("fp8") is True
    assert chip("ascend-910c").peak("fp8") is None


def test_disagreeing_sources_are_all_kept() -> None:
    peak = chip("ascend-910c").peak("bf16")
    assert peak is not None
    assert peak.best == 7.52e14
    assert peak.low < peak.best < peak.high == 8.0e14


def test_a_package_is_two_dies() -> None:
    made = chip("ascend-910c")
    int8, die = made.peak("int8"), chip("ascend-910b").peak("int8")
    assert int8 is not None
    assert die is not None
    assert made.dies_per_package == 2
    assert int8.best == 2 * die.best


def test_every_figure_has_a_source() -> None:
    for made in chips():
        for figures in (made.memory_bytes, made.bandwidth_bytes_s, made.link_bytes_s, made.power_w):
            assert all(figure.source.title for figure in figures)


def test_a_source_that_is_not_listed_is_refused() -> None:
    entry = ChipEntry.model_validate(
        {
            "title": "Chip",
            "vendor": "Maker",
            "peaks": {"bf16": {"dense": [{"value": 1e15, "source": "nowhere"}]}},
            "memory_bytes": [{"value": 1e11, "source": "nowhere"}],
            "bandwidth_bytes_s": [{"value": 1e12, "source": "nowhere"}],
        }
    )
    with pytest.raises(UsageError, match="unknown source 'nowhere'"):
        to_chip("chip", entry, {})
