"""What is installed in a Python environment that measures, found by starting its interpreter. Installs nothing."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from harness.errors import UsageError
from harness.files.installed import NAME, NAMES
from harness.measure.protocol import Terms, refusal
from harness.vocabulary import Frozen

_TIMEOUT_S = 120.0
"""Of a question. The first import in a fresh environment writes its bytecode and reads hundreds of files from disk."""

_LONGEST_REASON = 300

_VERSIONS = """
import importlib.metadata, json, platform, sys
found = {}
for name in sys.argv[1:]:
    try:
        found[name] = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        pass
print(json.dumps({"python": platform.python_version(), "packages": found}))
"""
_TASK = """
try:
    from harness.results.plan import Task
except ModuleNotFoundError:  # 0.1.0
    from harness.plan import Task
"""
_TERMS = f"""
import json
{_TASK}
try:
    from harness.measure.protocol import VERSION
except ModuleNotFoundError:
    VERSION = 1
print(json.dumps(dict(protocol=VERSION, task_schema=json.dumps(Task.model_json_schema()))))
"""
_READS = f"""
import sys
{_TASK}
for line in sys.stdin:
    Task.model_validate_json(line)
"""


class Environment(Frozen):
    """An interpreter and what is installed for it. `terms` is None where that includes no harness: then this harness's
    own worker runs in it."""

    interpreter: str
    python: str
    packages: tuple[tuple[str, str], ...]
    terms: Terms | None

    def version(self, package: str) -> str | None:
        return dict(self.packages).get(package)


def ask(python: str | Path, packages: Sequence[str]) -> Environment:
    """What the environment of an interpreter has of `packages`.

    Raises UsageError where it cannot be run, where its harness cannot be imported, or where that is too far from this.
    """
    interpreter = str(python)
    answer = _asked(interpreter, _VERSIONS, *packages, *NAMES)
    try:
        found = json.loads(answer)
        version, named = str(found["python"]), {str(n): str(v) for n, v in found["packages"].items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UsageError(_no_python(interpreter, f"answered {answer[:80]!r}")) from None
    if NAME in named:
        named["harness"] = named.pop(NAME)
    terms = _terms(interpreter) if "harness" in named else None
    return Environment(interpreter=interpreter, python=version, packages=tuple(sorted(named.items())), terms=terms)


def check_reads(environment: Environment, requests: Sequence[bytes]) -> None:
    """Raise UsageError where the environment's harness does not accept a request that was made for it."""
    done = _run(environment.interpreter, _READS, standard_input=b"\n".join(requests))
    if done.returncode:
        raise UsageError(
            f"{environment.interpreter}: its harness {environment.version('harness')} cannot read what it is to "
            f"measure ({_reason(done.stderr)}); leave new settings out, or compare with a newer revision"
        )


def own_requirements() -> tuple[str, ...]:
    """Versions of all packages of this very environment, as constraints for another; this program left out."""
    import importlib.metadata

    found = {d.metadata["Name"]: d.version for d in importlib.metadata.distributions() if d.metadata["Name"]}
    return tuple(sorted(f"{name}=={version}" for name, version in found.items() if name not in NAMES))


def _terms(interpreter: str) -> Terms:
    answer = _asked(interpreter, _TERMS)
    try:
        terms = Terms.model_validate_json(answer)
    except ValueError:
        raise UsageError(
            f"{interpreter}: its harness does not state its exchange with a measuring process; install one that can "
            "measure"
        ) from None
    if (refused := refusal(terms)) is not None:
        raise UsageError(f"{interpreter}: {refused}")
    return terms


def _asked(interpreter: str, program: str, *arguments: str) -> str:
    done = _run(interpreter, program, *arguments)
    if done.returncode and program == _TERMS:
        raise UsageError(
            f"{interpreter}: its harness cannot be imported ({_reason(done.stderr)}); install it again there"
        )
    if done.returncode:
        raise UsageError(_no_python(interpreter, f"exit code {done.returncode}: {_reason(done.stderr)}"))
    return done.stdout.decode(errors="replace")


def _run(
    interpreter: str, program: str, *arguments: str, standard_input: bytes = b""
) -> "subprocess.CompletedProcess[bytes]":
    """-P: a checkout in the current folder is not installed."""
    try:
        return subprocess.run(
            (interpreter, "-P", "-c", program, *arguments),
            input=standard_input,
            capture_output=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise UsageError(_no_python(interpreter, str(error))) from None


def _no_python(interpreter: str, why: str) -> str:
    example = "env/Scripts/python.exe" if sys.platform == "win32" else "env/bin/python"
    return f"{interpreter}: cannot be run as a Python interpreter ({why}); name one, such as {example}"


def _reason(stderr: bytes) -> str:
    lines = [line.strip() for line in stderr.decode(errors="replace").splitlines() if line.strip()]
    return lines[-1][:_LONGEST_REASON] if lines else "without output"
