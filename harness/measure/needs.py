"""What a variant needs of memory and time, modelled from its architecture before anything is built.

Rates are rough on purpose (a factor of two either way): they size a run, they judge nothing.
"""

from functools import cache

from harness.model.counts import parameters
from harness.model.spec import Spec
from harness.model.tensors import cache_token_bytes, stored_bytes
from harness.results.plan import Task, Variant, Workload
from harness.vocabulary import RunPrecision

PROCESS_BYTES = 200 << 20  # interpreter, numpy and ONNX Runtime, resident
LOAD_FACTOR = {"fp32": 2.0, "int8": 1.3, "int4": 1.6}  # peak while loading over stored weights: pre-packed copies
ACTIVATION_COPIES = 12  # hidden-sized buffers alive in a layer, experts' inputs and outputs included
CORE_FLOP_S = 120e9  # a core's matrix products, any precision; 480 to 613 GFLOP/s were seen on two
CORE_READ_BYTES_S = 15e9
SCATTER = 1.6  # mixture-of-experts layers reach less of either
PROCESS_START_S = 0.8
LOAD_BYTES_S = 0.9e9  # seeded weights generated, quantised and packed
SESSION_S = 0.3
CEILINGS_S = 6.0


@cache
def weight_bytes(spec: Spec, precision: RunPrecision) -> int:
    """Weights as stored, scales included. Raises ValueError for a width that cannot be stored in blocks."""
    return stored_bytes(spec, precision)


def variant_bytes(variant: Variant, workloads: tuple[Workload, ...]) -> int:
    """Peak resident size of the process that measures `variant`: weights while packed, the largest cache,
    activations."""
    weights = weight_bytes(variant.spec, variant.precision) * LOAD_FACTOR[variant.precision]
    running = max(_cache_bytes(variant, w) + _activation_bytes(variant.spec, w) for w in workloads)
    return int(PROCESS_BYTES + weights + running)


def _cache_bytes(variant: Variant, workload: Workload) -> float:
    """What every token leaves in the cache, all layers together."""
    tokens = workload.batch * (workload.prompt_tokens + workload.decode_tokens + workload.depth)
    return float(tokens * cache_token_bytes(variant.spec, variant.precision))


def _activation_bytes(spec: Spec, workload: Workload) -> float:
    rows = workload.batch * (workload.prompt_tokens if workload.phase == "prefill" else 1)
    context = workload.prompt_tokens + workload.decode_tokens + workload.depth
    widest = max(spec.hidden_size, spec.intermediate_size or 0, spec.num_attention_heads * _head_width(spec))
    if spec.is_sparse:
        widest = max(widest, 2 * spec.num_experts_per_tok * (spec.moe_intermediate_size or 0))
    scores = 2.0 * rows * spec.num_attention_heads * context
    logits = workload.batch * spec.vocab_size
    return 4.0 * (ACTIVATION_COPIES * float(rows) * widest + scores + 2 * logits)


def _head_width(spec: Spec) -> int:
    if spec.attention == "mla":
        return (spec.qk_nope_head_dim or 0) + (spec.qk_rope_head_dim or 0)
    return spec.head_dim or 0


def plan_duration_s(tasks: tuple[Task, ...]) -> float:
    """Modelled wall time of all tasks, one after the other."""
    return sum(task_duration_s(task) for task in tasks)


def task_duration_s(task: Task) -> float:
    """Modelled wall time of one fresh process: start, load, and each workload with its warm-up."""
    return sum(workload_duration_s(task, workload) for workload in task.workloads or (None,))


def workload_duration_s(task: Task, workload: Workload | None) -> float:
    """Modelled wall time of one workload with its share of the process's start and load (None: the ceilings)."""
    variant, timing = task.variant, task.timing
    if variant is None or workload is None:
        return CEILINGS_S
    start = PROCESS_START_S + weight_bytes(variant.spec, variant.precision) / LOAD_BYTES_S
    step = step_s(variant, workload)
    timed = max(timing.min_steps * step, min(timing.min_time_s, timing.max_steps * step))
    return start / len(task.workloads) + SESSION_S + timing.warmup_steps * step + timed


def step_s(variant: Variant, workload: Workload) -> float:
    """Roofline of one step: active work against the bytes of the experts that the step touches."""
    spec, counts = variant.spec, parameters(variant.spec)
    rows = workload.batch * (workload.prompt_tokens if workload.phase == "prefill" else 1)
    touched = 1.0
    if spec.is_sparse:  # U(T)/E of uniform routing
        touched = 1.0 - (1.0 - spec.num_experts_per_tok / spec.n_routed_experts) ** rows
    share = (counts.total - counts.experts_total + touched * counts.experts_total) / counts.total
    read = share * weight_bytes(spec, variant.precision)
    read += _cache_bytes(variant, workload) if workload.phase == "decode" else 0.0
    slower = SCATTER if spec.is_sparse else 1.0
    return slower * max(
        2.0 * counts.active * rows / (CORE_FLOP_S * variant.threads), read / (CORE_READ_BYTES_S * variant.threads)
    )
