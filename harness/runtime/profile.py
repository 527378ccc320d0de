"""The runtime's own profile of a session, read into operators that ran. Knows its format and nothing of models."""

import json
from pathlib import Path
from typing import Any

from harness.model.operators import Executed

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
