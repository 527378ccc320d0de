"""A parsed document: values with their places in the file."""

from dataclasses import dataclass, field
from pathlib import Path

from harness.errors import UsageError

Scalar = str | int | float | bool | None
Plain = Scalar | list["Plain"] | dict[str, "Plain"]
Location = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a file, counted from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Node:
    """A value with its place. `size` counts the nodes below it, aliases expanded."""

    mark: Mark
    value: "Scalar | list[Node] | dict[str, Node]"
    keys: dict[str, Mark] = field(default_factory=dict)
    size: int = 1

    def plain(self) -> Plain:
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value


@dataclass(frozen=True)
class Document:
    """A parsed file. `what` is the expected kind ('config', 'claim sheet'), for messages."""

    path: Path
    what: str
    text: str
    root: Node

    def plain(self) -> Plain:
        """The document as plain values: str, int, float, bool, None, list, dict."""
        return self.root.plain()

    def mark(self, *location: str | int) -> Mark:
        """The place of the value at `location`, or of the nearest value around it."""
        node = self.root
        for part in location:
            if isinstance(node.value, dict) and part in node.value:
                node = node.value[str(part)]
            elif isinstance(node.value, list) and isinstance(part, int) and part < len(node.value):
                node = node.value[part]
        return node.mark

    def error(self, mark: Mark, message: str) -> UsageError:
        return UsageError(f"{self.path}:{mark.line}:{mark.column}: {message}")
