"""One type for the results of every tool: rows that say what was measured, under which settings, with which samples.

Values are in SI base units whatever the file used. A row carries its samples where the file has them and a summary
where it has not; it never carries a bare mean."""

import datetime as dt
import math
import re
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from harness.stats import Estimate, median_estimate, summary_estimate
from harness.vocabulary import Frozen

Better = Literal["higher", "lower"]
AttributeKind = Literal["host", "version", "input", "run"]
Sampled = Literal["process", "inside"]
Centre = Literal["median", "mean"]


Level = Annotated[float, Field(ge=1e-30, le=1e30)]
"""No duration or rate of a computer is outside, and none inside overflows when it is squared or divided."""


TABLE_LEVEL = 0.95
"""Of the intervals of values in tables, comparisons and histories."""


class Setting(Frozen):
    """A name with its value as text: part of a row's key."""

    name: str
    value: str


class Attribute(Frozen):
    """Something that holds for a whole table. Where a `binding` fact differs, rows are not comparable as they stand."""

    kind: AttributeKind
    name: str
    value: str
    binding: bool = False


class Metric(Frozen):
    """What a number measures. Rates are better higher, durations lower; there is no third kind here."""

    name: str
    unit: str = Field(description="SI base unit: s, tok/s, items/s")
    better: Better


_ERROR_OF_MEDIAN = math.sqrt(math.pi / 2)
"""Standard error of a median over that of a mean, for many normal samples (Kendall and Stuart, The Advanced Theory of
Statistics, volume 1, section 14.8)."""


class Summary(Frozen):
    """What remains of samples in a file that did not keep them."""

    point: Level
    centre: Centre = "mean"
    deviation: float = Field(
        ge=0, le=1e30, description="standard deviation of the samples, not the error of their mean"
    )
    n: int | None = Field(default=None, ge=1, description="None: the file does not say how many")


class Basis(Frozen):
    """What a row's value rests on: which centre, of how many of what."""

    centre: Centre
    sampled: Sampled
    n: int | None = Field(default=None, ge=1, description="None: the file does not say how many")
    raw: bool = Field(description="whether the samples themselves are at hand")

    @property
    def words(self) -> str:
        """Such as: median of 8 processes; mean of 5 repetitions, deviation only."""
        one, many = {"process": ("process", "processes"), "inside": ("repetition", "repetitions")}[self.sampled]
        count = f"an unstated number of {many}" if self.n is None else f"{self.n} {one if self.n == 1 else many}"
        if self.n == 1:
            return count
        return f"{self.centre} of {count}" + ("" if self.raw else ", deviation only")


class Sample(Frozen):
    """One value, with the time at which its measurement started where that is known."""

    value: Level
    started: dt.datetime | None = None


class Row(Frozen):
    """One measured quantity. Two rows are of the same thing only where every setting of their keys agrees.

    Where the name in the key is made from `parameters`, `family` is the key that rows of other parameters share.
    `attributes` hold for this row and not for its whole table.

    `sampled` is the unit of sampling: fresh processes, or repetitions inside one process, whose spread says nothing of
    the noise between processes. `inputs` must agree for two rows to be comparable although they are not identity;
    `outcomes` are shown where they differ.
    """

    key: tuple[Setting, ...] = Field(description="sorted by name")
    metric: Metric
    sampled: Sampled
    samples: tuple[Sample, ...] = ()
    summary: Summary | None = None
    inputs: tuple[Setting, ...] = ()
    outcomes: tuple[Setting, ...] = ()
    parameters: tuple[Setting, ...] = ()
    family: tuple[Setting, ...] = ()
    attributes: tuple[Attribute, ...] = ()
    problem: str | None = Field(default=None, description="why there is no value, or why it must not be used")
    disturbed: str | None = Field(default=None, description="what disturbed the host meanwhile, where the file says so")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        names = [s.name for s in self.key]
        if names != sorted(set(names)):
            raise ValueError("a row's settings are sorted by name, each given once")
        if not self.samples and self.summary is None and self.problem is None:
            raise ValueError("a row has samples, a summary, or the reason why it has neither")
        return self

    def estimate(self, level: float = TABLE_LEVEL) -> Estimate | None:
        """The value with an interval from its own samples alone; None for a row without a value. Its `n` is at least
        two where the file does not say how many; `basis` has None there."""
        if self.samples:
            return median_estimate([s.value for s in self.samples], level)
        if self.summary is None:
            return None
        rest = self.summary
        wider = _ERROR_OF_MEDIAN if rest.centre == "median" and rest.n is not None else 1.0
        return summary_estimate(rest.point, wider * rest.deviation, rest.n, level)

    @property
    def basis(self) -> Basis | None:
        """What `estimate` rests on; None for a row without a value."""
        if self.samples:
            return Basis(centre="median", sampled=self.sampled, n=len(self.samples), raw=True)
        if self.summary is not None:
            return Basis(centre=self.summary.centre, sampled=self.sampled, n=self.summary.n, raw=False)
        return None

    def as_mean(self) -> "Row":
        """The same row with its mean and deviation in the place of two or more samples; other rows as they are. For
        comparison with a file that kept no more: the mean of skewed samples lies beside their median."""
        values = [s.value for s in self.samples]
        if len(values) < 2:
            return self
        mean = math.fsum(values) / len(values)
        deviation = math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (len(values) - 1))
        summary = Summary(point=mean, centre="mean", deviation=deviation, n=len(values))
        return self.model_copy(update={"samples": (), "summary": summary})


