"""Which conditions a deployment leaves open, and the ranges of values that they could have.

A condition that is not given is a range, not a default. `admissible` spans the range with few values, extremes
included; where the model is placed is such a range. What refutes is `harness.roofline.bound`, over all values and not
these few. `likely` is the part of the range that published systems
work in; only the middle of an interval is taken from it, never an end.
"""

import itertools
import math

from harness.catalog.chips import Chip
from harness.errors import UsageError
from harness.model.spec import Spec
from harness.roofline.ceiling import runs, spread_out, with_context
from harness.roofline.deployment import Deployment, number_format
from harness.roofline.work import Work, work
from harness.vocabulary import PRECISIONS, Frozen, Precision, RatePhase

# Group sizes of disclosed deployments: one package, a node of eight, EP16 to EP320 (DeepSeek, SGLang, CloudMatrix384).
_CHIPS = (1, 2, 4, 8, 16, 32, 72, 144, 320)
_CONTEXTS = (256.0, 2048.0, 8192.0, 32768.0)
_PROMPTS = (256.0, 4096.0, 32768.0)
_OUTPUTS = (64.0, 1024.0, 8192.0)
# Accepted drafts for each draft token: 0.7 is assumed by CloudMatrix384 and SGLang; the DeepSeek-V3 report, section
# 5.4.3, measures 0.85 to 0.90 for the second token.
_DRAFTS = ((0, 0.0), (1, 0.5), (1, 0.9), (3, 1.2), (3, 2.7))
_LIKELY_DRAFTS = ((0, 0.0), (1, 0.7))
# Published rates that state their batch lie above the one and between the others of the largest that fits, latency
# runs apart.
_LIKELY_LEAST = 64.0
_LIKELY_FILL = (1 / 8, 2 / 3)
_LIKELY_CONTEXT = 4096.0
_LIKELY_OUTPUT = 1024.0
# Bytes of a cached element beside weights of 8 bits or fewer. Disclosed systems with latent attention keep 16 bits;
# released FP8 and FP4 checkpoints of grouped-query models come with a cache in FP8, INT8 ones with either.
_CACHE_BYTES = (1.0, 2.0)
_WIDE: tuple[Precision, ...] = ("fp32", "bf16", "fp16")
_EIGHT_BIT: tuple[Precision, ...] = ("fp8", "int8")
BATCH_LIMIT = 4096.0
_MOST_OF_BUFFERS = 0.05
"""Of a package's memory for communication buffers: five times their share in the
disclosed system (1.3 of 128 GB)."""


_MIXED = ("precision", "chips", "batch", "cache", "prompt", "output", "mtp", "acceptance")
_NEEDED: dict[RatePhase, tuple[str, ...]] = {
    "prefill": ("precision", "chips", "prompt"),
    "decode": ("precision", "chips", "batch", "cache", "context", "mtp", "acceptance"),
    "output_all": _MIXED,
    "total_all": _MIXED,
}
"""Conditions that the rate of a phase depends on."""


class Scenarios(Frozen):
    """Deployments without open conditions."""

    missing: tuple[str, ...]
    admissible: tuple[Deployment, ...]
    likely: tuple[Deployment, ...]


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
    """Whether the format of the cache is a condition that is not given."""
    return spec.attention == "gqa" and deployment.kv_bytes is None and deployment.precision not in _WIDE


def _caches(spec: Spec, deployment: Deployment, likely: bool) -> tuple[float | None, ...]:
    if not cache_open(spec, deployment):
        return (deployment.kv_bytes,)
    return _CACHE_BYTES[:1] if likely and deployment.precision in ("fp8", "fp4") else _CACHE_BYTES


def _precisions(spec: Spec, chip: Chip, deployment: Deployment) -> tuple[tuple[Precision, ...], tuple[Precision, ...]]:
    if deployment.precision is not None:
        return (deployment.precision,), (deployment.precision,)
    all_of = tuple(p for p in PRECISIONS if p not in ("fp16", "fp32") and runs(chip, p))
    native: Precision | None = "fp4" if spec.model_type in ("deepseek_v4", "gpt_oss") else None
    eight = tuple(p for p in _EIGHT_BIT if p in all_of)[:1]
    likely = (native,) if native is not None and native in all_of else eight or ("bf16",)
    return all_of, likely


