"""A projection as blocks and as JSON: limits, times, memory, the usual range and what made it."""

from typing import Any

from harness import units
from harness.files import strict
from harness.report import expert_load
from harness.report.blocks import Block, Bullets, Callout, Heading, Report, Table, Text, columns
from harness.roofline.deployment import Deployment
from harness.roofline.expert_load import ExpertLoad
from harness.roofline.projection import Projection, Spread
from harness.units import number, percent, seconds
from harness.vocabulary import Maturity

_RATE = "tok/s"
_OPTIONS = {
    "precision": "--precision",
    "chips": "--chips",
    "batch": "--batch",
    "cache": "--cache-bytes",
    "context": "--context",
    "prompt": "--prompt",
    "output": "--output",
    "mtp": "--mtp",
    "acceptance": "--acceptance",
}
_BINDINGS = {"compute": "arithmetic", "memory": "memory bandwidth", "link": "the links", "capacity": "memory capacity"}


def build(model: str, found: Projection, load: ExpertLoad | None = None) -> Report:
    """The report on what `model` could do, as projected; with the load of the experts' devices where it is known."""
    blocks: list[Block] = [Text(text=_lead(found), lead=True), *_open(found)]
    if found.fits is False:
        blocks.append(Callout(tone="warning", text=_does_not_fit(found)))
    blocks += [
        _limits(found),
        Heading(level=2, text="Where the time goes"),
        _components(found),
        Heading(level=2, text="Memory"),
        _memory(found),
        Heading(level=2, text="The same rate by other measures"),
        _normalisers(found),
        *_identities(found),
        *_routing(found),
        *(() if load is None else (expert_load.table(load),)),
        Heading(level=2, text="What the range is made of"),
        Text(text=_made_of(found)),
        _parts(found),
    ]
    return Report(title=f"{model} on {found.chip}: {found.phase}", blocks=tuple(blocks))


def _lead(found: Projection) -> str:
    usual = found.usual90_tok_s
    return (
        f"Published systems would reach {units.interval(usual.low, usual.high)} tokens a second and package here "
        f"(90 %), with {number(usual.mid)} in the middle. The ceiling is {number(found.ceiling_tok_s, 4)}, bound by "
        f"{_BINDINGS[found.binding]}. Modelled and published, not measured."
    )


def _open(found: Projection) -> tuple[Block, ...]:
    if not found.missing:
        return ()
    names = ", ".join(_OPTIONS[name] for name in found.missing)
    typical = "; ".join(f"{name} {value}" for name, value in _conditions(found.typical) if value is not None)
    return (
        Callout(
            tone="note",
            text=f"Not given: {names}. The ceiling is over every value of them; the ranges take them as published "
            f"systems have them. Times, memory and identities are of one in the middle: {typical}.",
        ),
    )


def _conditions(of: Deployment) -> tuple[tuple[str, str | None], ...]:
    def text(value: float | None) -> str | None:
        return None if value is None else number(value)

    return (
        ("precision", of.precision),
        ("packages", None if of.chips is None else units.whole(of.chips)),
        ("batch", text(of.batch)),
        ("bytes a cached element", text(of.kv_bytes)),
        ("context", text(of.context_tokens)),
        ("prompt", text(of.prompt_tokens)),
        ("output", text(of.output_tokens)),
        ("drafts", None if of.mtp_drafts is None else str(of.mtp_drafts)),
        ("accepted", text(of.mtp_acceptance) if of.mtp_drafts else None),
    )


def _does_not_fit(found: Projection) -> str:
    return (
        f"It does not fit: {units.binary(found.bound.memory_bytes)} a package are needed at least, "
        f"{units.binary(found.bound.memory_limit_bytes)} are there. The rates below are of the speed alone."
    )


