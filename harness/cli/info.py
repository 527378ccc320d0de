"""`harness models`, `chips`, `list`, `init` and `schema`: what is known here and what to start from."""

import json
from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from harness import distribution, units
from harness.cli.delivery import Output, deliver
from harness.cli.options import Format, Json, Markdown, OutputFormat, Quiet, StorePath
from harness.vocabulary import PeakName

if TYPE_CHECKING:
    from harness.catalog.citation import Range


def version() -> str:
    """What `--version` prints: this program and what its figures depend on."""
    return ", ".join(f"{name} {installed_version(name)}" for name in ("harness", "onnxruntime", "numpy"))


def installed_version(name: str) -> str:
    return distribution.installed_version(name) or "(not installed)"


def models(
    form: Format = OutputFormat.text, json_file: Json = None, markdown_file: Markdown = None, quiet: Quiet = False
) -> int:
    """List the models that run here and those that claims name."""
    from harness.api.result import Listing
    from harness.catalog.models import preset, preset_names, released_models
    from harness.model.counts import parameters

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
        from tabulate import tabulate

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

    output = Output(form.value, json_file, markdown=markdown_file, quiet=quiet)
    output.check()
    deliver(Listing(kind="models", title="Models", entries=entries), output, text=text)
    return 0


PEAKS: tuple[PeakName, ...] = ("bf16", "fp8", "int8", "fp4")


def chips(
    form: Format = OutputFormat.text, json_file: Json = None, markdown_file: Markdown = None, quiet: Quiet = False
) -> int:
    """List the chips whose limits are known."""
    from harness.api.result import Listing
    from harness.catalog.chips import chips as known

    def best(value: "Range | None") -> float | None:
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
        for chip in known()
    )

    def text() -> str:
        from tabulate import tabulate

        rows = [
            (
                chip.name if chip.dies_per_package == 1 else f"{chip.name} ×{chip.dies_per_package}",
                *(_span(chip.peak(name), 1e15, chip.supports(name)) for name in PEAKS),
                _span(chip.memory, 1e9),
                _span(chip.bandwidth, 1e12),
                _span(chip.link, 1e9),
                _span(chip.power, 1.0),
            )
            for chip in known()
        ]
        rates = [f"{name}\nPFLOP/s" for name in PEAKS]
        headers = ("chip ×dies", *rates, "memory\nGB", "read\nTB/s", "links\nGB/s", "power\nW")
        table = tabulate(rows, headers=headers, disable_numparse=True, stralign="right", colalign=("left",))
        return (
            f"{table}\n\nOf one package, dense rates, links in one direction. Where sources disagree both ends are given;\n"
            f"'no' is not supported, '{units.UNKNOWN}' is not known. Verdicts name the sources of what they use.\n"
        )

    output = Output(form.value, json_file, markdown=markdown_file, quiet=quiet)
    output.check()
    deliver(Listing(kind="chips", title="Chips", entries=entries), output, text=text)
    return 0


def list_runs(
    form: Format = OutputFormat.text,
    json_file: Json = None,
    markdown_file: Markdown = None,
    store: StorePath = None,
    quiet: Quiet = False,
) -> int:
    """List the stored runs, the latest first.

    \b
    Examples:
      harness list
      harness list --json -
    """
    from harness.api.result import Listing
    from harness.api.session import STORE
    from harness.files.text import printable_line
    from harness.store.runs import Store

    with Store(store or STORE, write=False) as opened:
        runs = opened.runs()[::-1]

    def text() -> str:
        from tabulate import tabulate

        rows = [
            (
                run.record_id,
                f"{run.created:%Y-%m-%d %H:%M}" if run.created is not None else units.UNKNOWN,
                printable_line(run.name or units.UNKNOWN),
                printable_line(run.label or ""),
                run.problem or run.state,
                str(run.observations),
            )
            for run in runs
        ]
        headers = ("run", "when (UTC)", "config", "label", "state", "observations")
        return str(tabulate(rows, headers=headers, disable_numparse=True)) + "\n"

    entries = tuple(run.model_dump(mode="json") for run in runs)
    output = Output(form.value, json_file, markdown=markdown_file, quiet=quiet)
    output.check()
    deliver(Listing(kind="runs", title="Stored runs", entries=entries), output, text=text)
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


def init(
    name: Annotated[
        str | None, typer.Argument(help="A config or sheet that comes with harness.", metavar="[NAME]")
    ] = None,
    listed: Annotated[bool, typer.Option("--list", help="Name the configs and sheets that come with harness.")] = False,
) -> int:
    """Print a config or a claim sheet to start from.

    \b
    Examples:
      harness init > my.yaml
      harness init --list
      harness init deepseek-v4-ascend > sheet.yaml
    """
    from harness.files import shipped

    if listed:
        for title, known in (
            ("Configs (harness run NAME)", shipped.configs()),
            ("Sheets (harness judge NAME)", shipped.sheets()),
        ):
            typer.echo(f"{title}: {', '.join(known)}")
    elif name is None:
        typer.echo(STARTER, nl=False)
    else:
        kind: shipped.Kind = "sheet" if name in shipped.sheets() else "config"
        typer.echo(shipped.find(name, kind).read_text(encoding="utf-8"), nl=False)
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


class SchemaChoice(StrEnum):
    """Files that have a JSON Schema."""

    config = "config"
    sheet = "sheet"
    catalog = "catalog"
    record = "record"


def print_schema(name: Annotated[SchemaChoice, typer.Argument(help="Which file's schema.")]) -> int:
    """Print the JSON Schema of a file.

    For editors and other programs.

    \b
    Example:
      harness schema config > config.schema.json
    """
    typer.echo(schema(name.value), nl=False)
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
