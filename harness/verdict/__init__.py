"""Where theory, article and observation meet: evidence, verdicts, and the scaled table."""

from harness.verdict.judge import assess

__all__ = ["assess"]