def _limits(found: Projection) -> Table:
    limits = found.limits
    rows: list[tuple[str, str, str]] = [
        (
            "ceiling",
            number(found.ceiling_tok_s, 4),
            f"no system can pass it: a claim above it is refuted; bound by {_BINDINGS[found.binding]}",
        ),
        ("99 % range", _span(found.usual99_tok_s), "a claim above it is implausible"),
        ("90 % range", _span(found.usual90_tok_s), f"middle {number(found.usual90_tok_s.mid)}; what is usual"),
        ("overlap point", number(limits.rate_tok_s, 4), "all parts at once at their peaks, in the middle case"),
        ("serial point", number(limits.serial_tok_s, 4), "one part after another, in the middle case; no bound"),
    ]
    if found.tpot_floor_s is not None:
        rows.append(("time per token", seconds(found.tpot_floor_s), "of one sequence, at the overlap point"))
    return Table(
        title=f"Limits, and what published systems would reach, {_RATE} and package",
        columns=columns("Quantity", ">Value", "What it says"),
        rows=tuple(rows),
        narrow="cards",
    )


def _span(spread: Spread) -> str:
    return units.interval(spread.low, spread.high)


def _components(found: Projection) -> Table:
    limits = found.limits
    rows = [
        (s.name.replace("_", " "), *(_time(v) for v in (s.compute_s, s.memory_s, s.link_s))) for s in found.components
    ]
    link = units.UNKNOWN if limits.link_s is None else seconds(limits.link_s)
    rows.append(("all", seconds(limits.compute_s), seconds(limits.memory_s), link))
    rows.append(("between kernels", "", seconds(limits.activation_s), ""))
    rows.append(("launch and hand-over", seconds(limits.launch_s), "", ""))
    of = "a step" if found.phase in ("prefill", "decode") else "a token"
    return Table(
        title=f"Time of {of} by component, each at the peak of its resource",
        columns=columns("Component", ">Arithmetic", ">Memory", ">Links"),
        rows=tuple(rows),
        note="The last two are estimates that no ceiling counts.",
    )


def _time(value: float) -> str:
    return seconds(value) if value else units.UNKNOWN


def _memory(found: Projection) -> Table:
    limits = found.limits
    buffers = limits.memory_bytes - limits.weight_bytes - limits.cache_bytes
    fits = {True: "fits", False: "does not fit", None: "not known"}[found.fits]
    if found.fits and limits.fits is False:
        fits = "fits under other conditions only"
    return Table(
        title=f"Memory of a package against capacity: {fits}",
        columns=columns("Part", ">Bytes", ">Of capacity"),
        rows=tuple(
            (name, units.binary(value), _of_capacity(value, limits.memory_limit_bytes))
            for name, value in (
                ("weights", limits.weight_bytes),
                ("cache", limits.cache_bytes),
                ("communication buffers", buffers),
                ("all", limits.memory_bytes),
                ("capacity", limits.memory_limit_bytes),
            )
        ),
    )


def _of_capacity(value: float | None, limit: float | None) -> str:
    return percent(value / limit) if value is not None and limit else units.UNKNOWN


def _normalisers(found: Projection) -> Table:
    return Table(
        title="90 % range of the rate, tok/s for each",
        columns=columns("For each", "Of", ">Low", ">Middle", ">High"),
        rows=tuple(
            (n.per, n.of, *((units.UNKNOWN,) * 3 if n.value is None else _ends(n.value))) for n in found.normalisers
        ),
        note="A ranking of chips holds only where it holds in every row.",
    )


def _ends(spread: Spread) -> tuple[str, str, str]:
    return number(spread.low), number(spread.mid), number(spread.high)


def _identities(found: Projection) -> tuple[Block, ...]:
    if not found.identities:
        return ()
    items = tuple(f"{i.text}: {units.quantity(i.value, i.unit)}" for i in found.identities)
    lead = "Any rate of this deployment must satisfy these; the values are of the middle of the range:"
    return Heading(level=2, text="Identities"), Text(text=lead), Bullets(items=items)


def _routing(found: Projection) -> tuple[Block, ...]:
    if not found.routing:
        return ()
    rows = tuple((r.name, number(r.experts_touched), units.times(r.busiest_over_mean)) for r in found.routing)
    return (
        Table(
            title="Experts of a layer that the whole group touches in a step",
            columns=columns("Routing", ">Experts", ">Busiest over mean"),
            rows=rows,
            note="Ceilings take the even case; redundant copies are there to bring the skewed one near it.",
        ),
    )


