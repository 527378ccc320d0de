"""Claims of a time: per output token, or to the first token.

A bound over all that is left open refutes; what published systems take is what is usual. The time to the first token is
that of reading the prompt, and of waiting before. The former has a range, from the whole group at work on one prompt to
one package that reads it along with others; of the latter a source seldom says anything, so that a longer time is never
refuted, and never confirmed.
"""

from harness.catalog.chips import Chip
from harness.claims import Latency, Sheet
from harness.results.assessment import Evidence, Outcome
from harness.roofline.bound import Soonest, soonest
from harness.roofline.ceiling import runs
from harness.roofline.deployment import Deployment
from harness.roofline.forecast import each_per_s, mixture
from harness.roofline.law import Law
from harness.stats import Interval
from harness.units import number, seconds
from harness.verdict.finding import ABOUT, CEILING_SLACK, Finding, Tally, allowed_if, evidence, tally
from harness.verdict.knowledge import Knowledge
from harness.verdict.limits import subject
from harness.verdict.rating import law_without
from harness.verdict.readings import WORDS, Reading, Readings, readings
from harness.vocabulary import Frozen, Phase, Precision

WAITING = "waiting before the prompt is read"
STEP_TOKENS = 16384.0
"""Of the prompts that one package reads in one step, where they are short: published prefill rates were
taken at such steps (CloudMatrix384, table 3: four prompts of 4,096 a package), and a prompt is ready with its step."""


class Usual(Frozen):
    """What published systems would take in one reading, in seconds."""

    least99: float
    """less than in 99 of 100"""
    least: float
    most: float
    moved_by: str | None
    """the open condition that moves the time most"""


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
    read = readings(conditions, chip, models)
    fitted = law_without(sheet.source.own_publications, knowledge)
    usual = [] if fitted is None else [_usual(r, chip, claim, fitted) for r in read.each if r.bound is not None]
    whole, reason = _outcome(claim, bounds, usual)
    span = Interval(low=min(u.least for u in usual), high=max(u.most for u in usual)) if usual else None
    return whole.finding(
        reason,
        _missing(claim, read),
        interval=span,
        interval_of=_of(claim) if span else None,
        binding=min(bounds, key=lambda b: b.time_s).binding,
        largest_uncertainty=_largest(usual),
        evidence=_shown(claim, bounds, fitted, span),
    )


def _missing(claim: Latency, read: Readings) -> tuple[str, ...]:
    return (*read.missing, *((WAITING,) if claim.figure == "ttft" else ()))


def _largest(usual: list[Usual]) -> str:
    moved = next((u.moved_by for u in usual if u.moved_by), None)
    return WORDS[moved] if moved else "how well the software uses the chip"


def _cannot_run(chip: Chip, precision: Precision) -> Finding:
    if runs(chip, precision) is None:
        return Finding(outcome="undecided", reason=f"No source gives a {precision} peak of {chip.title}.")
    return Finding(outcome="refuted", reason=f"{chip.title} has no {precision} arithmetic.")


def _usual(read: Reading, chip: Chip, claim: Latency, fitted: Law) -> Usual:
    """The usual rates turned into times: batch over rate, or the prompt over what its readers process together."""
    drawn = mixture(read.model.spec, chip, read.deployment, read.phase, fitted)
    if claim.figure == "tpot":
        fast = slow = each_per_s(drawn, lambda d: d.batch or 1.0)
    else:
        fast = each_per_s(drawn, lambda d: (d.prompt_tokens or 1.0) / (d.chips or 1))
        slow = each_per_s(drawn, lambda d: max(d.prompt_tokens or 1.0, STEP_TOKENS))
    return Usual(least99=1 / fast.high99, least=1 / fast.high90, most=1 / slow.low90, moved_by=drawn.moves_most)


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
    tail = f"; over the ways to read it {whole.in_words}" if len(set(outcomes)) > 1 else ""
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


def _shown(claim: Latency, bounds: list[Soonest], fitted: Law | None, span: Interval | None) -> tuple[Evidence, ...]:
    words = f"least possible time {'per output' if claim.figure == 'tpot' else 'to the first'} token"
    floors = [b.time_s for b in bounds]
    holds = claim.hedge == "at least" or claim.duration_s * CEILING_SLACK >= min(floors)
    ends = Interval.of(floors, level=0.99)
    source = "most generous limits, over all that is left open"
    bound = evidence("modelled", words, min(floors), "s", source, allowed_if(holds), ends)
    if fitted is None or span is None:
        return (bound,)
    return bound, evidence("published", _of(claim), None, "s", fitted.made_of, "context", span)
