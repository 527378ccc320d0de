"""Operations and bytes of one step on one package, by component, in closed form.

A step is one decode iteration over the package's batch, or the prefill of its batch of prompts. Symbols as in the
papers: L layers, d hidden, E routed experts, k chosen, s shared, B sequences per package, q positions per sequence.
Experts touched by T routed positions are `U(T) = E * (1 - (1 - k/E)^T)`, which assumes independent uniform choice:
the most experts touched, and the best balance.
"""

import math
from typing import Literal, TypeVar

from harness.errors import UsageError
from harness.model.context import cache_format, over_context
from harness.model.counts import (
    compressor_products,
    dense_products,
    expert_parameters,
    expert_products,
    hyper_connection_products,
    mixer_parameters,
    mixer_products,
    parameters,
    router_parameters,
    shared_products,
)
from harness.model.recurrent import state_bytes
from harness.model.routing import experts_touched
from harness.model.spec import Spec
from harness.roofline.deployment import Deployment, number_format
from harness.roofline.overheads import activation_bytes
from harness.vocabulary import Frozen, RatePhase

ComponentName = Literal[
    "experts", "shared_experts", "dense_layers", "router", "attention_projections", "attention_core", "indexer", "head",
    "compressor", "hyper_connections",
    "kv_cache", "all_to_all", "all_reduce",
]  # fmt: skip
Arithmetic = Literal["expert", "projection", "core"]
T = TypeVar("T")

# A dispatched token of 7,168 eight-bit elements is a message of 7.5 KB (CloudMatrix384, section 4.2.2): scales and
# metadata add 7,680 / 7,168 - 1.
DISPATCH_OVERHEAD = 7680 / 7168 - 1
COMBINE_BYTES = 2.0  # BF16 (DeepSeek-V3 report, section 3.4; CloudMatrix384, section 4.2.2)
PREFILL_TOKENS_PER_PACKAGE = 16384.0  # in flight, in the disclosures of DeepSeek, SGLang and CloudMatrix384
BUFFER_BYTES_PER_DEVICE = 645e6  # communication buffers of one die (CloudMatrix384, section 4.2.2)


class Component(Frozen):
    """One part's share of a step, per package."""

    name: ComponentName
    flop: float = 0.0
    arithmetic: Arithmetic | None = None
    read_bytes: float = 0.0
    link_bytes: float = 0.0


class Work(Frozen):
    """A step of one package."""

    phase: Literal["prefill", "decode"]
    tokens: float
    """tokens that the step yields: kept output tokens in decode, prompt tokens in prefill"""
    positions: float
    components: tuple[Component, ...]
    weight_bytes: float
    """resident weights"""
    cache_bytes: float
    """resident cache at the stated context"""
    buffer_bytes: float
    activation_bytes: float
    """traffic between kernels; in no ceiling (see `harness.roofline.overheads`)"""
    experts_touched: float | None
    """distinct routed experts of a layer that the group's positions touch; None for a dense model"""

    @property
    def link_bytes(self) -> float:
        return math.fsum(c.link_bytes for c in self.components)

    @property
    def resident_bytes(self) -> float:
        return self.weight_bytes + self.cache_bytes + self.buffer_bytes


class Placement(Frozen):
    """Where a group of packages keeps a model."""

    devices: float
    """devices of the group"""
    devices_per_package: int
    slots: float
    """routed-expert copies held by a package"""
    shared_apart: bool
    """shared experts live on devices of their own, and are reached over the network"""
    dense_shards: float


def placement(spec: Spec, deployment: Deployment, devices_per_package: int) -> Placement:
    """Place experts on the group: one set of copies, rounded up to whole devices.

    A group with more devices than routed experts puts its shared experts on devices of their own (CloudMatrix384
    EP320: one slot a device for 256 routed, 32 redundant and 32 shared copies); a smaller one keeps a copy of the
    shared experts on every device (DeepSeek's EP144, SGLang's EP72).
    """
    chips = _given(deployment.chips, "chips")
    devices = chips * devices_per_package
    apart = spec.n_shared_experts > 0 and devices > spec.n_routed_experts > 0
    whole = float(math.ceil(spec.n_routed_experts / devices) * devices_per_package)
    return Placement(
        devices=devices,
        devices_per_package=devices_per_package,
        slots=deployment.expert_slots or whole,
        shared_apart=apart,
        dense_shards=deployment.dense_shards or (1 if spec.is_sparse else devices),
    )


