"""The reference of the config file, from its types: every key with its type, default, limits and meaning."""

import json
from typing import Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from harness.config import Config, Measure, Outputs, RoutingOptions
from harness.vocabulary import Frozen


def config_page() -> str:
    """docs/reference/config.md: every key with its type, default, limits and meaning."""
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
        ("`measure.routing`", RoutingOptions),
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
