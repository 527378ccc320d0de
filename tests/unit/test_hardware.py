"""The chip catalog: complete, sourced, physically plausible, and plain about what is unknown."""

import pytest

from harness.catalog.chips import Chip, ChipEntry, chip, chips, to_chip
from harness.catalog.citation import spread
from harness.errors import UsageError

WANTED = (
    "ascend-910b ascend-910c ascend-950pr ascend-950dt a100-sxm h100-sxm h800 h20 h200 b200 gb200 gb300 mi300x mi355x"
)


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
            assert 1e14 <= figure.value <= 2e16
        dense, sparse = spread(peak.dense_flop_s), spread(peak.sparse_flop_s)
        if dense and sparse:
            assert 1.1 <= sparse.best / dense.best <= 2.05
    assert made.memory is not None
    assert made.bandwidth is not None
    assert 3e10 <= made.memory.low <= made.memory.high <= 4e11
    assert 1e12 <= made.bandwidth.low <= made.bandwidth.high <= 1e13
    if made.link:
        assert 1e10 <= made.link.low <= made.link.high <= 2e12
    if made.power:
        assert 100 <= made.power.low <= made.power.high <= 2000
    assert made.dies_per_package % made.devices_per_package == 0


@pytest.mark.parametrize("made", chips(), ids=lambda c: c.name)
def test_narrower_formats_are_no_slower(made: Chip) -> None:
    bf16 = made.peak("bf16")
    assert bf16 is not None
    for narrow in ("fp8", "int8", "fp4"):
        peak = made.peak(narrow)
        if peak is not None:
            assert 1.7 <= peak.best / bf16.best <= 6.1


def test_unsupported_differs_from_unknown() -> None:
    assert chip("ascend-910c").supports("fp8") is False
    assert chip("gb300").supports("int8") is None
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
