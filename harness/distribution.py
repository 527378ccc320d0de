"""The name that this program is installed under, and the versions of installed packages."""

NAME = "claims-harness"
"""On PyPI `harness` is another project; package and command are called harness."""

NAMES = (NAME, "harness")
"""Of this program in the environments of other revisions: up to 0.1.0 it was installed as harness."""


def installed_version(package: str) -> str | None:
    """The version of an installed package, or None; `harness` is this program."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(NAME if package == "harness" else package)
    except PackageNotFoundError:
        return None
