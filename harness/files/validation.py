"""A document held against a type, and where it does not fit: pydantic's errors as file:line:column, in words.

A union's errors at one place become one line; an unknown key names the nearest known one.
"""

import difflib
import json
import types
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from harness.errors import UsageError
from harness.files.reader import parse
from harness.files.text import read_text
from harness.files.tree import Document, Location, Mark, Node

ERROR_LIMIT = 10
Model = TypeVar("Model", bound=BaseModel)


def validate(document: Document, model: type[Model]) -> Model:
    """`document` as a `model`, strictly (text is no number, 1.0 is no whole number).

    Raises UsageError: one line for each mistake, in order of lines, at most ten.
    """
    if not isinstance(document.root.value, dict):
        raise document.error(
            document.root.mark, f"{_found(document.root)}, expected a {document.what}: a mapping of keys to values"
        )
    try:
        return model.model_validate_json(json.dumps(document.plain()), strict=True)
    except ValidationError as error:
        lines = _lines(document, model, error.errors(include_url=False))
    more = len(lines) - ERROR_LIMIT
    if more > 0:
        lines = [*lines[:ERROR_LIMIT], f"{document.path}: and {more} more"]
    raise UsageError("\n".join(lines))


def _lines(document: Document, model: type[BaseModel], findings: list[ErrorDetails]) -> list[str]:
    """One line for each place; what several branches of a union expected there is joined by 'or'."""
    places: dict[Location, list[tuple[Mark, str, str]]] = {}
    for finding in findings:
        location, node = _locate(document.root, finding["loc"])
        if finding["type"] == "too_short" and _length(node) >= finding.get("ctx", {}).get("min_length", 0):
            continue  # pydantic counts only the entries that fit; each that does not is reported itself
        mark, what, expected = _explain(model, location, node, document.root, finding)
        places.setdefault((*location, "" if finding["type"] != "missing" else finding["loc"][-1]), []).append(
            (mark, what, expected)
        )
    rows = []
    for group in places.values():
        mark, what, _ = group[0]
        rows.append((mark, what, " or ".join(dict.fromkeys(expected for _, _, expected in group))))
    rows.sort(key=lambda row: (row[0].line, row[0].column))
    return [str(document.error(mark, f"{what}, expected {expected}")) for mark, what, expected in rows]


def _locate(root: Node, loc: tuple[int | str, ...]) -> tuple[Location, Node]:
    """The part of a finding's location that exists in the document (tags of unions do not), and the node there."""
    node = root
    path: list[int | str] = []
    for part in loc:
        below = _child(node, part)
        if below is not None:
            node = below
            path.append(part)
    return tuple(path), node


def _length(node: Node) -> int:
    return len(node.value) if isinstance(node.value, list | dict) else 0


def _child(node: Node, part: int | str) -> Node | None:
    if isinstance(node.value, dict) and isinstance(part, str):
        return node.value.get(part)
    if isinstance(node.value, list) and isinstance(part, int) and part < len(node.value):
        return node.value[part]
    return None


def _explain(
    model: type[BaseModel], location: Location, node: Node, root: Node, finding: ErrorDetails
) -> tuple[Mark, str, str]:
    """Place, what is wrong, and what was expected."""
    name, kind, context = _name(location), finding["type"], finding.get("ctx", {})
    if kind == "extra_forbidden":
        owner = _model_at(model, finding["loc"][:-1])
        key = str(location[-1]) if location else str(finding["loc"][-1])
        parent = _locate(root, location[:-1])[1]
        place = _name(location[:-1])
        known = _known(owner)
        return parent.keys.get(key, node.mark), f"unknown key '{_short(key)}'{place}", _one_of(key, known)
    if kind == "missing":
        key = str(finding["loc"][-1])
        return node.mark, f"missing key '{key}'{name}", _purpose(_model_at(model, finding["loc"][:-1]), key)
    if kind == "union_tag_not_found":
        return node.mark, f"missing key {context.get('discriminator', '')}{name}", "the kind of this entry"
    if kind == "union_tag_invalid":
        tags = [tag.strip("' ") for tag in str(context.get("expected_tags", "")).split(",")]
        tag_name = str(context.get("discriminator", "")).strip("'")
        given = node.value.get(tag_name, node) if isinstance(node.value, dict) else node
        return given.mark, f"unknown {tag_name} {_found(given)}{name}", _one_of(str(given.value), tags)
    if kind == "literal_error":
        allowed = _literals(str(context.get("expected", "")))
        return node.mark, f"{_found(node)}{name}", _one_of(str(node.value), allowed)
    if kind in ("value_error", "assertion_error"):
        return node.mark, f"{context.get('error', finding['msg'])}{name}", "values that agree"
    return node.mark, f"{_found(node)}{name}", _expected(kind, context, finding["msg"])


def _expected(kind: str, context: dict[str, Any], message: str) -> str:
    """What a finding of this kind asks for, in words."""
    bounds = {
        "greater_than": f"more than {context.get('gt')}",
        "greater_than_equal": f"at least {context.get('ge')}",
        "less_than": f"less than {context.get('lt')}",
        "less_than_equal": f"at most {context.get('le')}",
        "too_short": f"at least {context.get('min_length')} entries",
        "too_long": f"at most {context.get('max_length')} entries",
        "string_too_short": f"at least {context.get('min_length')} characters",
        "string_too_long": f"at most {context.get('max_length')} characters",
        "string_pattern_mismatch": _PATTERNS.get(str(context.get("pattern")), f"text like {context.get('pattern')}"),
    }
    if kind in bounds:
        return bounds[kind]
    for prefix, words in _KINDS:
        if kind.startswith(prefix):
            return words
    return message[0].lower() + message[1:]


