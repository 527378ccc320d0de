"""Untrusted YAML and JSON files as plain values that keep the line and column they came from.

Read by the rules of YAML 1.2 (`no` is a word, `010` is ten, a date is text), without tags that build objects, bounded
in size, depth and aliases before anything is built. The events come from ruamel.yaml's parser; their values are
resolved here. `files.validation` compares a document with a type.
"""

import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import UsageError
from harness.files.tree import Document, Mark, Node, Scalar

if TYPE_CHECKING:
    from ruamel.yaml.events import Event, NodeEvent, ScalarEvent

DEPTH_LIMIT = 40
NODE_LIMIT = 200_000
ALIAS_LIMIT = 100
DIGIT_LIMIT = 30  # no quantity of this field needs more; beyond it integers only cost time
LARGEST, SMALLEST = 1e30, 1e-30  # as few quantities lie beyond, and products of some of these are still numbers
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_TAG = "tag:yaml.org,2002:"

# YAML 1.2.2, section 10.3.2 (core schema)
_NULL = re.compile(r"(?:~|null|Null|NULL|)\Z")
_BOOL = re.compile(r"(?:true|True|TRUE|false|False|FALSE)\Z")
_INT = re.compile(r"(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)\Z")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")
_NOT_FINITE = re.compile(r"(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\Z")


