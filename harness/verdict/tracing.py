"""Where a figure was published before, and what the source under test dropped or changed on the way."""

import math

from harness.catalog.rates import PublishedRate
from harness.claims import StatedConditions, Throughput
from harness.results.assessment import Evidence, Stance
from harness.verdict.finding import ARTEFACT_TOLERANCE, SAME_FIGURE, evidence
from harness.verdict.knowledge import Knowledge
from harness.vocabulary import Frozen

CARRIED = (
    "chips", "batch", "prompt_tokens", "context_tokens", "output_tokens", "precision",
    "mtp_drafts", "mtp_acceptance", "tpot_s", "tpot_bound", "tpot_independent",
)  # fmt: skip
"""Conditions that a claim and a published rate have under one name."""
_OF_TIME = ("tpot_s", "tpot_bound", "tpot_independent")
"""Of these a claim has its own, or takes the published rate's together: how a time is meant goes with the time."""
UNSTATED = ("maturity", "tensor_parallel", "kv_bytes", "attention_precision", "idealised", "cache_hits_counted")
"""Conditions of a published rate that a claim takes over, and that tell no two figures apart."""
CONDITION_TOLERANCE = 0.05
"""Conditions this close are the same (4,000 and 4,096 tokens)."""

UNIT_TRAPS = (
    (8.0, "a server of eight read as one chip"),
    (4.0, "four chips read as one"),
    (2.0, "two dies, or a peak with sparsity, read as one chip's"),
    (2.29, "cached tokens counted as processed (DeepSeek's share of 56.3 %)"),
    (1.7, "drafted tokens counted twice"),
)


FILLED_WORDS = {
    "model": "model",
    "phase": "phase",
    "per": "unit (package or die)",
    "batch": "batch",
    "prompt_tokens": "prompt length",
    "context_tokens": "context length",
    "precision": "precision",
    "chips": "chips of the group",
    "mtp_drafts": "drafted tokens",
    "mtp_acceptance": "acceptance of drafts (assumed, not measured)",
    "tpot_s": "time per output token",
    "idealised": "ideal balance of experts (assumed)",
    "cache_hits_counted": "cached tokens are counted",
}


def _matters(name: str, filled: dict[str, object], given: StatedConditions) -> bool:
    """Whether a filled-in condition changes what a reader concludes from the figure: a 'no' does not, nor does the
    prompt of a decode rate whose context is known, nor a time for each token beside the batch."""
    if name in ("idealised", "cache_hits_counted"):
        return filled[name] is True
    if name in ("prompt_tokens", "output_tokens"):
        return given.phase != "decode" or given.context_tokens is None
    return name != "tpot_s" or given.batch is None


class Trace(Frozen):
    """The published rate that a claim repeats, with the claim's conditions completed from it."""

    rate: PublishedRate
    conditions: StatedConditions
    filled: tuple[str, ...]
    """conditions that came from the published rate, as words"""


def _same(a: float, b: float, tolerance: float) -> bool:
    return abs(math.log(a / b)) <= math.log1p(tolerance)


def per_package(claim: Throughput, dies: int) -> float | None:
    """The claim's rate per package, where its unit says how many packages that is."""
    if claim.conditions.per == "die":
        return claim.rate_tok_s * dies
    packages = 1 if claim.conditions.per in (None, "package") else claim.conditions.packages_per_unit
    return None if packages is None else claim.rate_tok_s / packages


def _alike(ours: object, theirs: object) -> bool:
    """Whether two values of a condition agree; one that is not given agrees with any."""
    if ours is None or theirs is None or ours == theirs:
        return True
    if isinstance(ours, int | float) and isinstance(theirs, int | float) and ours > 0 and theirs > 0:
        return _same(ours, theirs, CONDITION_TOLERANCE)
    return False


def _compatible(claim: StatedConditions, rate: PublishedRate) -> bool:
    """No condition that both give differs. The model is left aside: a changed model is what is looked for."""
    names = (n for n in CARRIED if n not in _OF_TIME)
    return all(_alike(getattr(claim, n), getattr(rate.conditions, n)) for n in names)


