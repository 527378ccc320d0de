"""What has been measured, kept: the file, the runs in it, and what can be saved of a damaged one."""

from harness.store.file import StoreError
from harness.store.runs import Listed, Store
from harness.store.salvage import Damage, Recovery, Report, check, recover

__all__ = ["Damage", "Listed", "Recovery", "Report", "Store", "StoreError", "check", "recover"]
