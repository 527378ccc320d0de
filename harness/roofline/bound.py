"""The bound that refutes: a rate that no value of the conditions left open could pass.

Over an open condition each term of a ceiling (arithmetic, memory, links) takes the least that any of its values gives,
by closed form and not from a grid: formats one by one, sizes of the group in narrow steps (links of the smallest in a
step, memory of the largest), the shortest context, the most sequences whose caches fit, drafts that are all accepted.
So a condition that is given can only lower the bound. A batch beyond what fits is cut to what fits: the rest waits.
"""

import math
from collections.abc import Iterator
from typing import Literal

from harness.catalog.chips import Chip
from harness.errors import UsageError
from harness.model.spec import Spec
from harness.roofline.ceiling import Binding, Ceiling, ceiling, footprint, in_stages, keeping, mixed, runs
from harness.roofline.deployment import Deployment
from harness.vocabulary import PRECISIONS, Frozen, RatePhase

SHORTEST_TOKENS = 1.0
MOST_DRAFTS = 16.0
MOST_CHIPS = 999_999
"""What a sheet may state at most."""
MOST_SEQUENCES = 1e16
_STEP = 1.6
"""Ratio of the largest to the smallest group within one step of sizes; each of the least two sizes is its own."""


class _Sizes(Frozen):
    """Groups from `least` to `most` packages."""

    least: int
    most: int
    weight_bytes: float
    """of the whole group, every weight kept once"""


def _sizes(spec: Spec, chip: Chip, deployment: Deployment) -> Iterator[_Sizes]:
    """The sizes that a group could have, in steps that end where the scale-up network does."""
    alone = deployment.model_copy(update={"chips": deployment.chips or 1, "batch": None, "context_tokens": None})
    weight_bytes = (deployment.chips or 1) * footprint(spec, chip, alone).least
    if deployment.chips is not None:
        yield _Sizes(least=deployment.chips, most=deployment.chips, weight_bytes=weight_bytes)
        return
    joined, least = chip.scale_up_packages or MOST_CHIPS, 1
    while least <= MOST_CHIPS:
        most = min(MOST_CHIPS, least if least <= 2 else int(least * _STEP))
        if least <= joined < most:
            most = joined
        yield _Sizes(least=least, most=most, weight_bytes=weight_bytes)
        least = most + 1


def _drafted(deployment: Deployment) -> dict[str, float]:
    """Drafted and accepted tokens of a step at their best: all that are drafted are accepted.

    A model without draft layers can be served with a draft model beside it.
    """
    given, accepted = deployment.mtp_drafts, deployment.mtp_acceptance
    drafts = given if given is not None else MOST_DRAFTS if accepted is None else accepted
    return {"mtp_drafts": drafts, "mtp_acceptance": drafts if accepted is None else min(accepted, drafts)}


def _shortest(deployment: Deployment) -> dict[str, float]:
    """The shortest prompt and decode context: a mean context is no shorter than the prompt and half of the answer."""
    prompt = deployment.prompt_tokens or SHORTEST_TOKENS
    context = prompt + (deployment.output_tokens or 0.0) / 2 if deployment.prompt_tokens else SHORTEST_TOKENS
    return {"prompt_tokens": prompt, "context_tokens": max(deployment.context_tokens or 0.0, context)}


def _sharing(spec: Spec, chip: Chip, deployment: Deployment, sizes: _Sizes, phase: RatePhase) -> Ceiling:
    """The least of each term for groups of these sizes, the weights spread over all devices or kept in stages."""

    def of(found: Deployment, chips: int, batch: float) -> Ceiling:
        return ceiling(spec, chip, found.model_copy(update={"chips": chips, "batch": batch}), phase, generous=True)

    many, weight_bytes = of(deployment, sizes.most, 1.0), sizes.weight_bytes / sizes.most
    limit, most = many.memory_limit_bytes, MOST_SEQUENCES
    if limit is not None:
        tight = sizes.weight_bytes / sizes.least <= limit
        most = min(most, (limit - weight_bytes if tight else limit) / max(many.cache_bytes, 1e-12))
    batch = max(min(deployment.batch or most, most), 1 / MOST_SEQUENCES)
    best = of(deployment, sizes.most, batch)
    if sizes.least < sizes.most:
        best = _with_link(best, of(deployment, sizes.least, batch).link_s)
    staged = in_stages(deployment)
    other = None if staged is None else of(staged, 1, batch)
    held = weight_bytes + (deployment.batch or 0.0) * many.cache_bytes
    best = best.model_copy(update={"memory_bytes": held, "fits": None if limit is None else held <= limit})
    return best if other is None or other.rate_tok_s <= best.rate_tok_s else keeping(best, other)


def _with_link(found: Ceiling, link: float | None) -> Ceiling:
    """The ceiling with another time of a step on the links."""
    times = (found.compute_s, found.memory_s, link or 0.0)
    rates = {"rate_tok_s": found.tokens / max(times), "serial_tok_s": found.tokens / math.fsum(times)}
    changed = found.model_copy(update={"link_s": link, **rates})
    return changed.model_copy(update={"binding": _longest(changed)})


