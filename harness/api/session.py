"""Measuring on this host for one caller: where runs are kept, who else may measure, what the caller is told, and
headers.

The one place that takes the host's lock and that writes what is known of a run before its first observation.
"""

import contextlib
import datetime as dt
import hashlib
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from harness.files.installed import installed_version
from harness.measure.lock import Policy, run_lock
from harness.results.assemble import Header, State, assemble, new_record_id
from harness.results.counting import counts
from harness.results.plan import Plan, Task, Workload
from harness.results.record import Host, Record
from harness.store.runs import Store

STORE = Path(".harness") / "store.sqlite"
BESIDE = "another run was measuring on this host at the same time (--force): both were slowed down"


class Progress(Protocol):
    """Told of each observation that has been made."""

    def done(self, task: Task, workload: Workload | None, /) -> None: ...


class Unseen:
    """Progress that nobody watches."""

    def done(self, _task: Task, _workload: Workload | None) -> None:
        return None


@contextlib.contextmanager
def unseen(_plan: Plan) -> Iterator[Progress]:
    """Progress for a caller that shows none."""
    yield Unseen()


@dataclass(frozen=True)
class Session:
    """How one caller measures."""

    store: Path = STORE
    policy: Policy = "refuse"
    say: Callable[[str], None] = field(default=lambda _message: None)
    """called with a line of words while it goes on"""
    progress: Callable[[Plan], contextlib.AbstractContextManager[Progress]] = unseen

    @contextlib.contextmanager
    def measuring(self, doing: str) -> Iterator[tuple[Store, tuple[str, ...]]]:
        """The store opened for writing while this host is ours, and notes for the record where it is not ours alone.

        Raises UnfitHostError where another run measures and the policy is to refuse.
        """

        def waiting(holder: str) -> None:
            self.say(f"waiting for another run on this host to end: {holder}")

        with run_lock(doing, self.policy, waiting=waiting) as alone, Store(self.store) as store:
            yield store, () if alone else (BESIDE,)


def harness_version() -> str:
    return installed_version("harness") or "(not installed)"


def new_header(
    name: str, text: str, host: Host, plan: Plan, *, suffix: str = "", digest_of: str = "", **more: Any
) -> Header:
    """What is known of a run before its first observation. `text` is its config as it was read; `more` are further
    fields of `Header`."""
    now = dt.datetime.now(dt.UTC)
    return Header(
        record_id=new_record_id(now, secrets.token_hex(3)) + suffix,
        name=name,
        created=now,
        config_digest=hashlib.sha256((digest_of or text).encode()).hexdigest(),
        config_text=text,
        host=host,
        plan=plan,
        **{"harness_version": harness_version(), **more},
    )


def put_together(store: Store, header: Header, state: State, notes: tuple[str, ...] = ()) -> Record:
    """The record of a run from what was kept of it, kept in its turn."""
    kept = [one for _, one in store.kept(header.record_id) if one is not None]
    record = assemble(header, kept, state=state, counts=counts)
    record = record.model_copy(update={"notes": (*record.notes, *notes)})
    store.finish(record)
    return record
