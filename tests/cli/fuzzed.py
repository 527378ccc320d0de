"""Broken and odd versions of the example configs and sheets, drawn by hypothesis."""

import re

from hypothesis import strategies as st

SCALARS = st.one_of(
    st.sampled_from(
        [
            "",
            "~",
            "null",
            "true",
            "no",
            "0",
            "-1",
            "1",
            "3",
            "1e3",
            "1e308",
            "1e999",
            ".nan",
            ".inf",
            "0x10",
            "010",
            "''",
        ]
    ),
    st.sampled_from(
        ["[]", "{}", "[1, 2]", "{a: 1}", "auto", "moe-tiny", "'moe-tiny:equal-total'", "fp32", "int4", "decode"]
    ),
    st.sampled_from(
        ["*x", "&x 1", "!!int 3", "!tag 1", "2026-04-30", "../../etc/passwd", "'<b>|`$(x)`'", '"\\e[31m"', "?"]
    ),
    st.sampled_from(
        ["deepseek-v4", "deepseek-r1", "ascend-910c", "h100-sxm", "prefill", "throughput", "tpot", "package"]
    ),
    st.integers(-(10**35), 10**35).map(str),
    st.floats().map(repr),
    st.text(max_size=12),
)

NUMBER = re.compile(r"(?<![\w.])[0-9][0-9_.,e+]*(?![\w.])")
NUMBERS = st.one_of(
    st.sampled_from(["1", "2", "8", "384", "1e-30", "1e-9", "0.5", "1e9", "1e29", "999999999"]),
    st.floats(min_value=1e-12, max_value=1e20).map(repr),
    st.integers(1, 1 << 20).map(str),
)

KINDS = ["value", "value", "number", "drop", "double", "move", "indent", "insert", "key", "cut"]


@st.composite
def mutated(draw: st.DrawFn, texts: list[str]) -> str:
    """One of `texts` with one to four changes: a value replaced, a line dropped, doubled or moved, bytes altered."""
    lines = draw(st.sampled_from(texts)).split("\n")
    kinds = ["number"] if draw(st.booleans()) else KINDS  # half of them only with other numbers: most of these are used
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(lines) - 1))
        kind = draw(st.sampled_from(kinds))
        if kind == "number":
            at = draw(st.sampled_from([i for i, line in enumerate(lines) if NUMBER.search(line)] or [at]))
        line = lines[at]
        if kind == "value" and ":" in line:
            lines[at] = f"{line.split(':', 1)[0]}: {draw(SCALARS)}"
        elif kind == "number":
            lines[at] = NUMBER.sub(lambda _: draw(NUMBERS), line, count=1)
        elif kind == "key" and ":" in line:
            key, rest = line.split(":", 1)
            place = draw(st.integers(0, len(key)))
            lines[at] = f"{key[:place]}{draw(st.text(max_size=2))}{key[place + 1 :]}:{rest}"
        elif kind == "drop":
            del lines[at]
            lines = lines or [""]
        elif kind == "double":
            lines.insert(at, line)
        elif kind == "move":
            lines.insert(draw(st.integers(0, len(lines) - 1)), lines.pop(at))
        elif kind == "indent":
            lines[at] = draw(st.sampled_from(["  ", "- ", "\t", "? ", "---\n"])) + line
        elif kind == "insert":
            place = draw(st.integers(0, len(line)))
            lines[at] = line[:place] + draw(st.text(max_size=4)) + line[place:]
        else:
            lines = [*lines[:at], line[: draw(st.integers(0, len(line)))]]
    return "\n".join(lines)
