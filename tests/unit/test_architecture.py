"""The rooms of the house and the arrows between them, held as written."""

import ast
from functools import cache
from pathlib import Path

import pytest

import harness

ROOT = Path(harness.__file__).parent

# From what everything may use to what uses everything; a module may import from its own room and from those before it.
ROOMS: tuple[tuple[str, ...], ...] = (
    ("errors", "vocabulary", "units", "distribution"),
    ("stats", "files"),
    ("model", "claims"),
    ("catalog", "config"),
    ("roofline",),
    ("results",),
    ("verdict", "comparison", "runtime"),
    ("measure", "report", "store"),
    ("api", "pytest_plugin"),
    ("cli",),
)
MOST_ARROWS = 95
MOST_FLOORS = 10
# Theory, article and observation meet only in `verdict`; an oracle that shares code proves nothing; a report can be
# made again without the machine.
APART = (
    ("roofline", "claims"),
    ("roofline", "results"),
    ("claims", "roofline"),
    ("model.reference", "model.graph"),
    ("model.reference", "model.weights"),
    ("results", "verdict"),
    ("report", "store"),
    ("report", "runtime"),
)
ONLY = {
    "onnxruntime": ("runtime",),
    "typer": ("cli",),
    "subprocess": ("measure",),
    "multiprocessing": ("measure",),
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


def room_of(name: str) -> str:
    return name.partition(".")[0]


def arrows() -> set[tuple[str, str]]:
    """Which room imports from which."""
    pairs = {(room_of(name), room_of(target)) for name in modules() for target in inner_imports(name)}
    return {(a, b) for a, b in pairs if a != b}


def test_few_arrows_between_rooms() -> None:
    assert len(arrows()) <= MOST_ARROWS


def test_few_floors() -> None:
    """A room stands one floor above the highest room that it imports from."""
    below: dict[str, set[str]] = {}
    for a, b in arrows():
        below.setdefault(a, set()).add(b)

    @cache
    def floor(room: str) -> int:
        return 1 + max((floor(lower) for lower in below.get(room, ())), default=0)

    assert max(floor(room_of(name)) for name in modules()) <= MOST_FLOORS


def test_a_public_class_name_stands_for_one_thing() -> None:
    names = [
        node.name
        for path in modules().values()
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    ]
    assert sorted({name for name in names if names.count(name) > 1}) == []


def test_the_first_file_of_a_package_only_says_what_the_package_is() -> None:
    for path in ROOT.rglob("*/__init__.py"):
        body = ast.parse(path.read_text()).body
        assert len(body) == 1 and isinstance(body[0], ast.Expr), f"{path}: expected one docstring"
