"""An interpreter is asked what it has; what cannot answer is named with the reason."""

import sys
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.measure.environment import ask, check_reads
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
        ("exit 3", "exit code 3: it said nothing"),
        ("echo hello", "answered 'hello"),
        ('echo \'{"python": "3.13", "packages": {"harness": "1"}}\'', "did not say how it talks"),
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