def _drafts(spec: Spec, deployment: Deployment, likely: bool) -> tuple[tuple[int, float], ...]:
    given, accepted = deployment.mtp_drafts, deployment.mtp_acceptance
    if given == 0 or (given is None and spec.num_nextn_predict_layers == 0):
        return ((0, 0.0),)
    if given is None:
        return _LIKELY_DRAFTS if likely else _DRAFTS
    if accepted is not None:
        return ((given, accepted),)
    return ((given, 0.7 * given),) if likely else ((given, 0.4 * given), (given, 0.9 * given))


def _largest_batch(spec: Spec, chip: Chip, deployment: Deployment) -> float | None:
    """Sequences whose cache fits beside the weights; None where the weights alone do not."""
    if chip.memory is None:
        return BATCH_LIMIT
    one = work(
        spec, deployment.model_copy(update={"batch": 1.0}), "decode", devices_per_package=chip.devices_per_package
    )
    room = chip.memory.high - one.weight_bytes - _buffers(chip, one)
    if room <= 0:
        return None
    return min(BATCH_LIMIT, room / max(one.cache_bytes, 1.0))


def _buffers(chip: Chip, one: Work) -> float:
    """Communication buffers, sized for packages of tens of gigabytes; a small package keeps them in proportion."""
    return min(one.buffer_bytes, _MOST_OF_BUFFERS * chip.memory.high) if chip.memory else one.buffer_bytes


def _placed(spec: Spec, chip: Chip, deployment: Deployment) -> tuple[Deployment, float | None]:
    """The deployment in the first placement that fits, and the largest batch there: experts over the devices beside a
    copy of all else on each, as disclosed systems do; else every weight once in the group."""
    largest = _largest_batch(spec, chip, deployment)
    if largest is not None and (deployment.batch or 0.0) <= largest:
        return deployment, largest
    spread = spread_out(spec, chip, deployment)
    wider = _largest_batch(spec, chip, spread)
    fits = wider is not None and (deployment.batch or 0.0) <= wider
    return (spread, wider) if fits else (deployment, largest)


def _batches(largest: float, likely: bool) -> tuple[float, ...]:
    if likely:
        least = min(largest, _LIKELY_LEAST)
        low, high = (max(least, fill * largest) for fill in _LIKELY_FILL)
        return tuple(dict.fromkeys((low, (low * high) ** 0.5, high)))
    return tuple(dict.fromkeys(largest**x for x in (0.0, 1 / 3, 2 / 3, 1.0))) if largest > 1 else (largest,)


def _with_batch(spec: Spec, chip: Chip, found: Deployment, likely: bool) -> list[Deployment]:
    """The deployment at several batches where the batch is open; none where its weights do not fit."""
    found, largest = _placed(spec, chip, found)
    if found.batch is not None or largest is None:
        return [found] if largest is not None and (found.batch or 0) <= largest else []
    return [found.model_copy(update={"batch": b}) for b in _batches(largest, likely)]


def _lengths(spec: Spec, deployment: Deployment, phase: RatePhase, likely: bool) -> dict[str, tuple[float | None, ...]]:
    """Context, prompt and output lengths: as given, or ranged over where they are open."""
    top, prompt = float(spec.max_position_embeddings), deployment.prompt_tokens or 0.0
    contexts = dict.fromkeys(max(c, prompt) for c in _CONTEXTS if c <= top)  # decode goes on from the whole prompt
    ranges = {
        "context": ("context_tokens", tuple(contexts) or (top,), max(_LIKELY_CONTEXT, prompt)),
        "prompt": ("prompt_tokens", tuple(p for p in _PROMPTS if p <= top) or (top,), _LIKELY_CONTEXT),
        "output": ("output_tokens", _OUTPUTS, _LIKELY_OUTPUT),
    }
    open_ = missing(spec, deployment, phase)
    out: dict[str, tuple[float | None, ...]] = {}
    for name, (field, values, usual) in ranges.items():
        ranged = (usual,) if likely else values
        out[field] = ranged if name in open_ else (getattr(deployment, field),)
    return out


