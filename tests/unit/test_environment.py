"""An interpreter is asked what it has; what cannot answer is named with the reason."""

import json
import sys
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.measure.environment import ask, check_reads, own_requirements
from harness.measure.protocol import VERSION, request
from tests.unit.test_protocol import TASK


def test_this_environment_says_what_it_has_and_reads_what_it_is_told() -> None:
    found = ask(sys.executable, ["numpy", "no-such-package"])
    assert found.python.startswith("3.") and found.version("numpy") and found.version("no-such-package") is None
    assert found.terms is not None and found.terms.protocol == VERSION
    check_reads(found, [request(TASK, found.terms)] * 2)
    with pytest.raises(UsageError, match="cannot read what it is to measure"):
        check_reads(found, [b'{"kind": "variant"}'])


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (None, "cannot be run as a Python interpreter"),
        ("exit 3", "exit code 3: without output"),
        ("echo hello", "answered 'hello"),
        ('echo \'{"python": "3.13", "packages": {"harness": "1"}}\'', "does not state its exchange"),
    ],
)
def test_what_is_no_interpreter_is_named(tmp_path: Path, script: str | None, words: str) -> None:
    python = tmp_path / "python"
    if script is not None:
        python.write_text(f"#!/bin/sh\n{script}\n")
        python.chmod(0o755)
    with pytest.raises(UsageError, match=words) as caught:
        ask(python, ["numpy"])
    assert str(python) in str(caught.value)


@pytest.mark.parametrize("names", [{"harness": "0.1.0"}, {"claims-harness": "0.2.0"}])
def test_a_revision_is_known_by_either_of_its_names(tmp_path: Path, names: dict[str, str]) -> None:
    """Up to 0.1.0 it was installed as harness. The stand-in answers the second question as this revision does."""
    (version,) = names.values()
    answer = json.dumps({"python": "3.13", "packages": {"numpy": "2.4", **names}})
    python = tmp_path / "python"
    python.write_text(
        f"#!/bin/sh\ncase \"$*\" in *importlib*) echo '{answer}';; *) exec '{sys.executable}' \"$@\";; esac\n"
    )
    python.chmod(0o755)
    found = ask(python, ["harness", "numpy"])
    assert found.packages == (("harness", version), ("numpy", "2.4")) and found.terms is not None


def test_no_version_of_this_program_is_forced_on_another_revision() -> None:
    assert not [line for line in own_requirements() if "harness" in line]
