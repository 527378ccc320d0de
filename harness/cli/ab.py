"""`harness ab` carried out: two configs, two settings, two environments or two revisions in turn on this host.

Has both sides made ready, hands them to the duel, keeps each process's observations as they come, and compares.
"""

from dataclasses import dataclass
from pathlib import Path

import typer

from harness.cli.contrast import Choices, Presentation, conclude
from harness.cli.reliability import known
from harness.cli.run import BESIDE, StoppedError
from harness.cli.show import STORE
from harness.cli.variants import Side, Wanted, sides
from harness.compare import decision
from harness.compare.comparison import compare
from harness.compare.decision import ANALYSES
from harness.compare.formats import record
from harness.compare.gate import NOTHING_COMPARED
from harness.compare.table import ResultTable, key
from harness.compare.thresholds import Thresholds
from harness.measure.ab import ABDesign, ABRun, check_alike, run_ab
from harness.measure.host import description
from harness.measure.lock import Policy, run_lock
from harness.results.assemble import Kept, State, assemble
from harness.results.counting import counts
from harness.results.record import Record, case_key
from harness.store.runs import Store

_ENDED = {
    "decided": "every case is decided",
    "last interim analysis": f"that is the last interim analysis, at {ANALYSES[-1]} pairs",
    "budget": "the time budget is used up",
    "nothing measured": "one side has measured nothing",
}


@dataclass(frozen=True)
class AbOptions:
    """What the command line asks to be measured in turn."""

    wanted: Wanted
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
    here = description.describe()
    path = options.store or STORE
    old, new = sides(options.wanted, here, path.parent / "environments", _quiet if options.quiet else _say)
    check_alike(old.side, new.side)
    policy: Policy = "force" if options.force else "wait" if options.wait else "refuse"
    with (
        run_lock(
            "harness ab", policy, waiting=lambda holder: _say(f"waiting for another run on this host to end: {holder}")
        ) as alone,
        Store(path) as store,
    ):
        fought = _fought(old, new, thresholds, options, store)
        notes = () if alone else (BESIDE,)
        records = tuple(_put_together(store, side, "complete", (*notes, _turns(fought))) for side in (old, new))
    a, b = (record.table(r, side.title) for r, side in zip(records, (old, new), strict=True))
    # Looked at several times, so each interim analysis has its share of the alarms.
    shared = thresholds.model_copy(update={"alarm_level": 1 - (1 - thresholds.alarm_level) / len(ANALYSES)})
    comparison = compare(a, b, shared, ignore=_on_purpose(a, b) | frozenset(options.choices.ignore))
    said = tuple(f"{side.title}: {note}" for side in (old, new) for note in side.header.notes)
    comparison = comparison.model_copy(update={"notes": (*comparison.notes, *said, *notes, _turns(fought))})
    reliability = known(options.store, here.fingerprint, thresholds)
    code = conclude(options.presentation, (comparison,), gates, reliability)
    return code if comparison.compared else code or NOTHING_COMPARED


def _fought(old: Side, new: Side, thresholds: Thresholds, options: AbOptions, store: Store) -> ABRun:
    """The duel, each process's observations kept before the next one starts. Raises StoppedError on Ctrl-C."""
    by_name: dict[decision.Side, Side] = {"old": old, "new": new}
    say = _quiet if options.quiet else _say
    for side in (old, new):
        store.begin(side.header)

    def keep(name: decision.Side, found: tuple[Kept, ...]) -> None:
        header = by_name[name].header
        for one in found:
            task = next(t for t in header.plan.tasks if t.variant == one.variant)
            if one.observation is not None:
                task = task.model_copy(update={"round": one.observation.round})
                store.keep(header.record_id, task, one.workload, one.observation)

    try:
        margins = _margins(old, new, thresholds)
        design = ABDesign(thresholds=thresholds, margins=margins, seed=options.seed, budget_s=options.budget_s)
        progress = lambda done, target: say(f"{done} of {target} pairs")  # noqa: E731
        return run_ab(old.side, new.side, design, progress=progress, keep=keep)
    except KeyboardInterrupt:
        a, b = (_put_together(store, side, "interrupted", ("interrupted by the user",)) for side in (old, new))
        raise StoppedError(
            f"interrupted: what was measured is kept in {store.path}; "
            f"compare it with: harness compare {a.record_id} {b.record_id}"
        ) from None


def _margins(old: Side, new: Side, thresholds: Thresholds) -> tuple[float, ...]:
    """Of each case, by the settings that both sides share: those by which its row will be judged."""
    both = zip(old.side.cases, new.side.cases, strict=True)
    shared = (set(key(**case_key(*a).named)) & set(key(**case_key(*b).named)) for a, b in both)
    return tuple(thresholds.margin_of(record.RATE, tuple(settings)) for settings in shared)


def _put_together(store: Store, side: Side, state: State, notes: tuple[str, ...]) -> Record:
    """The record of one side, from what was kept of it."""
    kept = [one for _, one in store.kept(side.header.record_id) if one is not None]
    record = assemble(side.header, kept, state=state, counts=counts)
    record = record.model_copy(update={"notes": (*record.notes, *notes)})
    store.finish(record)
    return record


def _turns(fought: ABRun) -> str:
    pairs = f"{fought.pairs} pair{'s' if fought.pairs != 1 else ''}"
    return f"measured in turn, {pairs} of fresh processes; no more, since {_ENDED[fought.ended]}"


def _on_purpose(old: ResultTable, new: ResultTable) -> frozenset[str]:
    """Settings and inputs in which the two sides differ case by case: that is what is compared."""
    found: set[str] = set()
    for a, b in zip(old.rows, new.rows, strict=True):
        for left, right in ((a.key, b.key), (a.inputs, b.inputs)):
            found |= {s.name for s in set(left) ^ set(right)}
    return frozenset(found)


def _say(text: str) -> None:
    typer.echo(text, err=True)


def _quiet(_text: str) -> None:
    return None
