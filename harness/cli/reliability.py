"""What a verdict on a change says of this host's own false alarms: found in the ledger of drills, or not measured.

Drills of another procedure or another runtime are kept, and say nothing of what is measured now.
"""

from collections.abc import Sequence
from pathlib import Path

from harness.cli.info import installed_version
from harness.cli.show import STORE
from harness.compare import calibration
from harness.compare.calibration import SMALLEST_NO_OP_COUNT, Calibration, PowerTrial
from harness.compare.thresholds import Thresholds
from harness.store.calibration_log import CalibrationLog


def known(store: Path | None, fingerprint: str, thresholds: Thresholds) -> Calibration | None:
    """What calibration says of the host with this fingerprint, under these thresholds and the procedure of now.

    None below the least number of comparisons of identical code. Raises StoreError.
    """
    drills = current(CalibrationLog(store or STORE).drills(fingerprint))
    if sum(d.injected == 0 for d in drills) < SMALLEST_NO_OP_COUNT:
        return None
    return calibrated(drills, fingerprint, thresholds)


def current(drills: Sequence[PowerTrial]) -> tuple[PowerTrial, ...]:
    """Those that say something of comparisons with the runtime that is installed here."""
    return tuple(d for d in drills if d.speaks_for(installed_version("onnxruntime")))


def calibrated(drills: Sequence[PowerTrial], fingerprint: str, thresholds: Thresholds) -> Calibration:
    """Rates over however many drills there are. Raises ValueError where none is of identical code."""
    trials = [d.trial(thresholds) for d in drills]
    return calibration.calibrate(trials, fingerprint, max(d.created for d in drills), least=1)
