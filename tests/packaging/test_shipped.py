"""The claim sheets and configs that come with the program are found by name, in a checkout and in a wheel alike."""

from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.files import installed

ROOT = Path(__file__).parents[2]


def test_a_checkout_finds_all_of_its_own() -> None:
    assert sorted(installed.sheets().values()) == sorted((ROOT / "seeds").glob("*.yaml"))
    assert sorted(installed.configs().values()) == sorted((ROOT / "configs").glob("*.yaml"))
    assert "deepseek-v4-ascend" in installed.sheets() and "quick" in installed.configs()


@pytest.mark.parametrize("name", ["v4-on-ascend-950", "v4-on-ascend-950.yaml", "seeds/v4-on-ascend-950.yaml"])
def test_a_sheet_is_found_by_its_name_or_as_the_docs_write_it(name: str) -> None:
    assert installed.find(name) == ROOT / "seeds" / "v4-on-ascend-950.yaml"


def test_sheets_and_configs_of_one_name_are_told_apart() -> None:
    sheet, config = (installed.find("deepseek-v4-ascend", kind) for kind in ("sheet", "config"))
    assert (sheet.parent.name, config.parent.name) == ("seeds", "configs")


@pytest.mark.parametrize("name", ["", "v4-on-ascend-95", "../pyproject", "/etc/passwd", "configs/quick.yaml"])
def test_any_other_name_is_refused_with_those_that_there_are(name: str) -> None:
    with pytest.raises(UsageError, match=r"unknown sheet.*known: cloudmatrix384-paper"):
        installed.find(name)
