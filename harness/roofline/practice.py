"""Conditions that a source leaves out, drawn as published systems have them: for the middle and the width of a range.

Bounds are another matter: they range over all that is possible (`harness.roofline.bound`). Draws are a low-discrepancy
sequence (Halton), so a rate has the same draws in every run. The ranges are those of the published rates that state the
condition:

- batch: a quarter of what fits up to all of it for software that was tuned (the rates that leave the batch out are of
  peak throughput), from a fiftieth of it for other software;
- prompt 128 to 8,192 and output 200 to 4,000 tokens; a decode context is the prompt and half of the output;
- drafts none, 1 or 3 a step; each is kept with a chance of 0.6 to 0.9, and only after the ones before it, so 3 drafts
  give 1.2 to 2.4 tokens (measured: 1.2 to 2.5);
- packages of a group 8 to 144 for a mixture of experts, 1 to 8 for a model that one package holds or a dense one;
- a cache of grouped-query attention in 8 or 16 bits beside weights of 8 bits or fewer.
"""

import math
from collections.abc import Iterator
from itertools import islice

from harness.catalog.chips import Chip
from harness.model.counts import parameters
from harness.model.spec import Spec
from harness.roofline.ceiling import runs, spread_out, with_context
from harness.roofline.deployment import Deployment, number_format
from harness.roofline.parts import shardings
from harness.roofline.work import work
from harness.vocabulary import Maturity, Precision, RatePhase

MOST_SEQUENCES = 4096.0
"""Of one package; released engines schedule no more."""
MOST_PACKAGES = 100_000
ROOM = 0.9
"""Of the memory for weights and caches: released engines keep a tenth back by default."""
MOST_OF_BUFFERS = 0.05
"""Of a package's memory for communication buffers: five times their share in the disclosed system (1.3 of 128 GB)."""
_GROUPS = (8, 16, 32, 72, 144)
_SMALL_GROUPS = (1, 2, 4, 8)
_PROMPTS = (128.0, 8192.0)
_OUTPUTS = (200.0, 4000.0)
_DRAFTS = (0, 0, 1, 1, 3)
_KEPT = (0.6, 0.9)
_FILL: dict[Maturity | None, tuple[float, float]] = {
    "tuned": (0.25, 1.0),
    "default": (0.02, 0.7),
    "early": (0.02, 0.7),
    None: (0.2, 1.0),
}
_BASES = {"precision": 2, "chips": 3, "prompt": 5, "output": 7, "drafts": 11, "kept": 13, "cache": 17, "batch": 19}


_WIDE: tuple[Precision, ...] = ("fp32", "bf16", "fp16")
_MIXED = ("precision", "chips", "batch", "cache", "prompt", "output", "mtp", "acceptance")
_NEEDED: dict[RatePhase, tuple[str, ...]] = {
    "prefill": ("precision", "chips", "prompt"),
    "decode": ("precision", "chips", "batch", "cache", "context", "mtp", "acceptance"),
    "output_all": _MIXED,
    "total_all": _MIXED,
}
"""Conditions that the rate of a phase depends on."""


def missing(spec: Spec, deployment: Deployment, phase: RatePhase) -> tuple[str, ...]:
    """Names of the conditions that `phase` needs and `deployment` leaves open."""
    d = with_context(deployment)
    needed = _NEEDED[phase]
    open_ = {
        "precision": d.precision is None,
        "chips": d.chips is None,
        "batch": d.batch is None,
        "cache": cache_open(spec, d),
        "context": d.context_tokens is None,
        "prompt": d.prompt_tokens is None,
        "output": d.output_tokens is None,
        "mtp": spec.num_nextn_predict_layers > 0 and d.mtp_drafts is None,
        "acceptance": bool(d.mtp_drafts) and d.mtp_acceptance is None,
    }
    return tuple(name for name, is_open in open_.items() if is_open and name in needed)


def cache_open(spec: Spec, deployment: Deployment) -> bool:
    """Whether the format of the cache is a condition that is not given, and any layer has a cache of keys and values
    that is neither latent nor V4's."""
    plain = spec.attention == "gqa" and spec.attention_layers > 0
    return plain and deployment.kv_bytes is None and deployment.precision not in _WIDE


def _halton(index: int, base: int) -> float:
    out, fraction = 0.0, 1.0
    while index > 0:
        fraction /= base
        out += fraction * (index % base)
        index //= base
    return out


def _between(low: float, high: float, at: float) -> float:
    """The value at this share of the way, on a scale of ratios."""
    return math.exp(math.log(low) + at * (math.log(high) - math.log(low)))


def accepted(drafts: int, kept: float) -> float:
    """Drafts accepted a step where each is kept with chance `kept`, if all before it were."""
    return math.fsum(kept**i for i in range(1, drafts + 1))


def _usual_precisions(spec: Spec, chip: Chip) -> tuple[Precision, ...]:
    """The released format of families that come in four bits, else eight bits where the chip has them."""
    if spec.model_type in ("deepseek_v4", "gpt_oss", "kimi_k3") and runs(chip, "fp4"):
        return ("fp4",)
    eight: tuple[Precision, ...] = ("fp8", "int8")
    return tuple(p for p in eight if runs(chip, p))[:1] or ("bf16",)


