"""Sheets of one claim, and judging them: shorthand for tests of the judges."""

from harness.claims import Sheet, Source, StatedConditions
from harness.results.assessment import Verdict
from harness.results.record import Record
from harness.verdict.judge import assess

R1_DECODE = {
    "phase": "decode", "model": "deepseek-r1", "chip": "ascend-910c", "per": "package", "chips": 160, "batch": 96.0,
    "context_tokens": 4096.0, "precision": "int8", "mtp_drafts": 1, "mtp_acceptance": 0.7,
}  # fmt: skip
"""The decode conditions of the CloudMatrix384 paper, table 3."""


def one(kind: str, *, conditions: dict[str, object] | None = None, **fields: object) -> dict[str, object]:
    given = StatedConditions.model_validate(conditions or {})
    return {"id": "c", "kind": kind, "place": "here", "statement": "it is so", "conditions": given, **fields}


def sheet(*claims: dict[str, object], subject: str | None = None, source: Source | None = None) -> Sheet:
    named = [{**c, "id": f"c{i}"} for i, c in enumerate(claims)]
    fields = {"sheet": 1, "id": "test", "subject": subject, "source": source or Source(title="t"), "claims": named}
    return Sheet.model_validate(fields)


def judged(
    claim: dict[str, object], *, subject: str | None = None, source: Source | None = None, record: Record | None = None
) -> Verdict:
    return assess(sheet(claim, subject=subject, source=source), record=record).verdicts[0]
