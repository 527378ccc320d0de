"""What is known here, as lists: models, chips, stored runs, what makes this host noisy; and the schemas of files."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from tabulate import tabulate

from harness import units
from harness.api.result import Listing
from harness.api.session import STORE
from harness.catalog.chips import chips as known_chips
from harness.catalog.citation import Range
from harness.catalog.collection import CatalogFile
from harness.catalog.models import preset, preset_names, released_models
from harness.claims import Sheet
from harness.config import Config
from harness.files.text import printable_line
from harness.measure.host import noise
from harness.measure.worker import reference_kernel
from harness.model.counts import parameters
from harness.results import reportfile
from harness.store.runs import Store
from harness.vocabulary import PeakName

WATCHED_S = 3.0
"""Long enough for some hundred ticks of the kernel's clock, by which it counts processor time."""


def models() -> Listing:
    """The models that run here, and the released ones that claims may name, with their parameters."""
    specs = [(name, preset(name), "runs here") for name in preset_names()]
    specs += [(m.name, m.spec, m.vendor) for m in released_models()]
    entries = tuple(
        {
            "model": name,
            "from": origin,
            "parameters": counts.total,
            "active": counts.active,
            "experts": spec.n_routed_experts,
            "experts a token": spec.num_experts_per_tok,
        }
        for name, spec, origin in specs
        for counts in (parameters(spec),)
    )

    def text() -> str:
        def table(here: bool) -> str:
            rows = [
                (
                    e["model"],
                    units.count(float(counts.total)),
                    units.count(float(counts.active)),
                    units.percent(counts.active / counts.total),
                    f"{e['experts a token']} of {e['experts']}" if here else e["from"],
                )
                for e, (_, spec, _) in zip(entries, specs, strict=True)
                for counts in (parameters(spec),)
                if (e["from"] == "runs here") == here
            ]
            headers = ("model", "parameters", "active", "share", "experts" if here else "maker")
            return str(tabulate(rows, headers=headers, disable_numparse=True))

        return (
            "Run here (in a config: measure.models; dense counterparts: NAME:equal-total, NAME:equal-active)\n\n"
            f"{table(True)}\n\nReleased elsewhere (in a sheet: conditions.model)\n\n{table(False)}\n"
        )

    return Listing(kind="models", title="Models", entries=entries, text=text())


PEAKS: tuple[PeakName, ...] = ("bf16", "fp8", "int8", "fp4")


def chips() -> Listing:
    """The chips whose limits are known: of one package, dense rates, the preferred of several sourced values."""

    def best(value: Range | None) -> float | None:
        return None if value is None else value.best

    entries = tuple(
        {
            "chip": chip.name,
            "vendor": chip.vendor,
            "dies": chip.dies_per_package,
            **{f"{name}_flop_s": best(chip.peak(name)) for name in PEAKS},
            "memory_bytes": best(chip.memory),
            "bandwidth_bytes_s": best(chip.bandwidth),
            "link_bytes_s": best(chip.link),
            "power_w": best(chip.power),
        }
        for chip in known_chips()
    )

    def text() -> str:
        rows = [
            (
                chip.name if chip.dies_per_package == 1 else f"{chip.name} ×{chip.dies_per_package}",
                *(_span(chip.peak(name), 1e15, chip.supports(name)) for name in PEAKS),
                _span(chip.memory, 1e9),
                _span(chip.bandwidth, 1e12),
                _span(chip.link, 1e9),
                _span(chip.power, 1.0),
            )
            for chip in known_chips()
        ]
        rates = [f"{name}\nPFLOP/s" for name in PEAKS]
        headers = ("chip ×dies", *rates, "memory\nGB", "read\nTB/s", "links\nGB/s", "power\nW")
        table = tabulate(rows, headers=headers, disable_numparse=True, stralign="right", colalign=("left",))
        return (
            f"{table}\n\nOf one package, dense rates, links in one direction. Where sources "
            "disagree both ends are given;\n"
            f"'no' is not supported, '{units.UNKNOWN}' is not known. Verdicts name the sources of what they use.\n"
        )

    return Listing(kind="chips", title="Chips", entries=entries, text=text())


def runs(store: str | os.PathLike[str] | None = None) -> Listing:
    """The stored runs, the latest first. Raises StoreError where there is no store."""
    with Store(Path(store or STORE), write=False) as opened:
        found = opened.runs()[::-1]

    def text() -> str:
        rows = [
            (
                run.record_id,
                f"{run.created:%Y-%m-%d %H:%M}" if run.created is not None else units.UNKNOWN,
                printable_line(run.name or units.UNKNOWN),
                printable_line(run.label or ""),
                run.problem or run.state,
                str(run.observations),
            )
            for run in found
        ]
        headers = ("run", "when (UTC)", "config", "label", "state", "observations")
        return str(tabulate(rows, headers=headers, disable_numparse=True)) + "\n"

    entries = tuple(run.model_dump(mode="json") for run in found)
    return Listing(kind="runs", title="Stored runs", entries=entries, text=text())


def doctor() -> Listing:
    """What makes timings on this host noisy, and what could be done. Takes a few seconds, changes nothing."""
    before, start, reference_kernel_s = noise.look(), time.monotonic(), list[float]()
    while time.monotonic() - start < WATCHED_S:
        reference_kernel_s += reference_kernel()
    found = noise.signs(before, noise.look(), time.monotonic() - start, reference_kernel_s)
    rows = [(s.state, s.name, s.found, s.advice) for s in found]
    headers = ("", "what", "found", "what could be done")
    text = str(tabulate(rows, headers=headers, disable_numparse=True, maxcolwidths=[None, None, 50, 40])) + "\n"
    entries = tuple(s.model_dump() for s in found)
    fit = all(s.state != "noisy" for s in found)
    body = {"schema": 1, "kind": "doctor", "fit": fit, "signs": list(entries)}
    return Listing(kind="doctor", title="This host", entries=entries, text=text, body=body)


def _span(value: Range | None, unit: float, supported: bool | None = None) -> str:
    """The span of sourced values in multiples of `unit`, or why there is none."""
    if supported is False:
        return "no"
    if value is None:
        return units.UNKNOWN
    if value.low == value.high:
        return units.number(value.low / unit)
    return f"{units.number(value.low / unit, 2)}–{units.number(value.high / unit, 2)}"


SchemaName = Literal["config", "sheet", "catalog", "record"]
_TITLES = {
    "config": "harness config",
    "sheet": "harness claim sheet",
    "catalog": "harness catalog",
    "record": "harness record and assessment",
}


def schema(name: SchemaName) -> str:
    """The JSON Schema (draft 2020-12) of a file, as text with sorted keys."""
    makers: dict[str, Callable[[], dict[str, Any]]] = {
        "config": lambda: Config.model_json_schema(by_alias=True),
        "sheet": Sheet.model_json_schema,
        "catalog": CatalogFile.model_json_schema,
        "record": lambda: json.loads(reportfile.schema()),
    }
    body = makers[name]()
    body = {"$schema": "https://json-schema.org/draft/2020-12/schema", **body, "title": _TITLES[name]}
    return json.dumps(body, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
