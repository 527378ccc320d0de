"""Files that a command writes: checked before the work, written beside their place and renamed when whole; checksums.

A file that exists keeps its old content until the new one is complete. A checksum inside a JSON document is over its
values, not its text: reformatting keeps it; a changed, added or missing value breaks it. It finds accidents, not
forgery.
"""

import contextlib
import hashlib
import json
import os
import stat
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import UsageError
from harness.files import strict


@dataclass(frozen=True)
class Target:
    """A file to be written, and the option or key that asks for it."""

    path: Path
    asked_by: str


def check_targets(targets: Iterable[Target], inputs: Iterable[Path] = ()) -> None:
    """Raise UsageError for a target that could not be written, is named twice, or would overwrite an input.

    Leaves nothing on disk.
    """
    taken = {_resolved(path): "an input of this command" for path in inputs}
    for target in targets:
        place = _resolved(target.path)
        if place in taken and not _is_special(target.path):
            raise UsageError(f"{target.path}: {target.asked_by} would overwrite {taken[place]}, expected another name")
        taken[place] = f"the file of {target.asked_by}"
        _check_one(target)


def _check_one(target: Target) -> None:
    path = target.path
    try:
        if path.is_dir():
            raise UsageError(f"{path}: {target.asked_by} names a folder, expected a file name")
        if path.exists():
            if not os.access(path, os.W_OK):
                raise UsageError(f"{path}: {target.asked_by} names a file that may not be written")
            if _is_special(path):
                return
        folder = path.parent
        while not folder.exists():
            folder = folder.parent
        if folder.is_dir():  # permissions alone do not tell: nobody may make a file in /proc
            with tempfile.TemporaryFile(dir=folder):
                return
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{path}: {target.asked_by} cannot be written ({_reason(error)}), expected a folder that you may write to"
        ) from None
    raise UsageError(f"{path}: {target.asked_by} cannot be written, because '{folder}' is not a folder")


def write_target(target: Target, text: str) -> None:
    """Write `text` so that the file is either as it was or complete. Missing folders are made.

    Raises UsageError that names the path (full disk, folder gone).
    """
    path = target.path
    try:
        if _is_special(path):
            path.write_text(text, encoding="utf-8")
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, text)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{path}: {target.asked_by} could not be written ({_reason(error)}); what was measured is in the store: "
            "'harness show' can write it elsewhere"
        ) from None


def _replace(path: Path, text: str) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:80]}.", suffix=".part")
    beside = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.chmod(stat.S_IMODE(path.stat().st_mode) if path.exists() else 0o666 & ~_umask())
        beside.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise


def _umask() -> int:
    current = os.umask(0o077)
    os.umask(current)
    return current


def _is_special(path: Path) -> bool:
    """A device or pipe, which must not be renamed over: /dev/null, /dev/stdout."""
    try:
        return path.exists() and not path.is_file() and not path.is_dir()
    except (OSError, ValueError):
        return False


def _resolved(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, ValueError, RuntimeError):
        return path


def _reason(error: OSError | ValueError) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)


CHECKSUM_KEY = "checksum"
CHECKSUM_PATTERN = r"^sha256:[0-9a-f]{64}$"


def with_checksum(text: str) -> str:
    """The JSON object in `text` with its checksum as the last member, indented, with a final newline."""
    content = json.loads(text)
    content.pop(CHECKSUM_KEY, None)
    return strict.encode_json({**content, CHECKSUM_KEY: _sum(content)})


def checksum_error(content: Mapping[str, Any]) -> str | None:
    """Why a decoded document is not as it was written, or None where its checksum is right."""
    found = content.get(CHECKSUM_KEY)
    if found is None:
        return f"has no '{CHECKSUM_KEY}': it was not written by harness, or not to its end"
    try:
        right = found == _sum({key: value for key, value in content.items() if key != CHECKSUM_KEY})
    except (ValueError, RecursionError) as error:  # 1e999 is decoded as an infinity
        return f"holds a number that is none ({error})"
    return None if right else "was changed after it was written: its checksum does not match"


def _sum(content: Mapping[str, Any]) -> str:
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return "sha256:" + hashlib.sha256(canonical.encode()).hexdigest()
