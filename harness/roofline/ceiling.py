"""The rate that a chip's limits allow for one deployment: an upper bound, and a serial estimate.
The overlap ceiling takes compute, memory and links to run at their peaks, all at once and without a gap:
`tokens / max(t_compute, t_memory, t_link)`. It may refute a claim and never supports one. The serial point takes
them one after another: `tokens / (t_compute + t_memory + t_link)`. It is an estimator, never a bound.

Assumptions: linear work at the peak of its number format, the attention core at the BF16 peak unless told otherwise;
experts chosen evenly; every weight read once a step. `most_generous` lets every figure and choice that no source states
fall in the rate's favour, where the model is placed among them; `harness.roofline.bound` takes it over the conditions
that are not given, and is the one to refute with.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Literal, NamedTuple, TypeVar

from harness.catalog.chips import Chip
from harness.catalog.citation import Range
from harness.errors import UsageError
from harness.model.spec import Spec
from harness.roofline.deployment import Deployment, number_format
from harness.roofline.overheads import launch_s
from harness.roofline.work import Arithmetic, Component, Work, work
from harness.vocabulary import Frozen, PeakName, Precision, RatePhase

NARROWEST_CACHE_BYTES = 0.5
"""Of a cached element where no source states it: 4 bits, the narrowest that serving engines offer."""

T = TypeVar("T")
Binding = Literal["compute", "memory", "link", "capacity"]


class Share(Frozen):
    """One component's time in a step, were it alone on the package."""

    name: str
    compute_s: float
    memory_s: float
    link_s: float


class Ceiling(Frozen):
    """Limits of one deployment on one chip, per package.

    For `output_all` and `total_all` the times are of one token instead of one step: prefill and decode packages are
    taken to be split so that both are busy.
    """

    phase: RatePhase
    rate_tok_s: float
    serial_tok_s: float
    binding: Binding
    tokens: float
    """that the times below are of: those of a step, or one"""
    compute_s: float
    memory_s: float
    link_s: float | None
    """None where the chip's links are unknown"""
    activation_s: float
    """time of the traffic between kernels: in no ceiling and not in the serial point, only in a usual range's
    reference"""
    launch_s: float
    """fixed time of starting kernels (see `harness.roofline.overheads`): likewise only in a usual range's reference"""
    shares: tuple[Share, ...]
    tpot_floor_s: float | None
    """least time per output token of a sequence at this batch; None where the phase has none"""
    latency_floor_s: float | None
    """least time per output token that expert-parallel messages allow"""
    weight_bytes: float
    cache_bytes: float
    memory_bytes: float
    """weights, cache and communication buffers"""
    memory_limit_bytes: float | None
    fits: bool | None
    """None where the chip's memory is unknown"""


def _pick(values: Range | None, generous: bool) -> float | None:
    if values is None:
        return None
    return values.high if generous else values.best


def _given(value: T | None, name: str) -> T:
    if value is None:
        raise UsageError(f"a ceiling depends on '{name}', which is not given; give it, or use a projection")
    return value


def peak_flop_s(chip: Chip, precision: PeakName, generous: bool = False) -> float:
    """The dense peak. Raises UsageError where the chip does not have that arithmetic, or no source gives it."""
    value = _pick(chip.peak(precision), generous)
    if value is not None:
        return value
    have = ", ".join(p.precision for p in chip.peaks if p.supported)
    if chip.supports(precision) is False:
        raise UsageError(f"{chip.name} has no {precision} arithmetic (it has {have}); choose one of these")
    raise UsageError(f"no source gives the {precision} peak of {chip.name} (known: {have}); choose one of these")


def arithmetic_of(chip: Chip, precision: Precision) -> PeakName:
    """The peak that products of this format run at on this chip: its own, or the one that stands in for it."""
    form = number_format(precision)
    if form.stand_in is not None and not chip.supports(form.peak):
        return form.stand_in
    return form.peak


def runs(chip: Chip, precision: Precision) -> bool | None:
    """Whether the chip computes with weights of this format; None where no source says."""
    return chip.supports(arithmetic_of(chip, precision))


def _with_projections(chip: Chip, deployment: Deployment) -> Deployment:
    """Settle the format of the attention projections: the one usual beside the experts', or the next that runs."""
    if deployment.projection_precision is not None or deployment.precision is None:
        return deployment
    usual: tuple[Precision, ...] = (number_format(deployment.precision).surrounding, "int8", "bf16")
    chosen = next((p for p in usual if runs(chip, p)), usual[0])
    return deployment.model_copy(update={"projection_precision": chosen})


