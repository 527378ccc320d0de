"""The sparse model: its architecture, its graph, its weights, and the reference that it is checked against."""
