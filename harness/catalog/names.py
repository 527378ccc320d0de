"""Names that other programs give to models and chips, as keys of the catalog where that is certain."""

import re
from collections.abc import Iterable

from harness.errors import UsageError, unknown
from harness.vocabulary import Precision

_FORMATS: dict[str, Precision | None] = {
    "fp8": "fp8",
    "fp4": "fp4",
    "nvfp4": "fp4",
    "mxfp4": "fp4",
    "bf16": "bf16",
    "fp16": "fp16",
    "int8": "int8",
    "int4": "int4",
    "w8a8": None,  # FP8 or INT8
    "awq": "int4",
}
"""Endings of a model's name that state the format of its weights."""
_TUNED = ("instruct", "chat", "base", "hf", "it", "0324", "0528", "2507")
"""Endings of a model's name that change neither architecture nor size."""
_MAKERS = ("nvidia", "amd", "instinct", "huawei", "meta")
_CHIPS = {
    "h100-80gb-hbm3": "h100-sxm",  # the SXM module's name in nvidia-smi; H100 alone may be PCIe or NVL
    "h100-sxm5": "h100-sxm",
    "h100-sxm-80gb": "h100-sxm",
    "h100-sxm5-80gb": "h100-sxm",
    "a100-sxm4-80gb": "a100-sxm",
    "a100-sxm-80gb": "a100-sxm",
    "h200-sxm": "h200",
    "h200-sxm-141gb": "h200",
    "b200-sxm-180gb": "b200",
    "gb200-nvl72": "gb200",
    "gb300-nvl72": "gb300",
    "mi300x-oam": "mi300x",
    "mi300x-192gb-hbm3": "mi300x",
    "mi355x-oam": "mi355x",
}
_LONGEST = 200


def chip_key(text: str, known: Iterable[str]) -> str:
    """The catalog's key of a chip that a file calls `text`. Raises UsageError, naming the nearest known one."""
    keys = set(known)
    plain = _plain(text)
    found = plain if plain in keys else _CHIPS.get(plain)
    if found is None or found not in keys:
        raise UsageError(unknown("chip", text[:_LONGEST], _nearest(plain, keys)))
    return found


def model_key(text: str, known: Iterable[str]) -> tuple[str, Precision | None]:
    """The catalog's key of a model that a file calls `text` (`org/Name-Instruct-FP8`), and the format of its weights if
    the name states one. Raises UsageError, naming the nearest known one."""
    keys = set(known)
    plain = _plain(text.rstrip("/").rsplit("/", 1)[-1])
    precision: Precision | None = None
    short = plain
    while short not in keys:
        base, mark, ending = short.rpartition("-")
        if not mark or ending not in (*_FORMATS, *_TUNED):
            raise UsageError(unknown("model", text[:_LONGEST], _nearest(plain, keys)))
        precision = _FORMATS.get(ending) or precision
        short = base
    return short, precision


def _plain(text: str) -> str:
    words = re.sub(r"[\s_/()]+", "-", text[:_LONGEST].lower()).strip("-")
    for maker in _MAKERS:
        words = words.removeprefix(f"{maker}-")
    return words


def _nearest(plain: str, keys: set[str]) -> list[str]:
    """Known keys, those first that share the beginning, so that the message names them."""
    head = re.split(r"[-.]", plain)[0]
    return [key for key in keys if key.startswith(head)] or sorted(keys)
