"""Spec -> ONNX graph, one for each phase. Knows shapes and operators; the weights are handed over by the runtime."""

from harness.model.graph.decoder import build
from harness.model.graph.nodes import Binding, Program

__all__ = ["Binding", "Program", "build"]
