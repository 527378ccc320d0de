"""A report for a terminal: plain text that fits a width whatever the content. Uses no colour and no escape sequence.

Column widths are in terminal cells, so wide characters count two."""

import re
from collections import Counter
from collections.abc import Sequence

from wcwidth import wcswidth, wcwidth

from harness import units
from harness.files.text import printable_line, printable_lines
from harness.report.blocks import (
    Block,
    Bullets,
    Callout,
    Cell,
    Chart,
    Column,
    Details,
    Heading,
    Link,
    Report,
    Table,
    words,
)
from harness.report.blocks import Text as Paragraph

WIDTH = 100
HINT = "The evidence behind each verdict, with its sources: --details, --format markdown or --html FILE."
_GAP = 2  # what tabulate's "plain" format puts between columns
_LEGIBLE = 28  # terminal cells of a row's name for which spare columns give way
_LEAST_NAME = 8
_LEAST = 4  # terminal cells that a column keeps however narrow the page
_TALL = 2  # line breaks in a cell from which rows are set apart
_WORD = re.compile(r"\[[^\[\]]{1,24}, [^\[\]]{1,24}\](?: %)?\S*|\S+(?: %)?(?=\s|$)|\S+")
"""What is never broken while a line can hold it: an interval, a number with its per cent, any other word."""
_WORD_CAP = 17  # a longer word may be broken; a shorter one is broken only if the page cannot hold it otherwise


def render(report: Report, *, width: int = WIDTH, details: bool = False) -> str:
    """`report` as lines of at most `width` terminal cells, with a final newline. `details` unfolds all evidence."""
    parts = [_rule(report.title, "=", width)]
    brief: list[str] = []
    hidden = False
    for block in sorted(report.blocks, key=lambda b: isinstance(b, Paragraph) and b.last):
        if not details and _folded(block):
            hidden = True
            continue
        if isinstance(block, Details) and not details:
            brief += _bullet(block.brief, width)
            continue
        if brief:
            parts.append("\n".join(brief))
            brief = []
        text = _block(block, width, details)
        if text:
            parts.append(text)
    parts += ["\n".join(brief)] if brief else []
    parts += ["\n".join(wrap(HINT, width))] if hidden else []
    return "\n\n".join(parts) + "\n"


def _folded(block: Block) -> bool:
    return isinstance(block, Details | Heading) and block.folded


def table(block: Table, width: int = WIDTH) -> str:
    """One table: title, rows wrapped inside their columns, note, and the addresses that cells refer to by number."""
    addresses = tuple(dict.fromkeys(c.url for row in block.rows for c in row if isinstance(c, Link)))
    cells = [[_words(cell, addresses) for cell in row] for row in block.rows]
    parts = wrap(block.title, width)
    if block.lines and cells:
        parts += [_one_line_each(block.columns, cells, width)]
    elif block.narrow == "cards" and not _keeps_words(cells, width):
        parts += ["", _stacked(block.columns, cells, width), ""]
    else:
        parts += [grid(block.columns, cells, width)] if cells else ["(none)"]
    if block.note:
        parts += wrap(block.note, width)
    parts += [out for i, url in enumerate(addresses, 1) for out in wrap(f"[{i}] {url}", width)]
    return "\n".join(parts)


def _block(block: Block, width: int, details: bool) -> str:
    match block:
        case Heading():
            return _rule(block.text, "-", width) if block.level < 3 else "\n".join(wrap(block.text, width))
        case Paragraph():
            return "\n".join(wrap(block.text, width))
        case Bullets():
            return "\n".join(out for item in block.items for out in _bullet(item, width))
        case Callout():
            label = "Note: " if block.tone == "note" else "Warning: "
            return "\n".join(wrap(label + block.text, width))
        case Table():
            return table(block, width)
        case Chart():
            return table(block.table, width) if details else ""
        case Details():
            summary = f"{block.summary}: {block.outcome}" if block.outcome else block.summary
            return "\n\n".join((_rule(summary, ".", width), *(_block(b, width, details) for b in block.blocks)))


def _rule(text: str, mark: str, width: int) -> str:
    wrapped = wrap(text, width)
    return "\n".join((*wrapped, mark * max(cells(w) for w in wrapped)))


def _bullet(text: str, width: int) -> list[str]:
    """A bullet; lines after the first stand below it, further in."""
    first, *below = printable_lines(text) or ("",)
    out = [f"  {part}" for part in wrap(first, width - 2)]
    for item in below:
        start, *rest = wrap(item, width - 6)
        out += [f"    {start}", *(f"      {part}" for part in rest)]
    return [f"-{out[0][1:]}", *out[1:]]


