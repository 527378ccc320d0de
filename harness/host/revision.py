"""The git commit of the folder that a run is started in, so that a history can say what was measured. Changes nothing.

Where there is no git or no repository, it is unknown; that is no error.
"""

import shutil
import subprocess
from pathlib import Path

CHANGED = "+"
"""After the commit: files that git follows were changed, so the commit alone is not what ran."""

_TIMEOUT_S = 10.0


def revision(folder: Path) -> str | None:
    """The commit that `folder` is at, with `CHANGED` where tracked files differ from it; None where nobody knows."""
    program = shutil.which("git")
    if program is None:
        return None
    commit = _said(program, folder, "rev-parse", "--verify", "--quiet", "HEAD")
    if not commit:
        return None
    changes = _said(program, folder, "status", "--porcelain", "--untracked-files=no")
    return f"{commit}{CHANGED}" if changes else commit


def _said(program: str, folder: Path, *arguments: str) -> str | None:
    """What git answers. Without optional locks, so that a repository that another program works on is left alone."""
    command = [program, "--no-optional-locks", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
