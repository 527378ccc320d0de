"""A checksum inside a JSON document, so that a changed number is noticed. Knows no type, reads no file. Pure.

It is over the values, not the text: reformatting keeps it, a changed, added or missing value breaks it. It finds
accidents (a flipped bit, a cut, an edit by hand); against someone who computes it anew it is no signature.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from harness.document import strictjson

KEY = "checksum"
PATTERN = r"^sha256:[0-9a-f]{64}$"


def sealed(text: str) -> str:
    """The JSON object in `text` with its checksum as the last member, indented, with a final newline."""
    content = json.loads(text)
    content.pop(KEY, None)
    return strictjson.encode({**content, KEY: _sum(content)})


def broken(content: Mapping[str, Any]) -> str | None:
    """Why a decoded document is not as it was written, or None where its checksum is right."""
    found = content.get(KEY)
    if found is None:
        return f"has no '{KEY}': it was not written by harness, or not to its end"
    try:
        right = found == _sum({key: value for key, value in content.items() if key != KEY})
    except (ValueError, RecursionError) as error:  # 1e999 is decoded as an infinity
        return f"holds a number that is none ({error})"
    return None if right else "was changed after it was written: its checksum does not match"


def _sum(content: Mapping[str, Any]) -> str:
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return "sha256:" + hashlib.sha256(canonical.encode()).hexdigest()
