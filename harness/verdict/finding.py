"""What a judge finds of one claim, how findings over several scenarios become one, and every number that decides.

A finding is a verdict without the claim's own words.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from harness.claims import Claim
from harness.results.assessment import Basis, Evidence, Flag, Outcome, Stance, Verdict
from harness.stats import Interval
from harness.vocabulary import Frozen


class Finding(Frozen):
    """The outcome of one claim with what it rests on (fields as in `Verdict`)."""

    outcome: Outcome
    reason: str
    flags: tuple[Flag, ...] = ()
    also: Outcome | None = None
    interval: Interval | None = None
    interval_of: str | None = None
    binding: str | None = None
    missing: tuple[str, ...] = ()
    stability: float | None = None
    largest_uncertainty: str | None = None
    evidence: tuple[Evidence, ...] = ()


_MILDEST_FIRST: tuple[Outcome, ...] = (
    "consistent", "supported", "undecided", "out of reach", "implausible", "refuted",
)  # fmt: skip
"""Which of two outcomes with equal shares leads: the milder one."""


class Tally(Frozen):
    """Outcomes over all scenarios as one. `stability` is the share of the leading outcome."""

    outcome: Outcome
    also: Outcome | None
    stability: float
    shares: tuple[tuple[Outcome, float], ...]

    @property
    def in_words(self) -> str:
        return ", ".join(f"{outcome} in {100 * share:.0f} %" for outcome, share in self.shares)

    def finding(self, reason: str, missing: tuple[str, ...], **more: Any) -> Finding:
        """The outcome with what it rests on; what is missing is flagged."""
        found = {"outcome": self.outcome, "also": self.also, "stability": self.stability, "missing": missing}
        return Finding(**{"reason": reason, "flags": flagged(missing), **found, **more})


def tally(outcomes: Sequence[Outcome]) -> Tally:
    """One outcome from those of all scenarios.

    A claim is refuted or implausible only if it is so in every scenario; if they differ, implausible. Otherwise the
    outcome of at least `STABLE_SHARE` of the scenarios holds; failing that it is undecided, beside the leading outcome.
    Raises ValueError for no scenarios.
    """
    if not outcomes:
        raise ValueError("no scenario was evaluated")
    counts = Counter(outcomes)
    ranked = sorted(counts.items(), key=lambda item: (-item[1], _MILDEST_FIRST.index(item[0])))
    shares = tuple((outcome, n / len(outcomes)) for outcome, n in ranked)
    lead, share = shares[0]
    if set(counts) <= {"refuted", "implausible"}:
        outcome: Outcome = "implausible" if counts["implausible"] else "refuted"
        return Tally(outcome=outcome, also=None, stability=counts[outcome] / len(outcomes), shares=shares)
    if share >= STABLE_SHARE and lead not in ("refuted", "implausible"):
        return Tally(outcome=lead, also=None, stability=share, shares=shares)
    second = shares[1][0] if len(shares) > 1 else None
    also = second if lead == "undecided" else lead
    return Tally(outcome="undecided", also=also if share < STABLE_SHARE else None, stability=share, shares=shares)


def flagged(missing: Sequence[str]) -> tuple[Flag, ...]:
    """The flag of a claim whose source leaves out what the verdict needs."""
    return ("missing-condition",) if missing else ()


def left_open(conditions: dict[str, bool]) -> tuple[str, ...]:
    """The names of the conditions that are open."""
    return tuple(name for name, is_open in conditions.items() if is_open)


_STANCES: dict[Outcome, Stance] = {"supported": "supports", "refuted": "contradicts"}


def stance_of(outcome: Outcome | None, otherwise: Stance = "context") -> Stance:
    """On which side of the claim a piece of evidence stands that alone would give this outcome."""
    return otherwise if outcome is None else _STANCES.get(outcome, otherwise)


def allowed_if(holds: bool) -> Stance:
    """The stance of a bound: it can contradict a claim, and never supports one."""
    return "allows" if holds else "contradicts"


def evidence(
    basis: Basis,
    quantity: str,
    value: float | None,
    unit: str,
    source: str,
    stance: Stance = "context",
    interval: Interval | None = None,
    note: str | None = None,
) -> Evidence:
    """A piece of evidence that has no address; published rates and sources have one."""
    rest: dict[str, Any] = {"interval": interval, "note": note}
    return Evidence(basis=basis, quantity=quantity, value=value, unit=unit, source=source, stance=stance, **rest)


def around(low: float, high: float, tolerance: float, level: float = 0.90) -> Interval:
    """From `low` to `high`, and the tolerance on either side."""
    return Interval(low=low * (1 - tolerance), high=high * (1 + tolerance), level=level)


_CLAIMED = {
    "throughput": ("rate_tok_s", "tok/s"),
    "chip_ratio": ("ratio", "ratio"),
    "cost_ratio": ("ratio", "ratio"),
    "model_ratio": ("ratio", "ratio"),
    "architecture": ("value", ""),
    "latency": ("duration_s", "s"),
    "efficiency": ("value", ""),
    "cost": ("usd_per_mtok", "USD per million tokens"),
    "arithmetic": ("value", ""),
    "fact": ("value", ""),
}
"""The field that holds the figure of a kind of claim, and its unit; other kinds have none."""
_FIGURE_UNITS = {
    "total_parameters": "parameters",
    "active_parameters": "parameters",
    "activation_ratio": "fraction",
    "kv_bytes_per_token": "bytes",
    "context_tokens": "tokens",
    "tok_s_per_tflops": "tok/s per TFLOPS",
    "tok_per_joule": "tok/J",
}
"""The same where it depends on the figure that the claim names."""


def claimed(claim: Claim) -> tuple[float | None, str]:
    """The figure of a claim and its unit, where it has one."""
    field, unit = _CLAIMED.get(claim.kind, ("", ""))
    return getattr(claim, field, None), _FIGURE_UNITS.get(getattr(claim, "figure", ""), unit)


def verdict(claim: Claim, finding: Finding, unit: str | None = None) -> Verdict:
    """The finding with the claim's own words. `unit` is that of a claim whose kind does not fix it."""
    value, usual = claimed(claim)
    words: dict[str, Any] = {name: getattr(claim, name) for name in ("id", "statement", "place", "kind")}
    return Verdict(**words, claimed=value, unit=usual if unit is None else unit, **dict(finding))


