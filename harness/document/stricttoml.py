"""TOML from strangers as Python values, bounded before it is parsed. Knows no schema and no file.

Python's parser is given no text on which it takes long (a dotted key costs the square of its length) or that it cannot
bear (nesting beyond its stack, whole numbers of thousands of digits). NaN and infinities are left to the types.
"""

import tomllib
from typing import Any

LINE_LIMIT = 1000  # a line that people write is far shorter
SIZE_LIMIT = 1 << 16


class StrictTomlError(ValueError):
    """Why a text cannot be used, in words that may be printed."""


def decode(text: str) -> dict[str, Any]:
    """`text` as values. Raises StrictTomlError."""
    if len(text) > SIZE_LIMIT:
        raise StrictTomlError(f"larger than {SIZE_LIMIT >> 10} Ki characters")
    number = next((i for i, line in enumerate(text.split("\n"), 1) if len(line) > LINE_LIMIT), None)
    if number is not None:
        raise StrictTomlError(f"line {number} is longer than {LINE_LIMIT} characters")
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise StrictTomlError(f"not TOML ({error})") from None
    except RecursionError:
        raise StrictTomlError("nested too deeply") from None
