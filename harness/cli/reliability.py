"""What a verdict on a change says of this host's own false alarms: found in the ledger of drills, or not measured."""

from collections.abc import Sequence
from pathlib import Path

from harness.cli.show import STORE
from harness.compare import calibration
from harness.compare.calibration import SMALLEST_NO_OP_COUNT, Calibration, Drill
from harness.compare.decision import LOOKS
from harness.compare.thresholds import Thresholds
from harness.store.ledger import Ledger


def known(store: Path | None, fingerprint: str, thresholds: Thresholds) -> Calibration | None:
    """What calibration says of the host with this fingerprint, under these thresholds and the looks of `harness ab`.

    None below the least number of comparisons of identical code. Raises StoreError.
    """
    drills = [d for d in Ledger(store or STORE).drills(fingerprint) if d.looks == LOOKS]
    if sum(d.injected == 0 for d in drills) < SMALLEST_NO_OP_COUNT:
        return None
    return calibrated(drills, fingerprint, thresholds)


def calibrated(drills: Sequence[Drill], fingerprint: str, thresholds: Thresholds) -> Calibration:
    """Rates over however many drills there are. Raises ValueError where none is of identical code."""
    trials = [d.trial(thresholds) for d in drills]
    return calibration.calibrate(trials, fingerprint, max(d.created for d in drills), least=1)
