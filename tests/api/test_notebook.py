"""The example notebook runs, and prints what it was published with."""

from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[2] / "examples" / "article-to-chart.ipynb"
VERSION = 0
"""The first cell that computes prints the version: it is left out of the comparison."""


def read() -> Any:
    return nbformat.read(NOTEBOOK, as_version=4)  # type: ignore[no-untyped-call]


def printed(notebook: Any) -> list[list[str]]:
    """What each cell of code shows, as text; pictures by their kind alone."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return [
        [
            out.get("text") or ("a picture" if "image/svg+xml" in out.data else out.data["text/plain"])
            for out in cell.outputs
        ]
        for cell in cells
    ]


@pytest.mark.filterwarnings("ignore")
def test_the_example_runs_and_shows_what_it_was_published_with() -> None:
    published, again = read(), read()
    NotebookClient(again, timeout=100, kernel_name="python3").execute(cwd=NOTEBOOK.parent)
    before, now = printed(published), printed(again)
    assert now[VERSION + 1 :] == before[VERSION + 1 :]
    assert now[-1] == ["a picture"]