def with_context(deployment: Deployment) -> Deployment:
    """Fill in the mean decode context where prompt and output lengths imply it: prompt plus half of the output."""
    if deployment.context_tokens is not None or deployment.prompt_tokens is None:
        return deployment
    if deployment.output_tokens is None:
        return deployment
    mean = deployment.prompt_tokens + deployment.output_tokens / 2
    return deployment.model_copy(update={"context_tokens": mean})


def _crosses(chip: Chip, chips: int) -> bool:
    """Whether the group is larger than the scale-up network joins."""
    return chip.scale_up_packages is not None and chips > chip.scale_up_packages


def remote_destinations(spec: Spec, chip: Chip, chips: int) -> float:
    """Fewest copies of a token that must leave a package for a group of `chips`, on average.

    Within the scale-up network one copy for each chosen expert that lives elsewhere. Beyond it one for each remote
    node chosen, as kernels that forward inside the node send it: k uniform choices touch
    `N * (1 - (1 - 1/N)^k)` of N nodes, node-limited routing caps that at the groups chosen (DeepSeek-V3 report,
    section 2.1.2), and one in N of them is the own node.
    """
    k = spec.num_experts_per_tok
    if chips == 1:
        return 0.0
    if not _crosses(chip, chips) or chip.scale_up_packages is None:
        return k * (1 - 1 / chips)
    nodes = chips / chip.scale_up_packages
    touched = nodes * (1 - (1 - 1 / nodes) ** k)
    if spec.n_group > 1:
        touched = min(touched, float(spec.topk_group))
    return touched * (1 - 1 / nodes)


def _format_peak(chip: Chip, precision: Precision, generous: bool) -> float:
    """The peak for weights of this format; storage alone may, generously, be widened to whatever is fastest."""
    own = arithmetic_of(chip, precision)
    if generous and own != number_format(precision).peak:
        return max(peak_flop_s(chip, p.precision, generous) for p in chip.peaks if p.supported)
    return peak_flop_s(chip, own, generous)


def _arithmetic_peaks(chip: Chip, deployment: Deployment, generous: bool) -> dict[Arithmetic, float]:
    precision: Precision = _given(deployment.precision, "precision")
    projection = deployment.projection_precision or number_format(precision).surrounding
    core: PeakName = deployment.attention_precision or "bf16"
    if generous and deployment.attention_precision is None and chip.supports("fp8"):
        core = "fp8"
    return {
        "expert": _format_peak(chip, precision, generous),
        "projection": _format_peak(chip, projection, generous),
        "core": peak_flop_s(chip, core, generous),
    }


def _times(
    components: tuple[Component, ...], peaks: dict[Arithmetic, float], bandwidth: float, link: float | None
) -> tuple[Share, ...]:
    return tuple(
        Share(
            name=c.name,
            compute_s=c.flop / peaks[c.arithmetic] if c.arithmetic else 0.0,
            memory_s=c.read_bytes / bandwidth,
            link_s=c.link_bytes / link if link else 0.0,
        )
        for c in components
    )


def _sums(shares: tuple[Share, ...]) -> dict[Binding, float]:
    return {
        "compute": math.fsum(s.compute_s for s in shares),
        "memory": math.fsum(s.memory_s for s in shares),
        "link": math.fsum(s.link_s for s in shares),
    }


def spread_out(spec: Spec, chip: Chip, deployment: Deployment) -> Deployment:
    """The deployment with every weight kept once in the group, spread evenly over its devices: what takes least."""
    chips = _given(deployment.chips, "chips")
    return deployment.model_copy(
        update={
            "expert_slots": deployment.expert_slots or max(spec.n_routed_experts / chips, 1e-9),
            "dense_shards": deployment.dense_shards or chips * chip.devices_per_package,
        }
    )


def _favoured(spec: Spec, chip: Chip, deployment: Deployment) -> Deployment:
    """The open choices of a deployment, made in the rate's favour."""
    chips = _given(deployment.chips, "chips")
    return spread_out(spec, chip, deployment).model_copy(
        update={
            "kv_bytes": deployment.kv_bytes or NARROWEST_CACHE_BYTES,
            "head_bytes": deployment.head_bytes or 1.0,
            "projection_precision": deployment.projection_precision or deployment.precision,
            "destinations": deployment.destinations or remote_destinations(spec, chip, chips) or None,
        }
    )


def in_stages(deployment: Deployment) -> Deployment | None:
    """The deployment with its layers one after the other on the packages (pipeline), by the work of each package for
    a full turn of all stages: as though it held the model alone, with nothing to exchange. None where the source says
    how experts or weights are spread."""
    if deployment.expert_slots or deployment.dense_shards or deployment.destinations:
        return None
    return deployment.model_copy(update={"chips": 1})


