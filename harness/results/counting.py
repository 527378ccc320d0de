"""What follows from a case's architecture and stored weights alone: parameters, least bytes and operations a token.

Bytes are those of the weights as stored (scales included, the cache as it is kept); a step is taken to read each
weight that it needs once.
"""

import math

from harness.model.context import over_context
from harness.model.counts import head_products, parameters, token_products
from harness.model.routing import experts_touched, touched_deviation
from harness.model.spec import Spec
from harness.model.tensors import cache_token_bytes, stored_bytes, tensor_bytes, tensor_layout
from harness.results.plan import Variant, Workload, traced_prompts
from harness.results.record import Counts, Measurement
from harness.vocabulary import RunPrecision


def counts(variant: Variant, workload: Workload) -> Counts:
    """The figures of one case. The experts activated are expected for uniform routing only: None where it is skewed."""
    spec = variant.spec
    counted = parameters(spec)
    positions = workload.batch * (workload.prompt_tokens if workload.phase == "prefill" else 1)
    stored = stored_bytes(spec, variant.precision)
    touched = None
    if spec.is_sparse:
        touched = experts_touched(spec.n_routed_experts, spec.num_experts_per_tok, positions)
    return Counts(
        parameters_total=counted.total,
        parameters_active=counted.active,
        weight_bytes=stored,
        bits_per_weight=8 * stored / counted.total,
        bytes_per_token=_read_bytes(spec, variant.precision, workload, stored, touched) / positions,
        flop_per_token=_flop_per_token(spec, workload),
        expected_experts_activated=touched if variant.routing_skew == 0 else None,
    )


def chance_deviation(spec: Spec, measured: Measurement) -> float:
    """How much chance alone moves the number of experts activated in a case: one standard deviation of the mean over
    all layers and steps that are counted, taken as independent (1.0 to 1.2 times this was seen). 0 if dense."""
    if not spec.is_sparse:
        return 0.0
    tokens, steps = measured.batch, max(1, measured.decode_tokens)
    if measured.phase == "prefill":
        tokens *= measured.prompt_tokens
        steps = traced_prompts(tokens)
    one = touched_deviation(spec.n_routed_experts, spec.num_experts_per_tok, tokens)
    return one / math.sqrt(steps * spec.moe_layers)


def _read_bytes(spec: Spec, precision: RunPrecision, workload: Workload, stored: int, touched: float | None) -> float:
    """Least bytes of a step: all weights but the embedding table and the experts that no position chose, and the
    cache (decode)."""
    embedding = 0 if spec.tie_word_embeddings else 4 * spec.vocab_size * spec.hidden_size
    read = float(stored - embedding)
    if touched is not None:
        experts = sum(tensor_bytes(tensor, precision) for tensor in tensor_layout(spec) if ".experts." in tensor.name)
        read -= experts * (1 - touched / spec.n_routed_experts)
    if workload.phase == "decode":
        context = over_context(spec, _context(workload), "decode")
        kept = over_context(spec, 1, "decode").stored_elements
        read += cache_token_bytes(spec, precision) / kept * workload.batch * context.read_elements
    return read


def _context(workload: Workload) -> float:
    """Mean number of cached tokens that a decode step attends to."""
    return workload.prompt_tokens + workload.depth + (workload.decode_tokens + 1) / 2


def _flop_per_token(spec: Spec, workload: Workload) -> float:
    """Twice the weights that a token is multiplied with, and attention. Prefill forms logits for the last position
    alone."""
    if workload.phase == "decode":
        whole = token_products(spec) + head_products(spec)
        return 2 * whole + over_context(spec, _context(workload), "decode").core_flop
    products = token_products(spec) + head_products(spec) / workload.prompt_tokens
    return 2 * products + over_context(spec, workload.prompt_tokens, "prefill").core_flop