ARTEFACT_TOLERANCE = 0.05
"""Off a primary artefact by more is refuted. Totals printed to two digits (37 B for 37.6 B, 1.6 T for 1.572 T) and
counting conventions (embedding in or out: 36.6 to 37.6 B) stay below 3 %; different models differ by more than 10 %."""

IDENTITY_TOLERANCE = 0.03
"""Breaks an identity. The consistent rows of the CloudMatrix384 tables keep batch / TPOT = rate to 0.3 %; figures
printed to two digits can be off by 2.5 %."""

ABOUT = 0.10
"""What 'about' may hide: one printed digit of a figure that is rounded."""

CEILING_SLACK = 1.03
"""Above the most generous ceiling by more is refuted: room for rounding, since the ceiling itself takes the most
generous of disagreeing sources."""

SAME_FIGURE = 0.005
"""Two figures this close are one figure repeated: three printed digits."""

STABLE_SHARE = 0.90
"""Share of the scenarios of what is missing that must agree before their outcome is the verdict."""

DRAWS = 48
"""Scenarios drawn where a condition is missing. Their share is known to about 0.07 (binomial, at 0.9: 0.04)."""

SEED = 20260424
"""Of the draws: a verdict never depends on when it is asked."""

COMPUTE_GAIN = 1.5
"""'Keeps compute low' needs a gain in prefill over dense of equal total size above this. Fixed before anything was
measured; the article's own ratio of 1000 to 37 would allow 27."""

LATENCY_LOSS = 2.0
"""'Keeps latency low' as a blanket statement is refuted where MoE is slower than dense of equal active size by more."""

EXPERTS_ACTIVATED_TOLERANCE = 0.03
"""Measured distinct experts against U(B) under uniform routing; beyond it the measured ratios are of another model."""