class ResultTable(Frozen):
    """The rows of one file or record, with what holds for all of them."""

    tool: str
    name: str = Field(description="how the user named it: a path, a record's id or label")
    facts: tuple[Attribute, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = Field(default=(), description="what the file does not say, and what was left out")
    defaults: tuple[Setting, ...] = Field(
        default=(), description="what settings are where a file of another version of the tool does not state them"
    )

    def binding_facts(self, row: Row) -> dict[str, str]:
        """What must agree with what `row` is compared with: of the table, and of the row itself."""
        own = {f.name: f.value for f in row.attributes if f.binding}
        return {f.name: f.value for f in self.facts if f.binding} | own


def attributes(*found: tuple[AttributeKind, str, object, bool]) -> tuple[Attribute, ...]:
    """Facts of (kind, name, value, binding), without those that have no value."""
    return tuple(
        Attribute(kind=kind, name=name, value=plain(value), binding=binding)
        for kind, name, value, binding in found
        if value is not None and value != ""
    )


def key(**settings: object) -> tuple[Setting, ...]:
    """Settings sorted by name; numbers and truth values as one text each, so that 8 and 8.0 are the same."""
    return tuple(Setting(name=name, value=plain(value)) for name, value in sorted(settings.items()))


_REVISION_NAMES = frozenset(
    (
        *("commit", "commithash", "commitid", "buildcommit", "gitcommit", "gitcommithash", "gitcommitid"),
        *(
            "gitrev",
            "gitrevision",
            "gitsha",
            "gitsha1",
            "githash",
            "gitdescribe",
            "revision",
            "rev",
            "sha",
            "vcsrevision",
        ),
    )
)


def is_revision(name: str) -> bool:
    """Whether a name, however it is spelled, is that of a revision of the code: gitrev, GIT_COMMIT_HASH."""
    return re.sub(r"[^a-z0-9]", "", name.lower()) in _REVISION_NAMES


_TIME_FORMS = ("%m/%d/%y %H:%M:%S", "%Y%m%d-%H%M%S", "%a %b %d %H:%M:%S %Y", "%Y/%m/%d %H:%M:%S", "%Y-%m-%d-%H-%M-%S")
"""Besides ISO 8601: Google Benchmark before 1.5.1 in the C locale, vLLM, ctime, and what scripts write."""


def stated_time(text: str | None) -> dt.datetime | None:
    """A time as files state it, in old forms too; universal time where it has no offset. None where it is no time."""
    text = (text or "").strip()[:60]
    if re.fullmatch(r"1\d{9}(?:\d{3})?", text):  # seconds or milliseconds since 1970
        return dt.datetime.fromtimestamp(int(text[:10]), dt.UTC)
    for form in (None, *_TIME_FORMS):
        try:
            found = dt.datetime.fromisoformat(text) if form is None else dt.datetime.strptime(text, form)
        except ValueError:
            continue
        return found.replace(tzinfo=dt.UTC) if found.tzinfo is None else found
    return None


def plain(value: object) -> str:
    """A setting's value as text: true, 8, 0.5, as it stands."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    return str(value).strip()
