"""Commands that only tell what is known: models, chips, schemas, a config to start from."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, cast

import typer

from harness import distribution, units

if TYPE_CHECKING:
    from harness.catalog.citation import Range


def version() -> str:
    """What `--version` prints: this program and what its figures depend on."""
    return ", ".join(f"{name} {installed_version(name)}" for name in ("harness", "onnxruntime", "numpy"))


def installed_version(name: str) -> str:
    return distribution.installed_version(name) or "(not installed)"


def harness_version() -> str:
    return installed_version("harness")


def models_command() -> int:
    from tabulate import tabulate

    from harness.catalog.models import preset, preset_names, released_models
    from harness.model.counts import parameters

    typer.echo("Run here (in a config: measure.models; dense counterparts: NAME:equal-total, NAME:equal-active)\n")
    rows = []
    for name in preset_names():
        spec = preset(name)
        counts = parameters(spec)
        rows.append(
            (
                name,
                units.count(float(counts.total)),
                units.count(float(counts.active)),
                units.percent(counts.active / counts.total),
                f"{spec.num_experts_per_tok} of {spec.n_routed_experts}",
            )
        )
    typer.echo(tabulate(rows, headers=("model", "parameters", "active", "share", "experts"), disable_numparse=True))
    typer.echo("\nReleased elsewhere (in a sheet: conditions.model)\n")
    rows = [
        (m.name, units.count(float(c.total)), units.count(float(c.active)), units.percent(c.active / c.total), m.vendor)
        for m in released_models()
        for c in (parameters(m.spec),)
    ]
    typer.echo(tabulate(rows, headers=("model", "parameters", "active", "share", "maker"), disable_numparse=True))
    return 0


def chips_command() -> int:
    from tabulate import tabulate

    from harness.catalog.chips import chips

    rows = [
        (
            chip.name if chip.dies_per_package == 1 else f"{chip.name} ×{chip.dies_per_package}",
            *(_span(chip.peak(name), 1e15, chip.supports(name)) for name in ("bf16", "fp8", "int8", "fp4")),
            _span(chip.memory, 1e9),
            _span(chip.bandwidth, 1e12),
            _span(chip.link, 1e9),
            _span(chip.power, 1.0),
        )
        for chip in chips()
    ]
    rates = [f"{name}\nPFLOP/s" for name in ("bf16", "fp8", "int8", "fp4")]
    headers = ("chip ×dies", *rates, "memory\nGB", "read\nTB/s", "links\nGB/s", "power\nW")
    typer.echo(tabulate(rows, headers=headers, disable_numparse=True, stralign="right", colalign=("left",)))
    typer.echo(
        "\nOf one package, dense rates, links in one direction. Where sources disagree both ends are given;\n"
        f"'no' is not supported, '{units.UNKNOWN}' is not known. Verdicts name the sources of what they use."
    )
    return 0


def _span(value: "Range | None", unit: float, supported: bool | None = None) -> str:
    """The span of sourced values in multiples of `unit`, or why there is none."""
    if supported is False:
        return "no"
    if value is None:
        return units.UNKNOWN
    if value.low == value.high:
        return units.number(value.low / unit)
    return f"{units.number(value.low / unit, 2)}–{units.number(value.high / unit, 2)}"


def init_command() -> int:
    typer.echo(STARTER, nl=False)
    return 0


SchemaName = Literal["config", "sheet", "catalog", "record"]
_TITLES = {
    "config": "harness config",
    "sheet": "harness claim sheet",
    "catalog": "harness catalog",
    "record": "harness record and assessment",
}


def schema(name: SchemaName) -> str:
    """The JSON Schema (draft 2020-12) of a file, as text with sorted keys."""
    from harness.catalog.collection import CatalogFile
    from harness.claims import Sheet
    from harness.config import Config
    from harness.results import reportfile

    makers: dict[str, Callable[[], dict[str, Any]]] = {
        "config": lambda: Config.model_json_schema(by_alias=True),
        "sheet": Sheet.model_json_schema,
        "catalog": CatalogFile.model_json_schema,
        "record": lambda: json.loads(reportfile.schema()),
    }
    body = makers[name]()
    body = {"$schema": "https://json-schema.org/draft/2020-12/schema", **body, "title": _TITLES[name]}
    return json.dumps(body, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def schema_command(name: str) -> int:
    typer.echo(schema(cast(SchemaName, name)), nl=False)
    return 0


STARTER = """\
# A config for harness. Check it with: harness run THIS_FILE --dry-run
harness: 1                      # version of this file's format
name: my-first-run              # small letters, digits, '.', '_', '-'

measure:
  # 'auto' picks a sparse model whose weights exceed this host's cache and fit its memory (harness models lists all);
  # the two dense counterparts have as many parameters in total, and as many active for a token.
  models: [auto, "auto:equal-total", "auto:equal-active"]
  phases: [prefill, decode]
  batches: [1, 8]               # sequences at once
  prefill_batches: [1]          # prefill works on whole prompts: small batches are enough
  prompt_tokens: 128
  decode_tokens: 32
  precisions: [int8]            # fp32, int8, int4
  threads: auto                 # one a physical core
  repetitions: 3                # fresh processes for each case; five give a 90 % interval without assumptions

# chips whose limits are set beside the claims (harness chips lists them)
chips: [ascend-910c, h100-sxm]

# sheet: my-sheet.yaml          # claims to judge, found beside this file
# outputs:                      # written below the folder where you start the program
#   html: out/report.html
#   json: out/record.json
"""
