"""How a row's settings are said: what names a case first, then the rest by name; what all rows share is said once."""

from collections.abc import Iterable

from harness.tables.table import Setting

# What a reader looks for first; every other setting follows by name.
_FIRST = (
    "model",
    "model_filename",
    "model_type",
    "test",
    "benchmark",
    "command",
    "phase",
    "batch",
    "n_prompt",
    "n_gen",
)


def said(settings: Iterable[Setting], *, without: frozenset[Setting] = frozenset()) -> str:
    """`settings` in words, those in `without` and those that say nothing left out."""
    kept = [s for s in settings if s not in without and s.value not in ("none", "")]
    return ", ".join(f"{s.name} {s.value}" for s in sorted(kept, key=_place))


def shared(keys: Iterable[tuple[Setting, ...]]) -> frozenset[Setting]:
    """Settings that all of several different keys have alike; nothing where there is only one key."""
    distinct = {frozenset(key) for key in keys}
    return frozenset.intersection(*distinct) if len(distinct) > 1 else frozenset()


def titled(title: str, common: frozenset[Setting]) -> str:
    """`title` with what all rows share behind it."""
    words = said(common)
    return f"{title} (all: {words})" if words else title


def _place(setting: Setting) -> tuple[int, str]:
    return (_FIRST.index(setting.name) if setting.name in _FIRST else len(_FIRST), setting.name)
