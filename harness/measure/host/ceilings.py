"""The best rates that this host reaches: matrix products at each precision, and reading memory.

A ceiling has to lie above everything that a model run here can reach, so it is the best of several kernels, those that
the runtime uses for models among them, and of each kernel the best of many runs. One process measures all of them one
after the other, in one to two seconds.
"""

import datetime as dt
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from harness.errors import UnfitHostError
from harness.model.graph.nodes import CONTRIB, IR_VERSION, OPSET, external
from harness.model.graph.packing import code_of_zero
from harness.results.record import CeilingObservation
from harness.runtime.session import BoundSession, exact_byte, open_session
from harness.vocabulary import RunPrecision

KERNEL_TIME_S = 0.06
"""How long each kernel is repeated. Its best run counts, so a few undisturbed milliseconds are enough."""

CACHE_MULTIPLE = 4
"""Reading is measured on so many times the last-level cache: a cache of that share can serve a quarter at most, and a
cyclic pass over more than it holds gives it hardly any hit."""

DEFAULT_CACHE_BYTES = 32 << 20
MAX_STREAM_BYTES = 2 << 30

Shape = tuple[int, int, int]
"""M, K, N of [M, K] x [K, N]."""

PRODUCT_SHAPES: tuple[Shape, ...] = ((512, 1024, 1024), (1024, 2048, 2048))
"""Both hundreds of rows deep, where every kernel is bound by arithmetic; which of them is faster differs by host."""


@dataclass(frozen=True)
class Kernel:
    """One way to multiply matrices. `block` is the number of weights that share a scale (0: a column does)."""

    precision: RunPrecision
    operator: str
    bits: int
    block: int

    @property
    def title(self) -> str:
        detail = f" {self.bits} bits, block {self.block}" if self.block else ""
        return f"{self.operator}{detail}"


KERNELS = (
    Kernel("fp32", "MatMul", 32, 0),
    Kernel("int8", "DynamicQuantizeMatMul", 8, 0),
    Kernel("int8", "MatMulNBits", 8, 256),
    Kernel("int4", "MatMulNBits", 4, 32),
    Kernel("int4", "MatMulNBits", 4, 128),
    Kernel("int4", "MatMulNBits", 4, 256),
)

STREAM_KERNELS = (KERNELS[0], KERNELS[2], KERNELS[5])
"""Products of one row read each weight once: how decode reads memory. Of the kernels above the fastest at each size of
weight; one thread instead of all was never faster (23 to 28 against 29 to 51 GB/s on two Zen 4 cores)."""


def weights_of(kernel: Kernel, shape: Shape) -> dict[str, NDArray[np.generic]]:
    """The operator's weight inputs, filled with a constant (the value does not change the time; untouched zero pages
    would: they are all the same page)."""
    _, k, n = shape
    if kernel.operator == "MatMul":
        return {"weight": np.full((k, n), 0.5, np.float32)}
    if kernel.operator == "DynamicQuantizeMatMul":
        byte = np.dtype(exact_byte())  # a kernel that saturates would be no way to multiply
        zero = np.array(code_of_zero(byte), byte)
        return {"weight": np.full((k, n), zero + 127, byte), "scale": np.full(n, 0.01, np.float32), "zero": zero}
    blocks = k // kernel.block
    return {
        "weight": np.full((n, blocks, kernel.block * kernel.bits // 8), 0x53, np.uint8),
        "scale": np.full((n, blocks), 0.01, np.float32),
    }


def graph_of(kernel: Kernel, shape: Shape) -> onnx.ModelProto:
    """`x` [M, K] times the kernel's weights -> `y` [M, N], as a graph whose weights are handed over by name."""
    m, k, n = shape
    weights = weights_of(kernel, shape)
    attributes: dict[str, Any] = {}
    if kernel.operator == "MatMulNBits":
        attributes = {"K": k, "N": n, "bits": kernel.bits, "block_size": kernel.block, "accuracy_level": 4}
    domain = "" if kernel.operator == "MatMul" else CONTRIB
    node = helper.make_node(kernel.operator, ["x", *weights], ["y"], domain=domain, **attributes)
    graph = helper.make_graph(
        [node],
        "probe",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [m, k])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [m, n])],
        [external(name, array.shape, array.dtype) for name, array in weights.items()],
    )
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(CONTRIB, 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)


