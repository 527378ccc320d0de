"""Names mean commits, the working tree is a commit of no branch, and looking changes nothing in the repository."""

import os
import subprocess
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.measure import build
from harness.measure.repository import Repository

NOBODY = {f"GIT_{who}_{what}": "a@b" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ("git", *arguments), cwd=folder, env={**os.environ, **NOBODY}, capture_output=True, check=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """main with two commits, and a branch with one more that starts at the first."""
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch=main")
    (folder / "a.txt").write_text("one")
    (folder / ".gitignore").write_text("ignored/\n")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "first")
    git(folder, "branch", "feature")
    (folder / "a.txt").write_text("two")
    git(folder, "commit", "-qam", "second")
    git(folder, "checkout", "-q", "feature")
    (folder / "b.txt").write_text("new")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "third")
    return Repository(folder)


def state(repository: Repository) -> tuple[str, ...]:
    commands = (("status", "--porcelain"), ("branch", "-av"), ("stash", "list"))
    return tuple(git(repository.top, *command) for command in commands)


def test_names_and_merge_base(repository: Repository) -> None:
    head = repository.resolve("HEAD")
    base = repository.merge_base(head)
    assert base.commit == git(repository.top, "rev-parse", "main~1") and "merge base with main" in base.description
    assert repository.resolve("feature").commit == head.commit
    assert repository.text(base, Path("b.txt")) is None and repository.text(head, Path("b.txt")) == "new"
    with pytest.raises(UsageError, match="no revision of"):
        repository.resolve("--help")
    with pytest.raises(UsageError, match="no revision of"):
        repository.resolve("no-such")


def test_the_working_tree_is_a_commit_and_looking_changes_nothing(repository: Repository) -> None:
    clean = repository.working_tree()
    assert clean.commit == repository.resolve("HEAD").commit
    (repository.top / "a.txt").write_text("edited")
    (repository.top / "untracked.txt").write_text("here too")
    (repository.top / "ignored").mkdir()
    (repository.top / "ignored" / "x").write_text("not this")
    before = state(repository)
    found = repository.working_tree()
    assert state(repository) == before
    assert found == repository.working_tree(), "the same files are the same commit, so that a build is found again"
    assert repository.text(found, Path("a.txt")) == "edited"
    assert repository.text(found, Path("untracked.txt")) == "here too"
    assert repository.text(found, Path("ignored/x")) is None


def test_a_checkout_is_gone_afterwards(repository: Repository) -> None:
    checkout = repository.checked_out(repository.resolve("main"))
    with checkout as tree:
        assert (tree / "a.txt").read_text() == "two" and not (tree / "b.txt").exists()
    assert not tree.exists() and len(git(repository.top, "worktree", "list").splitlines()) == 1


def test_no_repository_and_no_default_branch_are_said(repository: Repository, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no working tree of a git repository"):
        Repository(tmp_path)
    git(repository.top, "branch", "-m", "main", "trunk")
    with pytest.raises(UsageError, match="no default branch"):
        repository.merge_base(repository.resolve("HEAD"))


def test_a_shallow_clone_says_how_to_get_the_history(repository: Repository, tmp_path: Path) -> None:
    git(repository.top, "checkout", "-q", "main")
    source = repository.top.as_uri()
    git(tmp_path, "clone", "-q", "--depth=1", "--no-single-branch", "--branch=feature", source, "shallow")
    shallow = Repository(tmp_path / "shallow")
    with pytest.raises(UsageError, match="fetch-depth: 0"):
        shallow.merge_base(shallow.resolve("HEAD"))


def test_only_revisions_of_this_project_are_built(repository: Repository, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no readable pyproject\.toml"):
        build.built(repository, repository.resolve("HEAD"), tmp_path / "cache")
    (repository.top / "pyproject.toml").write_text('[project]\nname = "other"\n')
    with pytest.raises(UsageError, match="is of the project 'other'"):
        build.built(repository, repository.working_tree(), tmp_path / "cache")
    assert not (tmp_path / "cache").exists()
