"""The page in a real browser: fits a desk, a phone and paper, can be read in light and dark, asks the network for
nothing. Verdicts and evidence lead to each other, and one outcome is shown on request.

Skipped where no Chromium is installed. The page is put into frames of both widths by a page of ours that measures it.
"""

import html as stdlib_html
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from harness.report import html
from harness.report.order import build
from tests import factories

BROWSER = next((p for n in ("chromium", "chromium-browser", "google-chrome") if (p := shutil.which(n))), None)
WIDTHS = (1280, 390)
# WCAG 2.2, success criterion 1.4.3, for text of ordinary size.
CONTRAST = 4.5
# Success criterion 1.4.11, for what a picture says without words.
MARK_CONTRAST = 3.0

pytestmark = [pytest.mark.slow, pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")]

MEASURE = """
const parse = c => { const m = c.match(/[\\d.]+/g).map(Number); return m.length < 4 ? [...m, 1] : m; };
const luminance = c => { const [r, g, b] = c.slice(0, 3).map(v => v / 255)
  .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
const ground = (e, w) => { for (; e; e = e.parentElement) { const c = parse(w.getComputedStyle(e).backgroundColor);
  if (c[3] > 0) return c; } return [255, 255, 255, 1]; };
const faint = (d, w) => { const out = [];
  for (const e of d.querySelectorAll('body *')) {
    if (![...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim())) continue;
    if (!e.getClientRects().length || ['title', 'desc', 'style'].includes(e.tagName)) continue;
    const s = w.getComputedStyle(e), ink = parse(e instanceof w.SVGElement ? s.fill : s.color);
    const [a, b] = [luminance(ink), luminance(ground(e, w))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < LEAST) out.push([e.tagName, e.textContent.trim().slice(0, 40), ratio]);
  } return out; };
// Grid lines only guide the eye: the axis and the table say the same.
const marks = (d, w) => [...d.querySelectorAll('svg g[class*="mark-"] > *')].filter(e => e.tagName !== 'text'
  && !e.parentElement.matches('.role-axis-grid, .mark-text, .mark-group')).map(e => {
    const s = w.getComputedStyle(e), filled = s.fill !== 'none' && parse(s.fill)[3] > 0;
    const ink = parse(filled ? s.fill : s.stroke), under = ground(e, w);
    const alpha = ink[3] * s.opacity * (filled ? s.fillOpacity : s.strokeOpacity);
    const seen = [0, 1, 2].map(i => alpha * ink[i] + (1 - alpha) * under[i]);
    const [a, b] = [luminance(seen), luminance(under)].sort((x, y) => y - x);
    return [e.parentElement.className.baseVal, (a + 0.05) / (b + 0.05)]; });
const shown = d => [...d.querySelectorAll('[data-outcome]')].filter(e => e.getClientRects().length)
  .map(e => e.tagName + ' ' + e.dataset.outcome);
const empty = d => [...d.querySelectorAll('.table:has([data-outcome])')].filter(t => t.getClientRects().length
  && ![...t.querySelectorAll('tr[data-outcome]')].some(e => e.getClientRects().length)).length;
const filtered = d => Object.fromEntries([...d.querySelectorAll('.filter input')].reverse().map(input => {
  input.checked = true; return [input.id.replace('show-', ''), [...shown(d), ...Array(empty(d)).fill('EMPTY')]]; }));
const links = d => [...d.querySelectorAll('a[href^="#"]')].map(a => [a.hash, !!d.getElementById(a.hash.slice(1))]);
const wide = (d, w) => [...d.querySelectorAll('body *')].filter(e => !e.closest('.scroll > *') && !e.closest('svg')
  && e.getBoundingClientRect().right > w.innerWidth + 1).map(e => e.tagName + '.' + e.className);
addEventListener('load', () => {
  const found = [...document.querySelectorAll('iframe')].map(f => {
    const d = f.contentDocument, w = f.contentWindow, root = d.documentElement;
    d.querySelectorAll('details').forEach(e => { e.open = true; });
    return { marks: marks(d, w), links: links(d), filtered: filtered(d), scripts: d.scripts.length,
      cards: [...d.querySelectorAll('figure')].map(f => [f.querySelector('svg').getBoundingClientRect().width,
        f.querySelector('p').getBoundingClientRect().width, f.clientWidth]),
      width: w.innerWidth, scroll: root.scrollWidth, wide: wide(d, w), faint: faint(d, w),
      dark: w.matchMedia('(prefers-color-scheme: dark)').matches, ground: w.getComputedStyle(d.body).backgroundColor,
      charts: [...d.querySelectorAll('svg')].map(s => s.getBoundingClientRect()).map(r => [r.width, r.height]),
      fetched: w.performance.getEntriesByType('resource').map(r => r.name)
        .filter(n => !n.startsWith('data:')) };
  });
  document.body.innerHTML = '<pre id="found"></pre>';
  document.getElementById('found').textContent = JSON.stringify(found);
});
""".replace("LEAST", str(CONTRAST))


def browse(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    assert BROWSER is not None
    return subprocess.run(
        [
            BROWSER,
            *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
            *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
            "--host-resolver-rules=MAP * ~NOTFOUND",
            *("--enable-logging=stderr", "--window-size=1400,1000", "--virtual-time-budget=3000"),
            f"--user-data-dir={folder / 'profile'}",
            *options,
        ],
        capture_output=True,
        text=True,
        timeout=90,
        env={**os.environ, "HOME": str(folder)},
        check=True,
    )


def look(page: str, folder: Path, *, dark: bool) -> tuple[list[dict[str, Any]], list[str]]:
    """What the frames of both widths measured, and what the browser's console said."""
    frames = "".join(
        f'<iframe style="border:0;width:{w}px;height:900px" srcdoc="{stdlib_html.escape(page)}"></iframe>'
        for w in WIDTHS
    )
    outer = folder / "outer.html"
    outer.write_text(
        '<!doctype html><meta charset="utf-8"><meta name="color-scheme" content="light dark">'
        '<link rel="icon" href="data:,">'
        f"<script>{MEASURE}</script><body>{frames}",
        encoding="utf-8",
    )
    done = browse(folder, f"--blink-settings=preferredColorScheme={0 if dark else 1}", "--dump-dom", outer.as_uri())
    written = done.stdout.split('<pre id="found">')[-1].split("</pre>")[0]
    said = [out for out in done.stderr.splitlines() if ":CONSOLE" in out]
    return json.loads(stdlib_html.unescape(written)), said


def page() -> str:
    long = factories.verdict(id="x" * 80, statement="unbroken" * 30, reason="昇腾芯片" * 40)
    assessment = factories.assessment()
    assessment = assessment.model_copy(update={"verdicts": (*assessment.verdicts, long)})
    return html.render(build(factories.record(model="a-scale-model-with-a-rather-long-name"), assessment))


@pytest.fixture(scope="module", params=[False, True], ids=["light", "dark"])
def seen(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return request.param, *look(page(), tmp_path_factory.mktemp("browser"), dark=request.param)


def test_nothing_sticks_out_at_any_width(seen: Any) -> None:
    _, frames, _ = seen
    assert [f["width"] for f in frames] == list(WIDTHS)
    for frame in frames:
        assert frame["wide"] == []
        assert frame["scroll"] <= frame["width"]


def test_every_text_can_be_read(seen: Any) -> None:
    _, frames, _ = seen
    for frame in frames:
        assert frame["faint"] == []


def test_the_page_follows_the_readers_setting(seen: Any) -> None:
    dark, frames, _ = seen
    for frame in frames:
        assert frame["dark"] is dark
        brightness = sum(int(part) for part in frame["ground"].strip("rgb()").split(",")[:3]) / 3
        assert (brightness < 64) if dark else (brightness > 192)


def test_every_chart_is_shown_inside_its_frame(seen: Any) -> None:
    _, frames, _ = seen
    for frame in frames:
        assert len(frame["charts"]) == 4
        for width, height in frame["charts"]:
            assert 250 <= width <= frame["width"] and height >= 100


def test_nothing_is_fetched_and_the_console_stays_empty(seen: Any) -> None:
    _, frames, said = seen
    assert [frame["fetched"] for frame in frames] == [[], []]
    assert said == []


def test_every_mark_stands_out(seen: Any) -> None:
    _, frames, _ = seen
    for frame in frames:
        assert len(frame["marks"]) > 100
        assert [mark for mark in frame["marks"] if mark[1] < MARK_CONTRAST] == []


def test_charts_fill_their_cards(seen: Any) -> None:
    _, frames, _ = seen
    for frame in frames:
        for drawn, described, card in frame["cards"]:
            beside = drawn + described if drawn < 0.6 * card else drawn
            assert beside > 0.85 * card


def test_one_outcome_is_shown_on_request_without_a_script(seen: Any) -> None:
    _, frames, _ = seen
    for frame in frames:
        assert frame["scripts"] == 0
        every = frame["filtered"].pop("all")
        assert set(frame["filtered"]) == {row.partition(" ")[2] for row in every}
        for outcome, rows in frame["filtered"].items():
            assert rows and set(rows) == {f"TR {outcome}", f"DETAILS {outcome}"}
            assert len(rows) == sum(row.endswith(f" {outcome}") for row in every)


def test_verdicts_and_evidence_lead_to_each_other(seen: Any) -> None:
    _, frames, _ = seen
    for frame in frames:
        assert all(found for _, found in frame["links"])
        hashes = {name for name, _ in frame["links"]}
        assert {"#evidence-ratio-to-h100", "#claim-ratio-to-h100"} <= hashes


def test_a_link_to_evidence_opens_it(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(page(), encoding="utf-8")
    address = f"{(tmp_path / 'page.html').as_uri()}#evidence-ratio-to-h100"
    dom = browse(tmp_path, "--dump-dom", address).stdout
    opened = [
        part.split("</summary>")[0] for part in dom.split("<details data-outcome")[1:] if "open=" in part.split(">")[0]
    ]
    assert len(opened) == 1 and "ratio-to-h100" in opened[0]


@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="poppler is not installed")
def test_it_prints_like_a_paper(tmp_path: Path) -> None:
    """Verdicts on the first page, evidence unfolded, sources with their addresses, no controls."""
    source, printed = tmp_path / "page.html", tmp_path / "page.pdf"
    source.write_text(page(), encoding="utf-8")
    browse(tmp_path, "--no-pdf-header-footer", f"--print-to-pdf={printed}", source.as_uri())
    done = subprocess.run(["pdftotext", "-layout", printed, "-"], capture_output=True, text=True, check=True)
    pages = [" ".join(p.split()) for p in done.stdout.split("\f")[:-1]]
    assert min(map(len, pages)) > 80
    assert "Each claim and what became of it" in pages[0] and "ratio-to-h100" in pages[0].replace("- ", "-")
    whole = "".join(pages).replace(" ", "")
    for part in ("Evidenceonratio-to-h100", "matchedpairofdisclosures", "https://arxiv.org/abs/2506.12708"):
        assert part in whole
    assert "backtotheverdict" not in whole
    assert str(tmp_path) not in whole
