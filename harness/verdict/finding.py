"""What a judge finds of one claim, how findings over several scenarios become one, and every number that it turns on.

A finding is a verdict without the claim's own words.
"""

from collections import Counter
from collections.abc import Sequence

from harness.claims import Claim
from harness.results.assessment import Evidence, Flag, Outcome, Verdict
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
"""Which of two outcomes with equal shares leads: the one that accuses less."""


class Tally(Frozen):
    """Outcomes over all scenarios as one. `stability` is the share of the leading outcome."""

    outcome: Outcome
    also: Outcome | None
    stability: float
    shares: tuple[tuple[Outcome, float], ...]

    @property
    def in_words(self) -> str:
        return ", ".join(f"{outcome} in {100 * share:.0f} %" for outcome, share in self.shares)


def tally(outcomes: Sequence[Outcome]) -> Tally:
    """One outcome from those of all scenarios.

    A claim is damned only if every scenario damns it, and then by the milder word. Otherwise the outcome of at
    least `STABLE_SHARE` of the scenarios holds; failing that it is undecided, beside the leading outcome.
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


def claimed(claim: Claim) -> tuple[float | None, str]:
    """The figure of a claim and its unit, where it has one."""
    match claim.kind:
        case "throughput":
            return claim.rate_tok_s, "tok/s"
        case "chip_ratio" | "model_ratio":
            return claim.ratio, "ratio"
        case "architecture":
            return claim.value, _ARCHITECTURE_UNITS[claim.figure]
        case "latency":
            return claim.duration_s, "s"
        case "efficiency":
            return claim.value, "tok/s per TFLOPS" if claim.figure == "tok_s_per_tflops" else "tok/J"
        case "cost":
            return claim.usd_per_mtok, "USD per million tokens"
        case "arithmetic":
            return claim.value, ""
        case "fact":
            return claim.value, ""
        case _:
            return None, ""


_ARCHITECTURE_UNITS = {
    "total_parameters": "parameters",
    "active_parameters": "parameters",
    "activation_ratio": "fraction",
    "kv_bytes_per_token": "bytes",
    "context_tokens": "tokens",
}


def verdict(claim: Claim, finding: Finding, unit: str | None = None) -> Verdict:
    """The finding with the claim's own words. `unit` is that of a claim whose kind does not fix it."""
    value, usual = claimed(claim)
    return Verdict(
        id=claim.id,
        statement=claim.statement,
        place=claim.place,
        kind=claim.kind,
        claimed=value,
        unit=usual if unit is None else unit,
        **{name: getattr(finding, name) for name in Finding.model_fields},
    )


ARTEFACT_TOLERANCE = 0.05
"""Off a primary artefact by more is refuted. Totals printed to two digits (37 B for 37.6 B, 1.6 T for 1.572 T) and
counting conventions (embedding in or out: 36.6 to 37.6 B) stay below 3 %; different models differ by more than 10 %."""

IDENTITY_TOLERANCE = 0.03
"""Breaks an identity. The consistent rows of the CloudMatrix384 tables keep batch / TPOT = rate to 0.3 %; figures
printed to two digits can be off by 2.5 %."""

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
"""'Keeps latency low' as a blanket statement falls where sparse is slower than dense of equal active size by more."""

EXPERTS_ACTIVATED_TOLERANCE = 0.03
"""Measured distinct experts against U(B) under uniform routing; beyond it the measured ratios are of another model."""
