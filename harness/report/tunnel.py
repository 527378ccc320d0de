"""Reported figures beside the cases here that match them in the groups, as blocks and as JSON."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from harness.files import strict
from harness.report.blocks import Block, Bullets, Heading, Report, Table, Text, columns
from harness.roofline.matched_case import Candidate, Match
from harness.roofline.similarity import WEIGHTS, Groups, link_share
from harness.units import UNKNOWN, binary, number, percent, seconds, si, times
from harness.verdict.reported import ChipWorkload, MatchedFigure

_NAMES = {
    "balance": "arithmetic over memory time",
    "rows": "rows of an expert's product",
    "experts": "experts activated",
    "attention": "attention in the work",
    "cache": "cache in the bytes",
    "positions": "positions a sequence",
    "active": "active parameters",
}
_TEXT: dict[str, Callable[[float], str]] = dict.fromkeys(("experts", "attention", "cache", "active"), percent)
_TEXT["positions"] = partial(number, digits=1)


def build(sheet: str, host: str, figures: Sequence[MatchedFigure], budget: str) -> Report:
    """The report. `host`: this host's ceilings in words; `budget`: what the cases may take."""
    known = [f for f in figures if f.matches]
    lead = (
        f"{len(known)} of {len(figures)} reported rates and ratios have a workload that is known whole. Beside each "
        "stands the case here that comes closest in the dimensionless groups. Modelled; nothing was measured."
    )
    blocks: list[Block] = [Text(text=lead, lead=True), Text(text=f"This host: {host}. {budget}")]
    blocks += _workloads(known)
    if ratios := [f for f in known if len(f.matches) > 1]:
        blocks += [Heading(level=2, text="Ratios"), _ratios(ratios)]
    if left := [f for f in figures if not f.matches]:
        items = tuple(f"{f.figure.id}: {', '.join(f.figure.open)}" for f in left)
        blocks += [Heading(level=2, text="Left out: what is not known of them"), Bullets(items=items)]
    return Report(title=f"Cases here that match {sheet}", blocks=tuple(blocks))


def _workloads(known: list[MatchedFigure]) -> list[Block]:
    """One table for each workload, with the figures that are of it."""
    of: dict[str, tuple[ChipWorkload, Groups, Match, list[str]]] = {}
    for found in known:
        for side, there, match in zip(found.figure.sides, found.there, found.matches, strict=True):
            key = side.model_copy(update={"source": ""}).model_dump_json()
            names = of.setdefault(key, (side, there, match, []))[3]
            if len(found.matches) == 1:
                names.append(f"{found.figure.id} ({number(found.figure.value, 4)} {found.figure.unit})")
    blocks: list[Block] = []
    for side, there, match, names in of.values():
        blocks += [Heading(level=2, text=f"{side.title}{_of(side)}"), _side_by_side(there, match)]
        blocks.append(Text(text=_words(side, match, names)))
    return blocks


def _of(side: ChipWorkload) -> str:
    d = side.deployment
    given = (("batch", d.batch), ("prompt" if side.phase == "prefill" else "context", _tokens(side)))
    return "".join(f", {name} {number(value, 1)}" for name, value in given if value is not None)


def _tokens(side: ChipWorkload) -> float | None:
    return side.deployment.prompt_tokens if side.phase == "prefill" else side.deployment.context_tokens


def _words(side: ChipWorkload, match: Match, names: list[str]) -> str:
    cost = match.candidate.cost
    found = f"Here: {case(match.candidate)}. It takes about {binary(cost.memory_bytes)} of memory and "
    found += f"{seconds(cost.time_s)} to measure in five processes."
    if names:
        found = f"Reported: {', '.join(names)}; conditions of {side.source}. {found}"
    share = link_share(side.model.spec, side.chip, side.deployment, side.phase)
    if share:
        found += f" Links take {percent(share)} of the step there, one part after the other; one host has none."
    if side.model.spec.attention != match.candidate.shape.spec.attention:
        kinds = {"mla": "latent", "gqa": "grouped-query", "v4": "compressed"}
        found += f" Attention is {kinds[side.model.spec.attention]} there and "
        found += f"{kinds[match.candidate.shape.spec.attention]} here."
    if match.candidate.shape.positions > 1:
        found += " Steps of several positions a sequence are planned; no command runs them yet."
    return found


