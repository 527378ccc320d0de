"""Makes the README's pictures from what the program prints: `python docs/make_pictures.py` (Linux, with Chromium).

The sheet is judged without measuring, so that the pictures show the same everywhere. Beside them lies a digest of the
words that they show; a test compares it with what the program says today, and needs no browser for that.
"""

import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from html.parser import HTMLParser
from pathlib import Path

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "docs" / "images"
DIGESTS = IMAGES / "digests.json"
SHEET = "seeds/deepseek-v4-ascend.yaml"
COLUMNS = 100
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
PAGE_SIZE = (1280, 1400)
ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
# The program's own version is no content: a release alone need not renew the pictures.
VERSION = re.compile(r"\b\d+\.\d+\.\d+[\w.+-]*")


def judge(*options: str, terminal: bool) -> str:
    """What the program prints: on a terminal of `COLUMNS` columns with colours, or in a pipe without."""
    command = [sys.executable, "-m", "harness", "judge", SHEET, *options]
    environment = {**os.environ, "COLUMNS": str(COLUMNS), "LINES": "60", "TERM": "xterm-256color"}
    if not terminal:
        done = subprocess.run(command, cwd=ROOT, env={**environment, "NO_COLOR": "1"}, capture_output=True, check=True)
        return done.stdout.decode()
    environment.pop("NO_COLOR", None)
    return _on_a_terminal(command, environment)


def _on_a_terminal(command: list[str], environment: dict[str, str]) -> str:
    import fcntl
    import pty
    import struct
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 60, COLUMNS, 0, 0))
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=theirs, stderr=subprocess.DEVNULL)
    os.close(theirs)
    parts = []
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # Linux says EIO where the other end has closed
            break
        if not part:
            break
        parts.append(part)
    os.close(ours)
    if process.wait():
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return b"".join(parts).decode().replace("\r\n", "\n")


class Words(HTMLParser):
    """The visible words of a page: no styles, scripts or drawings."""

    HIDDEN = frozenset({"style", "script", "svg", "title"})

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002
        self._hidden += tag in self.HIDDEN

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in self.HIDDEN

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.found += data.split()


def page() -> str:
    """The report of the sheet as a page."""
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "report.html"
        judge("--html", str(made), terminal=False)
        return made.read_text(encoding="utf-8")


def digest(text: str) -> str:
    """Of the words alone: neither spacing nor colours nor the program's version count."""
    words = VERSION.sub("VERSION", " ".join(ESCAPE.sub("", text).split()))
    return hashlib.sha256(words.encode()).hexdigest()


def digests(terminal: str, html: str) -> dict[str, str]:
    """By picture, the digest of the words that it shows."""
    words = Words()
    words.feed(html)
    return {"terminal.svg": digest(terminal), "page.png": digest(" ".join(words.found))}


def draw_terminal(printed: str) -> str:
    """The terminal as SVG, without fonts from elsewhere."""
    from rich._export_format import CONSOLE_SVG_FORMAT
    from rich.console import Console
    from rich.text import Text

    console = Console(record=True, width=COLUMNS, file=io.StringIO(), color_system="truecolor")
    console.print(Text(f"$ harness judge {SHEET}", style="bold"))
    console.print(Text.from_ansi(printed))
    form = re.sub(r"@font-face \{\{.*?\}\}", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
    drawn = console.export_svg(title="harness", code_format=form, unique_id="harness")
    return "\n".join(line.rstrip() for line in drawn.splitlines() if line.strip()) + "\n"


def draw_page(html: str, target: Path) -> None:
    """The top of the page as a browser shows it."""
    browser = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if browser is None:
        raise SystemExit(f"no browser: {', '.join(BROWSERS)} were looked for")
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "report.html"
        source.write_text(html, encoding="utf-8")
        width, height = PAGE_SIZE
        options = ["--headless", "--no-sandbox", "--hide-scrollbars", f"--window-size={width},{height}"]
        where = [f"--user-data-dir={folder}/profile", f"--screenshot={target}", source.as_uri()]
        subprocess.run([browser, *options, *where], check=True, capture_output=True, timeout=120)


def main() -> None:
    """Make both pictures and their digests."""
    IMAGES.mkdir(exist_ok=True)
    terminal, html = judge(terminal=True), page()
    (IMAGES / "terminal.svg").write_text(draw_terminal(terminal), encoding="utf-8")
    draw_page(html, IMAGES / "page.png")
    DIGESTS.write_text(json.dumps(digests(judge(terminal=False), html), indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
