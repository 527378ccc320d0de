"""Requests to inspect a model besides timing it, and their results: distance from fp32 weights, and a profile."""

from typing import Annotated, Literal

from pydantic import Field

from harness.model.operators import ProfileRow
from harness.results.plan import Variant, Workload
from harness.vocabulary import Frozen, Phase, RunPrecision


class FidelityRequest(Frozen):
    """Compare each precision's logits with those of fp32 weights of the same seed, computed by the plain reference."""

    kind: Literal["fidelity"] = "fidelity"
    variant: Variant = Field(description="its own precision does not matter")
    precisions: tuple[RunPrecision, ...]
    phases: tuple[Phase, ...]


class ProfileRequest(Frozen):
    """Profile each workload of one phase."""

    kind: Literal["profile"] = "profile"
    variant: Variant
    workloads: tuple[Workload, ...]


class Fidelity(Frozen):
    """How far a quantised model is from its fp32 weights: logits after the last token of seeded random sequences.

    A random model's routers choose between near equals, so rounding sends some tokens to other experts, and from there
    on logits differ whatever the arithmetic. So rounding is told apart from routing: `logits_error` lets fp32 weights
    take the experts that the quantised model chose, `rerouted_error` their own.
    """

    precision: RunPrecision
    phase: Phase
    logits_error: float = Field(ge=0, description="norm of the difference over the norm of logits; the same experts")
    rerouted_error: float = Field(ge=0, description="the same, each with the experts that it chooses itself")
    top_token_match: float = Field(ge=0, le=1, description="share of sequences with the same most likely token")
    experts_kept: float | None = Field(ge=0, le=1, description="share of routed choices that are the same; dense: None")
    sequences: int


class Profile(Frozen):
    """Where the time of one step of a workload goes, under the runtime's own profiler."""

    workload: Workload
    steps: int
    rows: tuple[ProfileRow, ...]


class Answer(Frozen):
    """One line from an inspecting process."""

    fidelity: Fidelity | None = None
    profile: Profile | None = None


Request = Annotated[FidelityRequest | ProfileRequest, Field(discriminator="kind")]
