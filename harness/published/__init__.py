"""Rates that others published, each with its conditions and its source."""

from harness.published.catalogue import rates, source_ids
from harness.published.rate import Conditions, Rate

__all__ = ["Conditions", "Rate", "rates", "source_ids"]
