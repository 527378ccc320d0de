"""Rates that the law is not fitted to: NVIDIA's tables of TensorRT-LLM at maximum load, predicted without the rows of
the same document that it is fitted to.

The tables are in the documents `perf-overview.md` of NVIDIA/TensorRT-LLM, at commits 03e27c7 (output tokens a second
and GPU) and 00f3768 (of all GPUs together; LLaMA 3.1 8B and 405B). They give model, chip, GPUs, number format and
lengths; batch and format of the cache are not given, so both are ranged over. Options that they list draft no tokens.
LLaMA 3.3 70B has the architecture of 3.1; gpt-oss is released with 4-bit experts only, whatever a column calls it.
"""

import csv
import re
import statistics
from functools import cache
from pathlib import Path
from typing import NamedTuple, get_args

from harness.catalog.collection import builtin
from harness.claims import Sheet, Source, StatedConditions, Throughput
from harness.roofline.deployment import Deployment
from harness.roofline.projection import Projection, project
from harness.verdict.finding import Finding
from harness.verdict.judge import judge
from harness.verdict.knowledge import knowledge_of
from harness.vocabulary import Precision

TABLE = Path(__file__).with_name("maximum_throughput.csv")
OWN = ("trtllm-overview",)
METHOD = Path(__file__).parents[2] / "docs" / "explanation" / "method.md"
ROW = re.compile(r"\| ([\w.-]+), maximum load \| (\d+) \| (\d+) % \| ([+-]\d+) % \|")


class Unseen(NamedTuple):
    """A published rate beside its projection."""

    model: str
    rate_tok_s: float
    found: Projection

    @property
    def miss(self) -> float:
        return self.found.usual90_tok_s.mid / self.rate_tok_s - 1

    @property
    def held(self) -> bool:
        return self.found.usual90_tok_s.low <= self.rate_tok_s <= self.found.usual90_tok_s.high


@cache
def unseen() -> tuple[Unseen, ...]:
    out = []
    with TABLE.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            precision: Precision = next(p for p in get_args(Precision) if p == row["precision"])
            given = Deployment(
                precision=precision,
                chips=int(row["chips"]),
                prompt_tokens=float(row["prompt_tokens"]),
                output_tokens=float(row["output_tokens"]),
                mtp_drafts=0,
                maturity="tuned",
            )
            spec, chip = builtin().model(row["model"]).spec, builtin().chip(row["chip"])
            rate = float(row["published_tok_s"]) / float(row["counted_packages"])
            out.append(Unseen(row["model"], rate, project(spec, chip, given, "output_all", exclude_sources=OWN)))
    return tuple(out)


def test_none_passes_a_bound_or_is_called_implausible() -> None:
    assert len(unseen()) == 110
    for rate in unseen():
        assert rate.rate_tok_s <= rate.found.ceiling_tok_s
        assert rate.rate_tok_s <= rate.found.usual99_tok_s.high


def test_intervals_hold_what_they_promise() -> None:
    assert statistics.mean(rate.held for rate in unseen()) >= 0.75
    assert statistics.median(abs(rate.miss) for rate in unseen()) <= 0.60


def test_the_table_in_the_docs_is_current() -> None:
    expected = set()
    for model in {rate.model for rate in unseen()}:
        rates = [rate for rate in unseen() if rate.model == model]
        held = round(100 * statistics.mean(rate.held for rate in rates))
        expected.add((model, str(len(rates)), str(held), f"{100 * statistics.median(r.miss for r in rates):+.0f}"))
    text = METHOD.read_text(encoding="utf-8")
    assert set(ROW.findall(text)) == expected
    assert f"median absolute error {100 * statistics.median(abs(r.miss) for r in unseen()):.0f} %" in text


def judged(rate: Unseen, factor: float) -> Finding:
    """The verdict on the rate, multiplied, without the publication that its table is from."""
    given = rate.found.deployment
    conditions = StatedConditions(
        phase="output_all",
        model=rate.model,
        chip=rate.found.chip,
        per="package",
        chips=given.chips,
        prompt_tokens=given.prompt_tokens,
        output_tokens=given.output_tokens,
        precision=given.precision,
        mtp_drafts=0,
        maturity="tuned",
    )
    claim = Throughput(
        kind="throughput",
        id="rate",
        place="table",
        statement="An engine reaches it at maximum load.",
        rate_tok_s=factor * rate.rate_tok_s,
        conditions=conditions,
    )
    sheet = Sheet(sheet=1, id="s", source=Source(title="t", catalogued_as=OWN), claims=(claim,))
    return judge(claim, knowledge_of(), sheet)


def damned(found: Finding) -> bool:
    return found.outcome in ("refuted", "implausible")


def beyond(rate: Unseen, factor: float, found: Finding) -> bool:
    assert found.interval is not None
    return damned(found) or factor * rate.rate_tok_s > found.interval.high


def caught(factor: float) -> float:
    """Refuted, implausible, or above what published systems would reach (90 %)."""
    return statistics.mean(beyond(rate, factor, judged(rate, factor)) for rate in unseen())


def test_true_rates_pass_the_judges_and_false_ones_do_not() -> None:
    """Without a batch and a time per token only bounds and usual range are left; the docs say how much they catch."""
    assert not any(damned(judged(rate, 1.0)) for rate in unseen())
    text = METHOD.read_text(encoding="utf-8")
    for factor, least in ((3.0, 0.4), (4.0, 0.7), (8.0, 0.95)):
        share = caught(factor)
        assert share >= least
        assert f"{100 * share:.0f} % of factor {factor:.0f}" in text
