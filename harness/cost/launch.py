"""Fixed time of a step: starting its kernels and handing over between them. An estimate, no bound; knows no batch.

Counted in kernels as fused as in the disclosed systems. Small batches wait for it more than for memory; at large ones
it vanishes beside the work. In no ceiling: a fused kernel or a longer graph avoids part of it.
"""

from harness.model.spec import Attention, Spec

# Fixed time of a kernel on top of its work: aiconfigurator's systems files add 3 us to each operator, Huawei's
# msmodeling 5 us to a matrix product and 2 us to a vector kernel; both add 10 us to an exchange between devices.
KERNEL_S = 3e-6
EXCHANGE_S = 10e-6
# Start of one captured graph: 0.6 to 0.8 ms (CloudMatrix384).
STEP_S = 0.7e-3

# Kernels of a layer. Latent attention: norm, both down-projections as one, norm of their outputs, up-projection of
# queries, absorption, rotation with the cache's write, core, absorption of outputs, output projection; DeepSeek-V4 has
# compression and two output projections in place of the absorptions. Grouped-query attention: norm, projections as one,
# rotation with the cache's write, core, output projection. An indexer adds projections, scores and a choice.
_ATTENTION_KERNELS: dict[Attention, int] = {"mla": 9, "v4": 9, "gqa": 5}
_INDEXER_KERNELS = 3
# Feed-forward: norm, gate and up as one, activation with quantisation, down.
_DENSE_KERNELS = 4
# Experts: norm, router, choice, order, both grouped products, activation, weighted sum; shared experts run beside.
_MOE_KERNELS = 8
_EXCHANGES = 2  # dispatch and combine; or the two reductions of a tensor-parallel layer


def launch_s(spec: Spec, *, exchanges: bool) -> float:
    """Fixed time of one step; `exchanges` where layers talk to other packages."""
    attention = _ATTENTION_KERNELS[spec.attention]
    indexer = _INDEXER_KERNELS if spec.index_topk else 0
    kernels = spec.num_hidden_layers * (attention + indexer)
    kernels += spec.moe_layers * _MOE_KERNELS + spec.dense_layers * _DENSE_KERNELS
    talking = spec.moe_layers if spec.is_sparse else spec.num_hidden_layers
    return STEP_S + kernels * KERNEL_S + (talking * _EXCHANGES * EXCHANGE_S if exchanges else 0.0)
