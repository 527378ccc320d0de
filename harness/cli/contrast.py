"""`harness compare` and `harness export` carried out: tables from files of five tools or from the store.

Reads files and the store; decides nothing.
"""

from dataclasses import dataclass, field
from pathlib import Path

import typer

from harness.cli.output import Target, check, write
from harness.compare.comparison import Comparison, compare
from harness.compare.gate import Gate, exit_code, parse
from harness.compare.thresholds import Thresholds
from harness.compare.thresholds import parse as parse_thresholds
from harness.errors import UsageError
from harness.tables.table import ResultTable

THRESHOLDS_FILE = Path("harness.toml")
_THRESHOLDS_LIMIT_BYTES = 1 << 20


@dataclass(frozen=True)
class CompareOptions:
    """What the command line asks to be compared, and how."""

    tables: tuple[str, ...]
    form: str = "text"
    fail_on: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    across_hosts: bool = False
    thresholds: Path | None = None
    drift: float | None = None
    margin: float | None = None
    junit: Path | None = None
    html: Path | None = None
    store: Path | None = None
    targets: tuple[Target, ...] = field(init=False, default=())

    def __post_init__(self) -> None:
        named = (("--junit", self.junit), ("--html", self.html))
        targets = tuple(Target(path=path, asked_by=option) for option, path in named if path is not None)
        object.__setattr__(self, "targets", targets)


def compare_command(options: CompareOptions) -> int:
    """Print the comparison of each table with the first. Returns the exit code."""
    gates = tuple(parse(text) for text in options.fail_on)
    if len(options.tables) < 2:
        raise UsageError("compare needs at least two tables: the first is what the others are compared with")
    check(options.targets, (Path(name) for name in options.tables))
    thresholds = _thresholds(options)
    first, *others = (read_table(name, options.store) for name in options.tables)
    comparisons = tuple(
        compare(first, other, thresholds, ignore=frozenset(options.ignore), across_hosts=options.across_hosts)
        for other in others
    )
    _deliver(options, comparisons, gates)
    return exit_code(comparisons, gates)


def read_table(name: str, store: Path | None) -> ResultTable:
    """The table that `name` means: a file of a known tool, or a stored run's id or label.

    Raises UsageError, or StoreError where neither a file nor a run has this name.
    """
    from harness.tables import intake, own

    path = Path(name)
    if _is_file(path):
        return intake.parse(_read(path, intake.SIZE_LIMIT_BYTES), name)
    from harness.cli.show import STORE, stored_record

    if name == "baseline":
        from harness.cli.baseline import baseline

        name = baseline(store)
    if "/" in name or path.suffix in (".json", ".jsonl", ".csv"):
        raise UsageError(f"{name}: no such file; expected {intake.KNOWN}, or the id or label of a stored run")
    if not _is_file(store or STORE):
        raise UsageError(
            f"{name}: no such file, and no store at {store or STORE}; expected {intake.KNOWN}, "
            "or a stored run with --store"
        )
    record, _ = stored_record(store, name)
    return own.table(record, name)


def export_command(name: str, form: str, store: Path | None) -> int:
    """Print one table in the form that another service reads. Returns the exit code."""
    from harness.tables import export

    table = read_table(name, store)
    texts = {
        "github-bigger": lambda: export.github_action(table, "higher"),
        "github-smaller": lambda: export.github_action(table, "lower"),
        "bencher": lambda: export.bencher(table),
        "csv": lambda: export.as_csv(table),
    }
    typer.echo(texts[form](), nl=False)
    return 0


def _thresholds(options: CompareOptions) -> Thresholds:
    path = options.thresholds or THRESHOLDS_FILE
    found = Thresholds()
    if options.thresholds is not None or _is_file(path):
        found = parse_thresholds(_read(path, _THRESHOLDS_LIMIT_BYTES), str(path))
    changes: dict[str, object] = {}
    if options.drift is not None:
        changes |= {"drift": options.drift, "drift_known": True}
    if options.margin is not None:
        changes |= {"margin": options.margin, "rules": ()}
    return Thresholds.model_validate({**dict(found), **changes}) if changes else found


def _deliver(options: CompareOptions, comparisons: tuple[Comparison, ...], gates: tuple[Gate, ...]) -> None:
    """Files first: a closed pipe must not cost them."""
    from harness.compare import document
    from harness.report import comparison, junit

    built = comparison.build(comparisons)
    for target in options.targets:
        if target.asked_by == "--junit":
            write(target, junit.render(comparisons, gates))
        else:
            from harness.report import html

            write(target, html.render(built))
    if options.form == "json":
        typer.echo(document.as_json(comparisons), nl=False)
    elif options.form == "csv":
        typer.echo(document.as_csv(comparisons), nl=False)
    elif options.form == "markdown":
        from harness.report import markdown

        typer.echo(markdown.render(built), nl=False)
    else:
        from harness.report import text

        typer.echo(text.render(built), nl=False)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _read(path: Path, limit_bytes: int) -> str:
    try:
        size = path.stat().st_size
        if size > limit_bytes:
            raise UsageError(f"{path}: {size} bytes, expected at most {limit_bytes}")
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: byte {error.start} is not UTF-8, expected UTF-8 text") from None
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror or error})") from None
