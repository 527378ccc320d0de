"""Claims of a time: per output token, or to the first token.

A bound over all that is left open refutes; what published systems take is what is usual. The time to the first token is
that of reading the prompt, and of waiting before. The former has a range, from the whole group at work on one prompt to
one package that reads it along with others; of the latter a source seldom says anything, so that a longer time is never
refuted, and never confirmed.
"""

from harness.catalog.chips import Chip
from harness.claims import Latency, Sheet
from harness.results.assessment import Evidence, Outcome
from harness.roofline.achieved import AchievedRange, reference_tok_s
from harness.roofline.bound import Soonest, soonest
from harness.roofline.ceiling import ceiling, runs
from harness.roofline.deployment import Deployment
from harness.stats import Interval
from harness.units import number, seconds
from harness.verdict.finding import ABOUT, CEILING_SLACK, Finding, Tally, allowed_if, evidence, tally
from harness.verdict.knowledge import Knowledge
from harness.verdict.limits import subject
from harness.verdict.rating import made_of, supported, usual_range
from harness.verdict.scenarios import Scenario, ScenarioSet, largest_effect, scenarios
from harness.vocabulary import Frozen, Phase, Precision

WAITING = "waiting before the prompt is read"
STEP_TOKENS = 16384.0
"""Of the prompts that one package reads in one step, where they are short: the rates that make the usual range were
taken at such steps (CloudMatrix384, table 3: four prompts of 4,096 a package), and a prompt is ready with its step."""


class Usual(Frozen):
    """What published systems would take in one scenario, in seconds."""

    least99: float
    """less than in 99 of 100"""
    least: float
    most: float
    reference_s: float
    """at the reference point that usual ranges are fractions of"""


def judge_latency(claim: Latency, knowledge: Knowledge, sheet: Sheet) -> Finding:
    """A time against the least that the chip's limits allow, and against what published systems take."""
    found = subject(claim, knowledge, sheet)
    if isinstance(found, Finding):
        return found
    (chip, models), precision = found, claim.conditions.precision
    if precision is not None and not runs(chip, precision):
        return _cannot_run(chip, precision)
    phase: Phase = "decode" if claim.figure == "tpot" else "prefill"
    given: dict[str, object] = {"phase": phase, "per": "package"}
    given |= {} if phase == "decode" else {"batch": None}  # sequences in flight are no prompts read at once
    conditions = claim.conditions.model_copy(update=given)
    bounds = [soonest(m.spec, chip, Deployment.of(conditions), phase) for m in models]
    completed = scenarios(conditions, chip, models)
    achieved = usual_range(phase, chip.vendor, sheet.source.own_publications, knowledge)
    runnable = [c for c in completed.each if supported(chip, c)]
    usual = [] if achieved is None else [_usual(c, chip, claim, achieved) for c in runnable]
    whole, reason = _outcome(claim, bounds, usual)
    span = Interval(low=min(u.least for u in usual), high=max(u.most for u in usual)) if usual else None
    return whole.finding(
        reason,
        _missing(claim, completed),
        interval=span,
        interval_of=_of(claim) if span else None,
        binding=min(bounds, key=lambda b: b.time_s).binding,
        largest_uncertainty=_largest(runnable, usual),
        evidence=_shown(claim, bounds, achieved, span),
    )


def _missing(claim: Latency, completed: ScenarioSet) -> tuple[str, ...]:
    return (*completed.missing, *((WAITING,) if claim.figure == "ttft" else ()))


def _largest(runnable: list[Scenario], usual: list[Usual]) -> str:
    moved = largest_effect(runnable, [u.reference_s for u in usual]) if usual else None
    return moved or "how much of a ceiling systems reach"


def _cannot_run(chip: Chip, precision: Precision) -> Finding:
    if runs(chip, precision) is None:
        return Finding(outcome="undecided", reason=f"No source gives a {precision} peak of {chip.title}.")
    return Finding(outcome="refuted", reason=f"{chip.title} has no {precision} arithmetic.")


