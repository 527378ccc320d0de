"""The plugin's fixtures by import, so that these run from a checkout whether or not the package is installed anew."""

from harness.pytest_plugin import _harness_loaded, harness_benchmark

__all__ = ["_harness_loaded", "harness_benchmark"]
