"""The recipes of CONTRIBUTING.md, followed in a copy of the package: files written, changes applied, commands run."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.unit.test_architecture import rank

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
FENCE = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$', re.DOTALL | re.MULTILINE)


def section(title: str) -> str:
    (found,) = re.findall(rf"^## {title}\n(.*?)(?=^## |\Z)", TEXT, re.DOTALL | re.MULTILINE)
    return str(found)


def follow(title: str, folder: Path) -> str:
    """Do what a recipe says in a copy of the package. Returns what its commands print."""
    shutil.copytree(ROOT / "harness", folder / "harness", ignore=shutil.ignore_patterns("__pycache__"))
    return do(title, folder)


def do(title: str, folder: Path) -> str:
    printed = ""
    for language, name, body in FENCE.findall(section(title)):
        if name:
            path = folder / name
            assert path.parent.is_dir() and not path.exists(), name
            path.write_text(body, encoding="utf-8")
        elif language == "diff":
            called("git", "apply", "-", cwd=folder, text=body)
        else:
            assert language == "sh", language
            for line in body.splitlines():
                program, *arguments = shlex.split(line)
                assert program == "harness", line
                printed += called(sys.executable, "-m", "harness", *arguments, cwd=folder)
    return printed


def called(*command: str, cwd: Path, text: str | None = None) -> str:
    done = subprocess.run(command, cwd=cwd, input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{shlex.join(command)}\n{done.stdout}{done.stderr}"
    return done.stdout


def is_tidy(title: str, folder: Path) -> None:
    """What the recipe adds and changes is formatted and linted as the house asks."""
    names = re.findall(r'title="(.+\.py)"|^\+\+\+ b/(.+)$', section(title), re.MULTILINE)
    files = [added or changed for added, changed in names]
    assert files
    shutil.copy(ROOT / "pyproject.toml", folder)
    for words in (("format", "--check"), ("check",)):
        called(str(Path(sys.executable).with_name("ruff")), *words, "--no-cache", *files, cwd=folder)


def test_add_a_chip(tmp_path: Path) -> None:
    printed = follow("Add a chip", tmp_path)
    assert "deepseek-v3 on my-chip: decode" in printed
    files = YAML(typ="safe", pure=True)
    builtin = tmp_path / "harness" / "catalog" / "chips.yaml"
    everybodys, mine = (files.load(path.read_text(encoding="utf-8")) for path in (builtin, tmp_path / "my-chip.yaml"))
    for section_name in ("sources", "chips"):
        everybodys[section_name].update(mine[section_name])
    with builtin.open("w", encoding="utf-8") as file:
        files.dump(everybodys, file)
    shown = called(sys.executable, "-m", "harness", "chips", cwd=tmp_path)
    assert re.search(r"^my-chip +1.00 +2.00 .*128 +4.00 +450 +700", shown, re.MULTILINE), shown


def test_add_a_claim_kind(tmp_path: Path) -> None:
    printed = follow("Add a claim kind", tmp_path)
    for outcome in ("1 REFUTED", "1 supported", "1 undecided"):
        assert outcome in printed
    is_tidy("Add a claim kind", tmp_path)


def test_add_a_file_format(tmp_path: Path) -> None:
    printed = follow("Add a file format", tmp_path)
    assert "sort" in printed and "312 ms" in printed and "1 slower" in printed
    is_tidy("Add a file format", tmp_path)


@pytest.mark.slow
def test_what_the_recipes_add_is_typed(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "harness", tmp_path / "harness", ignore=shutil.ignore_patterns("__pycache__"))
    for title in ("Add a claim kind", "Add a file format"):
        do(title, tmp_path)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    called(sys.executable, "-m", "mypy", "harness", cwd=tmp_path)


def rooms() -> list[str]:
    """The rooms of the map, in its order."""
    cells = re.findall(r"^\| (`.*?) \|", section("The map"), re.MULTILINE)
    return [name for cell in cells for name in re.findall(r"`(\w+)/?`", cell)]


def test_each_room_of_the_map_is_there() -> None:
    entries = [path for path in (ROOT / "harness").iterdir() if not path.stem.startswith("__")]
    there = {path.stem for path in entries if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert sorted(rooms()) == sorted(there)


def test_the_map_is_in_the_order_of_imports() -> None:
    floors = [rank(room) for room in rooms()]
    assert floors == sorted(floors)
