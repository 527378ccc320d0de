"""A graph under construction: operators by call, weights as external initialisers; independent of architectures.

No weight enters the model's protobuf: an initialiser only declares its type and shape, and `Binding` says which stored
tensor, in which packing, the runtime hands over. So a graph of any size is built at once from a spec alone.
"""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from harness.model.graph.packing import Byte, Packing, code_of_zero, pack
from harness.model.tensors import Tensor
from harness.vocabulary import RunPrecision

OPSET = 24
"""First with TensorScatter, which writes the new rows of a cache in place."""

IR_VERSION = 10
CONTRIB = "com.microsoft"

_ELEMENT = {
    np.dtype(np.float32): TensorProto.FLOAT,
    np.dtype(np.int64): TensorProto.INT64,
    np.dtype(np.int32): TensorProto.INT32,
    np.dtype(np.uint8): TensorProto.UINT8,
    np.dtype(np.int8): TensorProto.INT8,
}


@dataclass(frozen=True)
class Binding:
    """The initialiser `name` is the stored tensor `tensor` in `packing`, its real values times `factor`. `one` is the
    index of the matrix that is taken of a stack, None for the whole. `parts`: into how many each matrix is cut."""

    name: str
    tensor: str
    packing: Packing
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    factor: float = 1.0
    one: int | None = None
    parts: int = 1


@dataclass(frozen=True)
class Program:
    """A model without its weights, and which weights it asks for."""

    model: onnx.ModelProto
    bindings: tuple[Binding, ...]


class Nodes:
    """Collects operators. Each call adds one and returns the name of its output, or the names of its outputs."""

    def __init__(self, precision: RunPrecision, *, wide: bool = False, byte: Byte = "int8", threads: int = 1) -> None:
        self.precision = precision
        self.wide = wide
        """Whether products have many rows: prefill, up to the head."""
        self.byte: np.dtype[Any] = np.dtype(byte)
        """Type of 8-bit codes around zero: weights and caches in products of integers."""
        self.threads = threads
        """How many will run it."""
        self.part = ""
        self._nodes: list[onnx.NodeProto] = []
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}
        self._bindings: dict[str, Binding] = {}

    def input(self, name: str, dtype: type[np.generic], shape: Sequence[int | str]) -> str:
        self._inputs.append(helper.make_tensor_value_info(name, _ELEMENT[np.dtype(dtype)], shape))
        return name

    def output(self, name: str, dtype: type[np.generic], shape: Sequence[int | str]) -> None:
        self._outputs.append(helper.make_tensor_value_info(name, _ELEMENT[np.dtype(dtype)], shape))

    def constant(self, value: Sequence[int] | NDArray[Any] | float) -> str:
        """A small constant, shared where the same one was asked for before."""
        array = np.asarray(value)
        if array.dtype == np.float64:
            array = array.astype(np.float32)
        content = hashlib.sha256(array.tobytes()).hexdigest()[:16]
        key = f"const_{array.dtype}_{'x'.join(map(str, array.shape))}_{content}"
        if key not in self._constants:
            self._constants[key] = onnx.numpy_helper.from_array(array, key)
        return key

    def ints(self, *values: int) -> str:
        """A constant int64 [n]: a shape, axes or counts."""
        return self.constant(np.array(values, dtype=np.int64))

    def zero(self) -> str:
        """The 8-bit code of zero, []."""
        return self.constant(np.array(code_of_zero(self.byte), dtype=self.byte))

    def weight(
        self, tensor: Tensor, packing: Packing, factor: float = 1.0, *, one: int | None = None, parts: int = 1
    ) -> str:
        """Declare `tensor`, or matrix `one` of it, in `packing`, times `factor`, as an initialiser; `parts` is for the
        packings that cut."""
        name = f"{tensor.name}:{packing}" if one is None else f"{tensor.name}:{packing}:{one}"
        if name not in self._bindings:
            made = pack(tensor if one is None else tensor.matrix(), packing, self.precision, parts)
            dtype = self.byte if made.dtype == np.int8 else made.dtype
            self._bindings[name] = Binding(name, tensor.name, packing, made.shape, dtype, factor, one, parts)
        return name

    def __call__(self, op: str, *inputs: str, to: str | None = None, domain: str = "", **attributes: Any) -> str:
        """Add operator `op` of the standard domain; its one output is named `to` where that is given."""
        return self.many(
            op, *inputs, outputs=(to or f"{self.part}/{op}_{len(self._nodes)}",), domain=domain, **attributes
        )[0]

    def ms(self, op: str, *inputs: str, to: str | None = None, **attributes: Any) -> str:
        """The same from the contributed domain."""
        return self(op, *inputs, to=to, domain=CONTRIB, **attributes)

    def many(
        self, op: str, *inputs: str, outputs: int | tuple[str, ...], domain: str = "", **attributes: Any
    ) -> Sequence[str]:
        """Add operator `op` with so many outputs, or with outputs of these names."""
        stem = f"{self.part}/{op}_{len(self._nodes)}"
        names = tuple(f"{stem}.{i}" for i in range(outputs)) if isinstance(outputs, int) else outputs
        if "to_type" in attributes:
            attributes = {"to": _ELEMENT[np.dtype(attributes["to_type"])]}
        self._nodes.append(helper.make_node(op, inputs, names, name=stem, domain=domain, **attributes))
        return names

    def program(self, name: str) -> Program:
        initialisers = [external(b.name, b.shape, b.dtype) for b in self._bindings.values()]
        graph = helper.make_graph(
            self._nodes, name, self._inputs, self._outputs, [*self._constants.values(), *initialisers]
        )
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid(CONTRIB, 1)],
            ir_version=IR_VERSION,
            producer_name="harness",
        )
        return Program(model, tuple(self._bindings.values()))


def external(name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> onnx.TensorProto:
    """An initialiser whose data the runtime is given in memory. The location is never opened."""
    tensor = TensorProto(name=name, data_type=_ELEMENT[dtype], dims=shape)
    tensor.data_location = TensorProto.EXTERNAL
    length = math.prod(shape) * dtype.itemsize
    for key, value in (("location", "memory"), ("offset", "0"), ("length", str(length))):
        tensor.external_data.add(key=key, value=value)
    return tensor
