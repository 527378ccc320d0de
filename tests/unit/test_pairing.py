"""Two processes wait, loaded, for their turn; each is given once; who is never asked for is ended; what cannot start is
the asker's error."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.measure.pairing import fit_together, in_turn, waiting
from harness.measure.sweep import Launch
from harness.results.plan import Task, Variant, Workload
from tests import factories

_WORKER = """
import os, socket, sys
name = sys.stdin.read()
channel = socket.socket(fileno=int(sys.argv[2]))
open(name + ".loaded", "w").close()
channel.sendall(b"loaded\\n")
assert channel.recv(1) == b"k"
open(name + ".timed", "w").close()
channel.sendall(b"done\\n")
channel.recv(1)
"""


def launch(folder: Path, name: str, program: str = sys.executable) -> Launch:
    request = str(folder / name).encode()
    return Launch(command=(program, "-c", _WORKER), request=request, environment=dict(os.environ), memory_bytes=None)


def test_both_load_before_either_is_timed(tmp_path: Path) -> None:
    one, other = launch(tmp_path, "one"), launch(tmp_path, "other")
    with waiting((one, other), 20) as start:
        assert {p.name for p in tmp_path.iterdir()} == {"one.loaded", "other.loaded"}
        with start(one) as child:
            assert list(child.messages(20)) == [b"loaded", b"done"]
        assert not (tmp_path / "other.timed").exists()
        with start(one) as again:  # it was given already: this is another process
            assert list(again.messages(20)) == [b"loaded", b"done"]
    assert not (tmp_path / "other.timed").exists(), "nobody asked for it, so it was ended"


def test_what_cannot_start_is_the_askers_error(tmp_path: Path) -> None:
    missing = launch(tmp_path, "one", program=str(tmp_path / "no-python"))
    with waiting((missing,), 20) as start, pytest.raises(OSError, match="no-python"):
        start(missing)


def test_two_wait_together_only_where_both_fit() -> None:
    variant = Variant(model="m", spec=factories.spec(), precision="int8", threads=1)
    workload = Workload(phase="decode", batch=1, prompt_tokens=8, decode_tokens=8)
    task = Task(kind="variant", round=0, variant=variant, workloads=(workload,), threads=1)
    assert fit_together((task, task), 8 << 30)
    assert not fit_together((task, task), 512 << 20) and fit_together((), 0)


def test_two_are_taken_case_by_case_and_neither_is_always_ahead() -> None:
    taken = list(in_turn(iter("abcd"), iter("ABCD")))
    assert "".join(x for _, x in taken) == "aABbcCDd"
    assert all(place == x.isupper() for place, x in taken)
    assert "".join(x for _, x in in_turn(iter("a"), iter("ABC"))) == "aABC"
    assert list(in_turn(iter(""), iter(""))) == []


def test_nothing_is_taken_from_one_while_the_other_is_asked() -> None:
    """What lies before a `yield` runs in its own turn: here it notes who runs."""
    log: list[str] = []

    def side(name: str) -> Iterator[str]:
        for case in range(3):
            log.append(f"{name}{case}")
            yield name

    for place, name in in_turn(side("x"), side("y")):
        assert log[-1].startswith(name) and place == "xy".index(name)
    assert log == ["x0", "y0", "y1", "x1", "x2", "y2"]
