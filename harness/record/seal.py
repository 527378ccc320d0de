"""A JSON document with a checksum over its content, so that a changed number is noticed. Knows only records. Pure.

The checksum is over the values, not the text: reformatting keeps it, a changed, added or missing value breaks it.
"""

import hashlib
import json
from typing import Any, NoReturn

from pydantic import ValidationError

from harness.errors import UsageError
from harness.record import COMPUTED, Record

KEY = "checksum"
_ALGORITHM = "sha256:"
MAX_BYTES = 256 << 20
_ADVICE = "Export it again from the store it came from, or use another copy."


def seal(text: str) -> str:
    """The JSON object in `text` with its checksum as the last member, indented, with a final newline."""
    content = json.loads(text)
    content.pop(KEY, None)
    return json.dumps({**content, KEY: _sum(content)}, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def unseal(raw: bytes | str, *, where: str) -> str:
    """The JSON object in `raw` without its checksum, after that was found to be right.

    Raises UsageError naming `where`: too large, not UTF-8, not JSON, not an object, duplicate names, numbers that are
    none, no checksum, or one that does not match.
    """
    if len(raw) > MAX_BYTES:
        _refuse(where, f"has {len(raw)} bytes, at most {MAX_BYTES} are read")
    try:
        text = raw if isinstance(raw, str) else raw.decode()
        content = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except RecursionError:
        _refuse(where, "is nested too deeply")
    except ValueError as error:  # covers JSON, UTF-8, duplicate names, and integers of thousands of digits
        _refuse(where, f"is not a whole JSON document: {error}")
    if not isinstance(content, dict):
        _refuse(where, "is not a JSON object")
    found = content.pop(KEY, None)
    if found is None:
        _refuse(where, f"has no '{KEY}': it was not exported by harness, or it was cut")
    try:
        right = found == _sum(content)
    except (ValueError, RecursionError) as error:
        _refuse(where, f"holds a number that is none: {error}")
    if not right:
        _refuse(where, "was changed after it was written: its checksum does not match")
    return json.dumps(content, ensure_ascii=False, allow_nan=False)


def export_record(record: Record) -> str:
    """A record as sealed JSON text."""
    return seal(record.model_dump_json(exclude=COMPUTED))


def import_record(raw: bytes | str, *, where: str) -> Record:
    """What `export_record` wrote. Raises UsageError naming `where` and what is wrong."""
    text = unseal(raw, where=where)
    try:
        return Record.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        _refuse(where, f"is not a record that this version reads: {place}: {first['msg']}")


def _sum(content: dict[str, Any]) -> str:
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return _ALGORITHM + hashlib.sha256(canonical.encode()).hexdigest()


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice in one object")
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def _refuse(where: str, what: str) -> NoReturn:
    raise UsageError(f"{where}: {what}. {_ADVICE}") from None
