"""The only room that imports ONNX Runtime: sessions, loaded models, and the steps that are timed."""