def _given(value: T | None, name: str) -> T:
    if value is None:
        raise UsageError(f"the work of a step depends on '{name}', which is not given; give it, or use a projection")
    return value


def _feed_forward(
    spec: Spec, deployment: Deployment, where: Placement, positions: float, touched: float
) -> tuple[list[Component], float]:
    """Experts, shared experts, dense layers and router; with the resident bytes of their weights."""
    weight = number_format(_given(deployment.precision, "precision")).weight_bytes
    moe, expert = spec.moe_layers, expert_parameters(spec)
    out: list[Component] = []
    resident = 0.0
    replicas = where.devices_per_package / where.dense_shards
    if spec.is_sparse:
        held = moe * expert * weight * where.slots
        flop = 2 * positions * moe * spec.num_experts_per_tok * expert_products(spec)
        read = held * touched / spec.n_routed_experts
        out.append(Component(name="experts", flop=flop, arithmetic="expert", read_bytes=read))
        shared = 0.0 if where.shared_apart else moe * shared_products(spec) * weight * replicas
        flop = 2 * positions * moe * shared_products(spec)
        out.append(Component(name="shared_experts", flop=flop, arithmetic="expert", read_bytes=shared))
        router = moe * router_parameters(spec)
        read = router * 2.0 * replicas  # routers are kept in 16 bits or more
        flop = 2 * positions * moe * spec.hidden_size * spec.n_routed_experts
        out.append(Component(name="router", flop=flop, arithmetic="projection", read_bytes=read))
        resident += held + shared + read
    if spec.dense_layers:
        dense = spec.dense_layers * dense_products(spec)
        read = dense * weight * replicas
        flop = 2 * positions * dense
        out.append(Component(name="dense_layers", flop=flop, arithmetic="expert", read_bytes=read))
        resident += read
    return out, resident


class _Attended(Frozen):
    """What one step attends over."""

    sequences: float
    positions: float
    context: float
    decode: bool
    least: bool
    """every choice that no source states in the rate's favour"""


def _cache(spec: Spec, deployment: Deployment, over: _Attended) -> tuple[Component, float]:
    """Traffic of caches and states in a step, and their resident bytes.

    One position of a sequence reads the sequence's cache; drafts of the same step share that read. Prefill reads its
    own keys and values on the way, at least once. A state is read and written back by each step of decode; prefill
    begins without one, and leaves one for a prompt of any length, which is not counted.
    """
    context = over_context(spec, over.context, "decode" if over.decode else "prefill", least=over.least)
    kept = cache_format(spec, deployment.kv_bytes)
    state = state_bytes(spec, narrow=over.least)
    stored = kept.size(context.stored_elements, context.index_elements)
    read = kept.size(context.read_elements, context.index_elements) + 2 * state if over.decode else stored
    return Component(name="kv_cache", read_bytes=over.sequences * read), over.sequences * (stored + state)


def _attention(
    spec: Spec, deployment: Deployment, where: Placement, over: _Attended
) -> tuple[list[Component], float, float]:
    """Projections, core, indexer and cache; with the resident bytes of weights and of the cache."""
    positions = over.positions
    replicas = where.devices_per_package / where.dense_shards
    weights = mixer_parameters(spec)
    count = parameters(spec)
    index_weights = count.indexer
    surrounding = number_format(_given(deployment.precision, "precision")).surrounding
    weight = number_format(deployment.projection_precision or surrounding).weight_bytes
    context = over_context(spec, over.context, "decode" if over.decode else "prefill", least=over.least)
    cache, cache_bytes = _cache(spec, deployment, over)
    out = [
        Component(
            name="attention_projections",
            flop=2 * positions * mixer_products(spec),
            arithmetic="projection",
            read_bytes=weights * weight * replicas,
        ),
        Component(name="attention_core", flop=positions * context.core_flop, arithmetic="core"),
        cache,
    ]
    if index_weights:
        flop = positions * (context.indexer_flop + 2 * index_weights)
        read = index_weights * weight * replicas
        out.append(Component(name="indexer", flop=flop, arithmetic="projection", read_bytes=read))
    resident = (weights + index_weights) * weight * replicas
    if count.compressor or count.hyper_connections:
        # both are kept in 16 bits or more
        kept = {"compressor": count.compressor * 2.0 * replicas, "mixing": count.hyper_connections * 2.0 * replicas}
        made = 2 * positions * compressor_products(spec), 2 * positions * hyper_connection_products(spec)
        out += [
            Component(name="compressor", flop=made[0], arithmetic="core", read_bytes=kept["compressor"]),
            Component(name="hyper_connections", flop=made[1], arithmetic="core", read_bytes=kept["mixing"]),
        ]
        resident += sum(kept.values())
    return out, resident, cache_bytes


