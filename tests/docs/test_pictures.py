"""The README's pictures show what the program says today. No browser is needed: the words beside them are compared."""

import importlib.util
import json
from types import ModuleType

from tests.docs.pages import ROOT


def maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_pictures", ROOT / "docs" / "make_pictures.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_pictures_are_current() -> None:
    pictures = maker()
    today = pictures.digests(pictures.judge(terminal=False), pictures.page())
    kept = json.loads(pictures.DIGESTS.read_text(encoding="utf-8"))
    assert kept == today, "run: python docs/make_pictures.py"
    for name in kept:
        assert (pictures.IMAGES / name).stat().st_size > 10_000, name


def test_a_changed_word_changes_the_digest_and_spacing_does_not() -> None:
    pictures = maker()
    html = "<style>a</style><p>Two words</p><svg><text>drawn</text></svg>"
    first = pictures.digests("\x1b[31mtwo  words\x1b[0m\n", html)
    assert first == pictures.digests("two words", "<p>Two\nwords</p>")
    assert first["terminal.svg"] != pictures.digests("two other words", html)["terminal.svg"]
    assert first["page.png"] != pictures.digests("two words", "<p>Other words</p>")["page.png"]
