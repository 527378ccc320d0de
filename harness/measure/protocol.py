"""The exchange between a parent and a measuring process, also with a harness of another version.

A task goes as JSON to the worker's standard input; a line of JSON for each result comes on the channel, and one byte
goes back when it is stored. `VERSION` changes when that exchange does, or when a field changes its meaning. A new field
with a default changes nothing: an older harness is not sent it, or ignores it.
"""

import functools
import json
import operator
from typing import Any

from pydantic import Field, ValidationError

from harness.errors import UsageError
from harness.measure.worker import Message
from harness.results.plan import Task
from harness.results.record import FORMER_NAMES, renamed, with_current_names
from harness.vocabulary import Frozen

VERSION = 2
"""Of the exchange. A harness that states none uses version 1: it is older than this file. 2: names of keys changed
(`FORMER_NAMES`)."""

SUPPORTED = (1, 2)
"""Versions that this harness can use."""


class Terms(Frozen):
    """Which exchange the harness of another environment uses."""

    protocol: int = Field(ge=1)
    task_schema: str = Field(description="JSON Schema of the tasks that it reads")


def refusal(terms: Terms) -> str | None:
    """Why this harness cannot talk to one with these terms; None where it can."""
    if terms.protocol in SUPPORTED:
        return None
    known = ", ".join(map(str, SUPPORTED))
    apart = "older" if terms.protocol < min(SUPPORTED) else "newer"
    return (
        f"its harness speaks version {terms.protocol} of the exchange with a measuring process, this one {known}: "
        f"it is too much {apart}; start the comparison with {'an older' if apart == 'older' else 'a newer'} harness"
    )


def request(task: Task, terms: Terms | None = None) -> bytes:
    """`task` as a worker with these terms reads it (None: this harness's own).

    Fields that its version lacks are left out where they have their default. Raises UsageError for another value: the
    other side would measure something else.
    """
    if terms is None:
        return task.model_dump_json().encode()
    whole = task.model_dump(mode="json")
    given = task.model_dump(mode="json", exclude_defaults=True)
    if terms.protocol < VERSION:
        whole, given = with_former_names(whole), with_former_names(given)
    schema = json.loads(terms.task_schema)
    return json.dumps(_fitted(whole, given, schema, schema.get("$defs", {}), "task")).encode()


def decode(line: bytes) -> Message | None:
    """The message in `line`; fields that only the sender's version has are ignored. None for what is no message."""
    try:
        body = with_current_names(json.loads(line))
    except (ValueError, RecursionError):
        return None
    for _ in range(2):
        try:
            return Message.model_validate_json(json.dumps(body))
        except ValidationError as error:
            extra = [e["loc"] for e in error.errors() if e["type"] == "extra_forbidden"]
            if len(extra) < error.error_count():
                return None
        for *path, name in extra:
            del functools.reduce(operator.getitem, path, body)[name]
    return None


def with_former_names(value: Any) -> Any:
    """JSON values with the names that keys had in version 1 of the exchange."""
    return renamed(value, {now: then for then, now in FORMER_NAMES.items()}, {"variant": "arm"})


def _fitted(value: Any, given: Any, schema: dict[str, Any], types: dict[str, Any], path: str) -> Any:
    """`value` with the fields that `schema` has; `given` holds those that are not at their default."""
    if isinstance(value, list):
        item = _resolved(schema.get("items", {}), types)
        some = given if isinstance(given, list) else [{}] * len(value)
        return [_fitted(v, g, item, types, path) for v, g in zip(value, some, strict=True)]
    properties = schema.get("properties")
    if not isinstance(value, dict) or properties is None:
        return value
    given = given if isinstance(given, dict) else {}
    if lost := sorted((value.keys() - properties.keys()) & given.keys()):
        raise UsageError(
            f"its harness has no {path}.{lost[0]}, which this comparison sets to {given[lost[0]]!r}: the other "
            "side would measure something else; leave that setting at its default, or compare with a newer revision"
        )
    return {
        name: _fitted(inner, given.get(name), _resolved(properties[name], types), types, f"{path}.{name}")
        for name, inner in value.items()
        if name in properties
    }


def _resolved(schema: dict[str, Any], types: dict[str, Any]) -> dict[str, Any]:
    """The schema itself, behind a reference or as the one alternative to null."""
    for alternative in schema.get("anyOf", ()):
        if alternative.get("type") != "null":
            schema = alternative
    name = str(schema.get("$ref", "")).removeprefix("#/$defs/")
    found: dict[str, Any] = types.get(name, schema)
    return found
