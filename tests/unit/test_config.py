"""The config's type, and what is generated from it: schema, reference, examples."""

import json
from pathlib import Path
from typing import Any, get_args

import jsonschema
import pytest
from pydantic import ValidationError

from harness.api.config_reference import config_page
from harness.api.reference import SchemaName, schema
from harness.claims import Sheet
from harness.cli.docs import cli_page
from harness.cli.info import STARTER
from harness.config import Config, Measure
from harness.files import validation
from harness.files.reader import parse

ROOT = Path(__file__).parent.parent.parent
CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))
SHEETS = sorted((ROOT / "seeds").glob("*.yaml"))


def plain(path: Path) -> Any:
    return validation.load(path, what="file").plain()


def test_there_are_configs_and_sheets() -> None:
    assert {"ci.yaml", "quick.yaml", "deepseek-v4-ascend.yaml"} <= {path.name for path in CONFIGS}
    assert SHEETS


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_examples_fit_the_type_and_the_schema(path: Path) -> None:
    config = validation.read(path, Config, what="config")
    jsonschema.validate(plain(path), json.loads(schema("config")))
    assert config.sheet is None or (path.parent / config.sheet).is_file()


@pytest.mark.parametrize("path", SHEETS, ids=lambda path: path.name)
def test_sheets_fit_the_type_and_the_schema(path: Path) -> None:
    validation.read(path, Sheet, what="claim sheet")
    jsonschema.validate(plain(path), json.loads(schema("sheet")))


def test_the_starter_fits() -> None:
    found = parse(STARTER, path=Path("starter"), what="config")
    assert validation.validate(found, Config).name == "my-first-run"


@pytest.mark.parametrize("name", get_args(SchemaName))
def test_schemas_are_current_and_valid(name: SchemaName) -> None:
    text = schema(name)
    kept = (ROOT / "docs" / "reference" / "schemas" / f"{name}.schema.json").read_text(encoding="utf-8")
    assert kept == text, "renew it: python -m harness.cli.docs"
    jsonschema.Draft202012Validator.check_schema(json.loads(text))


def test_pages_are_current() -> None:
    assert (ROOT / "docs" / "reference" / "config.md").read_text(encoding="utf-8") == config_page()
    assert (ROOT / "docs" / "reference" / "cli.md").read_text(encoding="utf-8") == cli_page()


def test_every_key_is_described() -> None:
    found = Config.model_json_schema()
    for definition in (found, *(found["$defs"][name] for name in ("Measure", "RoutingOptions", "Outputs"))):
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
