"""Revisions of a git repository: what a name means, what a file was there, a checkout in a folder of its own, and the
commit that a run is started at.

Runs git; changes neither the working tree nor its index.
"""

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from harness.errors import UsageError
from harness.vocabulary import Frozen

WORKING_TREE = "."
"""Asks for the files as they are now, those that are not committed included."""

_TIMEOUT_S = 300.0
_NOBODY = {
    "GIT_AUTHOR_NAME": "harness",
    "GIT_AUTHOR_EMAIL": "harness@localhost",
    "GIT_COMMITTER_NAME": "harness",
    "GIT_COMMITTER_EMAIL": "harness@localhost",
    "GIT_AUTHOR_DATE": "2000-01-01T00:00:00Z",
    "GIT_COMMITTER_DATE": "2000-01-01T00:00:00Z",
}
"""Author of the commit that stands for a working tree: the same files on the same parent are the same commit."""


class Revision(Frozen):
    """One commit, and how it was asked for."""

    commit: str
    asked: str

    @property
    def description(self) -> str:
        """Abbreviated, with what was asked for."""
        return f"{self.commit[:12]} ({self.asked})" if not self.commit.startswith(self.asked) else self.commit[:12]


class Repository:
    """A git repository with a working tree. All methods raise UsageError where git refuses."""

    def __init__(self, folder: Path):
        """The repository that `folder` lies in."""
        if shutil.which("git") is None:
            raise UsageError(
                "git is not installed, so no revision can be compared; name two --base-python/--head-python"
            )
        done = _git(folder, "rev-parse", "--show-toplevel")
        if done.returncode:
            raise UsageError(
                f"{folder.absolute()}: no working tree of a git repository ({_reason(done)}); start this in a checkout "
                "of harness, or name environments with --base-python and --head-python"
            )
        self.top = Path(done.stdout.decode().rstrip("\n"))

    def resolve(self, name: str) -> Revision:
        """The commit that a branch, tag, id or expression such as HEAD~1 means; '.' is the working tree."""
        if name == WORKING_TREE:
            return self.working_tree()
        done = _git(self.top, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
        if done.returncode:
            hint = "; the clone is shallow: git fetch --unshallow brings its history" if self._shallow() else ""
            raise UsageError(
                f"{name}: no revision of {self.top}{hint}; expected a branch, a tag, a commit, or '.' for the "
                "working tree"
            )
        return Revision(commit=done.stdout.decode().strip(), asked=name)

    def working_tree(self) -> Revision:
        """The files as they are, ignored ones left out, as a commit of no branch; HEAD where nothing changed."""
        head = self.resolve("HEAD")
        with tempfile.TemporaryDirectory(prefix="harness-index-") as folder:
            own = {**_NOBODY, "GIT_INDEX_FILE": str(Path(folder) / "index")}
            self._must("read-tree", "HEAD", environment=own)
            self._must("add", "--all", environment=own)
            tree = self._must("write-tree", environment=own)
            if tree == self._must("rev-parse", "HEAD^{tree}"):
                return head.model_copy(update={"asked": "working tree, as committed"})
            commit = self._must("commit-tree", tree, "-p", "HEAD", "-m", "the working tree", environment=own)
        return Revision(commit=commit, asked="working tree")

    def merge_base(self, head: Revision) -> Revision:
        """Where `head` left the default branch."""
        branch = self._default_branch()
        done = _git(self.top, "merge-base", branch, head.commit)
        if done.returncode:
            hint = (
                "the clone is shallow: git fetch --unshallow (in an action: fetch-depth: 0) brings the history"
                if self._shallow()
                else "name the revision to compare with by --base"
            )
            raise UsageError(f"{head.description} has no commit in common with {branch}; {hint}")
        return Revision(commit=done.stdout.decode().strip(), asked=f"merge base with {branch}")

    def text(self, revision: Revision, path: Path) -> str | None:
        """The content of the file `path` (below the repository's top) in `revision`; None where there is none."""
        done = _git(self.top, "show", f"{revision.commit}:{path.as_posix()}")
        return None if done.returncode else done.stdout.decode("utf-8-sig", errors="replace")

    @contextlib.contextmanager
    def checked_out(self, revision: Revision) -> Iterator[Path]:
        """A worktree of `revision`, gone afterwards."""
        with tempfile.TemporaryDirectory(prefix="harness-worktree-") as folder:
            place = Path(folder) / "tree"
            self._must("worktree", "prune")  # of one that was killed
            self._must("worktree", "add", "--detach", "--quiet", str(place), revision.commit)
            try:
                yield place
            finally:
                _git(self.top, "worktree", "remove", "--force", str(place))

    def _default_branch(self) -> str:
        """The remote's default branch; without a remote, main or master."""
        done = _git(self.top, "symbolic-ref", "--quiet", "refs/remotes/origin/HEAD")
        names = [done.stdout.decode().strip().removeprefix("refs/remotes/")] if done.returncode == 0 else []
        names += ["origin/main", "origin/master", "main", "master"]
        for name in names:
            if _git(self.top, "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}").returncode == 0:
                return name
        raise UsageError(
            f"{self.top}: no default branch is known (origin/HEAD, main, master); name the revision to compare with by "
            "--base"
        )

    def _shallow(self) -> bool:
        return _git(self.top, "rev-parse", "--is-shallow-repository").stdout.strip() == b"true"

    def _must(self, *arguments: str, environment: Mapping[str, str] | None = None) -> str:
        done = _git(self.top, *arguments, environment=environment)
        if done.returncode:
            raise UsageError(f"{self.top}: git {arguments[0]} failed: {_reason(done)}")
        return done.stdout.decode().strip()


def _git(
    folder: Path, *arguments: str, environment: Mapping[str, str] | None = None, timeout_s: float = _TIMEOUT_S
) -> "subprocess.CompletedProcess[bytes]":
    """Without optional locks, so that a repository that another program works on is left alone."""
    try:
        return subprocess.run(
            ("git", "--no-optional-locks", *arguments),
            cwd=folder,
            capture_output=True,
            timeout=timeout_s,
            check=False,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **(environment or {}), "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"},
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise UsageError(f"git {arguments[0]} could not be run in {folder}: {error}") from None


def _reason(done: "subprocess.CompletedProcess[bytes]") -> str:
    lines = [line.strip() for line in done.stderr.decode(errors="replace").splitlines() if line.strip()]
    return lines[-1] if lines else f"exit code {done.returncode}"


CHANGED = "+"
"""After the commit: files that git follows were changed, so the commit alone is not what ran."""

_COMMIT_TIMEOUT_S = 10.0


def commit_of(folder: Path) -> str | None:
    """The commit that `folder` is at, with `CHANGED` where tracked files differ from it; None where there is no git, no
    repository or no answer, which is no error."""
    questions = (
        ("rev-parse", "--verify", "--quiet", "HEAD"),
        ("status", "--porcelain", "--untracked-files=no"),
    )
    try:
        commit, changes = (_git(folder, *question, timeout_s=_COMMIT_TIMEOUT_S) for question in questions)
    except UsageError:
        return None
    if commit.returncode:
        return None
    return commit.stdout.decode().strip() + (CHANGED if changes.stdout.strip() else "")
