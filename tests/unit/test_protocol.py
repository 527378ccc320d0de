"""A parent talks to a harness of another version: what that one does not know is left out, or refused by name."""

import json
from typing import Any

import pytest

from harness.errors import UsageError
from harness.measure.protocol import SUPPORTED, VERSION, Terms, decode, refusal, request
from harness.measure.worker import Message
from harness.results.plan import Task, Timing, Variant, Workload
from harness.results.record import Observation
from tests import factories

WORKLOADS = tuple(Workload(phase="decode", batch=b, prompt_tokens=8, decode_tokens=8) for b in (1, 2))
ARM = Variant(model="m", spec=factories.spec(), precision="int8", threads=1)
TASK = Task(kind="variant", round=3, variant=ARM, workloads=WORKLOADS, threads=1, timing=Timing(min_time_s=0.01))


def terms(change: dict[str, list[str]] | None = None, protocol: int = VERSION) -> Terms:
    """A harness like this one, without the named fields of the named types."""
    schema: dict[str, Any] = Task.model_json_schema()
    for kind, names in (change or {}).items():
        properties = (schema if kind == "Task" else schema["$defs"][kind])["properties"]
        for name in names:
            del properties[name]
    return Terms(protocol=protocol, task_schema=json.dumps(schema))


def test_a_harness_of_the_same_version_is_told_everything() -> None:
    assert Task.model_validate_json(request(TASK)) == TASK
    assert Task.model_validate_json(request(TASK, terms())) == TASK


@pytest.mark.parametrize(
    ("kind", "name", "path"),
    [
        ("Workload", "depth", ("workloads", 1)),
        ("Variant", "routing_skew", ("variant",)),
        ("Task", "precisions", ()),
        ("Spec", "tie_word_embeddings", ("variant", "spec")),
    ],
)
def test_a_field_at_its_default_is_left_out(kind: str, name: str, path: tuple[str | int, ...]) -> None:
    told = json.loads(request(TASK, terms({kind: [name]})))
    inside = told
    for step in path:
        inside = inside[step]
    assert name not in inside
    assert Task.model_validate(told) == TASK  # whoever knows the field reads the same task


def test_a_field_that_says_something_is_never_lost() -> None:
    with pytest.raises(UsageError, match=r"has no task\.timing\.min_time_s.*0\.01"):
        request(TASK, terms({"Timing": ["min_time_s"]}))
    deep = TASK.model_copy(update={"workloads": (WORKLOADS[0], WORKLOADS[1].model_copy(update={"depth": 64}))})
    with pytest.raises(UsageError, match=r"task\.workloads\.depth.*64"):
        request(deep, terms({"Workload": ["depth"]}))


def test_versions_too_far_apart_are_refused_with_the_way_out() -> None:
    assert all(refusal(terms(protocol=version)) is None for version in SUPPORTED)
    said = refusal(terms(protocol=max(SUPPORTED) + 1))
    assert said is not None and "too much newer; start the comparison with a newer harness" in said


def test_answers_with_unknown_fields_are_read_without_them() -> None:
    known = Message(workload=0, observation=Observation.model_validate({"round": 1, "started": "2026-11-01T00:00:00Z"}))
    body = known.model_dump(mode="json")
    body["observation"]["weather"] = {"wind_m_s": 3}
    body["mood"] = "good"
    assert decode(json.dumps(body).encode()) == known


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\x00not json",
        b"[]",
        b'{"workload": "first"}',
        b'{"mood": 1, "workload": "first"}',
        b'{"observation": {"round": 1}, "mood": 1}',
        b'{"loaded": NaN}',
    ],
)
def test_what_is_no_answer_stays_none(line: bytes) -> None:
    assert decode(line) is None