def _traffic(spec: Spec, deployment: Deployment, where: Placement, positions: float) -> list[Component]:
    """Expert-parallel dispatch and combine, and the reductions of a tensor-parallel dense model."""
    out: list[Component] = []
    if where.devices <= where.devices_per_package:
        return []  # a single package: what its dies exchange is not on the links
    if spec.is_sparse:
        copies = deployment.destinations
        if copies is None:
            copies = spec.num_experts_per_tok + (spec.n_shared_experts if where.shared_apart else 0)
        dispatch = number_format(_given(deployment.precision, "precision")).dispatch_bytes
        per_copy = (spec.moe_latent_size or spec.hidden_size) * (dispatch * (1 + DISPATCH_OVERHEAD) + COMBINE_BYTES)
        out.append(Component(name="all_to_all", link_bytes=positions * spec.moe_layers * copies * per_copy))
    if where.dense_shards > 1:
        shards = where.dense_shards
        # A ring all-reduce moves 2*(G-1)/G of the activations, after each part, for every sequence of the group.
        moved = 2 * (shards - 1) / shards * positions * shards * spec.hidden_size * 2.0
        out.append(Component(name="all_reduce", link_bytes=spec.parts * moved))
    return out


def work(
    spec: Spec, deployment: Deployment, phase: RatePhase, *, devices_per_package: int = 1, fewest_experts: bool = False
) -> Work:
    """Operations and bytes of one step on one package. `fewest_experts`: all tokens choose the same ones, as a bound
    has to take, which takes the least of chunks and states too; else as many as independent uniform routing touches.

    Needs precision and chips; in decode also batch, context and multi-token prediction; in prefill the prompt's
    length (a batch that is not given is 16,384 tokens in flight). Raises UsageError for one that is None, and for
    the phases that are no single step.
    """
    if phase not in ("prefill", "decode"):
        raise UsageError(f"'{phase}' mixes prefill and decode; the work of a step is of 'prefill' or 'decode'")
    decode = phase == "decode"
    n = _given(deployment.context_tokens, "context") if decode else _given(deployment.prompt_tokens, "prompt")
    if decode:
        sequences = _given(deployment.batch, "batch")
        q = _given(deployment.positions, "mtp_drafts")
        kept = _given(deployment.tokens_per_step, "mtp_acceptance")
        positions, tokens = sequences * q, sequences * kept
    else:
        sequences = deployment.batch if deployment.batch is not None else PREFILL_TOKENS_PER_PACKAGE / n
        positions = tokens = sequences * n
    where = placement(spec, deployment, devices_per_package)
    touched = None
    if spec.is_sparse:
        group = positions * where.devices / where.devices_per_package
        touched = experts_touched(
            spec.n_routed_experts, spec.num_experts_per_tok, min(1.0, group) if fewest_experts else group
        )
    parts, weight_bytes = _feed_forward(spec, deployment, where, positions, touched or 0.0)
    over = _Attended(sequences=sequences, positions=positions, context=n, decode=decode, least=fewest_experts)
    attention, attention_bytes, cache_bytes = _attention(spec, deployment, where, over)
    parts += attention
    copies = where.devices_per_package / where.dense_shards
    head = spec.vocab_size * spec.hidden_size * (deployment.head_bytes or 2.0) * copies
    if decode:  # prefill needs logits of the last position only
        flop = 2 * positions * spec.vocab_size * spec.hidden_size
        parts.append(Component(name="head", flop=flop, arithmetic="expert", read_bytes=head))
    parts += _traffic(spec, deployment, where, positions)
    embedding = 0.0 if spec.tie_word_embeddings else head
    return Work(
        phase="decode" if decode else "prefill",
        tokens=tokens,
        positions=positions,
        components=tuple(parts),
        weight_bytes=weight_bytes + attention_bytes + head + embedding,
        cache_bytes=cache_bytes,
        buffer_bytes=BUFFER_BYTES_PER_DEVICE * where.devices_per_package if where.devices > 1 else 0.0,
        activation_bytes=positions * activation_bytes(spec, _given(deployment.precision, "precision"), decode=decode),
        experts_touched=touched,
    )
