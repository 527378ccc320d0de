"""Every command block of README and docs runs, or says why it cannot. The blocks of a page share a fresh folder.

The folder has the shipped configs and sheets, as a checkout has them; the configs there measure a smaller model and for
a shorter time, so that the commands of the docs need not be changed to be tested.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.docs.pages import NOTES, PAGES, ROOT, Block, blocks, blocks_of

QUICK = frozenset({"README.md", "docs/tutorials/article-to-verdict.md"})
MODELS = ["moe-tiny", "moe-tiny:equal-total", "moe-tiny:equal-active"]
LIMIT_S = 240


def runnable(page: Path) -> tuple[Block, ...]:
    return tuple(block for block in blocks(page) if block.is_command and "not run" not in block.notes)


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def parameters() -> list[Any]:
    pages = [page for page in PAGES if runnable(page)]
    return [
        pytest.param(page, id=name_of(page), marks=[] if name_of(page) in QUICK else [pytest.mark.slow])
        for page in pages
    ]


def shorten(config: Path) -> None:
    """Make a shipped config measure what it measures, of the smallest model and in a moment."""
    yaml = YAML()
    content = yaml.load(config.read_text(encoding="utf-8"))
    measure = content["measure"]
    measure["models"] = MODELS[: len(measure["models"])]
    measure.update(batches=[1], prompt_tokens=8, decode_tokens=4, repetitions=2, step_time_s=0.02)
    measure.pop("prefill_batches", None)
    with config.open("w", encoding="utf-8") as file:
        yaml.dump(content, file)


def settle(folder: Path) -> dict[str, str]:
    """Fill the folder, and return the environment of a reader who has installed the program."""
    for name in ("configs", "seeds"):
        shutil.copytree(ROOT / name, folder / name)
    for config in (folder / "configs").glob("*.yaml"):
        shorten(config)
    own = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "HARNESS_"))}
    path = os.pathsep.join((str(Path(sys.executable).parent), own.get("PATH", "")))
    made = folder.parent / "tmp"
    made.mkdir()
    git = {f"GIT_{who}_{what}": "reader@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    return {**own, **git, "PATH": path, "HOME": str(folder), "TMPDIR": str(made), "NO_COLOR": "1", "COLUMNS": "100"}


def run(block: Block, folder: Path, environment: dict[str, str]) -> str:
    """What a block prints on stdout. Fails where it ends otherwise than the page says."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block.script],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode in block.exit_codes, f"{block} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def absent(expected: str, printed: str) -> list[str]:
    """Lines of an excerpt that were not printed."""
    lines = {line.strip() for line in printed.splitlines()}
    return [line for line in expected.splitlines() if line.strip() not in lines | {"", "..."}]


@pytest.mark.timeout(4 * LIMIT_S)
@pytest.mark.parametrize("page", parameters())
def test_the_commands_of_a_page_run_in_order(page: Path, tmp_path: Path) -> None:
    folder = tmp_path / "reader"
    folder.mkdir()
    environment = settle(folder)
    printed = ""
    for block in blocks(page):
        if "file" in block.notes:
            target = folder / block.notes["file"]
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(block.text, encoding="utf-8")
        elif "printed above" in block.notes:
            assert not (lines := absent(block.text, printed)), f"{block}: not printed: {lines}\n{printed}"
        elif block.is_command and "not run" not in block.notes:
            printed = run(block, folder, environment)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_notes_are_known_and_say_why(page: Path) -> None:
    for block in blocks(page):
        assert set(block.notes) <= NOTES | {"accuracy", "held", "controls"}, block
        if "not run" in block.notes:
            assert block.is_command and len(block.notes["not run"].split()) >= 3, f"{block}: no reason is given"
        if "file" in block.notes:
            assert re.fullmatch(r"[\w./-]+", block.notes["file"]) and ".." not in block.notes["file"], block


def test_there_is_something_to_run() -> None:
    assert {name_of(page) for page in PAGES if runnable(page)} > QUICK


PAGE = """\
Text.
<!-- not run: needs a graphics processor -->
```sh
one
```
<!-- ends with: 3 4 -->
```console
$ two
printed
```
  ```yaml
  three: 3
  ```
"""


def test_blocks_are_read_with_their_notes() -> None:
    first, second, third = blocks_of(PAGE, ROOT / "page.md")
    assert (first.notes, first.script, first.line) == ({"not run": "needs a graphics processor"}, "one\n", 3)
    assert second.script == "two\n" and second.exit_codes == {3, 4}
    assert (third.text, third.is_command, third.notes) == ("three: 3\n", False, {})
    with pytest.raises(ValueError, match="not closed"):
        blocks_of("```sh\nharness\n", ROOT / "page.md")


def test_a_block_that_ends_otherwise_is_noticed(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="ended with 3"):
        run(Block(ROOT / "page.md", 1, "sh", "exit 3\n"), tmp_path, dict(os.environ))
    assert run(Block(ROOT / "page.md", 1, "sh", "exit 3\n", {"ends with": "3"}), tmp_path, dict(os.environ)) == ""
    assert absent("a\n...\nb\n", "  a  \nc\n") == ["b"]
