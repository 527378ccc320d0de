"""The watch of the fuzzing tests sees what it is there for."""

import socket
from pathlib import Path

import pytest

from tests.watch import Watch


def test_writes_and_connections_are_seen_and_reading_is_not(tmp_path: Path) -> None:
    with Watch() as watch:
        Path(__file__).read_bytes()
    assert watch.seen == [] and watch.duration_s >= 0
    with Watch() as watch:
        (tmp_path / "a").write_text("x")
        (tmp_path / "a").unlink()
        with socket.socket() as one, pytest.raises(OSError, match=r".*"):
            one.connect(("127.0.0.1", 1))
    assert [event.split()[0] for event in watch.seen] == ["open", "os.remove", "socket.connect"]
    with Watch(allowed=tmp_path) as watch:
        (tmp_path / "b").write_text("x")
    assert watch.seen == []
