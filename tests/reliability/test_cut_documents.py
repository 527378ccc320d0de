"""Sheets, catalogs, configs and harness.toml, cut short or with flipped bits: used, or refused by name."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.api.compare import Choices
from harness.api.loading import extended
from harness.catalog.collection import builtin
from harness.claims import Sheet
from harness.config import Config
from harness.errors import UsageError
from harness.files import validation

ROOT = Path(__file__).parents[2]
TOML = """\
[compare]
margin = 0.05
drift = 0.1
[[compare.rules]]
margin = 0.1
metric = "decode"
where = {phase = "decode", batch = 1}
"""


def catalog(path: Path) -> object:
    return extended(builtin(), path)


def block(page: str) -> str:
    """The first YAML block of a page of the manual."""
    return (ROOT / "docs" / page).read_text(encoding="utf-8").split("```yaml\n")[1].split("```")[0]


Read = Callable[[Path], object]
DOCUMENTS: dict[str, tuple[str, Read]] = {
    "sheet.yaml": (
        (ROOT / "seeds" / "deepseek-inference-disclosure.yaml").read_text(encoding="utf-8"),
        lambda path: validation.read(path, Sheet, what="claim sheet"),
    ),
    "catalog.yaml": (block("reference/catalog.md"), catalog),
    "config.yaml": (
        (ROOT / "configs" / "quick.yaml").read_text(encoding="utf-8"),
        lambda path: validation.read(path, Config, what="config"),
    ),
    "harness.toml": (TOML, lambda path: Choices(file=path).thresholds()),
}


def used_or_refused(path: Path, read: Read) -> None:
    said = path.name
    try:
        read(path)
    except UsageError as error:
        said = str(error)
    assert path.name in said and len(said) < 3000


def damaged(name: str, folder: Path, cuts: int | None, flips: int) -> None:
    """Cut at evenly spaced bytes (None: at every one), and with random bits flipped."""
    text, read = DOCUMENTS[name]
    raw, path, chance = text.encode(), folder / name, random.Random(11)
    path.write_bytes(raw)
    read(path)
    for end in range(0, len(raw), 1 if cuts is None else max(1, len(raw) // cuts)):
        path.write_bytes(raw[:end])
        used_or_refused(path, read)
    for _ in range(flips):
        bad = bytearray(raw)
        for _ in range(chance.choice((1, 1, 4))):
            bad[chance.randrange(len(bad))] ^= 1 << chance.randrange(8)
        path.write_bytes(bad)
        used_or_refused(path, read)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_damaged_document_is_used_or_refused(name: str, tmp_path: Path) -> None:
    damaged(name, tmp_path, cuts=25, flips=15)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_cut_at_every_byte_is_used_or_refused(name: str, tmp_path: Path) -> None:
    damaged(name, tmp_path, cuts=None, flips=500)


HOSTILE_TOML = {
    "deep": "a = " + "[\n" * 20_000,
    "deep table": "a" + ".a" * 50_000 + " = 1",
    "deep line": "a = " + "[" * 100_000,
    "huge": "[compare]\nmargin = " + "9" * 1_000_000,
    "nan": "[compare]\nmargin = nan",
    "infinite": "[compare]\ndrift = inf",
    "twice": "[compare]\nmargin = 0.1\nmargin = 0.2",
    "control": '[compare]\n"\\u001b[31m" = 1',
    "large": "# " + "x" * (2 << 20),
}


@pytest.mark.parametrize("name", HOSTILE_TOML)
def test_hostile_toml_is_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / "harness.toml"
    path.write_text(HOSTILE_TOML[name], encoding="utf-8")
    with pytest.raises(UsageError, match=r"harness\.toml"):
        Choices(file=path).thresholds()
