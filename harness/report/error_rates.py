"""How often the judges and this host are wrong, as blocks and as JSON: self-test, false positives and power."""

import json

from harness import units
from harness.comparison.calibration import Calibration
from harness.files import strict
from harness.report.blocks import Block, Bullets, Callout, Report, Table, Text, columns
from harness.roofline.accuracy import LEVELS, Accuracy
from harness.stats import Estimate
from harness.units import interval, number, percent
from harness.verdict.selftest import Detection, SelfTest


def self_test_blocks(found: SelfTest, *, missed: bool = False) -> Report:
    """The report on the self-test; `missed` also names each seeded error that passed."""
    blocks: list[Block] = [Text(text=_lead(found), lead=True)]
    if found.false_alarms:
        blocks += [
            Callout(tone="warning", text="True rates that were called false:"),
            Bullets(items=found.false_alarms),
        ]
    blocks.append(_table(found))
    passed = [f"{d.kind}: {', '.join(d.missed)}" for d in found.detections if d.missed]
    if missed and passed:
        blocks += [Text(text="Not caught:"), Bullets(items=tuple(passed))]
    return Report(title="Self-test of the judges", blocks=tuple(blocks))


def _lead(found: SelfTest) -> str:
    held = "All required shares are reached." if found.passed else "A required share is not reached."
    return (
        f"{held} Of {units.whole(found.true_rows)} published rates {len(found.false_alarms) or 'none'} "
        f"{'was' if len(found.false_alarms) == 1 else 'were'} refuted or called implausible with the own publication "
        f"left out; {found.undecided or 'none'} {'was' if found.undecided == 1 else 'were'} undecided."
    )


def _table(found: SelfTest) -> Table:
    return Table(
        title="Seeded false claims",
        columns=columns("Kind", ">Seeded", ">Caught", ">Share", ">By a flag alone", ">Required", "Reached"),
        rows=tuple(_row(d) for d in found.detections),
        note="Caught: refuted, implausible, or flagged with the very trap. Without a required share a kind is measured "
        "only. Seeded errors and the usual range come from the same kind of rate; new publications may do otherwise.",
    )


def _row(d: Detection) -> tuple[str, ...]:
    required = units.UNKNOWN if d.required is None else units.percent(d.required)
    reached = units.UNKNOWN if d.required is None else "yes" if d.reached else "no"
    whole = units.whole
    return (d.kind, whole(d.seeded), whole(d.caught), units.percent(d.rate), whole(d.flagged), required, reached)


def self_test_json(found: SelfTest) -> str:
    """One object: the rates with their counts, and which seeded errors were missed."""
    body = {"schema": 2, "kind": "self-test", **found.model_dump(mode="json")}
    return strict.encode_json(body)


def accuracy_blocks(found: Accuracy) -> Report:
    """The report on how well the law predicts rates that it has not seen."""
    whole = next((g for g in found.groups if g.name == "all"), None)
    title = "Published rates predicted from other publications"
    if whole is None:
        return Report(title=title, blocks=(Text(text="There are too few publications to predict one.", lead=True),))
    lead = (
        f"Of {units.whole(whole.rates)} rates of {units.whole(whole.sources)} publications {percent(whole.held[90])} "
        f"lie inside their 90 % intervals, each made without the own publication; the median one spans a factor of "
        f"{number(whole.width, 2)}. Refuted: {', '.join(found.refuted) or 'none'}. Above the 99 % interval: "
        f"{', '.join(found.implausible) or 'none'}."
    )
    blocks: list[Block] = [Text(text=lead, lead=True)]
    if found.amiss:
        blocks.append(Callout(tone="warning", text=f"Fewer inside than promised: {', '.join(found.amiss)}."))
    return Report(title=title, blocks=(*blocks, _groups(found), _histogram(found)))


def _groups(found: Accuracy) -> Table:
    return Table(
        title="Share of rates inside, by group",
        columns=columns(
            "Group", ">Rates", ">Sources", ">50 %", ">80 %", ">90 %", ">99 %", ">Width", ">Error", ">x 3", ">x 4"
        ),
        rows=tuple(
            (
                g.name, units.whole(g.rates), units.whole(g.sources), *(percent(g.held[level]) for level in LEVELS),
                number(g.width, 2), percent(g.median_error), *(percent(share) for share in g.caught.values()),
            )
            for g in found.groups
        ),
        note="Width: high over low of the 90 % interval, median. Error: of the middle, median. x 3, x 4: rates that "
        "much too high that lie above the 90 % interval or the ceiling.",
    )  # fmt: skip


def _histogram(found: Accuracy) -> Table:
    most = max(found.histogram)
    return Table(
        title="Probability of a lower rate, as forecast (even where the forecast is right)",
        columns=columns("Tenth", ">Rates", ""),
        rows=tuple(
            (f"{i / 10:.1f} to {(i + 1) / 10:.1f}", units.whole(n), "█" * round(24 * n / most))
            for i, n in enumerate(found.histogram)
        ),
    )


def accuracy_json(found: Accuracy) -> str:
    """One object: groups, the histogram, and every rate with its forecast."""
    return strict.encode_json({"schema": 1, "kind": "accuracy", "amiss": found.amiss, **found.model_dump(mode="json")})


def calibration_blocks(found: Calibration | None, no_op: int, least: int, set_aside: int = 0) -> Report:
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
            columns=columns(
                "what was compared", ">comparisons", ">alarm", ">warning (slower: or alarm)", ">unmeasurable"
            ),
            rows=tuple(rows),
            note=f"Shares with {level} intervals. Alarm: faster or slower; for what was slowed down, slower. "
            f"Half of the comparisons of identical code took {number(found.median_pairs)} pairs or fewer.",
        )
    )
    return Report(title=title, blocks=tuple(blocks))


def calibration_json(found: Calibration | None, no_op: int, set_aside: int = 0) -> str:
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
