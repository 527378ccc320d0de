"""The site builds strictly: a link to a page, a heading or a file that is not there fails it. Nothing is fetched."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import ROOT

NEEDED = ("sphinx", "myst_parser", "sphinx_external_toc", "pydata_sphinx_theme")
built = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in NEEDED), reason="the extra 'docs' is not installed"
)
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)(?:#[^)]*)?\)")


def build(source: Path, out: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-n", "-q", "-b", "html", str(source), str(out)]
    return subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)


@built
@pytest.mark.slow
def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    done = build(ROOT / "docs", tmp_path / "site")
    assert done.returncode == 0, done.stdout + done.stderr
    pages = list((tmp_path / "site").rglob("*.html"))
    assert len(pages) > 30
    for page in pages:
        loaded = re.findall(r"<(?:script|img|link)\b[^>]*?(?:src|href)=\"(https?:[^\"]+)\"", page.read_text("utf-8"))
        assert not loaded, f"{page.name} loads {loaded}"


@built
@pytest.mark.slow
@pytest.mark.parametrize("link", ["absent.md", "index.md#absent", "absent.yaml", "../configs/absent.yaml"])
def test_a_broken_link_fails_the_build(tmp_path: Path, link: str) -> None:
    source = tmp_path / "docs"
    source.mkdir()
    (source / "conf.py").write_text((ROOT / "docs" / "conf.py").read_text("utf-8"))
    (source / "toc.yml").write_text("root: index\n")
    (source / "index.md").write_text(f"# Title\n\n[broken]({link})\n")
    done = build(source, tmp_path / "site")
    assert done.returncode != 0 and "absent" in done.stderr, done.stdout + done.stderr


@pytest.mark.parametrize("page", sorted(ROOT.glob("*.md")), ids=lambda path: path.name)
def test_links_of_the_pages_outside_the_site_lead_somewhere(page: Path) -> None:
    """README and its neighbours are no pages of the site: their links to files are checked here."""
    links = LINK.findall(page.read_text(encoding="utf-8"))
    assert not [link for link in links if not (page.parent / link).exists()]