def trace(claim: Throughput, rate_tok_s: float, derived_from: tuple[str, ...], knowledge: Knowledge) -> Trace | None:
    """The published rate with this very figure, chip and phase; sources that the document repeats come first."""
    rows = [
        r
        for r in knowledge.rates
        if claim.conditions.chip == r.chip
        and claim.conditions.phase in (None, r.phase)
        and _same(r.rate_tok_s, rate_tok_s, SAME_FIGURE)
        and _compatible(claim.conditions, r)
    ]
    if not rows:
        return None
    row = min(rows, key=lambda r: (r.source_id not in derived_from, r.model != claim.conditions.model))
    theirs = {name: getattr(row.conditions, name) for name in (*CARRIED, *UNSTATED)}
    theirs |= {"phase": row.phase, "model": row.model, "per": "package"}
    updates = {n: v for n, v in theirs.items() if v is not None and getattr(claim.conditions, n) is None}
    if claim.conditions.tpot_s is not None:
        updates = {n: v for n, v in updates.items() if n not in _OF_TIME}
    kept = claim.conditions.model_copy(update=updates)
    words = tuple(FILLED_WORDS[n] for n in updates if n in FILLED_WORDS and _matters(n, updates, claim.conditions))
    return Trace(rate=row, conditions=kept, filled=words)


def fully_matched(claim: StatedConditions, rate: PublishedRate) -> bool:
    """Every condition that the published rate gives is given by the claim too, and is the same."""
    if (claim.model, claim.chip, claim.phase) != (rate.model, rate.chip, rate.phase):
        return False
    lengths = ("context_tokens",) if rate.phase == "decode" else ("prompt_tokens",)
    names = ("chips", "batch", "precision", *lengths)
    needed = [n for n in names if getattr(rate.conditions, n) is not None]
    if len(needed) < 3 or any(getattr(claim, n) is None for n in needed):
        return False
    return _compatible(claim, rate) and bool(claim.idealised) == rate.conditions.idealised


def as_evidence(rate: PublishedRate, stance: Stance, note: str | None = None) -> Evidence:
    """A published rate with the conditions that its source gives."""
    words, source = f"{rate.system}: {described(rate)}", rate.source
    found = evidence("published", words, rate.rate_tok_s, "tok/s", source.graded, stance, note=note)
    return found.model_copy(update={"url": source.url})


def described(rate: PublishedRate) -> str:
    c = rate.conditions
    numbers = (("batch", c.batch), ("prompt", c.prompt_tokens), ("context", c.context_tokens))
    parts = [rate.model, f"on {rate.chip}", rate.phase, *(f"{name} {n:g}" for name, n in numbers if n is not None)]
    remarks = ((c.precision or "", True), ("idealised", c.idealised), ("cached tokens counted", c.cache_hits_counted))
    return ", ".join((*parts, *(word for word, holds in remarks if word and holds)))


def neighbours(
    chip: str, phase: str | None, knowledge: Knowledge, leave_out: tuple[str, ...], most: int = 4
) -> tuple[PublishedRate, ...]:
    """Published rates on the same chip and phase, better graded first, those of the sources under test left out."""
    rows = [r for r in knowledge.rates if r.chip == chip and phase in (None, r.phase) and r.source_id not in leave_out]
    return tuple(sorted(rows, key=lambda r: ("ABCDP".index(r.source.grade), r.id))[:most])


def measured_siblings(row: PublishedRate, knowledge: Knowledge) -> list[PublishedRate]:
    """Measured rates of the same publication, model, chip, phase and prompt as an idealised one."""

    def setting(r: PublishedRate) -> tuple[object, ...]:
        return r.source_id, r.model, r.chip, r.phase, r.conditions.prompt_tokens

    return [r for r in knowledge.rates if setting(r) == setting(row) and not r.conditions.idealised]


def unit_trap(
    rate_tok_s: float, conditions: StatedConditions, knowledge: Knowledge
) -> tuple[PublishedRate, str] | None:
    """A published rate of the same chip that this figure would be, counted in another unit or phase.

    A multiple is a trap only of a rate under conditions that the claim does not contradict: at other batches a rate
    twice as high is an ordinary one.
    """
    rows = [r for r in knowledge.rates if r.chip == conditions.chip and conditions.model in (None, r.model)]
    same_phase = [r for r in rows if conditions.phase in (None, r.phase) and _compatible(conditions, r)]
    if any(_same(r.rate_tok_s, rate_tok_s, ARTEFACT_TOLERANCE) for r in same_phase):
        return None
    elsewhere = (r for r in rows if conditions.phase not in (None, r.phase))
    row = next((r for r in elsewhere if _same(r.rate_tok_s, rate_tok_s, SAME_FIGURE)), None)
    if row is not None:
        return row, f"the same figure is published as '{row.phase}'"
    return _multiple(rate_tok_s, same_phase)


def _multiple(rate_tok_s: float, rows: list[PublishedRate]) -> tuple[PublishedRate, str] | None:
    for factor, why in UNIT_TRAPS:
        for row in rows:
            if _same(row.rate_tok_s * factor, rate_tok_s, SAME_FIGURE):
                return row, f"it is {factor:g} times a published rate: {why}"
    return None