_KINDS = (
    ("int", "a whole number"),
    ("float", "a number"),
    ("finite_number", "a finite number"),
    ("string", "text (quote it)"),
    ("bool", "true or false"),
    ("tuple", "a list"),
    ("list", "a list"),
    ("dict", "a mapping of keys to values"),
    ("model", "a mapping of keys to values"),
    ("date", "a date such as 2026-04-30"),
    ("none", "nothing"),
)
_PATTERNS = {
    r"^[a-z0-9][a-z0-9._-]*$": "a name of small letters, digits, '.', '_' and '-'",
    r"^[A-Za-z0-9][A-Za-z0-9._:-]*$": "a name of letters, digits, '.', '_', ':' and '-'",
    r"^[^\x00-\x08\x0b-\x1f\x7f]*$": "text without control characters",
}


def _found(node: Node) -> str:
    """The value at fault, shortened."""
    if isinstance(node.value, dict):
        return "a mapping"
    if isinstance(node.value, list):
        return f"a list of {len(node.value)}" if node.value else "an empty list"
    if node.value is None:
        return "nothing"
    if isinstance(node.value, bool):
        return "true" if node.value else "false"
    if isinstance(node.value, str):
        return f"'{_short(node.value)}'" if node.value else "an empty text"
    return _short(str(node.value))


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 60 else text[:57] + "..."


def _name(location: Location) -> str:
    """' in measure.batches[0]', or nothing at the root."""
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else (f".{part}" if text else part)
    return f" in {_short(text)}" if text else ""


def _one_of(given: str, known: list[str]) -> str:
    near = difflib.get_close_matches(given, known, n=1, cutoff=0.5)
    listed = ", ".join(known) or "no key at all"
    hint = f"; did you mean '{near[0]}'?" if near else ""
    return f"{'one of ' if len(known) > 1 else ''}{listed}{hint}"


def _literals(expected: str) -> list[str]:
    """pydantic writes the values of a Literal as "'a', 'b' or 'c'"."""
    parts = expected.replace(" or ", ", ").split(", ")
    return [part.strip("'") for part in parts if part]


def _known(owner: type[BaseModel] | None) -> list[str]:
    if owner is None:
        return []
    return [info.alias or name for name, info in owner.model_fields.items()]


def _purpose(owner: type[BaseModel] | None, key: str) -> str:
    info = _field(owner, key) if owner is not None else None
    if info is None:
        return "it to be given"
    words = _type_words(info.annotation)
    return f"{words}: {info.description}" if info.description else words


def _type_words(annotation: object) -> str:
    """A type in a few words: only what a newcomer needs to fill in a missing key."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _type_words(get_args(annotation)[0])
    if origin is Literal:
        values = [str(value) for value in get_args(annotation)]
        return values[0] if len(values) == 1 else "one of " + ", ".join(values)
    for kind, words in ((int, "a whole number"), (float, "a number"), (str, "text")):
        if annotation is kind:
            return words
    if origin is tuple:
        return "a list"
    return "a mapping of keys to values" if isinstance(annotation, type) else "a value"


def _field(owner: type[BaseModel], key: str) -> FieldInfo | None:
    return next((f for name, f in owner.model_fields.items() if (f.alias or name) == key), None)


def _model_at(model: type[BaseModel], loc: tuple[int | str, ...]) -> type[BaseModel] | None:
    """The model that owns the keys at `loc`: walks fields, items, mapping values and tags of unions."""
    here: object = model
    for part in loc:
        here = _step(here, part)
        if here is None:
            return None
    here = _bare(here)
    return here if isinstance(here, type) and issubclass(here, BaseModel) else None


def _step(annotation: object, part: int | str) -> object:
    annotation = _bare(annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        info = _field(annotation, str(part))
        return info.annotation if info is not None else None
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (tuple, list) and isinstance(part, int):
        return arguments[0] if len(arguments) < 2 or arguments[1] is ... else arguments[min(part, len(arguments) - 1)]
    if origin is dict:
        return arguments[1]
    if origin in (Union, types.UnionType):  # `part` is the tag of one branch, or the name of its type
        return next((a for a in arguments if _has_tag(_bare(a), str(part))), None)
    return None


def _bare(annotation: object) -> object:
    """Without Annotated, and without None where only one other type remains."""
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if get_origin(annotation) in (Union, types.UnionType):
        others = [a for a in get_args(annotation) if a is not type(None)]
        if len(others) == 1:
            return _bare(others[0])
    return annotation


def _has_tag(annotation: object, tag: str) -> bool:
    if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
        return False
    if annotation.__name__ == tag:
        return True
    return any(
        get_origin(info.annotation) is Literal and tag in get_args(info.annotation)
        for info in annotation.model_fields.values()
    )


def load(path: Path, *, what: str) -> Document:
    """Read and parse `path`. Raises UsageError that names the file, the place, and what was expected."""
    return parse(read_text(path, what), path=path, what=what)


def read(path: Path, model: type[Model], *, what: str) -> Model:
    """`load` and `validate` in one."""
    return validate(load(path, what=what), model)
