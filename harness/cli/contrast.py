"""`harness compare` and `harness export` carried out: tables from files of five tools or from the store.

Reads files and the store; decides nothing.
"""

import codecs
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from harness.compare.comparison import Comparison, compare
from harness.compare.gate import Gate, exit_code, parse
from harness.compare.matching import resolve
from harness.compare.table import ResultTable
from harness.compare.thresholds import Thresholds
from harness.compare.thresholds import parse as parse_thresholds
from harness.errors import UsageError
from harness.files.output import Target, check_targets, write_target

if TYPE_CHECKING:
    from harness.compare.calibration import Calibration

THRESHOLDS_FILE = Path("harness.toml")
_THRESHOLDS_LIMIT_BYTES = 1 << 20


@dataclass(frozen=True)
class Choices:
    """What counts as a change, and what is left out of account."""

    ignore: tuple[str, ...] = ()
    across_hosts: bool = False
    file: Path | None = None
    drift: float | None = None
    margin: float | None = None

    def thresholds(self) -> Thresholds:
        """From the file named, or harness.toml if there is one; then what the command line says. Raises UsageError."""
        path = self.file or THRESHOLDS_FILE
        found = Thresholds()
        if self.file is not None or _is_file(path):
            found = parse_thresholds(_read(path, _THRESHOLDS_LIMIT_BYTES), str(path))
        changes: dict[str, object] = {}
        if self.drift is not None:
            changes |= {"drift": self.drift, "drift_known": True}
        if self.margin is not None:
            changes |= {"margin": self.margin, "rules": ()}
        return Thresholds.model_validate({**dict(found), **changes}) if changes else found


@dataclass(frozen=True)
class Presentation:
    """How a comparison is printed and written, and when it ends with an error code."""

    form: str = "text"
    fail_on: tuple[str, ...] = ()
    junit: Path | None = None
    html: Path | None = None
    json: Path | None = None
    markdown: Path | None = None

    @property
    def targets(self) -> tuple[Target, ...]:
        named = (
            ("--junit", self.junit),
            ("--html", self.html),
            ("--json", self.json),
            ("--markdown", self.markdown),
        )
        return tuple(Target(path=path, asked_by=option) for option, path in named if path is not None)

    def gates(self, inputs: Iterable[Path] = ()) -> tuple[Gate, ...]:
        """The gates asked for, after a check that the files can be written. Raises UsageError."""
        check_targets(self.targets, inputs)
        return tuple(parse(text) for text in self.fail_on)


def compare_command(tables: tuple[str, ...], choices: Choices, presentation: Presentation, store: Path | None) -> int:
    """Print the comparison of each table with the first. Returns the exit code."""
    if len(tables) < 2:
        raise UsageError("compare needs at least two tables: the first is what the others are compared with")
    gates = presentation.gates(Path(name) for name in tables)
    thresholds = choices.thresholds()
    first, *others = (read_table(name, store) for name in tables)
    ignore = resolve(choices.ignore, (first, *others))
    comparisons = tuple(
        compare(first, other, thresholds, ignore=ignore, across_hosts=choices.across_hosts) for other in others
    )
    return conclude(presentation, comparisons, gates, _reliability(first, store, thresholds))


def _reliability(table: ResultTable, store: Path | None, thresholds: Thresholds) -> "Calibration | None":
    """What was measured of the host of `table`, if its table names the host."""
    from harness.cli.reliability import known

    named = next((f.value for f in table.facts if (f.kind, f.name) == ("host", "fingerprint")), None)
    return known(store, named, thresholds) if named else None


def read_table(name: str, store: Path | None) -> ResultTable:
    """The table that `name` means: a file of a known tool, or a stored run's id or label.

    Raises UsageError, or StoreError where neither a file nor a run has this name.
    """
    from harness.compare.formats import detect
    from harness.compare.formats import record as own

    path = Path(name)
    if _is_file(path):
        return detect.parse(_read(path, detect.SIZE_LIMIT_BYTES), name)
    if path.suffix and _is_folder(path):
        raise UsageError(f"{name}: is a folder, expected a file in it")
    from harness.cli.show import STORE, stored_record

    if name == "baseline":
        from harness.cli.baseline import baseline

        name = baseline(store)
    if "/" in name or path.suffix in (".json", ".jsonl", ".csv"):
        raise UsageError(f"{name}: no such file; expected {detect.KNOWN}, or the id or label of a stored run")
    if not _is_file(store or STORE):
        raise UsageError(
            f"{name}: no such file, and no store at {store or STORE}; expected {detect.KNOWN}, "
            "or a stored run with --store"
        )
    record, _ = stored_record(store, name)
    return own.table(record, name)


def export_command(name: str, form: str, store: Path | None) -> int:
    """Print one table in the form that another service reads. Returns the exit code."""
    from harness.compare import export

    table = read_table(name, store)
    texts = {
        "github-bigger": lambda: export.github_action(table, "higher"),
        "github-smaller": lambda: export.github_action(table, "lower"),
        "bencher": lambda: export.bencher(table),
        "csv": lambda: export.as_csv(table),
    }
    typer.echo(texts[form](), nl=False)
    return 0


def conclude(
    presentation: Presentation,
    comparisons: tuple[Comparison, ...],
    gates: tuple[Gate, ...],
    calibration: "Calibration | None" = None,
) -> int:
    """Write the files, print the comparison, and say how it ended. Files first: a closed pipe must not cost them."""
    from harness.compare import document
    from harness.report import comparison, html, junit, markdown, text

    built = comparison.build(comparisons, calibration)
    forms = {
        "junit": lambda: junit.render(comparisons, gates),
        "html": lambda: html.render(built),
        "json": lambda: document.as_json(comparisons, calibration),
        "csv": lambda: document.as_csv(comparisons),
        "markdown": lambda: markdown.render(built),
        "text": lambda: text.render(built),
    }
    for target in presentation.targets:
        write_target(target, forms[target.asked_by.removeprefix("--")]())
    typer.echo(forms[presentation.form](), nl=False)
    return exit_code(comparisons, gates)


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


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
        data = path.read_bytes()
        # Windows PowerShell writes what is redirected as UTF-16, with a mark at the start.
        encoding = "utf-16" if data[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8-sig"
        return data.decode(encoding).replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: byte {error.start} is not {error.encoding}, expected UTF-8 text") from None
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror or error})") from None