def grid(columns: Sequence[Column], rows: Sequence[Sequence[tuple[str, ...]]], width: int) -> str:
    from tabulate import tabulate

    cells = [[(printable_line(c.name),) for c in columns], *rows]
    widths = _widths(cells, width - _GAP * (len(columns) - 1))
    head, *body = [[_fold(cell, w) for cell, w in zip(row, widths, strict=True)] for row in cells]
    # tabulate widens a column by two below its own headers, which would not fit: headings go in as a row.
    text = tabulate(
        [head, ["-" * w for w in widths], *_spaced(body)],
        tablefmt="plain",
        colalign=[c.align for c in columns],
        disable_numparse=True,
        preserve_whitespace=True,
    )
    return "\n".join(out.rstrip() for out in text.split("\n"))


def _one_line_each(columns: Sequence[Column], rows: Sequence[Sequence[tuple[str, ...]]], width: int) -> str:
    """A line a row: spare columns are left out from the last on until the first cells are legible, then these are
    shortened. Where even that does not fit, rows are stacked."""
    grid = [[printable_line(c.name) for c in columns], *([" ".join(cell) for cell in row] for row in rows)]
    sizes = [max(cells(row[i]) for row in grid) for i in range(len(columns))]
    kept = list(range(len(columns)))
    for place in reversed([i for i, c in enumerate(columns) if c.spare]):
        if _room(sizes, kept, width) >= min(sizes[0], _LEGIBLE):
            break
        kept.remove(place)
    room = _room(sizes, kept, width)
    if room < min(sizes[0], _LEAST_NAME):
        return _stacked(columns, rows, width)
    names = shortened([row[0] for row in grid[1:]], room)
    sizes[0] = max(map(cells, [grid[0][0], *names]))
    out = []
    for row, name in zip(grid, [grid[0][0], *names], strict=True):
        texts = [_aligned(name if i == 0 else row[i], sizes[i], columns[i].align) for i in kept]
        out.append((" " * _GAP).join(texts).rstrip())
    return "\n".join(out)


def _room(sizes: Sequence[int], kept: Sequence[int], width: int) -> int:
    """Cells that the columns `kept` leave to the first of them."""
    return width - sum(sizes[i] for i in kept[1:]) - _GAP * (len(kept) - 1)


def _aligned(text: str, size: int, align: str) -> str:
    pad = " " * (size - cells(text))
    return pad + text if align == "right" else text + pad


def shortened(names: Sequence[str], room: int) -> list[str]:
    """`names` of at most `room` cells each, cut in the middle so that no two different ones become alike; where no cut
    does that, the ones that became alike are numbered."""
    distinct = list(dict.fromkeys(names))
    if max(map(cells, distinct), default=0) <= room:
        return list(names)
    best: dict[str, str] = {}
    for head in sorted(range(room), key=lambda n: abs(3 * n - 2 * room)):  # two thirds at the beginning where that does
        found = {name: _cut(name, head, room) for name in distinct}
        if len(set(found.values())) > len(set(best.values())) or not best:
            best = found
        if len(set(best.values())) == len(distinct):
            break
    times = Counter(best.values())
    numbered = {n: f"{i}{_cut(n, 0, room - len(str(i)))}" for i, n in enumerate(distinct, 1) if times[best[n]] > 1}
    return [numbered.get(name, best[name]) for name in names]


def _cut(name: str, head: int, room: int) -> str:
    """The first `head` cells of a name and as many of its last as there is room for."""
    if cells(name) <= room:
        return name
    start = _taken(name, head)
    end = _taken(name[::-1], room - 1 - cells(start))[::-1]
    while end and cells(f"{start}…{end}") > room:  # a mark may widen what it now follows
        end = end[1:]
    return f"{start}…{end}"


def _taken(text: str, room: int) -> str:
    """The longest beginning of at most `room` cells."""
    end = min(len(text), max(0, room))
    while end and cells(text[:end]) > room:
        end -= 1
    return text[:end]


def _keeps_words(rows: Sequence[Sequence[tuple[str, ...]]], width: int) -> bool:
    """Whether every column could be as wide as its longest word."""
    columns = _columns(rows)
    return sum(_least_widths(columns)[0]) + _GAP * (len(columns) - 1) <= width


def _stacked(columns: Sequence[Column], rows: Sequence[Sequence[tuple[str, ...]]], width: int) -> str:
    """Each row under its first cell, a line or more for every other: where side by side there is no room."""
    names = [printable_line(c.name) for c in columns]
    left = max(map(cells, names[1:]), default=0)
    out = []
    for first, *others in rows:
        lines = [part for t in first for part in wrap(t, width)]
        for name, cell in zip(names[1:], others, strict=True):
            if cell == (units.UNKNOWN,):
                continue
            parts = [part for t in cell for part in wrap(t, max(1, width - left - 4))]
            pads = [name + " " * (left - cells(name)), *[" " * left] * (len(parts) - 1)]
            lines += [f"  {pad}  {part}" for pad, part in zip(pads, parts, strict=False)]
        out.append("\n".join(lines))
    return "\n\n".join(out)


