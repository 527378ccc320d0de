"""Layers that keep a state of fixed size in place of every token: gated delta net, Kimi delta attention and Mamba-2.

Letters: Hk, Hv key and value heads, dk, dv their widths, c width of the convolution (4). All three project keys,
queries and values (Mamba: B, C and x), convolve them over the last c tokens, update a state of Hv matrices of dk x dv,
read it with the query, gate the output and project it back. Sources: arXiv:2412.06464, arXiv:2510.26692,
arXiv:2405.21060, and the families' released implementations.
"""

from typing import Literal

from harness.model.spec import Spec

Recurrent = Literal["linear_attention", "mamba"]
RECURRENT: tuple[Recurrent, ...] = ("linear_attention", "mamba")

STATE_BYTES = 4.0
"""Of an element of the state: FP32, as the releases' configs ask for (`mamba_ssm_dtype`)."""
NARROWEST_STATE_BYTES = 2.0
"""The narrowest that serving engines offer."""
_CONVOLVED_BYTES = 2.0


def _widths(spec: Spec) -> tuple[int, int]:
    """Of all keys and of all values of a layer."""
    hk, hv = spec.linear_num_key_heads or 0, spec.linear_num_value_heads or 0
    return hk * (spec.linear_key_head_dim or 0), hv * (spec.linear_value_head_dim or 0)


def channels(spec: Spec) -> int:
    """Width of what a layer convolves: queries, keys and values."""
    keys, values = _widths(spec)
    return 2 * keys + values


def recurrent_products(spec: Spec, kind: Recurrent) -> int:
    """Weights of one layer that a token is multiplied with, the convolution's among them."""
    d, heads = spec.hidden_size, spec.linear_num_value_heads or 0
    _, values = _widths(spec)
    projected = channels(spec) + values + heads  # and the output's gate, and a decay or a step for each head
    if kind == "linear_attention":
        if spec.recurrence == "gated_delta":
            projected += heads  # decay and step of the delta rule
        else:  # a decay for each channel of a key, in low rank, beside the step for each head
            dk = spec.linear_key_head_dim or 0
            return _kimi_decay(d, dk, heads) + d * projected + _convolution(spec) + values * d
    return d * projected + _convolution(spec) + values * d


def _kimi_decay(d: int, dk: int, heads: int) -> int:
    return d * dk + dk * heads * dk


def _convolution(spec: Spec) -> int:
    return channels(spec) * (spec.linear_conv_kernel_dim or 0)


def recurrent_parameters(spec: Spec, kind: Recurrent) -> int:
    """Those, and what is no product: decays, biases and the norm of the output."""
    heads, dk, dv = spec.linear_num_value_heads or 0, spec.linear_key_head_dim or 0, spec.linear_value_head_dim or 0
    if kind == "mamba":  # decay, skip and step's bias of a head, the convolution's bias, a norm over all heads
        small = 3 * heads + channels(spec) + heads * dv
    elif spec.recurrence == "gated_delta":
        small = 2 * heads + dv
    else:
        small = dk + heads * dk + dv
    return recurrent_products(spec, kind) + small


def recurrent_flop(spec: Spec, kind: Recurrent) -> float:
    """Operations of one layer's state for one token: update and read, and for a delta rule a read before the update.

    Prefill in chunks forms products inside a chunk in place of some of these, a third more with chunks of 64.
    """
    state = (spec.linear_num_value_heads or 0) * (spec.linear_key_head_dim or 0) * (spec.linear_value_head_dim or 0)
    return 2.0 * state * (2 if kind == "mamba" else 3)


def state_bytes(spec: Spec, *, narrow: bool = False) -> float:
    """State of one sequence, all layers, whatever its length: the matrices, and the tokens that the convolution sees.

    `narrow`: in the narrowest format that is served, as a bound has to take it.
    """
    heads, dk, dv = spec.linear_num_value_heads or 0, spec.linear_key_head_dim or 0, spec.linear_value_head_dim or 0
    layers = sum(spec.mixers.get(kind, 0) for kind in RECURRENT)
    element = NARROWEST_STATE_BYTES if narrow else STATE_BYTES
    return layers * (heads * dk * dv * element + _convolution(spec) * _CONVOLVED_BYTES)
