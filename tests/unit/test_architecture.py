"""The rooms of the house and the arrows between them, held as written."""

import ast
from functools import cache
from pathlib import Path

import pytest

import harness

ROOT = Path(harness.__file__).parent

# From what knows least to what knows most; a module may import from its own room and from those before it.
ROOMS: tuple[tuple[str, ...], ...] = (
    ("errors", "frozen"),
    ("units", "stats", "document", "citation"),
    ("model.spec", "model.family"),
    ("model", "models", "hardware", "published"),
    ("catalogue",),
    ("cost",),
    ("claims",),
    ("config", "plan", "record"),
    ("verdict",),
    ("compare", "tables"),
    ("report", "tables.intake"),
    ("runtime",),
    ("host", "measure"),
    ("store", "pytest_plugin"),
    ("cli",),
)
# Theory, article and observation meet only in `verdict`; an oracle that shares code proves nothing; a report can be
# made again without the machine.
APART = (
    ("cost", "claims"),
    ("cost", "record"),
    ("claims", "cost"),
    ("model.reference", "model.graph"),
    ("model.reference", "model.weights"),
    ("plan", "cost"),
    ("record", "verdict"),
    ("report", "store"),
    ("report", "runtime"),
)
ONLY = {
    "onnxruntime": ("runtime",),
    "typer": ("cli",),
    "subprocess": ("host", "measure", "fleet"),
    "multiprocessing": ("host", "measure", "fleet"),
    "sqlite3": ("store",),
}


@cache
def modules() -> dict[str, Path]:
    """Every module of the package by its name below the package, the package's own front page left out."""
    found = {}
    for path in sorted(ROOT.rglob("*.py")):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        if name not in ("__init__", "__main__"):
            found[name] = path
    return found


@cache
def imports(path: Path) -> frozenset[str]:
    """Absolute names of everything that a module imports, inside functions too."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(names)


def within(name: str, room: str) -> bool:
    return name == room or name.startswith(room + ".")


def rank(name: str) -> int:
    """The room of a module; the longest matching name wins, so that `model.spec` comes before `model`."""
    ranks = [(len(room), place) for place, rooms in enumerate(ROOMS) for room in rooms if within(name, room)]
    assert ranks, f"harness.{name} belongs to no room: add it where it belongs, or find its noun"
    return max(ranks)[1]


@cache
def inner_imports(name: str) -> frozenset[str]:
    found = {i.removeprefix("harness.") for i in imports(modules()[name]) if i.startswith("harness.")}
    return frozenset(i if i in modules() else i.rsplit(".", 1)[0] for i in found) & frozenset(modules())


@pytest.mark.parametrize("name", modules())
def test_imports_point_one_way(name: str) -> None:
    upward = sorted(i for i in inner_imports(name) if rank(i) > rank(name))
    assert not upward, f"harness.{name} must not import {upward}"


@pytest.mark.parametrize(("room", "stranger"), APART)
def test_rooms_that_stay_apart(room: str, stranger: str) -> None:
    meets = {
        name: sorted(i for i in inner_imports(name) if within(i, stranger)) for name in modules() if within(name, room)
    }
    assert not {name: found for name, found in meets.items() if found}


@pytest.mark.parametrize(("library", "rooms"), ONLY.items())
def test_effects_live_in_few_rooms(library: str, rooms: tuple[str, ...]) -> None:
    users = {name for name, path in modules().items() if any(within(i, library) for i in imports(path))}
    assert not sorted(name for name in users if not any(within(name, room) for room in rooms))


def test_no_module_imports_itself_in_a_circle() -> None:
    graph = {name: inner_imports(name) - {name} for name in modules()}
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, f"circle: {' -> '.join((*path, name))}"
        if name not in done:
            for target in sorted(graph[name]):
                visit(target, (*path, name))
            done.add(name)

    for name in graph:
        visit(name, ())
