"""Chips, models, published rates and facts of the public record, each figure with its source."""