def _longest(found: Ceiling) -> Binding:
    times: dict[Binding, float] = {
        "compute": found.compute_s, "memory": found.memory_s, "link": found.link_s or 0.0,
    }  # fmt: skip
    return max(times, key=lambda name: times[name])


def _of_phase(spec: Spec, chip: Chip, deployment: Deployment, sizes: _Sizes, phase: RatePhase) -> Ceiling:
    """The bound of one phase in one format, for groups of these sizes."""
    found = deployment.model_copy(update={**_drafted(deployment), **_shortest(deployment)})
    if phase == "prefill" and deployment.prompt_tokens is None:  # a long prompt reads the weights once
        found = found.model_copy(update={"batch": None, "kv_bytes": 1 / MOST_SEQUENCES})
    return _sharing(spec, chip, found, sizes, phase)


def _of_both(spec: Spec, chip: Chip, deployment: Deployment, sizes: _Sizes, phase: RatePhase) -> Ceiling:
    """The bound over all packages: nothing but the faster phase where the lengths leave their shares open."""
    decode = _of_phase(spec, chip, deployment, sizes, "decode")
    prefill = _of_phase(spec, chip, deployment.model_copy(update={"batch": None}), sizes, "prefill")
    prompt, output = deployment.prompt_tokens, deployment.output_tokens
    if prompt is not None and output is not None:
        return mixed(phase, decode, prefill, prompt / output)
    faster = decode if phase == "output_all" or decode.rate_tok_s >= prefill.rate_tok_s else keeping(decode, prefill)
    return faster.model_copy(update={"phase": phase})


def highest(spec: Spec, chip: Chip, deployment: Deployment, phase: RatePhase) -> Ceiling:
    """The most generous ceiling over all that the deployment leaves open.

    Its rate can only fall as conditions are given. `fits` is False where no value of them fits the chip's memory, with
    every weight kept once in the group; `memory_bytes` is then what a package would have to hold. Raises UsageError
    where no source gives the chip arithmetic in any of the formats, or its bandwidth.
    """
    given = deployment.precision
    formats = (given,) if given is not None else tuple(p for p in PRECISIONS if runs(chip, p))
    if not formats:
        raise UsageError(f"no source gives {chip.name} arithmetic in any known precision")
    limits = _of_phase if phase in ("prefill", "decode") else _of_both
    cells = [
        limits(spec, chip, found, sizes, phase)
        for found in (deployment.model_copy(update={"precision": precision}) for precision in formats)
        for sizes in _sizes(spec, chip, found)
    ]
    best = max(cells, key=lambda c: c.rate_tok_s)
    placed = max(cells, key=lambda c: (c.fits is not False, c.rate_tok_s))
    return keeping(placed, best.model_copy(update={"binding": _longest(best)}))


class Soonest(Frozen):
    """The least time of a step, over all that is left open."""

    time_s: float
    binding: Binding
    fits: bool | None
    """False where no value of what is open fits the memory"""


def soonest(spec: Spec, chip: Chip, deployment: Deployment, phase: Literal["prefill", "decode"]) -> Soonest:
    """The least time in which a prompt is read, or each output token of a sequence made, whatever is left open.

    One sequence has the whole group to itself unless a batch is given. Messages count for nothing: how weights and
    experts are spread is open, and with it what has to be sent. Raises UsageError as `highest` does.
    """
    given = deployment.precision
    formats = (given,) if given is not None else tuple(p for p in PRECISIONS if runs(chip, p))
    if not formats:
        raise UsageError(f"no source gives {chip.name} arithmetic in any known precision")
    found = [
        _alone(spec, chip, of, sizes, phase)
        for of in (deployment.model_copy(update={"precision": precision}) for precision in formats)
        for sizes in _sizes(spec, chip, of)
    ]
    least = min(found, key=lambda s: s.time_s)
    fits = True if any(s.fits for s in found) else None if any(s.fits is None for s in found) else False
    return least.model_copy(update={"fits": fits})


def _alone(
    spec: Spec, chip: Chip, deployment: Deployment, sizes: _Sizes, phase: Literal["prefill", "decode"]
) -> Soonest:
    """Of groups of these sizes in one format, with as few sequences as may be."""
    drafted, shortest, one = _drafted(deployment), _shortest(deployment), 1 / sizes.most
    found = deployment.model_copy(update={**drafted, **shortest, "chips": sizes.most, "batch": one})
    limits = ceiling(spec, chip, found, phase, generous=True)
    limit, held = limits.memory_limit_bytes, sizes.weight_bytes / sizes.most
    if deployment.batch is not None:
        most = MOST_SEQUENCES if limit is None else (limit - held) / max(limits.cache_bytes / one, 1e-12)
        batch = max(one, min(deployment.batch, most))
        limits = ceiling(spec, chip, found.model_copy(update={"batch": batch}), phase, generous=True)
    kept = 1 + drafted["mtp_acceptance"] if phase == "decode" else 1.0
    binding: Binding = "compute" if limits.compute_s >= limits.memory_s else "memory"
    time = max(limits.compute_s, limits.memory_s) / kept
    return Soonest(time_s=time, binding=binding, fits=None if limit is None else held <= limit)
