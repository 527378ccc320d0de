"""What the public functions return: frozen values that print, become a dict or a data frame, and show in a notebook."""

import json
from typing import TYPE_CHECKING, Any

from harness import units
from harness.catalog.chips import Chip
from harness.comparison import document
from harness.comparison.calibration import Calibration
from harness.comparison.gate import Gate, exit_code
from harness.comparison.history import Change, Series
from harness.comparison.tables import Comparison
from harness.errors import UsageError
from harness.files import strict
from harness.report import bench, comparison, error_rates, history, junit, order, projection, tunnel
from harness.report.blocks import Column, Report, Table
from harness.results import reportfile
from harness.results.assessment import Assessment, Verdict
from harness.results.bench import BenchRow
from harness.results.record import Record
from harness.roofline.accuracy import Accuracy
from harness.roofline.expert_load import ExpertLoad
from harness.roofline.projection import Projection
from harness.verdict.reported import MatchedFigure
from harness.verdict.selftest import SelfTest
from harness.vocabulary import Frozen

if TYPE_CHECKING:
    from pandas import DataFrame

Row = dict[str, Any]


def flat(row: Row, prefix: str = "") -> Row:
    """`row` with the values of inner objects beside the others, named `outer.inner`."""
    out: Row = {}
    for name, value in row.items():
        out |= flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return out


class Result(Frozen):
    """A result of one public function."""

    def to_json(self) -> str:
        """What the command's `--json` writes."""
        raise NotImplementedError

    def rows(self) -> list[Row]:
        """One flat row for each thing that was found, in SI base units; None is unknown."""
        raise NotImplementedError

    def to_dict(self) -> Any:
        """The values of `to_json`."""
        return json.loads(self.to_json())

    def to_frame(self) -> "DataFrame":
        """`rows()` as a pandas data frame. Raises UsageError where pandas is not installed."""
        try:
            import pandas as pd
        except ImportError:
            raise UsageError(
                "to_frame() needs pandas, which is not installed here: pip install pandas (rows() gives the same "
                "values as dicts)"
            ) from None
        return pd.DataFrame(self.rows())

    def _repr_html_(self) -> str:
        """As a notebook shows it."""
        from tabulate import tabulate

        shown = [{name: value for name, value in row.items() if not isinstance(value, list)} for row in self.rows()]
        return str(tabulate(shown, headers="keys", tablefmt="html", floatfmt=".4g"))


class Reported(Result):
    """A result that is a report for people, too."""

    def report(self) -> Report:
        """The whole, to be rendered as text, Markdown or a page."""
        raise NotImplementedError

    def __str__(self) -> str:
        from harness.report import text

        return text.render(self.report())


class Judged(Reported):
    """A record, the verdicts on a sheet, or both: what `judge` and `run` return."""

    record: Record | None = None
    assessment: Assessment | None = None

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        return self.assessment.verdicts if self.assessment is not None else ()

    def to_json(self, *, whole: bool = False) -> str:
        """What `--json` writes: without the folders of absolute paths, unless `whole`."""
        return reportfile.document(self.record, self.assessment, whole=whole)

    def report(self) -> Report:
        return order.build(self.record, self.assessment)

    def rows(self) -> list[Row]:
        """One row for each verdict; without verdicts one for each measured case."""
        if self.assessment is None:
            return [flat(row.model_dump(mode="json")) for row in bench_rows(self.record)]
        return [
            {
                "id": v.id,
                "kind": v.kind,
                "statement": v.statement,
                "claimed": v.claimed,
                "unit": v.unit,
                "outcome": v.outcome,
                "low": v.interval.low if v.interval else None,
                "high": v.interval.high if v.interval else None,
                "basis": v.evidence[0].basis if v.evidence else None,
                "flags": ", ".join(v.flags),
                "missing": ", ".join(v.missing),
                "reason": v.reason,
            }
            for v in self.verdicts
        ]


class Benched(Result):
    """Rates of a model over a grid of settings."""

    cases: tuple[BenchRow, ...]

    def __str__(self) -> str:
        return bench.render(self.cases, "md")

    def to_json(self) -> str:
        return bench.render(self.cases, "json")

    def rows(self) -> list[Row]:
        return [flat(row.model_dump(mode="json")) for row in self.cases]


class Compared(Reported):
    """Tables compared with the first, and what is known of this host's false-positive rate."""

    comparisons: tuple[Comparison, ...]
    calibration: Calibration | None = None
    view: comparison.View = comparison.View()

    def to_json(self) -> str:
        return document.as_json(self.comparisons, self.calibration)

    def to_csv(self) -> str:
        return document.as_csv(self.comparisons)

    def report(self) -> Report:
        return comparison.build(self.comparisons, self.calibration, self.view)

    def rows(self) -> list[Row]:
        return [flat(row) for row in self.to_dict()["rows"]]

    def to_junit(self, gates: tuple[Gate, ...] = ()) -> str:
        """As JUnit XML: a row that trips a gate is a failure."""
        return junit.render(self.comparisons, gates)

    def exit_code(self, gates: tuple[Gate, ...]) -> int:
        """What the command ends with for these gates of `--fail-on`; 5 where nothing could be compared in turn."""
        return exit_code(self.comparisons, gates)


