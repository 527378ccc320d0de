"""What atheris feeds with bytes: every reader of a stranger's file. Run as a program with libFuzzer's options.

Only UsageError may come. A hang or memory beyond libFuzzer's limits ends the program with an error of its own.
"""

import contextlib
import dataclasses
import sys
from pathlib import Path

import atheris  # type: ignore[import-untyped, import-not-found, unused-ignore]

from harness.files.reader import parse

with atheris.instrument_imports(include=["harness"]):
    from harness.catalog.collection import CatalogFile
    from harness.claims import Sheet
    from harness.comparison.formats import detect
    from harness.config import Config
    from harness.errors import UsageError
    from harness.files import validation
    from harness.results import reportfile
from tests.watch import Watch

KINDS = (("config", Config), ("claim sheet", Sheet), ("catalog", CatalogFile))


def read(raw: bytes) -> None:
    text = raw.decode(errors="replace")
    with Watch() as watch:
        try:
            parsed = parse(text, path=Path("x.yaml"), what="config")
        except UsageError:
            parsed = None
        for what, kind in KINDS if parsed is not None else ():
            assert parsed is not None
            with contextlib.suppress(UsageError):
                validation.validate(dataclasses.replace(parsed, what=what), kind)
        for other in (reportfile.parse, lambda t: detect.parse(t, "x.json")):
            with contextlib.suppress(UsageError):
                other(text)
    assert not watch.seen, watch.seen


if __name__ == "__main__":
    atheris.Setup(sys.argv, read)
    atheris.Fuzz()
