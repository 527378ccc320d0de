"""The files that an open-source project has: valid by their schemas, and in step with each other."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
FORMS = sorted(path for path in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml") if path.name != "config.yml")
PINS = ROOT / "requirements" / "dev.txt"
TEXTS = (
    *("LICENSE", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "CITATION.cff", "pyproject.toml"),
    *(".pre-commit-config.yaml", "requirements/dev.txt", ".github/PULL_REQUEST_TEMPLATE.md"),
)


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def yaml(path: Path) -> Any:
    return YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))


def releases() -> list[tuple[str, str]]:
    """Version and date of each heading of the changelog below Unreleased."""
    return re.findall(r"^## (\d+\.\d+\.\d+) - (\d{4}-\d{2}-\d{2})$", read("CHANGELOG.md"), re.MULTILINE)


def test_the_changelog_opens_with_the_version_that_the_project_has() -> None:
    headings = re.findall(r"^## .*$", read("CHANGELOG.md"), re.MULTILINE)
    assert headings[0] == "## Unreleased" and len(headings) == len(releases()) + 1, headings
    assert releases()[0][0] == PROJECT["version"]
    assert releases() == sorted(releases(), key=lambda r: tuple(map(int, r[0].split("."))), reverse=True)
    dates = [date for _, date in releases()]
    assert dates == sorted(dates, reverse=True)


def test_the_changelogs_lines_are_short() -> None:
    entries = re.findall(r"^- .*(?:\n  \S.*)*", read("CHANGELOG.md"), re.MULTILINE)
    assert len(entries) > 20
    assert not [entry for entry in entries if entry.count("\n") > 1]


def test_the_citation_is_of_this_version() -> None:
    citation = yaml(ROOT / "CITATION.cff")
    assert (citation["version"], citation["date-released"]) == releases()[0]
    assert citation["license"] == PROJECT["license"] == "Apache-2.0"


@pytest.mark.parametrize(
    ("schema", "paths"),
    [
        ("citation-file-format", [ROOT / "CITATION.cff"]),
        ("github-issue-forms", FORMS),
        ("github-issue-config", [ROOT / ".github" / "ISSUE_TEMPLATE" / "config.yml"]),
    ],
)
def test_files_for_machines_are_as_their_schemas_say(schema: str, paths: list[Path]) -> None:
    assert paths
    program = Path(sys.executable).with_name("check-jsonschema")
    command = (str(program), "--builtin-schema", f"vendor.{schema}", *map(str, paths))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_license_is_whole() -> None:
    text = read("LICENSE")
    assert "Apache License" in text and "Version 2.0, January 2004" in text
    assert [n for n in range(1, 10) if f"\n   {n}. " not in text] == [] and "END OF TERMS AND CONDITIONS" in text


def test_the_summary_and_the_commands_are_those_that_people_look_for() -> None:
    assert PROJECT["name"] == "claims-harness" and "mixture of experts" in PROJECT["description"]
    assert PROJECT["scripts"]["claims-harness"] == PROJECT["scripts"]["harness"]


def asked() -> list[Requirement]:
    """What the program asks for, and its extras for tests and docs."""
    extras = PROJECT["optional-dependencies"]
    return [Requirement(text) for text in (*PROJECT["dependencies"], *extras["test"], *extras["docs"])]


def pins() -> list[tuple[str, str, Marker | None, int]]:
    """Name, version, marker and number of hashes of each pin."""
    found: list[tuple[str, str, Marker | None, int]] = []
    for block in re.split(r"\n(?=\S)", PINS.read_text(encoding="utf-8")):
        if not block.startswith("#"):
            pin = Requirement(block.split(" \\\n")[0].strip())
            (version,) = pin.specifier
            assert version.operator == "=="
            found.append((canonicalize_name(pin.name), version.version, pin.marker, block.count("--hash=sha256:")))
    return found


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13", "3.14"])
@pytest.mark.parametrize("system", ["linux", "darwin", "win32"])
def test_what_development_needs_is_pinned(python: str, system: str) -> None:
    place = {"python_version": python, "python_full_version": f"{python}.0", "sys_platform": system}
    pinned: dict[str, str] = {}
    for name, version, marker, hashes in pins():
        assert hashes, f"{name} has no hash"
        if marker is None or marker.evaluate(place):
            assert name not in pinned, f"{name} is pinned twice for Python {python}"
            pinned[name] = version
    for requirement in asked():
        name = canonicalize_name(requirement.name)
        assert name in pinned, f"{name} is not pinned: make requirements/dev.txt again, its second line says how"
        assert requirement.specifier.contains(pinned[name]), (
            f"{name} {pinned[name]} is not what pyproject.toml asks for"
        )


def test_the_pins_say_how_they_are_made_and_name_no_index() -> None:
    text = PINS.read_text(encoding="utf-8")
    assert text.splitlines()[1].split()[:6] == ["#", "uv", "pip", "compile", "pyproject.toml", "--extra"]
    assert not re.search(r"https?:|--(extra-)?index-url|--find-links|file:", text)


def test_hooks_are_those_that_ci_runs_in_versions_of_the_environment() -> None:
    (repository,) = yaml(ROOT / ".pre-commit-config.yaml")["repos"]
    assert repository["repo"] == "local"
    programs = {hook["entry"].split()[0] for hook in repository["hooks"]}
    assert programs == {"ruff", "mypy"} and {hook["language"] for hook in repository["hooks"]} == {"system"}
    assert programs <= {requirement.name for requirement in asked()}
    for program in programs:
        assert f'"$bin/{program}"' in read(".ci/run")


@pytest.mark.parametrize("name", TEXTS)
def test_no_path_of_one_machine_is_in_them(name: str) -> None:
    assert not re.search(r"(?<![\w.])/(work|root|home|tmp)/", read(name))