def _usual(c: Scenario, chip: Chip, claim: Latency, achieved: AchievedRange) -> Usual:
    """The usual rates turned into times: batch over rate, or the prompt over what its readers process together."""
    reference = reference_tok_s(ceiling(c.model.spec, chip, c.deployment, c.phase), achieved.exposed_link)
    if claim.figure == "tpot":
        work, readers = c.deployment.batch or 1.0, 1
    else:
        work, readers = c.deployment.prompt_tokens or 1.0, c.deployment.chips or 1
    alone, step = work / reference, 1.0 if claim.figure == "tpot" else max(1.0, STEP_TOKENS / work)
    return Usual(
        least99=alone / achieved.high99 / readers,
        least=alone / achieved.high90 / readers,
        most=alone * step / achieved.low90,
        reference_s=alone / readers,
    )


def _outcome(claim: Latency, bounds: list[Soonest], usual: list[Usual]) -> tuple[Tally, str]:
    floor = min(b.time_s for b in bounds)
    if all(b.fits is False for b in bounds):
        return tally(["refuted"]), "It needs more memory than the chips have, however the model is placed."
    said, slack = f"{seconds(claim.duration_s)} against a floor of {seconds(floor)}", CEILING_SLACK
    slack = 1 + ABOUT if claim.hedge == "about" else slack
    hits = claim.conditions.cache_hits_counted is True and claim.figure == "ttft"
    if claim.hedge != "at least" and not hits and claim.duration_s * slack < floor:
        return tally(["refuted"]), f"{said}."
    if not usual:
        return tally(["undecided"]), f"{said}, and no published system says what is usual."
    if hits:
        return tally(["undecided"]), f"{said}; how much of the prompt was cached is not given."
    outcomes = [_place(claim, u) for u in usual]
    whole = tally(outcomes)
    tail = f"; over the scenarios {whole.in_words}" if len(set(outcomes)) > 1 else ""
    return whole, f"{said}{tail}.{_in_words(claim, usual)}"


def _place(claim: Latency, usual: Usual) -> Outcome:
    """Where a time lies in the usual range; a hedge leaves one side of it open, 'about' a digit on either."""
    room = 1 + ABOUT if claim.hedge == "about" else 1.0
    if claim.hedge != "at least" and claim.duration_s * room < usual.least99:
        return "implausible"
    quick = claim.hedge != "at least" and claim.duration_s * room < usual.least
    slow = claim.hedge != "up to" and claim.duration_s / room > usual.most
    return "undecided" if quick or slow else "consistent"


def _in_words(claim: Latency, usual: list[Usual]) -> str:
    """What a time to the first token says beside the reading of the prompt."""
    if claim.figure == "tpot":
        return ""
    least, most = min(u.least for u in usual), max(u.most for u in usual)
    between = f"from {seconds(least)}, all packages on one prompt, to {seconds(most)}, one package with others beside"
    text = f" Reading the prompt takes published systems {between}; how long it waits before that is not known."
    if claim.duration_s > most:
        text += f" This is {number(claim.duration_s / most, 2)} times the longest: the rest would be waiting."
    return text


def _of(claim: Latency) -> str:
    if claim.figure == "tpot":
        return "time that published systems would take"
    return "time that published systems would take to read the prompt, without waiting"


def _shown(
    claim: Latency, bounds: list[Soonest], achieved: AchievedRange | None, span: Interval | None
) -> tuple[Evidence, ...]:
    words = f"least possible time {'per output' if claim.figure == 'tpot' else 'to the first'} token"
    floors = [b.time_s for b in bounds]
    holds = claim.hedge == "at least" or claim.duration_s * CEILING_SLACK >= min(floors)
    ends = Interval.of(floors, level=0.99)
    source = "most generous limits, over all that is left open"
    bound = evidence("modelled", words, min(floors), "s", source, allowed_if(holds), ends)
    if achieved is None or span is None:
        return (bound,)
    return bound, evidence("published", _of(claim), None, "s", made_of(achieved), "context", span)
