"""The pages of the documentation and their fenced blocks, with what the comments before a block ask of it.

A comment on the line before a fence says how the block is to be taken; GitHub and the site show none of them:

    <!-- not run: REASON -->    a command block that cannot be run by a test, and why
    <!-- ends with: 0 3 -->     exit codes that the block may end with; without it, 0
    <!-- file: NAME -->         the block is to be saved as NAME before the next one runs
    <!-- printed above -->      each line of the block, save `...`, stands in what the block before it printed
"""

import re
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
COMMANDS = frozenset({"sh", "bash", "console", "shell"})
NOTES = frozenset({"not run", "ends with", "file", "printed above"})

FENCE = re.compile(r"^(?P<indent> *)(?P<ticks>`{3,})(?P<language>[\w-]*)\s*$")
NOTE = re.compile(r"^ *<!-- (?P<name>[a-z ]+?)(?:: *(?P<value>.*?))? -->$")


@dataclass(frozen=True)
class Block:
    """A fenced block, its first line's number, and the notes on the lines before it."""

    page: Path
    line: int
    language: str
    text: str
    notes: dict[str, str] = field(default_factory=dict)

    @property
    def is_command(self) -> bool:
        return self.language in COMMANDS

    @property
    def script(self) -> str:
        """What a shell runs: of a console session, the lines behind its prompts."""
        if self.language != "console":
            return self.text
        return "".join(line[2:] + "\n" for line in self.text.splitlines() if line.startswith("$ "))

    @property
    def exit_codes(self) -> frozenset[int]:
        return frozenset(int(code) for code in self.notes.get("ends with", "0").split())

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(page: Path) -> tuple[Block, ...]:
    """All fenced blocks of a page, in order. Raises ValueError where a fence is not closed."""
    return blocks_of(page.read_text(encoding="utf-8"), page)


def blocks_of(text: str, page: Path) -> tuple[Block, ...]:
    """As `blocks`, of a page's text."""
    found: list[Block] = []
    notes: dict[str, str] = {}
    lines = iter(enumerate(text.splitlines(), start=1))
    for number, line in lines:
        if fence := FENCE.match(line):
            body = []
            for _, inner in lines:
                if inner.strip() == fence["ticks"]:
                    break
                body.append(inner.removeprefix(fence["indent"]) + "\n")
            else:
                raise ValueError(f"{page}:{number}: the block is not closed")
            found.append(Block(page, number, fence["language"], "".join(body), notes))
            notes = {}
        elif note := NOTE.match(line):
            notes = {**notes, note["name"]: note["value"] or ""}
        else:
            notes = {}
    return tuple(found)
