"""Short names of benchmark cases: what all cases share is said once, and settings have the names that people use.

llama-bench's sizes are pp512, tg128 and pp512@d1024, as its own table prints them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from harness.comparison.table import Setting

Case = tuple[tuple[Setting, ...], str]
"""A row's key and its metric."""

# What a reader looks for first; every other setting follows by name.
_FIRST = (
    *("model", "model_filename", "model_type", "test", "benchmark", "name"),
    *("command", "phase", "batch", "n_prompt", "n_gen"),
)
_BARE = frozenset(("test", "benchmark", "name", "command", "phase", "metric", "model", "model_type"))
"""Settings whose value says what it is."""

_EMPTY = ("none", "")
_SIZES = ("n_prompt", "n_gen", "n_depth")
_TOKENS = {"prefill": ("prompt_tokens", "decode_tokens"), "decode": ("decode_tokens", "prompt_tokens")}
"""The number of tokens that a phase is about, and the one that it is not."""
_WHOLES = (_SIZES, ("phase", "prompt_tokens", "decode_tokens"))
"""Settings that make one word together, so that none of them is told apart from the others."""

_LEAST_SHARED = 4  # characters that a common beginning or end has at least
_ENDS = "/:.[]( -_=,)"  # where a name may be cut


@dataclass(frozen=True)
class CaseNames:
    """A name for each case, none twice, and what all of them share."""

    common: tuple[str, ...]
    names: dict[Case, str] = field(repr=False)

    def __getitem__(self, case: Case) -> str:
        return self.names[case]


def name_cases(cases: Iterable[Case]) -> CaseNames:
    """Names of `cases`, in which what is alike in all of them is left out and told by `common`."""
    distinct = list(dict.fromkeys(cases))
    alike = shared(key for key, _ in distinct) or _lone(distinct)
    for parts in _WHOLES:
        if any(s.name in parts and s not in alike for key, _ in distinct for s in key):
            alike = frozenset(s for s in alike if s.name not in parts)
    varying = [tuple(s for s in key if s not in alike) for key, _ in distinct]
    one_metric = len({metric for _, metric in distinct}) == 1
    shorter, factored = _factored(varying)
    metrics = [None if one_metric or _says_metric(key) else metric for key, metric in distinct]
    names = _joined(shorter, metrics, thrifty=True)
    if len(set(names)) < len(names):
        names = _joined(shorter, metrics, thrifty=False)
    if len(set(names)) < len(names):  # two values that read alike
        names = [", ".join([*(f"{s.name}={s.value}" for s in key), metric]) for key, metric in distinct]
    if len(set(names)) < len(names):
        names = [f"{name} #{i}" for i, name in enumerate(names, 1)]
    words = [*_words(sorted(alike, key=_place), thrifty=False), *factored]
    found = {case: name or case[1] for case, name in zip(distinct, names, strict=True)}
    return CaseNames(common=tuple(words), names=found)


def described(settings: Iterable[Setting], *, without: frozenset[Setting] = frozenset()) -> str:
    """`settings` in words, those in `without` and those that say nothing left out."""
    kept = sorted((s for s in settings if s not in without), key=_place)
    return ", ".join(_words(kept, thrifty=False))


def shared(keys: Iterable[tuple[Setting, ...]]) -> frozenset[Setting]:
    """Settings that all of several different keys have alike; nothing where there is only one key."""
    distinct = {frozenset(key) for key in keys}
    return frozenset.intersection(*distinct) if len(distinct) > 1 else frozenset()


def _lone(cases: Sequence[Case]) -> frozenset[Setting]:
    """Where all cases have one key: what does not name it."""
    keys = {key for key, _ in cases}
    if len(keys) != 1:
        return frozenset()
    naming = {*_SIZES, *_BARE, *_FIRST} - {"model_filename"}
    key = keys.pop()
    rest = frozenset(s for s in key if s.name not in naming)
    return rest if len(rest) < len(key) else frozenset()


