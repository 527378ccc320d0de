"""What a model's architecture asks of a chip, what the chip allows, and how much of that published systems reach."""

from harness.cost.attention import flop_per_token, kv_bytes
from harness.cost.band import Accuracy, Band, BandRow, band, deployment_of, reference_tok_s
from harness.cost.ceiling import (
    Ceiling,
    ceiling,
    expert_parallel_limit_s,
    most_generous,
    peak_flop_s,
    runs,
    with_context,
)
from harness.cost.conditions import Completions, complete, missing
from harness.cost.deployment import PHASES, Deployment, Phase
from harness.cost.precision import PRECISIONS, Precision, format_of
from harness.cost.projection import Identity, Normaliser, Projection, Spread, project
from harness.cost.routing import RoutingCase, experts_touched, routing_cases, skewed, touched_deviation
from harness.cost.work import Component, Work, work

__all__ = [
    "PHASES",
    "PRECISIONS",
    "Accuracy",
    "Band",
    "BandRow",
    "Ceiling",
    "Completions",
    "Component",
    "Deployment",
    "Identity",
    "Normaliser",
    "Phase",
    "Precision",
    "Projection",
    "RoutingCase",
    "Spread",
    "Work",
    "band",
    "ceiling",
    "complete",
    "deployment_of",
    "expert_parallel_limit_s",
    "experts_touched",
    "flop_per_token",
    "format_of",
    "kv_bytes",
    "missing",
    "most_generous",
    "peak_flop_s",
    "project",
    "reference_tok_s",
    "routing_cases",
    "runs",
    "skewed",
    "touched_deviation",
    "with_context",
    "work",
]