def _spaced(body: list[list[str]]) -> list[list[str]]:
    """Rows with an empty line between them where they are tall: without it, one would run into the next."""
    if max((cell.count("\n") for row in body for cell in row), default=0) < _TALL:
        return body
    # tabulate drops rows without text, so the empty line is part of the row above it.
    return [[f"{cell}\n " for cell in row] for row in body[:-1]] + body[-1:]


def _words(cell: Cell, addresses: Sequence[str]) -> tuple[str, ...]:
    """The printable lines of a cell; a link refers to its address below the table, where it is not broken."""
    if isinstance(cell, Link):
        return printable_lines(f"{cell.text} [{addresses.index(cell.url) + 1}]")
    return printable_lines(words(cell))


def _fold(cell: Sequence[str], width: int) -> str:
    return "\n".join(part for text in cell for part in wrap(text, width))


def _widths(grid: Sequence[Sequence[Sequence[str]]], budget: int) -> list[int]:
    """A width for each column, in sum at most `budget`.

    Every column starts at its longest word; what is left goes, cell by cell, to the column that makes the table's
    tallest rows tallest, until all are at their natural width. Heights are estimated, not wrapped: that is enough.
    """
    columns = _columns(grid)
    natural = [max(1, *map(cells, column), 1) for column in columns]
    if sum(natural) <= budget:
        return natural
    wanted, floors = _least_widths(columns)
    widths = [min(n, max(w, _LEAST)) for n, w in zip(natural, wanted, strict=True)]
    while sum(widths) > budget and max(widths) > 1:
        spare = [w - f for w, f in zip(widths, floors, strict=True)]
        slack = spare if max(spare) > 0 else widths
        widths[slack.index(max(slack))] -= 1
    lengths = [[[cells(t) for t in cell] for cell in row] for row in grid]
    for _ in range(budget - sum(widths)):
        gains = [_pressure(lengths, widths, i) if widths[i] < natural[i] else -1.0 for i in range(len(widths))]
        widths[gains.index(max(gains))] += 1
    return widths


def _columns(rows: Sequence[Sequence[Sequence[str]]]) -> list[list[str]]:
    """The lines of each column."""
    return [[t for row in rows for t in row[i]] for i in range(len(rows[0]))] if rows else []


def _least_widths(columns: list[list[str]]) -> tuple[list[int], list[int]]:
    """What each column needs for its longest word, and for its longest interval, which gives way last."""
    words = [[word for t in column for word in _WORD.findall(t)] for column in columns]
    floors = [max((cells(w) for w in column if w.startswith("[")), default=1) for column in words]
    longest = [min(max(map(cells, column), default=1), _WORD_CAP) for column in words]
    return [max(pair) for pair in zip(longest, floors, strict=True)], floors


def _pressure(lengths: list[list[list[int]]], widths: list[int], column: int) -> float:
    """How many lines the rows would lose, in sum, if `column` alone decided their height and became one cell wider."""
    pressure = 0.0
    for row in lengths:
        heights = [sum(max(1.0, n / w) for n in cell) for cell, w in zip(row, widths, strict=True)]
        if heights[column] >= max(heights) - 0.5:
            pressure += heights[column] / (widths[column] + 1)
    return pressure


def wrap(text: str, width: int) -> list[str]:
    """`text` in lines of at most `width` terminal cells, broken at spaces; only a word longer than a line is cut."""
    out: list[str] = []
    current = ""
    for word in _WORD.findall(printable_line(text)):
        joined = f"{current} {word}" if current else word
        if cells(joined) <= width:
            current = joined
            continue
        if current:
            out.append(current)
        *full, current = _pieces(word, width)
        out += full
    return [*out, current]


def _pieces(word: str, width: int) -> list[str]:
    """A word cut into pieces of at most `width` cells; after a hyphen, slash or comma where there is one."""
    pieces = []
    while cells(word) > width:
        # Measured as a whole: a mark may widen the character before it, so widths of characters do not add up.
        cut = next(end for end in range(1, len(word) + 1) if cells(word[:end]) > width) - 1
        soft = max(word.rfind(mark, 0, cut) for mark in "-/,_.:=&?") + 1
        cut = soft if soft > cut // 3 else max(1, cut)
        pieces.append(word[:cut])
        word = word[cut:]
    return [*pieces, word]


def cells(text: str) -> int:
    """Terminal cells of printable text; a character of unknown width counts one."""
    cells = wcswidth(text)
    return cells if cells >= 0 else sum(max(1, wcwidth(c)) for c in text)
