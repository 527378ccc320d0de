"""Accelerators that are not here: what their sources say they can do at most."""

from harness.hardware.catalogue import chip, chip_names, chips
from harness.hardware.chip import Chip, Peak, PeakName

__all__ = ["Chip", "Peak", "PeakName", "chip", "chip_names", "chips"]
