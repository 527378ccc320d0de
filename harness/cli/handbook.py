"""What is generated from the types: JSON Schemas of the files that people write, and the reference of the config.

Knows no command line. `write()` renews the copies kept in the repository; a test fails where they are not current.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from harness.claims import Sheet
from harness.config import Config, Measure, Outputs, Routing
from harness.frozen import Frozen

SchemaName = Literal["config", "sheet", "catalog", "record"]
_TITLES = {
    "config": "harness config",
    "sheet": "harness claim sheet",
    "catalog": "harness catalogue",
    "record": "harness record and assessment",
}


def _catalog() -> type[BaseModel]:
    from harness.catalogue import CatalogueFile

    return CatalogueFile


def _record() -> dict[str, Any]:
    from harness.report import jsonfile

    body: dict[str, Any] = json.loads(jsonfile.schema())
    return body


def schema(name: SchemaName) -> str:
    """The JSON Schema (draft 2020-12) of a file, as text with sorted keys."""
    makers: dict[str, Callable[[], dict[str, Any]]] = {
        "config": lambda: Config.model_json_schema(by_alias=True),
        "sheet": Sheet.model_json_schema,
        "catalog": lambda: _catalog().model_json_schema(),
        "record": _record,
    }
    body = makers[name]()
    body = {"$schema": "https://json-schema.org/draft/2020-12/schema", **body, "title": _TITLES[name]}
    return json.dumps(body, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def config_page() -> str:
    """docs/config.md: every key with its type, default, limits and meaning."""
    parts = [
        "# Config reference",
        "",
        "Generated from the types in `harness/config.py`: do not edit. A config is YAML 1.2 (or JSON). Unknown keys,",
        "wrong types and impossible values are refused with file, line and column, the allowed values and the nearest",
        "known name. `harness init` prints a config to start from, `harness schema config` the JSON Schema for an",
        "editor.",
        "",
        "`sheet` and `catalog` are found beside the config file; `outputs` are written below the folder where the",
        "program is started.",
    ]
    sections: tuple[tuple[str, type[Frozen]], ...] = (
        ("Top level", Config),
        ("`measure`", Measure),
        ("`measure.routing`", Routing),
        ("`outputs`", Outputs),
    )
    for title, model in sections:
        parts += ["", f"## {title}", "", (model.__doc__ or "").strip().splitlines()[0], ""]
        parts += ["| key | type | default | meaning |", "|---|---|---|---|"]
        parts += [_row(name, info) for name, info in model.model_fields.items()]
    return "\n".join(parts) + "\n"


def _row(name: str, info: FieldInfo) -> str:
    cells = (f"`{info.alias or name}`", _type(info), _default(info), info.description or "")
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _default(info: FieldInfo) -> str:
    if info.is_required():
        return "required"
    value = info.default
    if value is None or value is PydanticUndefined or isinstance(value, BaseModel) or value in ({}, ()):
        return "–"
    return f"`{json.dumps(value)}`"


def _type(info: FieldInfo) -> str:
    words = _words(info.annotation)
    limits = [_limit(m) for m in info.metadata]
    return ", ".join([words, *(limit for limit in limits if limit)])


def _words(annotation: object) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is tuple:
        return f"list of {_words(arguments[0])}"
    if origin is dict:
        return "mapping"
    if origin is Literal:
        return " or ".join(f"`{value}`" for value in arguments)
    if origin is Union or type(annotation).__name__ == "UnionType":
        return " or ".join(_words(a) for a in arguments if a is not type(None))
    if origin is not None and hasattr(annotation, "__metadata__"):
        limits = [_limit(m) for field in annotation.__metadata__ for m in getattr(field, "metadata", [])]
        return ", ".join([_words(arguments[0]), *(limit for limit in limits if limit)])
    names: dict[object, str] = {int: "whole number", float: "number", str: "text"}
    return names.get(annotation, "mapping")


def _limit(metadata: object) -> str:
    for attribute, words in (("gt", "> {}"), ("ge", "≥ {}"), ("lt", "< {}"), ("le", "≤ {}")):
        value = getattr(metadata, attribute, None)
        if value is not None:
            return words.format(f"{value:,}")
    return ""


def write(root: Path) -> tuple[Path, ...]:
    """Renew the generated files below the repository's `root`."""
    pages = {root / "docs" / "config.md": config_page()}
    for name in get_args(SchemaName):
        pages[root / "harness" / "schemas" / f"{name}.schema.json"] = schema(name)
    for path, text in pages.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tuple(pages)