def _joined(keys: Sequence[tuple[Setting, ...]], metrics: Sequence[str | None], *, thrifty: bool) -> list[str]:
    return [
        ", ".join([*_words(sorted(key, key=_place), thrifty=thrifty), *([metric] if metric else [])])
        for key, metric in zip(keys, metrics, strict=True)
    ]


def _says_metric(key: tuple[Setting, ...]) -> bool:
    return any(s.name == "metric" for s in key)


def _words(settings: Sequence[Setting], *, thrifty: bool) -> list[str]:
    """Each setting in words, sizes and phases joined to one. `thrifty` leaves out the tokens that a phase is not
    about."""
    values = {s.name: s.value for s in settings}
    sizes = _sizes(values)
    about, other = _TOKENS.get(values.get("phase", ""), ("", ""))
    said = {about} if about in values else set()
    said |= {other} if thrifty and other in values else set()
    words, told = [], False
    for s in settings:
        if s.name in _SIZES and sizes is not None:
            words += [] if told else [sizes]
            told = True
        elif s.value in _EMPTY or s.name in said:
            continue
        elif s.name == "phase" and about in values:
            words.append(f"{s.value} {values[about]}")
        else:
            words.append(s.value if s.name in _BARE else f"{s.name.removeprefix('parameter ')} {s.value}")
    return words


def _sizes(values: dict[str, str]) -> str | None:
    """pp512@d1024, tg128, pp512+tg128; None where the sizes are not those of one test."""
    if not ("n_prompt" in values or "n_gen" in values) or not all(values.get(n, "0").isdecimal() for n in _SIZES):
        return None
    prompt, gen, depth = (values.get(n, "0") for n in _SIZES)
    parts = [f"{mark}{n}" for mark, n in (("pp", prompt), ("tg", gen)) if n != "0"]
    return ("+".join(parts) or "pp0") + (f"@d{depth}" if depth != "0" else "")


def _factored(keys: list[tuple[Setting, ...]]) -> tuple[list[tuple[Setting, ...]], list[str]]:
    """The keys with the beginning and the end that all values of their name share cut off, and those in words."""
    name = next(
        (n for n in ("test", "benchmark", "command", "name") if any(s.name == n for k in keys for s in k)), None
    )
    values = [next((s.value for s in k if s.name == name), "") for k in keys]
    if name is None or len(set(values)) < 2 or "" in values:
        return keys, []
    start, end = _ends(list(dict.fromkeys(values)))
    if not start and not end:
        return keys, []
    cut = [
        tuple(Setting(name=s.name, value=s.value[start : len(s.value) - end]) if s.name == name else s for s in k)
        for k in keys
    ]
    first = values[0]
    return cut, [f"{first[:start]}…{first[len(first) - end :] if end else ''}"]


def _ends(values: list[str]) -> tuple[int, int]:
    """How many characters all of `values` share at their beginning and at their end, up to where a name may be cut.
    Something is left of each."""
    start = _common(values)
    while start and (values[0][start - 1] not in _ENDS or any(len(v) == start for v in values)):
        start -= 1
    start = start if start >= _LEAST_SHARED else 0
    rests = [v[start:] for v in values]
    end = _common([r[::-1] for r in rests])
    while end and (values[0][-end] not in _ENDS or any(len(r) == end for r in rests)):
        end -= 1
    return start, end if end >= _LEAST_SHARED else 0


def _common(texts: Sequence[str]) -> int:
    """How many characters all of `texts` begin with."""
    first, last = min(texts), max(texts)  # what these two share, all between them do
    return next((i for i, (x, y) in enumerate(zip(first, last, strict=False)) if x != y), min(len(first), len(last)))


def _place(setting: Setting) -> tuple[int, str]:
    return (_FIRST.index(setting.name) if setting.name in _FIRST else len(_FIRST), setting.name)