class Projected(Reported):
    """What a model could do on a chip."""

    model: str
    projection: Projection
    load: ExpertLoad | None = None
    """of the experts' devices, where it was asked for"""

    def to_json(self) -> str:
        return projection.as_json(self.model, self.projection, self.load)

    def report(self) -> Report:
        return projection.build(self.model, self.projection, self.load)

    def rows(self) -> list[Row]:
        """The limits: one row each, tokens a second and package."""
        p = self.projection
        limits = {
            "ceiling": p.ceiling_tok_s,
            "usual, middle": p.usual90_tok_s.mid,
        }
        limits |= {"usual, 90 % low": p.usual90_tok_s.low, "usual, 90 % high": p.usual90_tok_s.high}
        where = {"model": self.model, "chip": p.chip, "phase": p.phase, "binding": p.binding}
        return [{**where, "limit": name, "rate_tok_s": value} for name, value in limits.items()]


class Tunnelled(Reported):
    """Reported figures with the cases here that match them; nothing is measured."""

    sheet: str
    host: Chip
    host_source: str
    memory_bytes: float
    budget_s: float
    figures: tuple[MatchedFigure, ...]

    @property
    def _rates(self) -> tuple[float, float, float]:
        """Bytes read, and products in int8 and in fp32, a second."""
        found = self.host.bandwidth, self.host.peak("int8"), self.host.peak("bf16")
        assert found[0] is not None and found[1] is not None and found[2] is not None
        return found[0].best, found[1].best, found[2].best

    def to_json(self) -> str:
        read, int8, fp32 = self._rates
        host = {"read_bytes_s": read, "int8_flop_s": int8, "fp32_flop_s": fp32, "source": self.host_source}
        return tunnel.as_json(self.sheet, host, self.figures)

    def report(self) -> Report:
        memory, time_s = units.binary(self.memory_bytes), units.seconds(self.budget_s)
        budget = f"Cases may take {memory} of memory, and {time_s} to measure all of them."
        return tunnel.build(self.sheet, tunnel.host_words(*self._rates, self.host_source), self.figures, budget)

    def rows(self) -> list[Row]:
        """One row for each group of each workload."""
        return [
            {
                "figure": found.figure.id,
                "workload": side.title,
                "group": name,
                "there": getattr(there, name),
                "here": getattr(match.candidate.groups, name),
                "distance": match.distance,
            }
            for found in self.figures
            for side, there, match in zip(found.figure.sides, found.there, found.matches, strict=True)
            for name in there._fields
        ]


class SelfTested(Reported):
    """How many seeded errors the judges catch, and how many published rates they call false."""

    found: SelfTest

    def to_json(self) -> str:
        return error_rates.self_test_json(self.found)

    def report(self) -> Report:
        return error_rates.self_test_blocks(self.found)

    def rows(self) -> list[Row]:
        return [flat(row.model_dump(mode="json")) for row in self.found.detections]


class Predicted(Reported):
    """How well the law of published rates predicts those that it has not seen."""

    found: Accuracy

    def to_json(self) -> str:
        return error_rates.accuracy_json(self.found)

    def report(self) -> Report:
        return error_rates.accuracy_blocks(self.found)

    def rows(self) -> list[Row]:
        return [flat(row.model_dump(mode="json")) for row in self.found.checked]


class Tracked(Reported):
    """Each case over time, and where its level changed (None: not searched)."""

    series: tuple[Series, ...]
    changes: tuple[Change, ...] | None

    def to_json(self) -> str:
        return history.as_json(self.series, self.changes)

    def report(self) -> Report:
        return history.build(self.series, self.changes)

    def rows(self) -> list[Row]:
        return [
            {"case": i, **{x.name: x.value for x in one.key}, **point.model_dump(mode="json")}
            for i, one in enumerate(self.series)
            for point in one.points
        ]


class Listing(Reported):
    """What is known of one kind of thing: chips, models, stored runs."""

    kind: str
    title: str
    entries: tuple[dict[str, Any], ...]
    text: str
    """as a terminal shows it"""
    body: dict[str, Any] | None = None
    """the JSON document, where it is more than the rows"""

    def __str__(self) -> str:
        return self.text

    def to_json(self) -> str:
        return strict.encode_json(self.rows() if self.body is None else self.body)

    def rows(self) -> list[Row]:
        return list(self.entries)

    def report(self) -> Report:
        names = list(self.entries[0]) if self.entries else []
        cells = (tuple(units.UNKNOWN if e[n] is None else str(e[n]) for n in names) for e in self.entries)
        columns = tuple(Column(name=name) for name in names)
        return Report(title=self.title, blocks=(Table(title=self.title, columns=columns, rows=tuple(cells)),))


class Calibrated(Reported):
    """What is known of this host's false-positive rate and power."""

    found: Calibration | None
    no_op: int
    least: int
    set_aside: int

    def to_json(self) -> str:
        return error_rates.calibration_json(self.found, self.no_op, self.set_aside)

    def report(self) -> Report:
        return error_rates.calibration_blocks(self.found, self.no_op, self.least, self.set_aside)

    def rows(self) -> list[Row]:
        return [] if self.found is None else [flat(p.model_dump(mode="json")) for p in self.found.power]


def bench_rows(record: Record | None) -> tuple[BenchRow, ...]:
    """The measured cases of a record as rows."""
    from harness.results.bench import rows

    return tuple(rows(record, (), ())) if record is not None else ()