def parse(text: str, *, path: Path, what: str) -> Document:
    """Parse `text` as one YAML document. `path` is only used in messages."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError
    from ruamel.yaml.reader import ReaderError

    _refuse_characters(text, path, what)
    reader = _Reader(path, what)
    try:
        root = reader.document(YAML(typ="safe", pure=True).parse(text))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
        problem = str(error.problem or error.context or "syntax error").replace("\x00", "end of file").splitlines()[0]
        raise UsageError(f"{place}: not valid YAML ({problem}), expected a {what}") from None
    except (YAMLError, ReaderError, ValueError, OverflowError, LookupError, TypeError, AttributeError) as error:
        # the parser lets some of Python's own errors through for impossible escapes and versions
        reason = (str(error).splitlines() or [type(error).__name__])[0][:120]
        raise UsageError(f"{path}: not valid YAML ({reason}), expected a {what}") from None
    return Document(path=path, what=what, text=text, root=root)


def _refuse_characters(text: str, path: Path, what: str) -> None:
    for index, character in enumerate(text):
        if character.isascii() and (character.isprintable() or character in "\n\r\t"):
            continue
        if _forbidden(character):
            line = text.count("\n", 0, index) + 1
            column = index - text.rfind("\n", 0, index)
            raise UsageError(
                f"{path}:{line}:{column}: control character U+{ord(character):04X}, expected a {what} of plain text"
            )


def _forbidden(character: str) -> bool:
    """Control characters, halves of surrogate pairs, and marks that reorder text (they hide what is written)."""
    return unicodedata.category(character) in ("Cc", "Cs") or character in _BIDI


class _Reader:
    """Builds nodes from the parser's events, refusing what is not a plain, bounded, single document."""

    def __init__(self, path: Path, what: str) -> None:
        self.path, self.what = path, what
        self.anchors: dict[str, Node] = {}
        self.aliases = 0
        self.nodes = 0

    def document(self, events: "Iterator[Event]") -> Node:
        from ruamel.yaml import events as ev

        root: Node | None = None
        for event in events:
            if isinstance(event, ev.DocumentStartEvent):
                if root is not None:
                    raise self._error(event, "a second document begins", f"one {self.what} a file")
                root = self._node(next(events), events, 0)
        if root is None or root.value is None:
            raise UsageError(f"{self.path}: empty, expected a {self.what}")
        return root

    def _error(self, event: "Event", what: str, expected: str) -> UsageError:
        mark = _mark(event)
        return UsageError(f"{self.path}:{mark.line}:{mark.column}: {what}, expected {expected}")

    def _node(self, event: "Event", events: "Iterator[Event]", depth: int) -> Node:
        from ruamel.yaml import events as ev

        self.nodes += 1
        if self.nodes > NODE_LIMIT:
            raise self._error(event, "too many values", f"at most {NODE_LIMIT}, aliases expanded")
        if isinstance(event, ev.AliasEvent):
            return self._alias(event)
        if depth > DEPTH_LIMIT:
            raise self._error(event, "nested too deeply", f"at most {DEPTH_LIMIT} levels")
        if isinstance(event, ev.ScalarEvent):
            node = Node(mark=_mark(event), value=self._scalar(event))
        elif isinstance(event, ev.SequenceStartEvent):
            node = self._sequence(event, events, depth)
        else:
            node = self._mapping(event, events, depth)
        if isinstance(event, ev.NodeEvent) and event.anchor is not None:
            self.anchors[str(event.anchor)] = node
        return node

    def _alias(self, event: "NodeEvent") -> Node:
        node = self.anchors.get(str(event.anchor))
        if node is None:
            raise self._error(event, f"alias '*{event.anchor}' refers to nothing before it", "a finished anchor")
        self.aliases += 1
        self.nodes += node.size
        if self.aliases > ALIAS_LIMIT or self.nodes > NODE_LIMIT:
            raise self._error(event, "too many aliases", f"at most {ALIAS_LIMIT}; write the values out")
        return node

    def _sequence(self, start: "Event", events: "Iterator[Event]", depth: int) -> Node:
        from ruamel.yaml import events as ev

        self._check_tag(start, "seq")
        items: list[Node] = []
        while not isinstance(event := next(events), ev.SequenceEndEvent):
            items.append(self._node(event, events, depth + 1))
        return Node(mark=_mark(start), value=items, size=1 + sum(n.size for n in items))

    def _mapping(self, start: "Event", events: "Iterator[Event]", depth: int) -> Node:
        from ruamel.yaml import events as ev

        self._check_tag(start, "map")
        items: dict[str, Node] = {}
        keys: dict[str, Mark] = {}
        while not isinstance(event := next(events), ev.MappingEndEvent):
            key = self._scalar(event) if isinstance(event, ev.ScalarEvent) else None
            if not isinstance(key, str):
                raise self._error(event, "a key that is not text", "a plain name (quote it if it is a number)")
            if key in items:
                first = keys[key]
                raise self._error(
                    event, f"key '{_short(key)}' a second time (first in line {first.line})", "each key once"
                )
            keys[key] = _mark(event)
            items[key] = self._node(next(events), events, depth + 1)
        return Node(mark=_mark(start), value=items, keys=keys, size=1 + sum(n.size for n in items.values()))

    def _check_tag(self, event: "Event", expected: str) -> None:
        tag = getattr(event, "tag", None)
        if tag is not None and str(tag) not in ("!", _TAG + expected):
            raise self._error(event, f"tag '{_short(str(tag))}' is not known", "plain YAML without tags")

    def _scalar(self, event: "ScalarEvent") -> Scalar:
        text = str(event.value)
        if "\ud800" <= max(text, default="") <= "\udfff" or any("\ud800" <= c <= "\udfff" for c in text):
            # JSON writes characters beyond the first plane as two escapes
            text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        bad = next((c for c in text if c not in "\n\r\t" and _forbidden(c)), None)
        if bad is not None:
            raise self._error(event, f"control character U+{ord(bad):04X} in a text", "printable characters")
        if event.tag is not None:
            return self._tagged(event, text)
        if event.style is not None:
            return text
        return self._plain_scalar(event, text)

    def _tagged(self, event: "ScalarEvent", text: str) -> Scalar:
        tag = str(event.tag)
        if tag in ("!", _TAG + "str"):
            return text
        value = self._plain_scalar(event, text)
        kinds: dict[str, type] = {"int": int, "float": float, "bool": bool, "null": type(None)}
        kind = kinds.get(tag.removeprefix(_TAG)) if tag.startswith(_TAG) else None
        if kind is None:
            raise self._error(event, f"tag '{_short(tag)}' is not known", "plain YAML without tags")
        if type(value) is kind:
            return value
        if kind is float and type(value) is int:
            return float(value)
        raise self._error(event, f"'{_short(text)}' is tagged as {tag.removeprefix(_TAG)} and is not one", "a match")

    def _plain_scalar(self, event: "ScalarEvent", text: str) -> Scalar:
        if _NULL.match(text):
            return None
        if _BOOL.match(text):
            return text.lower() == "true"
        if _INT.match(text):
            if len(text) > DIGIT_LIMIT:
                raise self._error(event, f"a whole number of {len(text)} digits", f"at most {DIGIT_LIMIT}")
            return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))
        if _NOT_FINITE.match(text):
            raise self._error(event, f"'{text}' is not a number", "a finite number")
        if _FLOAT.match(text):
            if len(text) > 10 * DIGIT_LIMIT or abs(value := float(text)) > LARGEST:
                raise self._error(event, f"'{_short(text)}' is too large a number", f"at most {LARGEST:g}")
            if 0 < abs(value) < SMALLEST or (value == 0 and text.lower().split("e")[0].strip("+-0.")):
                raise self._error(event, f"'{_short(text)}' is too small a number", f"0, or at least {SMALLEST:g}")
            return value
        return text


def _mark(event: "Event") -> Mark:
    return Mark(event.start_mark.line + 1, event.start_mark.column + 1)


def _short(text: str) -> str:
    """At most 40 characters of untrusted text, for a message."""
    return text if len(text) <= 40 else text[:37] + "..."