def _step(spec: Spec, chip: Chip, deployment: Deployment, phase: RatePhase, generous: bool) -> Work:
    """The work of one step, with the traffic that the phase's kernels send."""
    chips = deployment.chips
    if phase == "prefill" and deployment.destinations is None and chips is not None and chips > 1:
        # Prefill kernels send a token once to each node and forward it there; decode kernels send every copy.
        few = remote_destinations(spec, chip, chips)
        deployment = deployment.model_copy(update={"destinations": few})
    step = work(spec, deployment, phase, devices_per_package=chip.devices_per_package, fewest_experts=generous)
    if generous:  # tensor-parallel reductions are a choice, so a bound leaves them out
        kept = tuple(c for c in step.components if c.name != "all_reduce")
        step = step.model_copy(update={"components": kept})
    return step


class Timed(NamedTuple):
    """A step with the time that each of its parts takes at the chip's limits."""

    step: Work
    shares: tuple[Share, ...]
    bandwidth_bytes_s: float
    link_bytes_s: float | None


def timed_step(spec: Spec, chip: Chip, deployment: Deployment, phase: RatePhase, *, generous: bool = False) -> Timed:
    """One step of `prefill` or `decode` at the preferred sourced figures (or the largest), placed as given.

    Raises UsageError for a condition that is missing and for arithmetic that the chip does not have.
    """
    deployment = _with_projections(chip, with_context(deployment))
    step = _step(spec, chip, deployment, phase, generous)
    bandwidth = _pick(chip.bandwidth, generous)
    if bandwidth is None:
        raise UsageError(f"no source gives the memory bandwidth of {chip.name}; add it to a catalog of your own")
    crosses = _crosses(chip, _given(deployment.chips, "chips"))
    link = _pick(chip.scale_out if crosses else chip.link, generous)
    shares = _times(step.components, _arithmetic_peaks(chip, deployment, generous), bandwidth, link)
    return Timed(step, shares, bandwidth, link)


def _step_ceiling(spec: Spec, chip: Chip, deployment: Deployment, phase: RatePhase, generous: bool) -> Ceiling:
    chips = _given(deployment.chips, "chips")
    step, shares, bandwidth, link = timed_step(spec, chip, deployment, phase, generous=generous)
    held = step.weight_bytes + step.cache_bytes if generous else step.resident_bytes  # buffers are a choice
    times = _sums(shares)
    binding = max(times, key=lambda name: times[name])
    limit = chip.memory.high if chip.memory else None
    fits = None if limit is None else held <= limit
    decodes, kept = phase == "decode", deployment.tokens_per_step or 1.0
    return Ceiling(
        phase=phase,
        rate_tok_s=step.tokens / times[binding],
        serial_tok_s=step.tokens / math.fsum(times.values()),
        binding="capacity" if fits is False else binding,
        tokens=step.tokens,
        compute_s=times["compute"],
        memory_s=times["memory"],
        link_s=None if link is None and step.link_bytes else times["link"],
        activation_s=step.activation_bytes / bandwidth,
        launch_s=launch_s(spec, exchanges=chips > 1),
        shares=shares,
        tpot_floor_s=times[binding] / kept if decodes else None,
        latency_floor_s=times["link"] / kept if decodes and times["link"] else None,
        weight_bytes=step.weight_bytes,
        cache_bytes=step.cache_bytes,
        memory_bytes=held,
        memory_limit_bytes=limit,
        fits=fits,
    )


def mixed(phase: RatePhase, decode: Ceiling, prefill: Ceiling, ratio: float) -> Ceiling:
    """Limits over all packages from those of either phase; `ratio`: prompt over output tokens. Times are of one
    token; memory and the floors of latency are those of the decode packages."""
    tokens = 1.0 if phase == "output_all" else 1.0 + ratio

    def rate(of_decode: float, of_prefill: float) -> float:
        return tokens / (1 / of_decode + ratio / of_prefill)

    def per_token(of_decode: float, of_prefill: float) -> float:
        return (of_decode / decode.tokens + ratio * of_prefill / prefill.tokens) / tokens

    shares = (
        *(_weighted("decode", s, 1 / decode.tokens / tokens) for s in decode.shares),
        *(_weighted("prefill", s, ratio / prefill.tokens / tokens) for s in prefill.shares),
    )
    times = _sums(shares)
    longer = decode if 1 / decode.rate_tok_s >= ratio / prefill.rate_tok_s else prefill
    changed = {
        "phase": phase,
        "rate_tok_s": rate(decode.rate_tok_s, prefill.rate_tok_s),
        "serial_tok_s": rate(decode.serial_tok_s, prefill.serial_tok_s),
        "binding": "capacity" if decode.fits is False else longer.binding,
        "tokens": 1.0,
        "compute_s": times["compute"],
        "memory_s": times["memory"],
        "link_s": None if decode.link_s is None else times["link"],
        "activation_s": per_token(decode.activation_s, prefill.activation_s),
        "launch_s": per_token(decode.launch_s, prefill.launch_s),
        "shares": shares,
    }
    return decode.model_copy(update=changed)


