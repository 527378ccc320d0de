"""The two sides of `harness ab`: what each measures, with what, and what is known of it before it is measured.

A side is a config with settings, in an environment: this one, one that is named, or one built from a revision.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from harness.api.loading import located, read_config
from harness.api.session import harness_version, new_header
from harness.config import Config, Measure
from harness.errors import PlanError, UsageError, unknown
from harness.files import validation
from harness.files.reader import parse
from harness.files.tree import Document
from harness.measure import build, environment, planner
from harness.measure.ab import ABSide
from harness.measure.environment import Environment
from harness.measure.protocol import request
from harness.measure.repository import WORKING_TREE, Repository, Revision
from harness.results.assemble import Header
from harness.results.plan import Plan
from harness.results.record import Host

Say = Callable[[str], None]


@dataclass(frozen=True)
class Wanted:
    """What the command line asks of the two sides. An interpreter and a revision exclude each other."""

    old: Path
    new: Path | None = None
    settings: tuple[str, ...] = ()
    old_python: Path | None = None
    new_python: Path | None = None
    old_revision: str | None = None
    new_revision: str | None = None

    def check(self) -> None:
        """Raise UsageError for options that contradict each other."""
        for name, python, revision in (
            ("base", self.old_python, self.old_revision),
            ("head", self.new_python, self.new_revision),
        ):
            if python is not None and revision is not None:
                raise UsageError(
                    f"--{name} {revision}: --{name}-python names an environment already, expected one of both"
                )
        if self.revisions and self.new is not None:
            raise UsageError(
                f"{self.new}: two configs of two revisions would not say which of both made a difference, expected one"
            )

    @property
    def revisions(self) -> bool:
        return self.old_revision is not None or self.new_revision is not None


@dataclass(frozen=True)
class Side:
    """One side, ready to be measured."""

    header: Header
    side: ABSide
    title: str


@dataclass(frozen=True)
class _Asked:
    """A config as it was read, and what it comes to on this host."""

    found: Document
    config: Config
    plan: Plan
    settings: tuple[str, ...] = ()


def sides(wanted: Wanted, here: Host, cache: Path, say: Say) -> tuple[Side, Side]:
    """Both sides. Cheap questions come first: configs and plans, revisions, environments, then what must be built.

    Environments of revisions are kept in `cache`. Raises UsageError.
    """
    wanted.check()
    repository = Repository(Path.cwd()) if wanted.revisions else None
    base, head = _revisions(wanted, repository) if repository else (None, None)
    found = _configs(wanted, repository, head)
    old = _asked(found[0], (), here)
    new = _asked(found[1], wanted.settings, here)
    pythons = [wanted.old_python, wanted.new_python]
    for index, revision in enumerate((base, head)):
        if repository is not None and revision is not None:
            pythons[index] = build.built(repository, revision, cache, say=say)
    if old.plan == new.plan and pythons[0] == pythons[1]:
        say("both sides are the same: a comparison of identical code")
    return _side(old, pythons[0], base, here, "old"), _side(new, pythons[1], head, here, "new")


def _revisions(wanted: Wanted, repository: Repository) -> tuple[Revision | None, Revision | None]:
    """The commit of each side that is a revision: by default the working tree, and where it left the default branch."""
    head = None if wanted.new_python is not None else repository.resolve(wanted.new_revision or WORKING_TREE)
    if wanted.old_python is not None:
        return None, head
    if wanted.old_revision is not None:
        return repository.resolve(wanted.old_revision), head
    if head is None:
        return repository.merge_base(repository.resolve("HEAD")), None
    return repository.merge_base(head), head


def _configs(
    wanted: Wanted, repository: Repository | None, head: Revision | None
) -> tuple[tuple[Document, Config], tuple[Document, Config]]:
    """The config of each side. Of a revision that is the head it is that revision's, for both sides: they do the same
    work, the head's."""
    if repository is None or head is None or wanted.new_revision in (None, WORKING_TREE):
        old = read_config(wanted.old)
        return old, read_config(wanted.new) if wanted.new else old
    try:
        below = wanted.old.resolve().relative_to(repository.top.resolve())
    except ValueError:  # not of the repository: the same file for every revision
        both = read_config(wanted.old)
        return both, both
    text = repository.text(head, below)
    if text is None:
        raise UsageError(
            f"{wanted.old}: no such file in {head.description}, the head, whose config both sides measure; name one "
            "that is there, or measure a config of the working tree with --head ."
        )
    found = parse(text, path=Path(f"{head.commit[:12]}:{below}"), what="config")
    both = found, validation.validate(found, Config)
    return both, both


def _asked(source: tuple[Document, Config], settings: tuple[str, ...], here: Host) -> _Asked:
    found, config = source[0], _with(source[1], settings)
    try:
        return _Asked(found, config, planner.make(config, here), settings)
    except PlanError as error:
        raise located(found, error) from None


def _side(asked: _Asked, python: Path | None, revision: Revision | None, here: Host, name: str) -> Side:
    """Everything about a side before its first process."""
    lives = environment.ask(python, [p for p, _ in here.packages]) if python is not None else None
    version = lives.version("harness") if lives is not None else None
    if lives is not None:
        packages = tuple((n, v) for n, v in lives.packages if n in dict(here.packages))
        here = here.model_copy(update={"python": lives.python, "packages": packages})
    side = ABSide(
        plan=asked.plan,
        python=lives.interpreter if lives else sys.executable,
        terms=lives.terms if lives else None,
        timeout_s=asked.config.measure.process_timeout_s,
    )
    if lives is not None:
        _check_reads(lives, side)
    header = new_header(
        asked.config.name,
        asked.found.text,
        here,
        asked.plan.model_copy(update={"tasks": side.tasks}),
        suffix=f"-{name}",
        harness_version=version or harness_version(),
        config_path=str(asked.found.path.absolute()),
        revision=revision.commit if revision is not None else None,
        notes=tuple(f"set for this side: {text}" for text in asked.settings),
        made_by="ab",
    )
    which = "base" if name == "old" else "head"
    return Side(header, side, f"{which} {revision.description}" if revision else header.record_id)


def _check_reads(lives: Environment, side: ABSide) -> None:
    """Raise UsageError where the harness of another environment cannot be told what to measure."""
    if lives.terms is None:
        return
    try:
        requests = [request(task, lives.terms) for task in side.tasks]
    except UsageError as error:
        raise UsageError(f"{lives.interpreter}: {error}") from None
    environment.check_reads(lives, requests)


def _with(config: Config, settings: tuple[str, ...]) -> Config:
    """`config` with settings of its `measure` part replaced. Raises UsageError."""
    values = config.measure.model_dump()
    for text in settings:
        name, mark, value = text.partition("=")
        if not mark:
            raise UsageError(f"--set {text}: expected NAME=VALUE, such as threads=1")
        if name not in Measure.model_fields:
            raise UsageError(f"--set {text}: {unknown('setting', name, Measure.model_fields)}")
        several = isinstance(values[name], tuple)
        values[name] = tuple(_scalar(v) for v in value.split(",")) if several else _scalar(value)
    try:
        return config.model_copy(update={"measure": Measure.model_validate(values)})
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        raise UsageError(f"--set {'.'.join(map(str, first['loc'])) or 'measure'}: {first['msg']}") from None


def _scalar(text: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
