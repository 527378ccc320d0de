"""What counts as a change: margins per metric and case, levels, and the drift between sessions; from `harness.toml`."""

from typing import Annotated, Any

from pydantic import Field, ValidationError

from harness.comparison.table import Metric, Setting, plain
from harness.errors import UsageError
from harness.files import strict
from harness.files.strict import StrictTomlError
from harness.vocabulary import Frozen

DRIFT = 0.148
"""Coefficient of variation of one session's level for identical code where nobody has measured it: 87 continuous-
integration jobs of one project on hosted runners (mui/mui-public, pull request 1712, 2026). On virtual machines with
two cores, medians of single processes varied by 15 to 24 % while quiet and 27 to 42 % beside a busy neighbour."""

Share = Annotated[float, Field(gt=0, lt=1)]


class MarginRule(Frozen):
    """A margin for some rows: those of a metric, or whose settings have the values given. The first that fits holds."""

    margin: Share
    metric: str | None = None
    where: tuple[Setting, ...] = ()

    def fits(self, metric: Metric, key: tuple[Setting, ...]) -> bool:
        return self.metric in (None, metric.name) and set(self.where) <= set(key)


class Thresholds(Frozen):
    """How a change is decided. A margin of 0.03 is the region from 1/1.03 to 1.03, where a change does not matter."""

    margin: Share = Field(default=0.03, description="region of practical equivalence for rows without a rule")
    drift: Annotated[float, Field(ge=0, lt=1)] = Field(
        default=DRIFT, description="standard deviation of a session's log level, for what was not measured side by side"
    )
    drift_known: bool = Field(default=False, description="whether `drift` was measured or stated for this host")
    level: Share = Field(default=0.95, description="of the intervals shown, and of 'warn' and 'same'")
    alarm_level: Share = Field(
        default=0.997,
        description="at which 'faster' and 'slower' are off 1: aims at three false alarms in 1,000 at worst",
    )
    rules: tuple[MarginRule, ...] = ()

    def margin_of(self, metric: Metric, key: tuple[Setting, ...]) -> float:
        return next((r.margin for r in self.rules if r.fits(metric, key)), self.margin)


def parse(text: str, where: str) -> Thresholds:
    """The `[compare]` table of a TOML text; without one, the defaults. Raises UsageError.

    Keys: margin, drift, level, alarm_level, and `[[compare.rules]]` with margin, metric and `where`, a table of
    settings such as {phase = "decode", batch = 1}.
    """
    try:
        data = strict.decode_toml(text)
    except StrictTomlError as error:
        raise UsageError(f"{where}: {error}; see harness compare --help") from None
    section = data.get("compare", {})
    if not isinstance(section, dict):
        raise UsageError(f"{where}: compare is {plain(section)}, expected a table [compare]")
    if "drift_known" in section:
        raise UsageError(f"{where}: drift_known is not for files; state the drift that you measured as drift")
    rules = section.get("rules", [])
    if not isinstance(rules, list):
        raise UsageError(f"{where}: compare.rules is no list, expected [[compare.rules]]")
    values = {**section, "rules": [_rule(r) for r in rules], "drift_known": "drift" in section}
    try:
        return Thresholds.model_validate(values)
    except ValidationError as error:
        lines = [f"{where}: compare.{reason}" for reason in strict.reasons(error, "compare")]
        known = ", ".join(n for n in Thresholds.model_fields if n != "drift_known")
        raise UsageError("\n".join([*lines, f"known keys: {known}"])) from None


def _rule(data: Any) -> Any:
    """A rule's `where` table as settings; anything else is left for the types to refuse."""
    if not isinstance(data, dict) or not isinstance(data.get("where"), dict):
        return data
    return {**data, "where": [{"name": n, "value": plain(v)} for n, v in sorted(data["where"].items())]}
