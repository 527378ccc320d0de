"""Where the time of a token goes: the seconds that each part of a step takes at the chip's limits, one after the other.

The same parts make the law of published rates (`harness.roofline.law`) and the similarity of two workloads. Where a
source does not say how a model is placed, the placement that needs the least time counts: experts spread over the group
with a copy of all other weights on every device, or those weights shared by the devices of a node (tensor parallelism),
which costs two reductions a layer and, with a latent cache, a copy of the cache on every device.
"""

from typing import NamedTuple

from harness.catalog.chips import Chip
from harness.model.spec import Spec
from harness.roofline.ceiling import ceiling
from harness.roofline.deployment import Deployment
from harness.vocabulary import MIXED_PHASES, Phase, RatePhase

PACKAGES_OF_A_NODE = 8
"""Servers of the catalogued chips hold eight packages; tensor parallelism stays inside one where nothing is said."""


class Parts(NamedTuple):
    """Seconds of one token on one package, by part. Those of the prompt are zero in decode, and the other way round."""

    experts: float
    """reading the weights of the routed experts"""
    weights: float
    """reading all other weights"""
    cache: float
    products: float
    """products of weights in decode"""
    attention: float
    """scores and sums over the context, and the indexer's, in decode"""
    links: float
    activations: float
    """traffic between kernels in decode"""
    launches: float
    prompt_memory: float
    prompt_products: float
    prompt_attention: float
    prompt_links: float
    prompt_activations: float


_ATTENTION = ("attention_core", "indexer")
_DECODE_MEMORY = {"experts": "experts", "kv_cache": "cache"}
USUAL_FACTORS = Parts(1.5, 1.5, 2.0, 2.5, 3.0, 1.5, 1.0, 1.5, 1.5, 2.0, 4.0, 1.5, 1.0)
"""What parts take over their limits, before any rate is seen: bandwidth is reached to two thirds, products in decode to
two fifths of the peak, the attention core of a prompt to a quarter. Priors of the law; the choice of a placement."""


def _of_phase(
    out: dict[str, float], spec: Spec, chip: Chip, deployment: Deployment, phase: Phase, weight: float
) -> None:
    """Add the parts of one phase, times `weight` (tokens of the phase for each token that the rate counts)."""
    limits = ceiling(spec, chip, deployment, phase)
    share = weight / limits.tokens
    shards = deployment.dense_shards or 1
    within_node = shards > 1 and (deployment.chips or 1) <= PACKAGES_OF_A_NODE
    prompt = "prompt_" if phase == "prefill" else ""
    for component in limits.shares:
        name = component.name
        memory = component.memory_s
        if name == "kv_cache" and shards > 1 and spec.attention != "gqa":
            memory *= shards  # a latent cannot be split by heads: every device reads the cache of all sequences
        part = "prompt_memory" if prompt else _DECODE_MEMORY.get(name, "weights")
        out[part] += memory * share
        out[prompt + ("attention" if name in _ATTENTION else "products")] += component.compute_s * share
        if not (within_node and name == "all_to_all"):  # the reductions bring the experts' outputs home as well
            out[prompt + "links"] += component.link_s * share
    out[prompt + "activations"] += limits.activation_s * share
    out["launches"] += limits.launch_s * share


def _placed(spec: Spec, chip: Chip, deployment: Deployment, phase: RatePhase) -> Parts:
    out = dict.fromkeys(Parts._fields, 0.0)
    if phase in MIXED_PHASES:
        ratio = (deployment.prompt_tokens or 0.0) / (deployment.output_tokens or 1.0)
        counted = 1.0 if phase == "output_all" else 1.0 + ratio
        _of_phase(out, spec, chip, deployment, "decode", 1 / counted)
        _of_phase(out, spec, chip, deployment.model_copy(update={"batch": None}), "prefill", ratio / counted)
    else:
        _of_phase(out, spec, chip, deployment, "prefill" if phase == "prefill" else "decode", 1.0)
    return Parts(**out)


def shardings(chip: Chip, deployment: Deployment) -> tuple[int | None, ...]:
    """Devices that could share one copy of the non-expert weights: as stated, or none and those of a node."""
    stated = deployment.dense_shards or deployment.tensor_parallel
    devices = (deployment.chips or 1) * chip.devices_per_package
    if stated is not None:
        return (min(stated, devices),)
    return (None,) if devices == 1 else (None, min(devices, PACKAGES_OF_A_NODE * chip.devices_per_package))


def parts(spec: Spec, chip: Chip, deployment: Deployment, phase: RatePhase) -> Parts:
    """Seconds a token at the chip's preferred sourced figures, in the placement that needs the least time.

    The deployment must give every condition that the phase needs. Raises UsageError for one that is missing.
    """
    found = [
        _placed(spec, chip, deployment.model_copy(update={"dense_shards": shards}), phase)
        for shards in shardings(chip, deployment)
    ]
    return min(found, key=lambda p: sum(s * f for s, f in zip(p, USUAL_FACTORS, strict=True)))