def _weighted(side: str, share: Share, weight: float) -> Share:
    times = {"compute_s": share.compute_s, "memory_s": share.memory_s, "link_s": share.link_s}
    return Share(name=f"{side}.{share.name}", **{name: time * weight for name, time in times.items()})


def ceiling(spec: Spec, chip: Chip, deployment: Deployment, phase: RatePhase, *, generous: bool = False) -> Ceiling:
    """Limits at the preferred sourced figures (or, `generous`, at the largest, with open choices in the rate's favour,
    and every weight kept once in the group).

    The deployment must give every condition that the phase needs; `project` ranges over those it does not. Raises
    UsageError for one that is missing, and for arithmetic that the chip does not have.
    """
    return _in_phases(spec, chip, deployment, phase, partial(_placed_ceiling, generous=generous))


OfPhase = Callable[[Spec, Chip, Deployment, RatePhase], Ceiling]


def _in_phases(spec: Spec, chip: Chip, deployment: Deployment, phase: RatePhase, limits: OfPhase) -> Ceiling:
    """The limits of one phase, or of both together."""
    deployment = with_context(deployment)
    if phase in ("prefill", "decode"):
        return limits(spec, chip, deployment, phase)
    prompt, output = deployment.prompt_tokens, deployment.output_tokens
    if prompt is None or output is None:
        raise UsageError(f"'{phase}' depends on prompt and output lengths; give both, or use a projection")
    decode = limits(spec, chip, deployment, "decode")
    prefill = limits(spec, chip, deployment.model_copy(update={"batch": None}), "prefill")
    return mixed(phase, decode, prefill, prompt / output)


def _placed_ceiling(spec: Spec, chip: Chip, deployment: Deployment, phase: RatePhase, *, generous: bool) -> Ceiling:
    if generous:
        deployment = _favoured(spec, chip, deployment)
    return _step_ceiling(spec, chip, deployment, phase, generous)


def most_generous(spec: Spec, chip: Chip, deployment: Deployment, phase: RatePhase) -> Ceiling:
    """The ceiling of given conditions to refute with: largest sourced figures, every open choice in the rate's favour.

    Where the model is placed is such a choice: spread over all devices, which reads least and exchanges activations, or
    in stages, which exchanges next to nothing and reads all of the weights on each package's turn. Capacity is that of
    the former, which takes least.
    """
    return _in_phases(spec, chip, deployment, phase, _best_placed)


def _best_placed(spec: Spec, chip: Chip, deployment: Deployment, phase: RatePhase) -> Ceiling:
    best = _placed_ceiling(spec, chip, deployment, phase, generous=True)
    staged = in_stages(deployment)
    if staged is None:
        return best
    other = _placed_ceiling(spec, chip, staged, phase, generous=True)
    return best if other.rate_tok_s <= best.rate_tok_s else keeping(best, other)


def keeping(placed: Ceiling, faster: Ceiling) -> Ceiling:
    """The limits of `faster`, with the memory of `placed`."""
    held = {n: getattr(placed, n) for n in ("weight_bytes", "cache_bytes", "memory_bytes", "fits")}
    return faster.model_copy(update={**held, "binding": "capacity" if placed.fits is False else faster.binding})


class Footprint(Frozen):
    """Bytes that a package holds for a deployment, every weight kept once in the group."""

    least: float
    """cache in the narrowest format where none is stated, and no buffers"""
    usual: float
    """with communication buffers, embeddings and head in 16 bits, attention in the format usual beside the experts'"""


def footprint(spec: Spec, chip: Chip, deployment: Deployment) -> Footprint:
    """The one count of what has to fit: for claims of capacity as for rates and projections.

    Needs precision and chips; without a context or a batch no caches are counted. Raises UsageError for one that is
    None.
    """
    cached = deployment.context_tokens is not None and deployment.batch is not None
    filled = {"batch": deployment.batch or 1.0, "context_tokens": deployment.context_tokens or 1.0}
    found = deployment.model_copy(update={**filled, "mtp_drafts": 0, "mtp_acceptance": 0.0})
    spread = _with_projections(chip, spread_out(spec, chip, found))
    narrow = spread.model_copy(update={"kv_bytes": spread.kv_bytes or NARROWEST_CACHE_BYTES})

    def step(of: Deployment) -> Work:
        return work(spec, of, "decode", devices_per_package=chip.devices_per_package)

    least, usual = step(narrow), step(spread)
    return Footprint(
        least=least.weight_bytes + (least.cache_bytes if cached else 0.0),
        usual=usual.weight_bytes + usual.buffer_bytes + (usual.cache_bytes if cached else 0.0),
    )
