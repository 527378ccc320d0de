"""What a verdict on a change says of this host's own false alarms: found in the calibration log of power trials, or
not measured.

Power trials of another procedure or another runtime are kept, and say nothing of what is measured now.
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
    power_trials = current(CalibrationLog(store or STORE).power_trials(fingerprint))
    if sum(d.injected == 0 for d in power_trials) < SMALLEST_NO_OP_COUNT:
        return None
    return calibrated(power_trials, fingerprint, thresholds)


def current(power_trials: Sequence[PowerTrial]) -> tuple[PowerTrial, ...]:
    """Those that say something of comparisons with the runtime that is installed here."""
    return tuple(d for d in power_trials if d.speaks_for(installed_version("onnxruntime")))


def calibrated(power_trials: Sequence[PowerTrial], fingerprint: str, thresholds: Thresholds) -> Calibration:
    """Rates over however many power trials there are. Raises ValueError where none is of identical code."""
    trials = [d.trial(thresholds) for d in power_trials]
    return calibration.calibrate(trials, fingerprint, max(d.created for d in power_trials), least=1)