def _groups(spec: Spec, chip: Chip, precisions: tuple[Precision, ...]) -> tuple[int, ...]:
    """Sizes of disclosed groups; where the weights fit none of them, sizes from the least that holds them."""
    if chip.memory is None or not precisions:
        return _CHIPS
    narrowest = min(precisions, key=lambda p: number_format(p).weight_bytes)
    alone = Deployment(precision=narrowest, chips=1, batch=1.0, context_tokens=1.0, mtp_drafts=0)
    whole = work(spec, spread_out(spec, chip, alone), "decode", devices_per_package=chip.devices_per_package)
    least = whole.weight_bytes / ((1 - _MOST_OF_BUFFERS) * chip.memory.high)
    return _CHIPS if least < _CHIPS[-1] else tuple(math.ceil(least * by) for by in (1.1, 1.5, 2, 4))


def _span(spec: Spec, chip: Chip, deployment: Deployment, phase: RatePhase, likely: bool) -> list[Deployment]:
    all_of, usual = _precisions(spec, chip, deployment)
    chips = (deployment.chips,) if deployment.chips is not None else _groups(spec, chip, all_of)
    lengths = _lengths(spec, deployment, phase, likely)
    drafts = _drafts(spec, deployment, likely) if phase != "prefill" else ((0, 0.0),)
    names = ("precision", "chips", *lengths)
    out: list[Deployment] = []
    plain = itertools.product(usual if likely else all_of, chips, *lengths.values())
    for values, (draft, accepted) in itertools.product(plain, drafts):
        update = {**dict(zip(names, values, strict=True)), "mtp_drafts": draft, "mtp_acceptance": accepted}
        found = with_context(deployment.model_copy(update=update))
        if phase == "prefill":
            probe = found.model_copy(update={"context_tokens": found.prompt_tokens})
            placed, largest = _placed(spec, chip, probe.model_copy(update={"batch": None}))
            where = {"expert_slots": placed.expert_slots, "dense_shards": placed.dense_shards}
            out += [found.model_copy(update=where)] if largest is not None else []
        else:
            for element in _caches(spec, found, likely):
                out += _with_batch(spec, chip, found.model_copy(update={"kv_bytes": element}), likely)
    return _usual_groups(out, chips) if likely else out


def _usual_groups(found: list[Deployment], chips: tuple[int, ...]) -> list[Deployment]:
    """Drop the smallest group that only just fits and the largest, where there are others between."""
    sizes = sorted({d.chips or 0 for d in found})
    kept = sizes if len(chips) == 1 or len(sizes) < 4 else sizes[1:-1]
    return [d for d in found if (d.chips or 0) in kept]


def scenarios(spec: Spec, chip: Chip, deployment: Deployment, phase: RatePhase) -> Scenarios:
    """Every open condition, ranged over. A deployment without open conditions is its own only scenario.

    Scenarios that do not fit the chip's memory are dropped; if none fits, one that does not fit is kept, and its
    ceiling says so. Raises UsageError where the chip has none of the formats.
    """
    deployment = with_context(deployment)
    names = missing(spec, deployment, phase)
    if spec.num_nextn_predict_layers == 0 and deployment.mtp_drafts is None:
        deployment = deployment.model_copy(update={"mtp_drafts": 0, "mtp_acceptance": 0.0})
    if not names:
        if phase != "prefill":
            deployment = _placed(spec, chip, deployment)[0]
        return Scenarios(missing=(), admissible=(deployment,), likely=(deployment,))
    admissible = _span(spec, chip, deployment, phase, likely=False)
    likely = _span(spec, chip, deployment, phase, likely=True)
    if not admissible:
        admissible = [_too_large(spec, chip, deployment)]
    return Scenarios(missing=names, admissible=tuple(admissible), likely=tuple(likely) or tuple(admissible))


def _too_large(spec: Spec, chip: Chip, deployment: Deployment) -> Deployment:
    """A scenario that is kept although it does not fit, so that the answer can say by how much."""
    all_of, usual = _precisions(spec, chip, deployment)
    if not all_of:
        raise UsageError(f"no source gives {chip.name} arithmetic in any known precision")
    drafts, accepted = _drafts(spec, deployment, likely=True)[0]
    open_values = {
        "precision": usual[0],
        "chips": _CHIPS[-1],
        "batch": 1.0,
        "context_tokens": _LIKELY_CONTEXT,
        "prompt_tokens": _LIKELY_CONTEXT,
        "output_tokens": _LIKELY_OUTPUT,
        "mtp_drafts": drafts,
        "mtp_acceptance": accepted,
    }
    return deployment.model_copy(update={k: v for k, v in open_values.items() if getattr(deployment, k) is None})
