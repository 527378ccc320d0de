"""The measured models: mixture-of-experts and dense architectures, their weights, graphs, and a plain reference."""
