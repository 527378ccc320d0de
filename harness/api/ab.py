"""Two sides measured in turn on this host and compared: two configs, settings, environments or revisions of harness."""

from dataclasses import dataclass

from harness.api.calibration import known
from harness.api.compare import Choices
from harness.api.result import Compared
from harness.api.session import Session, put_together
from harness.api.sides import Side, Wanted, sides
from harness.comparison import decision
from harness.comparison.decision import ANALYSES
from harness.comparison.formats import record
from harness.comparison.table import ResultTable, key
from harness.comparison.tables import compare as compare_tables
from harness.comparison.thresholds import Thresholds
from harness.errors import StoppedError
from harness.measure.ab import ABDesign, ABRun, check_alike, run_ab
from harness.measure.host import description
from harness.results.assemble import Kept
from harness.results.record import case_key
from harness.store.runs import Store

_ENDED = {
    "decided": "every case is decided",
    "last interim analysis": f"that is the last interim analysis, at {ANALYSES[-1]} pairs",
    "budget": "the time budget is used up",
    "nothing measured": "one side has measured nothing",
}


@dataclass(frozen=True)
class Order:
    """In which order the sides run, and for how long."""

    seed: int = 0
    budget_s: float | None = None


def ab(
    wanted: Wanted, *, order: Order | None = None, choices: Choices | None = None, session: Session | None = None
) -> Compared:
    """Measure both sides in turn, one fresh process each, until every case is decided, and compare them.

    Each process's observations are kept before the next one starts. Raises UsageError for sides that cannot be
    compared, UnfitHostError where another run measures, StoppedError on Ctrl-C.
    """
    order, choices, session = order or Order(), choices or Choices(), session or Session()
    thresholds = choices.thresholds()
    here = description.describe()
    old, new = sides(wanted, here, session.store.parent / "environments", session.say)
    check_alike(old.side, new.side)
    with session.measuring("harness ab") as (store, beside):
        ran = _carried_out(old, new, thresholds, order, session, store)
        notes = (*beside, _turns(ran))
        records = tuple(put_together(store, side.header, "complete", notes) for side in (old, new))
    a, b = (record.table(r, side.title) for r, side in zip(records, (old, new), strict=True))
    # Analysed several times, so each interim analysis has its share of the false positives.
    shared = thresholds.model_copy(update={"alarm_level": 1 - (1 - thresholds.alarm_level) / len(ANALYSES)})
    comparison = compare_tables(a, b, shared, ignore=_on_purpose(a, b) | frozenset(choices.ignore))
    set_apart = tuple(f"{side.title}: {note}" for side in (old, new) for note in side.header.notes)
    comparison = comparison.model_copy(update={"notes": (*comparison.notes, *set_apart, *notes)})
    return Compared(comparisons=(comparison,), calibration=known(session.store, here.fingerprint, thresholds))


def _carried_out(old: Side, new: Side, thresholds: Thresholds, order: Order, session: Session, store: Store) -> ABRun:
    """The A/B run, each process's observations kept before the next one starts. Raises StoppedError on Ctrl-C."""
    by_name: dict[decision.Side, Side] = {"old": old, "new": new}
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
        design = ABDesign(thresholds=thresholds, margins=margins, seed=order.seed, budget_s=order.budget_s)
        return run_ab(
            old.side,
            new.side,
            design,
            progress=lambda done, target: session.say(f"{done} of {target} pairs"),
            keep=keep,
        )
    except KeyboardInterrupt:
        a, b = (put_together(store, side.header, "interrupted", ("interrupted by the user",)) for side in (old, new))
        raise StoppedError(
            f"interrupted: what was measured is kept in {store.path}; "
            f"compare it with: harness compare {a.record_id} {b.record_id}"
        ) from None


def _margins(old: Side, new: Side, thresholds: Thresholds) -> tuple[float, ...]:
    """Of each case, by the settings that both sides share: those by which its row will be judged."""
    both = zip(old.side.cases, new.side.cases, strict=True)
    shared = (set(key(**case_key(*a).named)) & set(key(**case_key(*b).named)) for a, b in both)
    return tuple(thresholds.margin_of(record.RATE, tuple(settings)) for settings in shared)


def _turns(ran: ABRun) -> str:
    pairs = f"{ran.pairs} pair{'s' if ran.pairs != 1 else ''}"
    return f"measured in turn, {pairs} of fresh processes; no more, since {_ENDED[ran.ended]}"


def _on_purpose(old: ResultTable, new: ResultTable) -> frozenset[str]:
    """Settings and inputs in which the two sides differ case by case: that is what is compared."""
    found: set[str] = set()
    for a, b in zip(old.rows, new.rows, strict=True):
        for left, right in ((a.key, b.key), (a.inputs, b.inputs)):
            found |= {s.name for s in set(left) ^ set(right)}
    return frozenset(found)