def largest_batch(spec: Spec, chip: Chip, deployment: Deployment) -> float:
    """Sequences a package whose caches fit beside the weights, in the placement with the most room; 0 for none."""
    if chip.memory is None:
        return MOST_SEQUENCES
    most = 0.0
    for shards in shardings(chip, deployment):
        one = work(
            spec,
            deployment.model_copy(update={"batch": 1.0, "dense_shards": shards}),
            "decode",
            devices_per_package=chip.devices_per_package,
        )
        buffers = min(one.buffer_bytes, MOST_OF_BUFFERS * chip.memory.high)  # small packages keep them in proportion
        room = ROOM * chip.memory.high - one.weight_bytes - buffers
        most = max(most, room / max(one.cache_bytes, 1.0))
    return min(most, MOST_SEQUENCES)


def _is_small(spec: Spec, chip: Chip, precision: Precision) -> bool:
    """Whether the model is dense, or its weights take no more than half of one package."""
    if not spec.is_sparse:
        return True
    held = parameters(spec).total * number_format(precision).weight_bytes
    return chip.memory is not None and held <= chip.memory.high / 2


def _filled(spec: Spec, chip: Chip, given: Deployment, at: dict[str, float]) -> Deployment:
    """Everything but the batch."""
    update: dict[str, object] = {}
    usual = _usual_precisions(spec, chip)
    if given.precision is None:
        update["precision"] = usual[int(at["precision"] * len(usual))]
    if given.chips is None:
        groups = _SMALL_GROUPS if _is_small(spec, chip, given.precision or usual[0]) else _GROUPS
        update["chips"] = groups[int(at["chips"] * len(groups))]
    if given.prompt_tokens is None:
        update["prompt_tokens"] = min(_between(*_PROMPTS, at["prompt"]), float(spec.max_position_embeddings))
    if given.output_tokens is None:
        update["output_tokens"] = _between(*_OUTPUTS, at["output"])
    drafts = given.mtp_drafts
    if drafts is None:
        drafts = _DRAFTS[int(at["drafts"] * len(_DRAFTS))] if spec.num_nextn_predict_layers else 0
        update["mtp_drafts"] = drafts
    if given.mtp_acceptance is None:
        update["mtp_acceptance"] = accepted(drafts, _KEPT[0] + (_KEPT[1] - _KEPT[0]) * at["kept"])
    found = given.model_copy(update=update)
    if cache_open(spec, found):
        found = found.model_copy(update={"kv_bytes": 1.0 if at["cache"] < 0.5 else 2.0})
    return with_context(found)


def _with_batch(spec: Spec, chip: Chip, found: Deployment, at: float) -> Deployment | None:
    """A batch as published systems have it; of a stated one that does not fit only what fits is served at a time. None
    where the weights alone do not fit."""
    most = largest_batch(spec, chip, found)
    if most <= 0:
        return None
    least = 1 / (found.chips or 1)
    if found.batch is not None:
        return found if found.batch <= most else found.model_copy(update={"batch": max(most, least)})
    low, high = _FILL[found.maturity]
    top = max(least, high * most)
    return found.model_copy(update={"batch": _between(min(top, max(least, low * most)), top, at)})


def is_open(spec: Spec, deployment: Deployment, phase: RatePhase) -> bool:
    """Whether the deployment leaves out a condition that the rate depends on."""
    return bool(missing(spec, deployment, phase))


def _at(index: int) -> dict[str, float]:
    return {name: _halton(index, base) for name, base in _BASES.items()}


def _fitting(spec: Spec, chip: Chip, given: Deployment, phase: RatePhase, tries: int) -> Iterator[Deployment]:
    for index in range(1, tries + 1):
        at = _at(index)
        found: Deployment | None = _filled(spec, chip, given, at)
        if found is not None and phase != "prefill":
            found = _with_batch(spec, chip, found, at["batch"])
        if found is not None:
            yield found


def _spread_out(spec: Spec, chip: Chip, given: Deployment) -> Deployment:
    """Every weight once in the group; one of open size is the smallest, by doubling, that holds the model."""
    found = _filled(spec, chip, given, _at(1))
    while True:
        found = spread_out(spec, chip, found)
        large = given.chips is not None or (found.chips or 1) >= MOST_PACKAGES
        if large or largest_batch(spec, chip, found) > 0:
            kept = {name: getattr(found, name) for name in ("chips", "expert_slots", "dense_shards")}
            return given.model_copy(update=kept)
        grown = {name: getattr(given, name) for name in ("expert_slots", "dense_shards")}
        found = found.model_copy(update={**grown, "chips": 2 * (found.chips or 1)})


def draws(spec: Spec, chip: Chip, deployment: Deployment, phase: RatePhase, count: int) -> tuple[Deployment, ...]:
    """Up to `count` deployments without open conditions, equally likely; one where nothing is open.

    Where no usual group holds the model with copies of its non-expert weights, every weight is kept once in the group,
    and an open one grows until it holds them; where the stated group does not hold it, the one deployment returned
    serves one sequence at a time, and its limits say that it does not fit.
    """
    wanted = count if is_open(spec, deployment, phase) else 1
    out = tuple(islice(_fitting(spec, chip, deployment, phase, 8 * wanted), wanted))
    if not out:
        spread = _spread_out(spec, chip, deployment)
        out = tuple(islice(_fitting(spec, chip, spread, phase, 8 * wanted), wanted))
    if out:
        return out
    alone = _filled(spec, chip, deployment, _at(1))
    return (alone.model_copy(update={"batch": alone.batch or 1 / (alone.chips or 1)}),)
