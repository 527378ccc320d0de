"""What a step costs beside its work: starting kernels, and the memory traffic of activations. Estimates, no bounds.

Both are counted for kernels as fused as in the disclosed systems: one a projection, one for the attention core, grouped
matrix products for experts. Small batches wait longer for kernels than for memory; in prefill on fast chips the traffic
takes a fifth to a third of the time. A fused kernel or a longer graph avoids part of either, so neither is in a
ceiling; the reference point of a usual range counts both.
"""

from harness.model.family import LayerType
from harness.model.recurrent import RECURRENT, channels
from harness.model.spec import Attention, Spec
from harness.roofline.deployment import number_format
from harness.vocabulary import Precision

# Fixed time of a kernel on top of its work: aiconfigurator's systems files add 3 us to each operator, Huawei's
# msmodeling 5 us to a matrix product and 2 us to a vector kernel; both add 10 us to an exchange between devices.
KERNEL_S = 3e-6
EXCHANGE_S = 10e-6
# Start of one captured graph: 0.6 to 0.8 ms (CloudMatrix384).
STEP_S = 0.7e-3

# Kernels of a layer. Multi-head latent attention (MLA): norm, both down-projections as one, norm of their outputs,
# up-projection of queries, absorption, rotation with the cache's write, core, absorption of outputs, output projection;
# DeepSeek-V4 has compression and two output projections in place of the absorptions. Grouped-query attention: norm,
# projections as one, rotation with the cache's write, core, output projection. Recurrent layers: norm, projections as
# one, convolution, update of the state, gated norm, output projection. An indexer adds projections, scores and a choice
# to layers that have one.
_ATTENTION_KERNELS: dict[Attention, int] = {"mla": 9, "v4": 9, "gqa": 5}
_RECURRENT_KERNELS = 6
_INDEXER_KERNELS = 3
# Feed-forward: norm, gate and up as one, activation with quantisation, down.
_DENSE_KERNELS = 4
# Experts: norm, router, choice, order, both grouped products, activation, weighted sum; shared experts run beside.
_MOE_KERNELS = 8
_EXCHANGES = 2  # dispatch and combine; or the two reductions of a tensor-parallel layer


def launch_s(spec: Spec, *, exchanges: bool) -> float:
    """Fixed time of one step; `exchanges` where layers talk to other packages."""
    kernels = spec.attention_layers * _ATTENTION_KERNELS[spec.attention] + spec.index_layers * _INDEXER_KERNELS
    kernels += _recurrent_layers(spec) * _RECURRENT_KERNELS
    kernels += spec.moe_layers * _MOE_KERNELS + spec.dense_layers * _DENSE_KERNELS
    talking = spec.moe_layers if spec.is_sparse else spec.num_hidden_layers
    return STEP_S + kernels * KERNEL_S + (talking * _EXCHANGES * EXCHANGE_S if exchanges else 0.0)


def _recurrent_layers(spec: Spec) -> int:
    return sum(spec.mixers.get(kind, 0) for kind in RECURRENT)


WIDE_BYTES = 2.0  # activations between kernels are BF16 where they are not an input of an 8-bit product
TWICE = 2.0  # written by one kernel, read by the next


def _feed_forward_bytes(spec: Spec, narrow_bytes: float, d: int, width: int) -> float:
    """One feed-forward network on inputs `d` wide: input in the narrow format, its halves, their product, output."""
    elements = narrow_bytes * (d + width) + WIDE_BYTES * ((spec.matrices - 1) * width + d)
    return TWICE * elements


def _attention_bytes(spec: Spec, kind: LayerType, decode: bool) -> float:
    """Queries, keys, values and outputs of one layer, as the core reads and leaves them; of a recurrent one before and
    after its convolution, with its gate."""
    heads = spec.num_attention_heads
    if kind == "none":
        return 0.0
    if kind in RECURRENT:
        outputs = (spec.linear_num_value_heads or 0) * (spec.linear_value_head_dim or 0)
        elements = 2 * channels(spec) + 2 * outputs
    elif spec.attention == "mla":
        dn, p = spec.qk_nope_head_dim or 0, spec.qk_rope_head_dim or 0
        dv, r = spec.v_head_dim or 0, spec.kv_lora_rank or 0
        absorbed = (dn + p) + (r + p) + r + dv  # queries before and after absorption, latent outputs, outputs
        expanded = 2 * (dn + p) + 2 * dv  # queries, keys, values, outputs
        elements = heads * (absorbed if decode else expanded)
    else:
        kv, key, value = spec.grouped(kind)
        elements = (heads + max(kv, 1)) * (key + value)
    return TWICE * WIDE_BYTES * elements


def activation_bytes(spec: Spec, precision: Precision, *, decode: bool) -> float:
    """Bytes of one position through all layers."""
    narrow = number_format(precision).dispatch_bytes
    total = sum(count * _attention_bytes(spec, kind, decode) for kind, count in spec.mixers.items())
    # Before each part the residual stream and its normed copy are written and read.
    total += spec.parts * TWICE * WIDE_BYTES * 2 * spec.hidden_size
    d, f = spec.hidden_size, spec.moe_intermediate_size or 0
    total += spec.dense_layers * _feed_forward_bytes(spec, narrow, d, spec.intermediate_size or 0)
    routed = spec.num_experts_per_tok * _feed_forward_bytes(spec, narrow, spec.moe_latent_size or d, f)
    return total + spec.moe_layers * (routed + spec.n_shared_experts * _feed_forward_bytes(spec, narrow, d, f))
