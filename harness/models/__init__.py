"""Architectures by name: presets that run here, and models that were released elsewhere."""

from harness.models.catalogue import ReleasedModel, released, released_models, released_names
from harness.models.presets import preset, preset_names

__all__ = [
    "ReleasedModel",
    "preset",
    "preset_names",
    "released",
    "released_models",
    "released_names",
]