def _opened(kernel: Kernel, shape: Shape, threads: int) -> tuple[BoundSession, int]:
    """A session with its input and output bound, and the bytes of its weights."""
    weights = weights_of(kernel, shape)
    session = open_session(graph_of(kernel, shape), weights, threads)
    session.bind_input("x", np.full((shape[0], shape[1]), 0.5, np.float32))
    session.bind_output("y", np.empty((shape[0], shape[2]), np.float32))
    return session, sum(array.nbytes for array in weights.values())


def best_s(
    run: Callable[[], object], time_s: float = KERNEL_TIME_S, clock: Callable[[], int] = time.perf_counter_ns
) -> float:
    """The shortest of the runs that fit into `time_s`, after one that is not counted; at least three count."""
    run()
    durations: list[int] = []
    begin = clock()
    while len(durations) < 3 or clock() - begin < time_s * 1e9:
        start = clock()
        run()
        durations.append(clock() - start)
    return min(durations) / 1e9


def product_rates(precision: RunPrecision, threads: int) -> Iterator[tuple[float, str]]:
    """FLOP/s of each kernel of `precision` and shape, a multiplication and an addition counted as two."""
    for kernel in KERNELS:
        if kernel.precision == precision:
            for shape in PRODUCT_SHAPES:
                session, _ = _opened(kernel, shape, threads)
                m, k, n = shape
                yield 2 * m * k * n / best_s(session.run), f"{kernel.title}, {m}x{k}x{n}, {threads} threads"


def read_rates(stream_bytes: int, threads: int) -> Iterator[tuple[float, str]]:
    """Bytes a second of each way to read `stream_bytes` once."""
    yield _numpy_read_rate(stream_bytes), f"numpy dot, {threads} threads"
    for kernel in STREAM_KERNELS:
        k = 4096
        n = stream_bytes * 8 // kernel.bits // k // 64 * 64
        session, weight_bytes = _opened(kernel, (1, k, n), threads)
        yield weight_bytes / best_s(session.run), f"{kernel.title}, 1x{k}x{n}, {threads} threads"


def _numpy_read_rate(stream_bytes: int) -> float:
    """Bytes a second of a vector's product with itself; numpy's BLAS uses the threads that its environment names."""
    stream = np.full(stream_bytes // 4, 0.5, np.float32)
    return stream.nbytes / best_s(lambda: np.dot(stream, stream))


def stream_bytes_of(cache_bytes: int | None, available_bytes: int) -> int:
    """How much to read: several times the cache, but never more than a sixteenth of what is free (a session holds it
    up to three times while it opens). Raises UnfitHostError where that is less than twice the cache."""
    cache = cache_bytes or DEFAULT_CACHE_BYTES
    size = min(CACHE_MULTIPLE * cache, MAX_STREAM_BYTES, available_bytes // 16)
    if size < 2 * cache:
        raise UnfitHostError(
            f"the read ceiling needs {2 * cache / 2**20:.0f} MiB to read, twice the last-level cache, but only "
            f"{size / 2**20:.0f} MiB may be used of {available_bytes / 2**20:.0f} MiB free memory; free some memory"
        )
    return size


def measure_ceilings(
    *,
    precisions: Sequence[RunPrecision],
    threads: int,
    round_index: int,
    cache_bytes: int | None,
    available_bytes: int,
) -> CeilingObservation:
    """The best rates of this host in this process. Raises UnfitHostError where memory is short."""
    started = dt.datetime.now(dt.UTC)
    read_bytes_s, read_kernel = max(read_rates(stream_bytes_of(cache_bytes, available_bytes), threads))
    best = [(precision, *max(product_rates(precision, threads))) for precision in precisions]
    return CeilingObservation(
        round=round_index, read_bytes_s=read_bytes_s, read_kernel=read_kernel, matmul=tuple(best), started=started
    )
