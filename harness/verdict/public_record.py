"""Claims that the public record settles, and claims that nothing settles. Measures and models nothing."""

from harness.catalog.facts import Fact, FactSource
from harness.claims import OutOfReach, PublicFact
from harness.results.assessment import Evidence, Flag, Stance
from harness.stats import Interval
from harness.verdict.finding import ARTEFACT_TOLERANCE, Finding
from harness.verdict.knowledge import Knowledge


def judge_fact(claim: PublicFact, knowledge: Knowledge) -> Finding:
    """Against the facts catalog: firm sources settle, others only lean."""
    fact = knowledge.fact(claim.topic)
    if fact is None:
        return Finding(outcome="out of reach", reason=knowledge.unknown_fact(claim.topic))
    agrees = _agrees(claim, fact)
    flags: tuple[Flag, ...] = ("misattributed",) if fact.misattributed and claim.attributed_to else ()
    if fact.other_model is not None:
        flags = (*flags, "model-mismatch")
    if fact.superseded is not None:
        flags = (*flags, "superseded")
    remark = f" Said by {fact.misattributed}." if "misattributed" in flags else ""
    evidence = tuple(_evidence(t, claim, fact) for t in fact.sources)
    interval, interval_of = _tolerance(fact)

    def found(outcome: str, why: str) -> Finding:
        return Finding.model_validate(
            {
                "outcome": outcome,
                "reason": f"{fact.found}{remark}{why}",
                "flags": flags,
                "interval": interval,
                "interval_of": interval_of,
                "evidence": evidence,
                "missing": claim.omitted if outcome == "undecided" else (),
            }
        )

    if agrees is None:
        return found("undecided", " The sources do not settle it.")
    firm = fact.firmly("for" if fact.holds is not False else "against")
    if agrees and firm:
        return found("supported", "")
    if agrees:
        return found("consistent", " Only second-hand accounts say so.")
    if firm:
        return found("refuted", "")
    return found("undecided", " Accounts speak against it, but none of them is primary.")


def _agrees(claim: PublicFact, fact: Fact) -> bool | None:
    """Whether the record is on the claim's side; None where it is on none, or answers another question."""
    if claim.says is not None and fact.holds is not None:
        return claim.says == fact.holds
    if claim.value is not None and fact.value is not None:
        low, high = fact.value * (1 - ARTEFACT_TOLERANCE), fact.value * (1 + ARTEFACT_TOLERANCE)
        if claim.hedge == "up to":
            return claim.value >= low
        if claim.hedge == "at least":
            return claim.value <= high
        return low <= claim.value <= high
    return None


def _tolerance(fact: Fact) -> tuple[Interval | None, str | None]:
    if fact.value is None:
        return None, None
    low, high = fact.value * (1 - ARTEFACT_TOLERANCE), fact.value * (1 + ARTEFACT_TOLERANCE)
    return Interval(low=low, high=high), "the public figure, 5 % either way"


def _evidence(seen: FactSource, claim: PublicFact, fact: Fact) -> Evidence:
    stance: Stance = "context"
    if seen.stance != "context":
        claims_yes = claim.says is not False
        stance = "supports" if (seen.stance == "for") == claims_yes else "contradicts"
    if fact.value is not None and seen.stance == "for":
        stance = "supports" if _agrees(claim, fact) else "contradicts"
    source = seen.source
    return Evidence(
        quantity=seen.shows,
        value=fact.value if seen.stance == "for" else None,
        unit=fact.unit if seen.stance == "for" else "",
        basis="published",
        source=f"{source.title} (grade {source.grade}, {source.how_seen})",
        url=source.url,
        stance=stance,
    )


def attribution(topic: str, knowledge: Knowledge) -> tuple[tuple[Flag, ...], tuple[Evidence, ...], str]:
    """Whether the one named said so: a flag where the record says that somebody else did, the evidence, a remark."""
    fact = knowledge.fact(topic)
    if fact is None:
        return (), (), ""
    flags: tuple[Flag, ...] = ("misattributed",) if fact.misattributed or fact.holds is False else ()
    evidence = tuple(
        Evidence(
            quantity=f"who said it: {t.shows}",
            basis="published",
            source=f"{t.source.title} (grade {t.source.grade}, {t.source.how_seen})",
            url=t.source.url,
            stance="context",
        )
        for t in fact.sources
    )
    return flags, evidence, fact.found


def judge_out_of_reach(claim: OutOfReach, knowledge: Knowledge) -> Finding:
    """Stays in the sheet, with the reason that the sheet gives."""
    del knowledge
    return Finding(outcome="out of reach", reason=claim.reason, missing=claim.omitted)
