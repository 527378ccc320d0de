"""Results for people: one set of blocks, rendered as text, markdown or a page. Reads results, never the store."""

from harness.report.reading import build

__all__ = ["build"]
