"""The only door to ONNX Runtime: a session, its bound inputs and outputs, the time in its run call, its profile.

Whether products of integers are exact here is asked of the runtime once a process: processors with AVX2 or AVX-512 but
without VNNI multiply an unsigned by a signed byte and add two such products in 16 bits, which saturate at 32,767.
"""

import functools
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state

from harness.errors import UnfitHostError
from harness.model.graph.nodes import Nodes
from harness.model.graph.packing import Byte
from harness.model.graph.parts import integer_product
from harness.model.operators import Executed

Array = NDArray[Any]

_FAILURES: tuple[type[Exception], ...] = (
    RuntimeError,
    *(
        kind
        for kind in vars(onnxruntime_pybind11_state).values()
        if isinstance(kind, type) and issubclass(kind, Exception)
    ),
)
"""What ONNX Runtime raises: a class for each status code, without a common base, and RuntimeError for the rest."""


def _explained(doing: str, error: Exception) -> UnfitHostError:
    """ONNX Runtime's exception as one of ours, on one line."""
    reason = " ".join(str(error).split())[:400]
    advice = "another version of it or a smaller model may do"
    return UnfitHostError(f"ONNX Runtime {ort.__version__} could not {doing}: {reason}; {advice}")


class BoundSession:
    """One ONNX Runtime session whose inputs and outputs are bound to memory before it runs."""

    def __init__(self, inner: ort.InferenceSession) -> None:
        self._open: ort.InferenceSession | None = inner
        self.run_s = 0.0
        self.binding_number = 0
        self._binding: Any = None
        self._bound: dict[str, ort.OrtValue | None] = {}
        self.unbind()

    @property
    def _inner(self) -> ort.InferenceSession:
        if self._open is None:
            raise ValueError("this session was closed when another phase was opened")
        return self._open

    def close(self) -> None:
        """Give the session's memory back, whoever still holds it. It cannot run again."""
        self._open, self._binding, self._bound = None, None, {}

    def bind_input(self, name: str, value: Array | ort.OrtValue) -> ort.OrtValue:
        """Read `name` from `value`, shared and not copied: an array edited in place is seen by the next run."""
        held = value if isinstance(value, ort.OrtValue) else ort.OrtValue.ortvalue_from_numpy(value)
        self._binding.bind_ortvalue_input(name, held)
        return held

    def bind_output(self, name: str, value: Array | ort.OrtValue | None = None) -> None:
        """Write `name` into `value`, or into memory of the runtime's own where its shape is not known."""
        held = value if value is None or isinstance(value, ort.OrtValue) else ort.OrtValue.ortvalue_from_numpy(value)
        self._bound[name] = held
        if held is None:
            self._binding.bind_output(name, "cpu")
        else:
            self._binding.bind_ortvalue_output(name, held)

    def element(self, name: str) -> np.dtype[Any]:
        """The type of the input `name`: fp32 or a byte."""
        kinds = {node.name: node.type for node in self._inner.get_inputs()}
        return np.dtype({"tensor(float)": np.float32, "tensor(int8)": np.int8, "tensor(uint8)": np.uint8}[kinds[name]])

    def run(self) -> None:
        """One run with what is bound. Its duration, without anything of Python's, adds to `run_s`."""
        inner, binding = self._inner, self._binding
        start = time.perf_counter()
        try:
            inner.run_with_iobinding(binding)
        except _FAILURES as error:
            raise _explained("run the model", error) from error
        self.run_s += time.perf_counter() - start

    def outputs(self, names: Sequence[str]) -> list[Array]:
        """Copies of the values of bound outputs after a run."""
        values = dict(zip(self._bound, self._binding.get_outputs(), strict=True))
        return [np.array(values[name].numpy()) for name in names]

    def unbind(self) -> None:
        """Forget all inputs and outputs. `binding_number` tells an owner whether what it bound is still there."""
        self.binding_number += 1
        self._binding = self._inner.io_binding()
        self._bound = {}

    def unbind_outputs(self, names: Sequence[str]) -> None:
        """Forget the outputs `names` and keep the others."""
        kept = {name: value for name, value in self._bound.items() if name not in names}
        self._binding.clear_binding_outputs()
        self._bound = {}
        for name, value in kept.items():
            self.bind_output(name, value)

    def end_profiling(self) -> str:
        """Path of the profile that was written, for a session opened with `profile`."""
        return str(self._inner.end_profiling())


def open_session(
    model: onnx.ModelProto, weights: Mapping[str, Array], threads: int, *, profile: str | None = None
) -> BoundSession:
    """Load `model` with its external initialisers taken from `weights`. The caller may drop them afterwards.

    `profile` is the prefix of a file to which each operator's time is written.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = 3
    if profile is not None:
        options.enable_profiling = True
        options.profile_file_prefix = profile
    options.add_session_config_entry("session.intra_op.allow_spinning", "1")
    values = [ort.OrtValue.ortvalue_from_numpy(array) for array in weights.values()]
    options.add_external_initializers(list(weights), values)
    try:
        return BoundSession(
            ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        )
    except _FAILURES as error:
        raise _explained("load the model", error) from error


_KERNEL = "_kernel_time"


def read_profile(path: Path) -> tuple[Executed, ...]:
    """Every run of every operator, in order, from a profile that ONNX Runtime wrote; times become seconds."""
    events = json.loads(path.read_text(encoding="utf-8"))
    return tuple(_executed(event) for event in events if event.get("cat") == "Node" and event["name"].endswith(_KERNEL))


def _executed(event: dict[str, Any]) -> Executed:
    node = event["name"].removesuffix(_KERNEL)
    part, named, _ = node.partition("/")
    arguments = event["args"]
    return Executed(
        node=node,
        part=part if named else "rest",
        operator=arguments["op_name"],
        duration_s=event["dur"] * 1e-6,
        inputs=_shapes(arguments["input_type_shape"]),
        outputs=_shapes(arguments["output_type_shape"]),
    )


def _shapes(described: list[dict[str, list[int]]]) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(shape) for entry in described for shape in entry.values())


_ROWS, _WIDTH, _OUT = 8, 64, 32
"""Of the product that is tried: more than one row and one vector of columns, so that it takes the kernels of both."""


@functools.cache
def exact_byte() -> Byte:
    """Type of 8-bit weights and caches with which products of integers are exact on this processor: signed if that is.

    Found by multiplying the largest codes, which takes 23 ms once a process (two Zen 3 cores).
    """
    return "int8" if all(_exact(rows) for rows in (1, _ROWS)) else "uint8"


def _exact(rows: int) -> bool:
    """Whether the sum of the largest products comes out, with signed weights. One row has a kernel of its own."""
    nodes = Nodes("int8")
    codes, scale = nodes.input("codes", np.int8, (_WIDTH, _OUT)), nodes.constant(np.ones(1, dtype=np.float32))
    integer_product(nodes, nodes.input("x", np.float32, (rows, _WIDTH)), codes, scale, to="y")
    nodes.output("y", np.float32, (rows, _OUT))
    session = open_session(nodes.program("exactness").model, {}, 1)
    session.bind_input("x", np.ones((rows, _WIDTH), dtype=np.float32))
    session.bind_input("codes", np.full((_WIDTH, _OUT), 127, dtype=np.int8))
    session.bind_output("y")
    session.run()
    return bool(np.allclose(session.outputs(["y"])[0], 127 * _WIDTH, rtol=1e-3))