def _made_of(found: Projection) -> str:
    made, left_out = found.forecast, ", ".join((*found.without_sources, *found.without_vendors))
    asked = f" Left out on request: {left_out}." if left_out else ""
    return (
        f"A law of {made.made_of}: the time of a token is the sum of its parts, each its limit times a factor, times "
        f"what software of this maturity, vendor and attention takes. Software: {MATURITIES[made.maturity]}.{asked} To "
        "test a published rate, leave its own publication out (--without-source); how far off the law is on rates that "
        "it has not seen: harness self-test --calibration."
    )


MATURITIES: dict[Maturity | None, str] = {
    "tuned": "tuned for the run",
    "default": "released, with its defaults",
    "early": "early (first support, a baseline, the expected value of a test)",
    None: "not given, so each as often as published rates are of it",
}
_PARTS = {
    "experts": "reading experts", "weights": "reading other weights", "cache": "reading the cache",
    "products": "products", "attention": "attention", "links": "links", "activations": "traffic between kernels",
    "launches": "launches", "prompt_memory": "reading, prompt", "prompt_products": "products, prompt",
    "prompt_attention": "attention, prompt", "prompt_links": "links, prompt",
    "prompt_activations": "traffic between kernels, prompt",
}  # fmt: skip


def _parts(found: Projection) -> Table:
    return Table(
        title="Where the law puts the time of a token, in the middle case",
        columns=columns("Part", ">Of the time"),
        rows=tuple((_PARTS[name], percent(share)) for name, share in found.forecast.part_shares),
    )


def as_json(model: str, found: Projection, load: ExpertLoad | None = None) -> str:
    """One object; rates in tokens a second and package, intervals as [low, middle, high]."""
    document = _document(model, found)
    if load is not None:
        document["expert_load"] = expert_load.document(load)
    return strict.encode_json(document)


def _document(model: str, found: Projection) -> dict[str, Any]:
    limits, made = found.limits, found.forecast
    return {
        "schema": 3,
        "kind": "projection",
        "model": model,
        "chip": found.chip,
        "phase": found.phase,
        "basis": "modelled",
        "given": found.deployment.model_dump(mode="json", exclude_none=True),
        "missing": list(found.missing),
        "typical": found.typical.model_dump(mode="json", exclude_none=True),
        "ceiling_tok_s": found.ceiling_tok_s,
        "binding": found.binding,
        "overlap_tok_s": limits.rate_tok_s,
        "serial_tok_s": limits.serial_tok_s,
        "usual90_tok_s": _three(found.usual90_tok_s),
        "usual99_tok_s": _three(found.usual99_tok_s),
        "memory": {
            "needed_bytes": limits.memory_bytes,
            "weight_bytes": limits.weight_bytes,
            "cache_bytes": limits.cache_bytes,
            "capacity_bytes": limits.memory_limit_bytes,
        },
        "fits": found.fits,
        "components": {
            s.name: {k: getattr(s, k) for k in ("compute_s", "memory_s", "link_s")} for s in found.components
        },
        "time_s": {
            "compute": limits.compute_s,
            "memory": limits.memory_s,
            "link": limits.link_s,
            "between_kernels": limits.activation_s,
            "launch": limits.launch_s,
        },
        "tpot_floor_s": found.tpot_floor_s,
        "normalisers": [
            {"per": n.per, "of": n.of, "usual90_tok_s": None if n.value is None else _three(n.value)}
            for n in found.normalisers
        ],
        "identities": [i.model_dump(mode="json") for i in found.identities],
        "routing": [r.model_dump(mode="json") for r in found.routing],
        "forecast": {
            "maturity": made.maturity,
            "moves_most": made.moves_most,
            "parts": dict(made.part_shares),
            "rates": made.rates,
            "sources": list(made.sources),
            "excluded_sources": list(found.without_sources),
            "excluded_vendors": list(found.without_vendors),
            "levels": made.rate.model_dump(mode="json"),
        },
    }


def _three(spread: Spread) -> list[float]:
    return [spread.low, spread.mid, spread.high]
