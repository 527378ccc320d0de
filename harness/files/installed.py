"""What is installed: this program under its name, versions of packages, the claim sheets and configs that come along.

A wheel carries them beside the package's code (`force-include` in pyproject.toml); a checkout has them in its own
folders. Both keep them side by side, so that a config's `sheet: ../seeds/NAME.yaml` is found in either.
"""

from pathlib import Path
from typing import Literal

from harness.errors import UsageError, unknown

NAME = "claims-harness"
"""On PyPI `harness` is another project; package and command are called harness."""

NAMES = (NAME, "harness")
"""Of this program in the environments of other revisions: up to 0.1.0 it was installed as harness."""

Kind = Literal["sheet", "config"]

FOLDERS: dict[Kind, str] = {"sheet": "seeds", "config": "configs"}

_PACKAGE = Path(__file__).parents[1]


def sheets() -> dict[str, Path]:
    """The claim sheets by name, such as `deepseek-v4-ascend`, sorted."""
    return _shipped("sheet")


def configs() -> dict[str, Path]:
    """The configs by name, such as `quick`, sorted."""
    return _shipped("config")


def find(name: str, kind: Kind = "sheet") -> Path:
    """The file called `name`, or `seeds/NAME.yaml` or `configs/NAME.yaml` as the docs write it.

    Raises UsageError for an unknown name, with the nearest known one.
    """
    known = _shipped(kind)
    plain = name.removeprefix(f"{FOLDERS[kind]}/").removesuffix(".yaml")
    if plain not in known:
        raise UsageError(unknown(kind, name, known))
    return known[plain]


def _shipped(kind: Kind) -> dict[str, Path]:
    folder = _home() / FOLDERS[kind]
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def _home() -> Path:
    packaged = _PACKAGE / "shipped"
    return packaged if packaged.is_dir() else _PACKAGE.parent


def installed_version(package: str) -> str | None:
    """The version of an installed package, or None; `harness` is this program."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(NAME if package == "harness" else package)
    except PackageNotFoundError:
        return None
