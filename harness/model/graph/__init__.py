"""A model's architecture as ONNX graphs, one for each phase."""
