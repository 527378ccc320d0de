"""Documents that people write: YAML and JSON read with the place of every value, and held against a type."""

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

from harness.document.misfit import fit
from harness.document.reader import parse, read_text
from harness.document.tree import Document, Location, Mark, Node, Plain

__all__ = ["Document", "Location", "Mark", "Node", "Plain", "load", "parse", "read", "validate"]

Model = TypeVar("Model", bound=BaseModel)


def load(path: Path, *, what: str) -> Document:
    """Read and parse `path`. Raises UsageError that names the file, the place, and what was expected."""
    return parse(read_text(path, what), path=path, what=what)


def validate(document: Document, model: type[Model]) -> Model:
    """The document as a `model`. Raises UsageError with one line for each mistake (at most ten)."""
    return fit(document, model)


def read(path: Path, model: type[Model], *, what: str) -> Model:
    """`load` and `validate` in one."""
    return validate(load(path, what=what), model)