def case(candidate: Candidate) -> str:
    """A case in words."""
    s = candidate.shape
    length = f"prompts of {number(s.tokens, 1)} tokens" if s.phase == "prefill" else f"context {number(s.tokens, 1)}"
    several = f", {s.positions} positions a step" if s.positions > 1 else ""
    return f"{s.model}, {s.phase}, batch {number(s.batch, 1)}, {length}{several}, int8"


def _side_by_side(there: Groups, match: Match) -> Table:
    whys = {u.group: u.why for u in match.unmatched}
    rows = []
    for name, a, b in zip(Groups._fields, there, match.candidate.groups, strict=True):
        if a is None or b is None:
            continue
        text = _TEXT.get(name, number)
        rows.append((_NAMES[name], text(a), text(b), times(b / a, 2) if a else UNKNOWN, whys.get(name, "matched")))
    return Table(
        title=f"Distance {number(match.distance, 2)}",
        columns=columns("Group", ">There", ">Here", ">Here / there", "Matched"),
        rows=tuple(rows),
        narrow="cards",
    )


def _ratios(found: list[MatchedFigure]) -> Table:
    return Table(
        title="Ratios of two of these workloads",
        columns=columns("Ratio", ">Reported", "Of", ">Distance"),
        rows=tuple(
            (f.figure.id, number(f.figure.value), " over ".join(s.title for s in f.figure.sides), number(f.distance, 2))
            for f in found
        ),
        note="The distance of a ratio is that of both sides together; what they have in common cancels.",
    )


def host_words(read_bytes_s: float, int8: float, fp32: float, source: str) -> str:
    """This host's ceilings and where they are from."""
    return f"{si(read_bytes_s, 'B/s')} read, {si(int8, 'FLOP/s')} in int8, {si(fp32, 'FLOP/s')} in fp32 ({source})"


def document(found: MatchedFigure) -> dict[str, Any]:
    """One reported figure as JSON. Groups without a unit; None where the model has none."""
    sides = zip(found.figure.sides, found.there, found.matches, strict=True)
    return {
        "id": found.figure.id,
        "reported": found.figure.value,
        "unit": found.figure.unit,
        "open": list(found.figure.open),
        "distance": found.distance,
        "workloads": [_side(side, there, match) for side, there, match in sides],
    }


def _side(side: ChipWorkload, there: Groups, match: Match) -> dict[str, Any]:
    shape, cost = match.candidate.shape, match.candidate.cost
    return {
        "model": side.model.name,
        "chip": side.chip.name,
        "phase": side.phase,
        "conditions": side.deployment.model_dump(mode="json", exclude_none=True),
        "conditions_from": side.source,
        "there": there._asdict(),
        "here": match.candidate.groups._asdict(),
        "distance": match.distance,
        "case": {
            "model": shape.model,
            "spec": shape.spec.model_dump(mode="json", exclude_defaults=True),
            "batch": shape.batch,
            "tokens": shape.tokens,
            "positions": shape.positions,
            "precision": "int8",
            "memory_bytes": cost.memory_bytes,
            "time_s": cost.time_s,
        },
        "unmatched": [u.model_dump(mode="json") for u in match.unmatched],
    }


def as_json(sheet: str, host: dict[str, Any], figures: Sequence[MatchedFigure]) -> str:
    """One object."""
    return strict.encode_json(
        {
            "schema": 1,
            "kind": "tunnel",
            "sheet": sheet,
            "basis": "modelled",
            "host": host,
            "weights": WEIGHTS,
            "figures": [document(f) for f in figures],
        }
    )
