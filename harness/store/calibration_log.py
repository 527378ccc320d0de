"""The calibration log: the power trials of a host, kept line by line beside the store.

One JSON object a line, appended and flushed to the disk before `add` returns. A line that was cut short by a crash
is left out, and nothing after it is lost.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from harness.comparison.calibration import PowerTrial
from harness.errors import StoreError
from harness.results.record import from_json

NAME = "calibration.jsonl"


class CalibrationLog:
    """The file of power trials in the folder of `store`."""

    def __init__(self, store: Path):
        self.path = store.with_name(NAME)

    def add(self, power_trials: Sequence[PowerTrial]) -> None:
        """Append. Raises StoreError where the disk refuses."""
        text = "".join(power_trial.model_dump_json() + "\n" for power_trial in power_trials)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a+b") as file:
                if file.tell() and not self._ends_whole(file.fileno()):
                    text = "\n" + text
                file.write(text.encode())
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise StoreError(
                f"{self.path}: a comparison could not be kept ({error}); free the disk or use --store"
            ) from error

    @staticmethod
    def _ends_whole(descriptor: int) -> bool:
        size = os.fstat(descriptor).st_size
        return os.pread(descriptor, 1, size - 1) == b"\n"

    def power_trials(self, host_fingerprint: str) -> tuple[PowerTrial, ...]:
        """All whole power trials of one host, in the order in which they were kept. Raises StoreError."""
        try:
            lines = self.path.read_bytes().splitlines()
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise StoreError(f"{self.path}: cannot be read ({error}); mend its permissions or use --store") from error
        read = (_power_trial(line) for line in lines)
        return tuple(d for d in read if d is not None and d.host_fingerprint == host_fingerprint)


def _power_trial(line: bytes) -> PowerTrial | None:
    try:
        return from_json(PowerTrial, line)
    except ValidationError:
        return None
