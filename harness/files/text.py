"""Text of untrusted files: read within bounds, and made safe to print.

Names and statements come from files that anybody may have written; the markup of a format is escaped by the module that
writes that format.
"""

import codecs
import stat
import unicodedata
from pathlib import Path

from harness.errors import UsageError

SIZE_LIMIT_BYTES = 1 << 20  # the YAML parser reads about 250 kB a second: a larger file would look like a hang
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
# Zero-width joiners build emoji and are needed by several scripts; they neither move a cursor nor reorder text.
_HARMLESS = frozenset("\u200c\u200d")
_SPACES = frozenset("\t\n\r\x0b\x0c\x85\u2028\u2029")


def printable_line(text: str) -> str:
    """`text` on one line: white space folded, and what could drive a terminal or reorder a line made visible.

    Replaced are control characters (C0, C1: escape sequences start with one), directional overrides and other format
    characters, lone surrogates and private code points.
    """
    folded = "".join(" " if c in _SPACES else c for c in text)
    kept = "".join(
        REPLACEMENT if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co") and c not in _HARMLESS else c for c in folded
    )
    return " ".join(kept.split())


def printable_lines(text: str) -> tuple[str, ...]:
    """Each line of `text` made printable; empty lines are dropped."""
    return tuple(kept for kept in (printable_line(part) for part in text.split("\n")) if kept)


def web_address(url: str | None) -> str | None:
    """`url` where it is an http(s) address that may become a link; None otherwise (no `javascript:`, no file)."""
    if url is None:
        return None
    kept = printable_line(url)
    safe = kept.lower().startswith(("https://", "http://")) and not any(c in kept for c in " <>\"'`\\" + REPLACEMENT)
    return kept if safe else None


def read_text(path: Path, what: str) -> str:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            kind = "a folder" if stat.S_ISDIR(status.st_mode) else "not a regular file"
            raise UsageError(f"{path}: is {kind}, expected a {what} file")
        with path.open("rb") as file:
            raw = file.read(SIZE_LIMIT_BYTES + 1)
    except FileNotFoundError:
        raise UsageError(f"{path}: no such file, expected a {what}{_nearby(path)}") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UsageError(f"{path}: cannot be read ({reason}), expected a {what}") from None
    if len(raw) > SIZE_LIMIT_BYTES:
        raise UsageError(f"{path}: too large, expected a {what} of at most {SIZE_LIMIT_BYTES >> 20} MiB")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        column = error.start - raw.rfind(b"\n", 0, error.start)
        raise UsageError(f"{path}:{line}:{column}: not UTF-8 text, expected a {what} in YAML") from None
    if path.suffix == ".json":  # YAML allows tabs inside lines only; a JSON string cannot hold one
        text = text.replace("\t", " ")
    return text


def _nearby(path: Path) -> str:
    """A file of the same folder whose name is close, as a hint."""
    import difflib

    try:
        names = [p.name for p in path.parent.iterdir() if p.suffix in (".yaml", ".yml", ".json")]
    except OSError:
        return ""
    near = difflib.get_close_matches(path.name, names, n=1, cutoff=0.75)
    return f"; did you mean '{path.parent / near[0]}'?" if near else ""


def is_folder(path: Path) -> bool:
    """False for a name that no file can have, where `Path.is_dir` may raise."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def read_bounded(path: Path, limit_bytes: int) -> str:
    """The text of a file of at most `limit_bytes`, with line ends as newlines. Raises UsageError."""
    try:
        size = path.stat().st_size
        if size > limit_bytes:
            raise UsageError(f"{path}: {size} bytes, expected at most {limit_bytes}")
        data = path.read_bytes()
        # Windows PowerShell writes what is redirected as UTF-16, with a mark at the start.
        encoding = "utf-16" if data[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8-sig"
        return data.decode(encoding).replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: byte {error.start} is not {error.encoding}, expected UTF-8 text") from None
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror or error})") from None
