"""Wheel and source distribution, built and installed into environments that hold nothing of this checkout."""

import re
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
WINDOWS = sys.platform == "win32"

pytestmark = pytest.mark.slow


def called(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(list(map(str, command)), cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def build(source: Path, target: str, folder: Path) -> Path:
    """The distribution of `source`; hatchling is called as pip would call it, without the network."""
    called(sys.executable, "-m", "hatchling", "build", "--target", target, "--directory", folder, cwd=source)
    (made,) = folder.iterdir()
    return made


def wheel_of_source_distribution(folder: Path) -> Path:
    """As `pip install X.tar.gz` makes it: from the unpacked files alone."""
    with tarfile.open(build(ROOT, "sdist", folder / "sdist")) as archive:
        archive.extractall(folder / "unpacked", filter="data")
    (source,) = (folder / "unpacked").iterdir()
    return build(source, "wheel", folder / "wheel")


@pytest.fixture(scope="module", params=["wheel", "sdist"])
def wheel(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp(request.param)
    return wheel_of_source_distribution(folder) if request.param == "sdist" else build(ROOT, "wheel", folder / "wheel")


@pytest.fixture(scope="module")
def programs(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment with the wheel in it. Its dependencies are those of this environment, by a path
    behind its own, so that nothing is fetched."""
    folder = tmp_path_factory.mktemp("environment")
    called(sys.executable, "-m", "venv", folder, cwd=folder)
    programs = folder / ("Scripts" if WINDOWS else "bin")
    called(programs / "python", "-m", "pip", "install", "--quiet", "--no-index", "--no-deps", wheel, cwd=folder)
    called(programs / "python", "-c", _BORROW, sysconfig.get_path("purelib"), cwd=folder)
    return programs


_BORROW = """
import pathlib, sys, sysconfig
pathlib.Path(sysconfig.get_path("purelib"), "borrowed.pth").write_text(sys.argv[1] + "\\n")
"""


def test_both_commands_answer(programs: Path, tmp_path: Path) -> None:
    for command in ("harness", "claims-harness"):
        version = called(programs / command, "--version", cwd=tmp_path)
        assert version.startswith(f"harness {PROJECT['version']}, "), version


def test_the_package_is_the_installed_one_and_reads_the_shipped_files(programs: Path, tmp_path: Path) -> None:
    asked = (
        "import harness; from harness.files import installed; "
        "print(harness.__file__, installed.find('quick', 'config'))"
    )
    package, config = map(Path, called(programs / "python", "-c", asked, cwd=tmp_path).split())
    assert package.is_relative_to(programs.parent) and config.is_relative_to(package.parent)


def test_shipped_sheets_and_configs_work_from_an_empty_folder(programs: Path, tmp_path: Path) -> None:
    asked = (
        "from harness.files import installed; "
        "print(installed.find('v4-on-ascend-950'), installed.find('quick', 'config'))"
    )
    sheet, config = called(programs / "python", "-c", asked, cwd=tmp_path).split()
    assert "V4-Pro" in called(programs / "harness", "judge", sheet, cwd=tmp_path)
    assert "moe" in called(programs / "harness", "run", config, "--dry-run", cwd=tmp_path)
    assert not [path for path in tmp_path.rglob("*") if path.suffix in (".html", ".json")]


def test_the_wheel_holds_its_data_and_its_license(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    for folder in ("seeds", "configs"):
        for path in (ROOT / folder).glob("*.yaml"):
            assert f"harness/shipped/{folder}/{path.name}" in names
    data = [path.relative_to(ROOT).as_posix() for path in (ROOT / "harness").rglob("*") if path.is_file()]
    assert {name for name in data if "__pycache__" not in name} <= set(names)
    (license_file,) = (name for name in names if name.endswith("/licenses/LICENSE"))
    assert zipfile.ZipFile(wheel).read(license_file) == (ROOT / "LICENSE").read_bytes()
    assert not [name for name in names if not re.match(r"harness/|claims_harness-[0-9.]+\.dist-info/", name)]
