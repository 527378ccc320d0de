"""`harness ab` carried out: two configs, two settings or two environments in turn on this host.

Plans both, hands them to the duel, keeps both records, and compares them.
"""

import datetime as dt
import hashlib
import secrets
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import typer
from pydantic import ValidationError

from harness import host
from harness.cli.contrast import Choices, Presentation, conclude
from harness.cli.reference import harness_version
from harness.cli.reliability import known
from harness.cli.show import STORE
from harness.cli.sources import located, read_config
from harness.compare.comparison import Comparison, compare
from harness.compare.decision import LOOKS
from harness.config import Config, Measure
from harness.errors import UsageError, unknown
from harness.measure import run_lock
from harness.measure.duel import Contender, Duel, duel, versions
from harness.plan import planner
from harness.record import Host, Record
from harness.record.assemble import Header, Kept, assemble, new_record_id
from harness.record.counting import counts
from harness.record.validity import Limits, judge_run
from harness.store import Store
from harness.tables import own
from harness.tables.table import ResultTable

UNDECIDED, UNMEASURABLE = 4, 5


@dataclass(frozen=True)
class AbOptions:
    """What the command line asks to be measured in turn."""

    old: Path
    new: Path | None
    settings: tuple[str, ...]
    old_python: Path | None
    new_python: Path | None
    budget_s: float | None
    seed: int
    choices: Choices
    presentation: Presentation
    store: Path | None = None
    wait: bool = False
    force: bool = False
    quiet: bool = False


def ab_command(options: AbOptions) -> int:
    """Measure both sides in turn and print what became of each case. Returns the exit code."""
    gates = options.presentation.gates()
    thresholds = options.choices.thresholds()
    here = host.describe()
    sides = _sides(options, here)
    with run_lock("harness ab", "force" if options.force else "wait" if options.wait else "refuse"):
        fought = duel(
            sides[0][1],
            sides[1][1],
            thresholds,
            seed=options.seed,
            budget_s=options.budget_s,
            progress=_quiet if options.quiet else _say_progress,
        )
    records = tuple(_record(side, kept, fought) for side, kept in zip(sides, (fought.old, fought.new), strict=True))
    with Store(options.store or STORE) as store:
        for record in records:
            store.add(record)
    old, new = (own.table(r, r.record_id) for r in records)
    # Looked at three times, so each look has its share of the alarms.
    shared = thresholds.model_copy(update={"alarm_level": 1 - (1 - thresholds.alarm_level) / len(LOOKS)})
    ignore = _on_purpose(old, new) | frozenset(options.choices.ignore)
    comparison = compare(old, new, shared, ignore=ignore)
    reliability = known(options.store, here.fingerprint, thresholds)
    code = conclude(options.presentation, (comparison,), gates, reliability)
    return UNMEASURABLE if _unsteady(comparison, records) and code == UNDECIDED else code


def _unsteady(comparison: Comparison, records: Sequence[Record]) -> bool:
    """Whether cases were not settled on a host that was not steady, and says so: that is neither a pass nor a fail.

    A case that was settled stands, since its interval holds the host's unsteadiness.
    """
    findings = [f for r in records for f in judge_run(r, Limits())]
    unsettled = comparison.count("undecided") + comparison.count("warn")
    if not findings or not unsettled:
        return False
    cases = f"{unsettled} case{'s are' if unsettled != 1 else ' is'} not settled"
    typer.echo(f"unmeasurable: {cases}, and {findings[0].line}; end other work on this host", err=True)
    return True


_SideOf = tuple[Header, Contender]


def _sides(options: AbOptions, here: Host) -> tuple[_SideOf, _SideOf]:
    same = options.new is None and not options.settings and options.old_python == options.new_python
    if same:
        typer.echo("both sides are the same: a comparison of identical code", err=True)
    old = _side(options.old, (), options.old_python, here, "old")
    return old, _side(options.new or options.old, options.settings, options.new_python, here, "new")


def _side(path: Path, settings: tuple[str, ...], python: Path | None, here: Host, name: str) -> _SideOf:
    found, config = read_config(path)
    config = _with(config, settings)
    try:
        plan = planner.make(config, here)
    except planner.PlanError as error:
        raise located(found, error) from None
    interpreter = str(python) if python is not None else sys.executable
    own_version = None
    if python is not None:
        version, packages = versions(interpreter, [package for package, _ in here.packages])
        own_version = dict(packages).get("harness")
        here = here.model_copy(update={"python": version, "packages": packages})
    now = dt.datetime.now(dt.UTC)
    header = Header(
        record_id=f"{new_record_id(now, secrets.token_hex(3))}-{name}",
        name=config.name,
        label=None,
        created=now,
        harness_version=own_version or harness_version(),
        config_digest=hashlib.sha256(found.text.encode()).hexdigest(),
        config_text=found.text,
        config_path=str(found.path.absolute()),
        host=here,
        plan=plan,
        notes=tuple(f"set for this side: {text}" for text in settings),
        made_by="ab",
    )
    return header, Contender(plan=plan, python=interpreter, own_worker=own_version is not None)


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


def _record(side: _SideOf, kept: tuple[Kept, ...], fought: Duel) -> Record:
    header, contender = side
    note = f"measured in turn with another side: {fought.pairs} pairs, ended by {fought.ended}"
    plan = header.plan.model_copy(update={"tasks": contender.tasks})
    named = header.model_copy(update={"plan": plan, "notes": (*header.notes, note)})
    return assemble(named, kept, state="complete", counts=counts)


def _on_purpose(old: ResultTable, new: ResultTable) -> frozenset[str]:
    """Settings and inputs in which the two sides differ case by case: that is what is compared."""
    found: set[str] = set()
    for a, b in zip(old.rows, new.rows, strict=True):
        for left, right in ((a.key, b.key), (a.inputs, b.inputs)):
            found |= {s.name for s in set(left) ^ set(right)}
    return frozenset(found)


def _say_progress(done: int, target: int) -> None:
    typer.echo(f"{done} of {target} pairs", err=True)


def _quiet(_done: int, _target: int) -> None:
    return None
