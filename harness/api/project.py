"""What a model could do on a chip: limits, times, memory, and what published systems would reach. Measures
nothing."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from pydantic import ValidationError

from harness.api.loading import load_catalog
from harness.api.result import Projected
from harness.catalog.chips import Chip
from harness.catalog.collection import Catalog
from harness.errors import UsageError, unknown
from harness.model.spec import Spec
from harness.roofline.deployment import Deployment
from harness.roofline.projection import Projection
from harness.roofline.projection import project as computed
from harness.units import number
from harness.vocabulary import Maturity, Precision, RatePhase

if TYPE_CHECKING:
    from harness.roofline.expert_load import ExpertLoad

Ends = tuple[float, float]


class UnevenRouting(TypedDict, total=False):
    """What is assumed of uneven routing. Any of these asks for the load of the experts' devices; the others range."""

    skew: Ends | None
    """least and largest exponent of Zipf's law"""
    replicas: int | None
    """redundant copies of experts in the group"""
    staleness: Ends | None
    """least and largest deviation of popularity since experts were placed, of its logarithm"""


class Conditions(UnevenRouting, total=False):
    """How the model is served. What is not given is a range, not a default."""

    batch: float | None
    """sequences a package"""
    context_tokens: float | None
    """tokens in the cache, on average (decode)"""
    prompt_tokens: float | None
    output_tokens: float | None
    precision: Precision | None
    """of the experts, or of all weights"""
    chips: int | None
    """packages that share one set of experts"""
    kv_bytes: float | None
    """of a cached element: 2, or 1 for FP8"""
    mtp_drafts: int | None
    """drafted tokens a step; 0 for none"""
    mtp_acceptance: float | None
    """drafts accepted a step"""
    tensor_parallel: int | None
    """devices that share one copy of the non-expert weights"""
    maturity: Maturity | None
    """of the software: tuned for the run, default, or early; None counts all three"""


_OPTIONS = {
    "batch": "--batch",
    "context_tokens": "--context",
    "prompt_tokens": "--prompt",
    "output_tokens": "--output",
    "precision": "--precision",
    "kv_bytes": "--cache-bytes",
    "chips": "--chips",
    "mtp_drafts": "--mtp",
    "mtp_acceptance": "--acceptance",
    "tensor_parallel": "--tensor-parallel",
    "maturity": "--maturity",
    "skew": "--skew",
    "replicas": "--replicas",
    "staleness": "--staleness",
}


def project(
    *,
    model: str,
    chip: str,
    phase: RatePhase,
    without_sources: Sequence[str] = (),
    without_vendors: Sequence[str] = (),
    catalog: Sequence[str | os.PathLike[str]] | Catalog = (),
    **conditions: Unpack[Conditions],
) -> Projected:
    """Project what `model` could do on `chip` in `phase` under conditions; rates are tokens a second and package.

    With `skew`, `replicas` or `staleness` also how unevenly the experts' devices are loaded.
    `without_sources` and `without_vendors` are left out of the usual range. Raises UsageError for a name or a value
    that does not fit.
    """
    everything = load_catalog(catalog)
    known, released = everything.chip(chip), everything.model(model)
    values: dict[str, Any] = {**conditions}
    routing = {name: value for name in UnevenRouting.__annotations__ if (value := values.pop(name, None)) is not None}
    given = _deployment(values)
    _check_drafts(given)
    _check_lengths(given, released.name, released.spec)
    _check_left_out(without_sources, [r.source_id for r in everything.rates], "--without-source", "publication")
    _check_left_out(without_vendors, [c.vendor for c in everything.chips], "--without-vendor", "vendor")
    found = computed(
        released.spec,
        known,
        given,
        phase,
        exclude_sources=tuple(without_sources),
        exclude_vendors=tuple(without_vendors),
        catalog=everything if catalog else None,
    )
    load = _expert_load(released.spec, known, found, routing) if routing else None
    return Projected(model=released.name, projection=found, load=load)


def _expert_load(spec: Spec, chip: Chip, found: Projection, routing: dict[str, Any]) -> "ExpertLoad":
    """At the typical deployment. Raises UsageError for the mixed phases and a dense model."""
    from harness.roofline.expert_load import Assumed, expert_load

    if found.phase not in ("prefill", "decode"):
        raise UsageError(
            f"--phase {found.phase} mixes two kinds of steps; expected prefill or decode beside --skew, "
            "--replicas or --staleness"
        )
    try:
        assumed = Assumed.model_validate(routing)
    except ValidationError as error:
        raise UsageError(_refusal(error)) from None
    return expert_load(spec, chip, found.typical, found.phase, assumed)


def _deployment(values: dict[str, Any]) -> Deployment:
    """The conditions given. Raises UsageError that names the option and what it takes."""
    try:
        return Deployment.model_validate(values)
    except ValidationError as error:
        raise UsageError(_refusal(error)) from None


def _refusal(error: ValidationError) -> str:
    lines = []
    for found in error.errors(include_url=False, include_context=False):
        option = _OPTIONS.get(str(found["loc"][0]), str(found["loc"][0]))
        wanted = found["msg"].removeprefix("Input should be ")
        lines.append(
            f"{option} {found['input']}: expected {wanted if wanted.startswith('a ') else f'a value {wanted}'}"
        )
    return "\n".join(lines)


def _check_drafts(given: Deployment) -> None:
    drafts, accepted = given.mtp_drafts, given.mtp_acceptance
    if accepted is None:
        return
    if drafts is None:
        raise UsageError(f"--acceptance {accepted:g}: expected --mtp beside it, the number of drafts a step")
    if accepted > drafts:
        raise UsageError(f"--acceptance {accepted:g}: expected at most the {drafts} drafts of --mtp {drafts}")


def _check_lengths(given: Deployment, name: str, spec: Spec) -> None:
    """A model takes no more tokens than it has positions."""
    most = spec.max_position_embeddings
    for option, tokens in (
        ("--context", given.context_tokens),
        ("--prompt", given.prompt_tokens),
        ("--output", given.output_tokens),
    ):
        if tokens is not None and tokens > most:
            raise UsageError(f"{option} {number(tokens)}: {name} takes {number(most)} tokens at most")


def _check_left_out(names: Sequence[str], known: list[str], option: str, what: str) -> None:
    for name in names:
        if name not in known:
            raise UsageError(f"{option}: {unknown(what, name, set(known))}")
