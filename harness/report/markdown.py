"""A report as GitHub-flavoured markdown that pastes into a pull request: tables, and evidence folded into <details>.

Names and statements are untrusted text: nothing in them may become markup, a mention or an HTML element. Charts are not
drawn; the table of a chart's numbers is folded.
"""

import html
import re

from harness.files.text import printable_line, printable_lines, web_address
from harness.report.blocks import Block, Bullets, Callout, Cell, Chart, Details, Heading, Link, Report, Table, words
from harness.report.blocks import Text as Paragraph

# The longest body that GitHub accepts for a comment, in characters.
COMMENT_LIMIT = 65_536
_SHORTENED = "_Shortened to fit a comment: the JSON and the page hold all evidence._"

# Inline markup. Any ASCII punctuation may be escaped by a backslash (CommonMark 0.31, section 2.4); with brackets
# escaped, parentheses and exclamation marks mean nothing.
_MARKUP = re.compile(r"([\\`*_\[\]|~$])")
# What starts a list, a heading or a rule at the beginning of a line only.
_OPENING = re.compile(r"^(\d+)([.)])(?=\s|$)|^([-+=#])")
# GitHub turns these into a ping, a cross-reference or an icon, whatever the escaping; an invisible joiner stops it.
_MENTION = re.compile(r"(@)(?=\w)|(#)(?=\d)|(:)(?=[a-z0-9_+-]+:)")


def render(report: Report, *, limit: int | None = COMMENT_LIMIT) -> str:
    """`report` as markdown, with a final newline.

    Where it would be longer than `limit` characters, evidence is told in a line each, charts' tables are left out, and
    the last line says so.
    """
    whole = _joined(report, [_block(block) for block in report.blocks])
    if limit is None or len(whole) <= limit:
        return whole
    brief = [_bullet(b.brief) if isinstance(b, Details) else _block(b) for b in report.blocks if b.kind != "chart"]
    return _joined(report, [*brief, _SHORTENED])


def _joined(report: Report, parts: list[str]) -> str:
    text = f"# {escape(report.title)}"
    before = ""
    for part in filter(None, parts):
        # Bullets that follow each other are one list.
        text += ("\n" if part.startswith("- ") and before.startswith("- ") else "\n\n") + part
        before = part
    return text + "\n"


def table(block: Table) -> str:
    """A pipe table under its title, with its note."""
    heads = [escape(c.name) for c in block.columns]
    marks = ["---:" if c.align == "right" else "---" for c in block.columns]
    grid = [_row(heads), _row(marks), *(_row([_cell(cell) for cell in row]) for row in block.rows)]
    parts = [f"**{escape(block.title)}**", "\n".join(grid)]
    if block.note:
        parts.append(escape(block.note))
    return "\n\n".join(parts)


def escape(text: str) -> str:
    """Untrusted text on one line, in which nothing is markup: punctuation, HTML, mentions and bare addresses."""
    kept = html.escape(printable_line(text), quote=False)
    kept = _MARKUP.sub(r"\\\1", kept)
    kept = _OPENING.sub(lambda m: f"{m[1]}\\{m[2]}" if m[1] else f"\\{m[3]}", kept)
    return _MENTION.sub("\\g<0>\N{WORD JOINER}", kept)


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(cell: Cell) -> str:
    if isinstance(cell, Link):
        address = web_address(cell.url)
        text = escape(cell.text)
        # Percent-encoded where a bracket or a pipe would end the link or the cell.
        return f"[{text}]({_encoded(address)})" if address else text
    return "<br>".join(escape(part) for part in printable_lines(words(cell)))


def _encoded(address: str) -> str:
    return "".join(f"%{ord(c):02X}" if c in "()[]|*_~" else c for c in address)


def _block(block: Block) -> str:
    match block:
        case Heading():
            return f"{'#' * block.level} {escape(block.text)}"
        case Paragraph():
            return f"**{escape(block.text)}**" if block.lead else escape(block.text)
        case Bullets():
            return "\n".join(_bullet(item) for item in block.items)
        case Callout():
            return f"> [!{block.tone.upper()}]\n> {escape(block.text)}"
        case Table():
            return table(block)
        case Chart():
            return _fold(block.title, escape(block.description), table(block.table))
        case Details():
            summary = f"{block.summary}: {block.outcome}" if block.outcome else block.summary
            return _fold(summary, *(_block(inner) for inner in block.blocks))


def _bullet(text: str) -> str:
    first, *below = printable_lines(text) or ("",)
    return "\n".join((f"- {escape(first)}", *(f"  - {escape(item)}" for item in below)))


def _fold(summary: str, *parts: str) -> str:
    """Blank lines around the content, or GitHub would not read it as markdown."""
    inner = "\n\n".join(part for part in parts if part)
    return f"<details><summary>{html.escape(printable_line(summary), quote=False)}</summary>\n\n{inner}\n\n</details>"
