"""What the parent and a measuring process say to each other, and how a parent talks to a harness of another version.

A task as JSON on the worker's standard input; on the channel a line of JSON for each result, and one byte back when it
is put away. Knows the forms of both, not what they mean. `VERSION` changes when that exchange does, or when a field
changes its meaning; a new field with a default changes nothing: who does not know it is not sent it, or ignores it.
"""

import json
from typing import Any

from pydantic import Field, ValidationError

from harness.errors import UsageError
from harness.measure.worker import Message
from harness.results.plan import Task
from harness.results.record import FORMER_NAMES, renamed, with_current_names
from harness.vocabulary import Frozen

VERSION = 2
"""The exchange described above. A harness that states none speaks version 1: it is older than this file. 2: names of
keys changed (`FORMER_NAMES`)."""

SPOKEN = (1, 2)
"""Versions that this harness can talk to."""


class Terms(Frozen):
    """What the harness of another environment says of itself."""

    protocol: int = Field(ge=1)
    task_schema: str = Field(description="JSON Schema of the tasks that it reads")


def refusal(terms: Terms) -> str | None:
    """Why this harness cannot talk to one with these terms; None where it can."""
    if terms.protocol in SPOKEN:
        return None
    known = ", ".join(map(str, SPOKEN))
    apart = "older" if terms.protocol < min(SPOKEN) else "newer"
    return (
        f"its harness speaks version {terms.protocol} of the exchange with a measuring process, this one {known}: "
        f"it is too much {apart}; start the comparison with {'an older' if apart == 'older' else 'a newer'} harness"
    )


def request(task: Task, terms: Terms | None = None) -> bytes:
    """`task` as a worker with these terms reads it (None: this harness's own).

    Fields that it does not know are left out where they say nothing, that is, have their default. Raises UsageError for
    one that says something: the other side would measure something else.
    """
    if terms is None:
        return task.model_dump_json().encode()
    whole = task.model_dump(mode="json")
    said = task.model_dump(mode="json", exclude_defaults=True)
    if terms.protocol < VERSION:
        whole, said = with_former_names(whole), with_former_names(said)
    schema = json.loads(terms.task_schema)
    return json.dumps(_fitted(whole, said, schema, schema.get("$defs", {}), "task")).encode()


def understood(line: bytes) -> Message | None:
    """The message in `line`; fields that only the sender's version has are ignored. None for what is no message."""
    try:
        body = with_current_names(json.loads(line))
    except (ValueError, RecursionError):
        return None
    try:
        return Message.model_validate_json(json.dumps(body))
    except ValidationError as error:
        strange = [e["loc"] for e in error.errors() if e["type"] == "extra_forbidden"]
        if len(strange) < error.error_count():
            return None
    for *path, name in strange:
        inside = body
        for step in path:
            inside = inside[step]
        del inside[name]
    try:
        return Message.model_validate_json(json.dumps(body))
    except ValidationError:
        return None


def with_former_names(value: Any) -> Any:
    """JSON values with the names that keys had in version 1 of the exchange."""
    return renamed(value, {now: then for then, now in FORMER_NAMES.items()}, {"variant": "arm"})


def _fitted(value: Any, said: Any, schema: dict[str, Any], types: dict[str, Any], path: str) -> Any:
    """`value` with the fields that `schema` has; `said` holds those that are not at their default."""
    if isinstance(value, list):
        item = schema.get("items", {})
        spoken = said if isinstance(said, list) else [{}] * len(value)
        return [_fitted(v, s, _resolved(item, types), types, path) for v, s in zip(value, spoken, strict=True)]
    properties = schema.get("properties")
    if not isinstance(value, dict) or properties is None:
        return value
    spoken_of = said if isinstance(said, dict) else {}
    lost = sorted(name for name in value.keys() - properties.keys() if name in spoken_of)
    if lost:
        raise UsageError(
            f"its harness knows no {path}.{lost[0]}, which this comparison sets to {spoken_of[lost[0]]!r}: the other "
            "side would measure something else; leave that setting at its default, or compare with a newer revision"
        )
    return {
        name: _fitted(inner, spoken_of.get(name), _resolved(properties[name], types), types, f"{path}.{name}")
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
