"""A host's false alarms and power as blocks and as JSON. Computes nothing."""

import json

from harness.compare.calibration import Calibration
from harness.report.blocks import Block, Callout, Column, Report, Table, Text
from harness.stats import Estimate
from harness.units import interval, number, percent


def build(found: Calibration | None, no_op: int, least: int, set_aside: int = 0) -> Report:
    """The report on `no_op` comparisons of identical code and their companions. `set_aside` more were measured by
    another procedure or with another runtime."""
    title = "Reliability of comparisons on this host"
    if found is None:
        return Report(title=title, blocks=(Text(text="Nothing was measured yet: harness calibrate does.", lead=True),))
    blocks: list[Block] = [Text(text=f"Side by side, {found.sentence}.", lead=True)]
    if no_op < least:
        blocks.append(Callout(tone="note", text=f"{no_op} of at least {least}: verdicts do not quote it yet; go on."))
    if set_aside:
        text = f"{set_aside} comparisons of an earlier procedure or another ONNX Runtime are kept and not counted."
        blocks.append(Callout(tone="note", text=text))
    level = percent(found.false_alarms.level)
    identical = (_share(s) for s in (found.false_alarms, found.false_warnings, found.unmeasurable))
    rows = [("identical code", str(found.false_alarms.n), *identical)]
    rows += [
        (f"{percent(p.injected)} slower", str(p.slower.n), _share(p.slower), _share(p.noticed), _share(p.unmeasurable))
        for p in found.power
    ]
    blocks.append(
        Table(
            title="What comparisons with a known answer were called",
            columns=(
                Column(name="what was compared"),
                Column(name="comparisons", align="right"),
                Column(name="alarm", align="right"),
                Column(name="warning (slower: or alarm)", align="right"),
                Column(name="unmeasurable", align="right"),
            ),
            rows=tuple(rows),
            note=f"Shares with {level} intervals. Alarm: faster or slower; for what was slowed down, slower. "
            f"Half of the comparisons of identical code took {number(found.median_pairs)} pairs or fewer.",
        )
    )
    return Report(title=title, blocks=tuple(blocks))


def as_json(found: Calibration | None, no_op: int, set_aside: int = 0) -> str:
    """`calibration` is null where nothing was measured."""
    body = {
        "schema": 1,
        "kind": "calibration",
        "no_op_comparisons": no_op,
        "set_aside": set_aside,
        "calibration": None if found is None else {**found.model_dump(mode="json"), "sentence": found.sentence},
    }
    return json.dumps(body, indent=2, allow_nan=False) + "\n"


def _share(rate: Estimate) -> str:
    return f"{percent(rate.point)} {interval(rate.low, rate.high, 'fraction', 2)}"
