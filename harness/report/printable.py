"""Foreign text made safe to print: names and statements come from files that anybody may have written.

Knows Unicode's categories, no format: markup of a format is escaped by the module that writes that format.
"""

import unicodedata

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
# Zero-width joiners build emoji and are needed by several scripts; they neither move a cursor nor reorder text.
_HARMLESS = frozenset("\u200c\u200d")
_SPACES = frozenset("\t\n\r\x0b\x0c\x85\u2028\u2029")


def line(text: str) -> str:
    """`text` on one line: white space folded, and what could drive a terminal or reorder a line made visible.

    Replaced are control characters (C0, C1: escape sequences start with one), directional overrides and other format
    characters, lone surrogates and private code points.
    """
    folded = "".join(" " if c in _SPACES else c for c in text)
    kept = "".join(
        REPLACEMENT if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co") and c not in _HARMLESS else c for c in folded
    )
    return " ".join(kept.split())


def lines(text: str) -> tuple[str, ...]:
    """Each line of `text` made printable; empty lines are dropped."""
    return tuple(kept for kept in (line(part) for part in text.split("\n")) if kept)


def web_address(url: str | None) -> str | None:
    """`url` where it is an http(s) address that may become a link; None otherwise (no `javascript:`, no file)."""
    if url is None:
        return None
    kept = line(url)
    safe = kept.lower().startswith(("https://", "http://")) and not any(c in kept for c in " <>\"'`\\" + REPLACEMENT)
    return kept if safe else None
