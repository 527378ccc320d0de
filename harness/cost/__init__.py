"""What a model's architecture asks of a chip, what the chip allows, and how much of that published systems reach."""

from harness.cost.attention import flop_per_token, kv_bytes
from harness.cost.ceiling import (
    Ceiling,
    ceiling,
    expert_parallel_limit_s,
    most_generous,
    peak_flop_s,
    runs,
)
from harness.cost.deployment import PHASES, Deployment, Phase
from harness.cost.precision import PRECISIONS, Precision, format_of
from harness.cost.work import Component, Work, experts_touched, work

__all__ = [
    "PHASES",
    "PRECISIONS",
    "Ceiling",
    "Component",
    "Deployment",
    "Phase",
    "Precision",
    "Work",
    "ceiling",
    "expert_parallel_limit_s",
    "experts_touched",
    "flop_per_token",
    "format_of",
    "kv_bytes",
    "most_generous",
    "peak_flop_s",
    "runs",
    "work",
]
