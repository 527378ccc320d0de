"""JSON and TOML from untrusted files as Python values; what is ambiguous, not finite or too costly to read is refused.

That is a key that stands twice in one object (a reader would silently take the last), NaN, infinities and numbers
beyond a double unless they are asked for, and what Python's parsers fail on or take long on: nesting beyond the stack,
whole numbers of thousands of digits, dotted keys of thousands of parts.
"""

import json
import math
import re
import tomllib
from collections import Counter
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from pydantic import ValidationError


class StrictJsonError(ValueError):
    """Why a text cannot be relied upon, in words that may be printed; `line` and `column` where the parser has them."""

    def __init__(self, reason: str, line: int | None = None, column: int | None = None):
        super().__init__(reason)
        self.line, self.column = line, column

    def place(self, where: str) -> str:
        """`where` with line and column, as an editor takes it."""
        return where if self.line is None else f"{where}:{self.line}:{self.column}"


def decode_json(text: str, *, what: str, finite: bool = True) -> Any:
    """`text` as values. Raises StrictJsonError; `what` says what was expected ('harness report').

    With `finite` false, NaN and infinities come back as floats: other tools write them in places that nobody needs, so
    there the reader refuses the fields that it does need.
    """
    try:
        if not finite:
            return json.loads(text, object_pairs_hook=_unique)
        return json.loads(text, parse_constant=_no_constant, parse_float=_finite, object_pairs_hook=_unique)
    except json.JSONDecodeError as error:
        reason = f"not JSON ({error.msg}), the file may be cut short"
        raise StrictJsonError(reason, error.lineno, error.colno) from None
    except RecursionError:
        raise StrictJsonError(f"nested too deeply to be a {what}") from None
    except StrictJsonError:
        raise
    except ValueError:  # Python's own limit on the digits of a whole number
        raise StrictJsonError(f"holds a whole number of thousands of digits, expected a {what}") from None


_UNSEEN = re.compile("[\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]")
"""What JSON leaves as it is and a terminal obeys: C1 control characters, marks that reorder or hide text."""


def encode_json(value: Any, *, indent: int | None = 2) -> str:
    """`value` as JSON with a final newline, in one line without `indent`; what could drive a terminal is written as an
    escape."""
    text = json.dumps(value, indent=indent, ensure_ascii=False, allow_nan=False) + "\n"
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _no_constant(name: str) -> NoReturn:
    raise StrictJsonError(f"holds {name}, expected finite numbers")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise StrictJsonError(f"holds {text[:40]}, expected finite numbers")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        count = Counter(key for key, _ in pairs)
        twice = next(key for key, _ in pairs if count[key] > 1)
        shown = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in twice[:80])
        raise StrictJsonError(f"key '{shown}' stands twice in one object")
    return found


def reasons(error: "ValidationError", whole: str) -> list[str]:
    """pydantic's validation errors, a line each: the place (`whole` where it is the whole), and what is wrong there."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return [f"{'.'.join(map(str, e['loc'])) or whole}: {e['msg']}" for e in found]


TOML_LINE_LIMIT = 1000  # a line that people write is far shorter
TOML_SIZE_LIMIT = 1 << 16


class StrictTomlError(ValueError):
    """Why a text cannot be used, in words that may be printed."""


def decode_toml(text: str) -> dict[str, Any]:
    """`text` as values. Raises StrictTomlError."""
    if len(text) > TOML_SIZE_LIMIT:
        raise StrictTomlError(f"larger than {TOML_SIZE_LIMIT >> 10} Ki characters")
    number = next((i for i, line in enumerate(text.split("\n"), 1) if len(line) > TOML_LINE_LIMIT), None)
    if number is not None:
        raise StrictTomlError(f"line {number} is longer than {TOML_LINE_LIMIT} characters")
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise StrictTomlError(f"not TOML ({error})") from None
    except RecursionError:
        raise StrictTomlError("nested too deeply") from None
