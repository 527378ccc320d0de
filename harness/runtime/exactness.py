"""Whether products of integers are exact here with signed weights. Knows no model.

Processors with AVX2 or AVX-512 but without VNNI multiply an unsigned by a signed byte and add two such products in 16
bits, which saturate at 32,767 where 2 * 255 * 127 = 64,770 is possible. ONNX Runtime uses that instruction for unsigned
activations and signed weights; with unsigned weights it multiplies in 16 bits and is exact, and about as fast there
(248 against 278 GFLOP/s at 512 rows on two Zen 3 cores). With VNNI signed weights are exact, and have its instruction.
ONNX Runtime's own switch, `session.x64quantprecision`, moves weights with VNNI too, and no matrix that is not a weight,
as cached latents are.
"""

import functools

import numpy as np

from harness.model.graph.forms import Byte
from harness.model.graph.nodes import Nodes
from harness.model.graph.parts import integer_product
from harness.runtime.session import open_session

_ROWS, _WIDTH, _OUT = 8, 64, 32
"""Of the product that is tried: more than one row and one vector of columns, so that it takes the kernels of both."""


@functools.cache
def exact_byte() -> Byte:
    """How 8-bit weights and caches must lie for products of integers to be exact on this processor: signed if that is.

    Found by multiplying the largest codes, which takes 23 ms once a process (two Zen 3 cores).
    """
    return "int8" if all(_exact(rows) for rows in (1, _ROWS)) else "uint8"


def _exact(rows: int) -> bool:
    """Whether the sum of the largest products comes out, with signed weights. One row has a kernel of its own."""
    nodes = Nodes("int8")
    codes, scale = nodes.input("codes", np.int8, (_WIDTH, _OUT)), nodes.constant(np.ones(1, dtype=np.float32))
    integer_product(nodes, nodes.input("x", np.float32, (rows, _WIDTH)), codes, scale, to=("y",))
    nodes.output("y", np.float32, (rows, _OUT))
    session = open_session(nodes.program("exactness").model, {}, 1)
    session.bind_input("x", np.ones((rows, _WIDTH), dtype=np.float32))
    session.bind_input("codes", np.full((_WIDTH, _OUT), 127, dtype=np.int8))
    session.bind_output("y")
    session.run()
    return bool(np.allclose(session.outputs(["y"])[0], 127 * _WIDTH, rtol=1e-3))
