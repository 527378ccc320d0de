"""What atheris feeds with bytes: every reader of a stranger's file. Run as a program with libFuzzer's options.

Only UsageError may come. A hang or memory beyond libFuzzer's limits ends the program with an error of its own.
"""

import contextlib
import dataclasses
import sys
from pathlib import Path

import atheris  # type: ignore[import-untyped, import-not-found, unused-ignore]

with atheris.instrument_imports(include=["harness"]):
    from harness import document
    from harness.catalogue import CatalogueFile
    from harness.claims import Sheet
    from harness.config import Config
    from harness.errors import UsageError
    from harness.report import jsonfile
    from harness.tables import intake
from tests.watch import Watch

KINDS = (("config", Config), ("claim sheet", Sheet), ("catalogue", CatalogueFile))


def read(raw: bytes) -> None:
    text = raw.decode(errors="replace")
    with Watch() as watch:
        try:
            parsed = document.parse(text, path=Path("x.yaml"), what="config")
        except UsageError:
            parsed = None
        for what, kind in KINDS if parsed is not None else ():
            assert parsed is not None
            with contextlib.suppress(UsageError):
                document.validate(dataclasses.replace(parsed, what=what), kind)
        for other in (jsonfile.parse, lambda t: intake.parse(t, "x.json")):
            with contextlib.suppress(UsageError):
                other(text)
    assert not watch.seen, watch.seen


if __name__ == "__main__":
    atheris.Setup(sys.argv, read)
    atheris.Fuzz()
