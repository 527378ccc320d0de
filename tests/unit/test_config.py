"""The config's type, and what is generated from it: schema, reference, examples."""

import json
from pathlib import Path
from typing import Any, get_args

import jsonschema
import pytest
from pydantic import ValidationError

from harness import document
from harness.claims import Sheet
from harness.cli import handbook
from harness.cli.manual import cli_page
from harness.cli.reference import STARTER
from harness.config import Config, Measure

ROOT = Path(__file__).parent.parent.parent
CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))
SHEETS = sorted((ROOT / "seeds").glob("*.yaml"))


def plain(path: Path) -> Any:
    return document.load(path, what="file").plain()


def test_there_are_configs_and_sheets() -> None:
    assert {"ci.yaml", "quick.yaml", "deepseek-v4-ascend.yaml"} <= {path.name for path in CONFIGS}
    assert SHEETS


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_examples_fit_the_type_and_the_schema(path: Path) -> None:
    config = document.read(path, Config, what="config")
    jsonschema.validate(plain(path), json.loads(handbook.schema("config")))
    assert config.sheet is None or (path.parent / config.sheet).is_file()


@pytest.mark.parametrize("path", SHEETS, ids=lambda path: path.name)
def test_sheets_fit_the_type_and_the_schema(path: Path) -> None:
    document.read(path, Sheet, what="claim sheet")
    jsonschema.validate(plain(path), json.loads(handbook.schema("sheet")))


def test_the_starter_fits() -> None:
    found = document.parse(STARTER, path=Path("starter"), what="config")
    assert document.validate(found, Config).name == "my-first-run"


@pytest.mark.parametrize("name", get_args(handbook.SchemaName))
def test_schemas_are_current_and_valid(name: handbook.SchemaName) -> None:
    text = handbook.schema(name)
    kept = (ROOT / "harness" / "schemas" / f"{name}.schema.json").read_text(encoding="utf-8")
    assert kept == text, "renew it: python -m harness.cli.manual"
    jsonschema.Draft202012Validator.check_schema(json.loads(text))


def test_pages_are_current() -> None:
    assert (ROOT / "docs" / "config.md").read_text(encoding="utf-8") == handbook.config_page()
    assert (ROOT / "docs" / "cli.md").read_text(encoding="utf-8") == cli_page()


def test_every_key_is_described() -> None:
    schema = Config.model_json_schema()
    for definition in (schema, *(schema["$defs"][name] for name in ("Measure", "Routing", "Outputs"))):
        for name, field in definition["properties"].items():
            assert field.get("description"), name


@pytest.mark.parametrize(
    "change",
    [
        {"batches": (0,)},
        {"batches": ()},
        {"batches": (1, 1)},
        {"models": ("moe-tiny", "moe-tiny")},
        {"prompt_tokens": 0},
        {"decode_tokens": -1},
        {"repetitions": 0},
        {"precisions": ("fp8",)},
        {"threads": 0},
        {"threads": "all"},
        {"step_time_s": 0.0},
        {"step_time_s": float("nan")},
        {"seed": 1 << 32},
        {"models": ("../moe",)},
        {"models": ("a b",)},
    ],
)
def test_impossible_values_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Measure.model_validate({"models": ("moe-tiny",), **change})
