"""Claims that the public record settles, and claims that nothing here can settle."""

from harness.catalog.facts import Fact, FactSource
from harness.claims import OutOfReach, PublicFact
from harness.results.assessment import Evidence, Flag, Outcome, Stance
from harness.verdict.finding import ARTEFACT_TOLERANCE, Finding, around
from harness.verdict.knowledge import Knowledge


def judge_fact(claim: PublicFact, knowledge: Knowledge) -> Finding:
    """Against the facts catalog: firm sources settle a topic, others leave it open."""
    fact = knowledge.fact(claim.topic)
    if fact is None:
        return Finding(outcome="out of reach", reason=knowledge.unknown_fact(claim.topic))
    flags: dict[Flag, bool] = {
        "misattributed": bool(fact.misattributed and claim.attributed_to),
        "model-mismatch": fact.other_model is not None,
        "superseded": fact.superseded is not None,
    }
    remark = f" The words are those of {fact.misattributed}." if flags["misattributed"] else ""
    outcome, why = _outcome(_agrees(claim, fact), fact.firmly("against" if fact.holds is False else "for"))
    return Finding(
        outcome=outcome,
        reason=f"{fact.found}{remark}{why}",
        flags=tuple(flag for flag, holds in flags.items() if holds),
        interval=None if fact.value is None else around(fact.value, fact.value, ARTEFACT_TOLERANCE),
        interval_of=None if fact.value is None else "the public figure, 5 % either way",
        evidence=tuple(_evidence(t, claim, fact) for t in fact.sources),
        missing=claim.omitted if outcome == "undecided" else (),
    )


def _outcome(agrees: bool | None, firm: bool) -> tuple[Outcome, str]:
    """The outcome, and why it is not a firmer one."""
    if agrees is None:
        return "undecided", " The sources do not settle it."
    if firm:
        return ("supported" if agrees else "refuted"), ""
    if agrees:
        return "consistent", " Only second-hand accounts say so."
    return "undecided", " Accounts speak against it, but none of them is primary."


def _agrees(claim: PublicFact, fact: Fact) -> bool | None:
    """Whether the record is on the claim's side; None where it is on none, or answers another question."""
    if claim.says is not None and fact.holds is not None:
        return claim.says == fact.holds
    if claim.value is None or fact.value is None:
        return None
    allowed = around(fact.value, fact.value, ARTEFACT_TOLERANCE)
    return claim.value <= allowed.high and (claim.hedge == "at least" or claim.value >= allowed.low)


def _evidence(seen: FactSource, claim: PublicFact, fact: Fact) -> Evidence:
    stance: Stance = "context"
    if seen.stance != "context":
        claims_yes = claim.says is not False
        stance = "supports" if (seen.stance == "for") == claims_yes else "contradicts"
    if fact.value is not None and seen.stance == "for":
        stance = "supports" if _agrees(claim, fact) else "contradicts"
    return Evidence(
        quantity=seen.shows,
        value=fact.value if seen.stance == "for" else None,
        unit=fact.unit if seen.stance == "for" else "",
        basis="published",
        source=seen.source.graded,
        url=seen.source.url,
        stance=stance,
    )


def attribution(topic: str, knowledge: Knowledge) -> tuple[tuple[Flag, ...], tuple[Evidence, ...], str]:
    """Whether the person named made the statement: a flag where somebody else did, the evidence, a remark."""
    fact = knowledge.fact(topic)
    if fact is None:
        return (), (), ""
    flags: tuple[Flag, ...] = ("misattributed",) if fact.misattributed or fact.holds is False else ()
    evidence = tuple(
        Evidence(
            quantity=f"who made the statement: {t.shows}",
            basis="published",
            source=t.source.graded,
            url=t.source.url,
            stance="context",
        )
        for t in fact.sources
    )
    return flags, evidence, fact.found


def judge_out_of_reach(claim: OutOfReach) -> Finding:
    """Stays in the sheet, with the reason that the sheet gives."""
    return Finding(outcome="out of reach", reason=claim.reason, missing=claim.omitted)
