"""The end of a run or a judgement: sixty lines, the firmest news last, each reason whole, no name of a machine."""

import re

import pytest

from harness.errors import UsageError
from harness.report import summary
from harness.report.clauses import clause
from harness.report.text import cells
from harness.results.assessment import Assessment, Evidence, Outcome
from harness.stats import Interval
from tests import factories

OUTCOMES: tuple[Outcome, ...] = ("refuted", "implausible", "supported", "consistent", "undecided", "out of reach")
ESCAPE = re.compile(r"\x1b\[\d+m")


def shown(assessment: Assessment | None, width: int = 100, colour: bool = False) -> list[str]:
    text = summary.render(
        factories.record(), assessment, width=width, colour=colour, page="report.html", run="20261130-160705-831b36"
    )
    return text.splitlines()


def sheet_of(claims: int, id_length: int = 12) -> Assessment:
    verdicts = tuple(
        factories.verdict(id=f"c{i:03d}".ljust(id_length, "x"), outcome=OUTCOMES[i % len(OUTCOMES)])
        for i in range(claims)
    )
    return factories.assessment().model_copy(update={"verdicts": verdicts})


@pytest.mark.parametrize("claims", [1, 26, 40, 200, 1000])
@pytest.mark.parametrize("id_length", [12, 80])
def test_a_sheet_of_any_size_takes_sixty_lines_of_a_hundred(claims: int, id_length: int) -> None:
    lines = shown(sheet_of(claims, id_length))
    assert len(lines) <= 60
    assert max(map(cells, lines)) <= 100
    start = next(i for i, line in enumerate(lines) if re.match(r"[\d,]+ claims?: ", line))
    counts = " ".join(lines[start:-1]).partition(": ")[2]
    assert sum(map(int, re.findall(r"\d+", counts))) == claims


def test_what_is_folded_is_counted() -> None:
    lines = shown(sheet_of(1000))
    assert any(re.search(r"and \d+ more$", line) for line in lines)
    assert any("REFUTED 167" in line for line in lines)


@pytest.mark.parametrize("width", [80, 100, 160])
def test_lines_fit_and_no_interval_is_broken(width: int) -> None:
    lines = shown(factories.assessment(), width)
    assert max(map(cells, lines)) <= width
    assert all(line.count("[") == line.count("]") for line in lines)


def test_the_firmest_news_stands_last() -> None:
    lines = shown(factories.assessment())
    headings = [line.split(" ")[0] for line in lines if re.match(r"[A-Z]{2,}[A-Z ]* \d+  \(", line)]
    assert headings == ["OUT", "SUPPORTED", "CONSISTENT", "UNDECIDED", "REFUTED"]
    assert lines[-1].startswith("Page: report.html    Run: 20261130-160705-831b36    Why: ")


def test_colour_only_where_asked_and_only_on_outcomes() -> None:
    plain, coloured = shown(factories.assessment()), shown(factories.assessment(), colour=True)
    assert "\x1b" not in "".join(plain)
    assert [ESCAPE.sub("", line) for line in coloured] == plain
    found = {m[1] for line in coloured for m in re.finditer(r"\x1b\[\d+m([^\x1b]*)\x1b\[0m", line)}
    assert found == {w for w in found if re.sub(r"[\d, ]+", " ", w).strip().lower() in OUTCOMES}
    assert any("\x1b[31mREFUTED" in line for line in coloured)


def test_what_was_measured_names_no_machine_and_no_path() -> None:
    text = " ".join(shown(factories.assessment()))
    assert "Example Xeon @ 2.60GHz, 2 cores; v4-scale" in text
    assert "random weights, int8, 5 processes a row" in text
    assert "/home" not in text and "/tmp" not in text
    assert "2 cases not measured or set aside" in text


def test_without_a_sheet_only_the_measurement_is_shown() -> None:
    lines = shown(None)
    assert "REFUTED" not in "\n".join(lines)
    assert lines[0] == "deepseek-v4-ascend"


def test_without_a_record_it_says_so() -> None:
    unmeasured = factories.assessment().model_copy(update={"record_id": None})
    assert "Nothing was measured" in summary.render(None, unmeasured)


def test_a_foreign_text_cannot_drive_the_terminal() -> None:
    bad = factories.verdict(id="evil", outcome="refuted", kind="fact", claimed=None, evidence=(), reason="\x1b[2Jgone")
    text = summary.render(
        None, factories.assessment().model_copy(update={"verdicts": (bad,), "sheet_title": "a\x1b[1m"})
    )
    assert "\x1b" not in text


MEASURED = Evidence(
    quantity="m over equal-total dense, prefill, batch 1, 64-token prompts, int8",
    value=6.52,
    unit="ratio",
    interval=Interval(low=6.29, high=7.05),
    basis="measured",
    source="this record, 5 paired rounds",
    stance="supports",
)


def published(quantity: str, stance: str = "contradicts", value: float | None = None, unit: str = "") -> Evidence:
    return Evidence.model_validate(
        {"quantity": quantity, "value": value, "unit": unit, "basis": "published", "source": "s", "stance": stance}
    )


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"kind": "design", "claimed": None, "flags": (), "evidence": (MEASURED,)},
            "prefill 6.52× a dense model of equal total size",
        ),
        (
            {
                "kind": "architecture",
                "claimed": 1e12,
                "unit": "parameters",
                "outcome": "refuted",
                "flags": ("superseded",),
                "evidence": (
                    published("DeepSeek-V4-Pro, total parameters", value=1.6e12, unit="parameters"),
                    published("DeepSeek-V4-Flash, total parameters", value=284e9, unit="parameters"),
                ),
            },
            "1.00 T claimed; V4-Pro 1.60 T, V4-Flash 284 B; superseded",
        ),
        (
            {"kind": "fact", "claimed": None, "outcome": "undecided", "flags": (), "evidence": (published("no such"),)},
            "sources: none for it, 1 against, e.g. no such",
        ),
        (
            {
                "kind": "chip_ratio",
                "claimed": 0.6,
                "unit": "ratio",
                "outcome": "undecided",
                "also": "refuted",
                "flags": (),
                "interval": Interval(low=0.507, high=0.902),
                "evidence": (published("pair", value=0.9, unit="ratio"),),
            },
            "0.600×; published pairs 0.507-0.902× (or refuted)",
        ),
        ({"flags": (), "outcome": "consistent"}, "6,688 tok/s; usual 2,931-7,549, limit 16,372"),
        (
            {"flags": (), "outcome": "refuted", "interval": None, "evidence": (), "reason": "No fp8 on v2.1. More."},
            "6,688 tok/s; No fp8 on v2.1",
        ),
    ],
)
def test_a_clause_is_made_from_figures(changes: dict[str, object], expected: str) -> None:
    assert clause(factories.verdict(**changes), factories.assessment().model_copy(update={"scaled": ()})) == expected


def test_one_claim_in_full() -> None:
    text = summary.claim(factories.record(), factories.assessment(), "ratio-to-h100", width=80, colour=True)
    assert "\x1b[31mrefuted\x1b[0m" in text
    for part in (
        "paragraph 6",
        "claimed: 0.600×",
        "[0.860, 0.940]×",
        "misattributed",
        "https://arxiv.org/abs/2506.12708",
    ):
        assert part in text
    assert max(cells(ESCAPE.sub("", line)) for line in text.splitlines()) <= 80


def test_an_unknown_claim_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(UsageError, match="did you mean 'ratio-to-h100'"):
        summary.claim(None, factories.assessment(), "ratio-to-h10", width=80, colour=False)
