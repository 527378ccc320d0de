"""Measured detection and false alarms of the judges, as blocks and as JSON. Judges nothing."""

from harness import units
from harness.document import strictjson
from harness.report.blocks import Block, Bullets, Callout, Column, Report, Table, Text
from harness.verdict.controls import Controls, Detection


def build(found: Controls, *, missed: bool = False) -> Report:
    """The report on the controls; `missed` also names each plant that passed."""
    blocks: list[Block] = [Text(text=_lead(found), lead=True)]
    if found.false_alarms:
        blocks += [Callout(tone="warning", text="True rates that were damned:"), Bullets(items=found.false_alarms)]
    blocks.append(_table(found))
    passed = [f"{d.kind}: {', '.join(d.missed)}" for d in found.detections if d.missed]
    if missed and passed:
        blocks += [Text(text="Not caught:"), Bullets(items=tuple(passed))]
    return Report(title="Controls of the judges", blocks=tuple(blocks))


def _lead(found: Controls) -> str:
    held = "All required shares are reached." if found.passed else "A required share is not reached."
    return (
        f"{held} Of {units.whole(found.true_rows)} published rates {len(found.false_alarms) or 'none'} "
        f"{'was' if len(found.false_alarms) == 1 else 'were'} refuted or called implausible with the own publication "
        f"left out; {found.undecided or 'none'} {'was' if found.undecided == 1 else 'were'} undecided."
    )


def _table(found: Controls) -> Table:
    return Table(
        title="Planted false claims",
        columns=(
            Column(name="Kind"),
            Column(name="Planted", align="right"),
            Column(name="Caught", align="right"),
            Column(name="Share", align="right"),
            Column(name="By a flag alone", align="right"),
            Column(name="Required", align="right"),
            Column(name="Reached"),
        ),
        rows=tuple(_row(d) for d in found.detections),
        note="Caught: refuted, implausible, or flagged with the very trap. Without a required share a kind is measured "
        "only. Plants and band come from the same kind of rate; new publications may do otherwise.",
    )


def _row(d: Detection) -> tuple[str, ...]:
    required = units.UNKNOWN if d.required is None else units.percent(d.required)
    reached = units.UNKNOWN if d.required is None else "yes" if d.reached else "no"
    whole = units.whole
    return (d.kind, whole(d.planted), whole(d.caught), units.percent(d.rate), whole(d.flagged), required, reached)


def as_json(found: Controls) -> str:
    """One object: the rates with their counts, and which plants were missed."""
    body = {"schema": 1, "kind": "controls", **found.model_dump(mode="json")}
    return strictjson.encode(body)
