"""What a run on a CPU may say of another chip, in sentences. Knows no claim."""

from harness.record import Record
from harness.units import number
from harness.verdict.hostcell import sparse_cells

TRANSFERS = (
    "Transfers: counts (parameters, work and bytes of a token, experts that a batch touches), the same on any machine.",
    "Transfers: the gain of sparse over dense where arithmetic binds on both machines, as in prefill of long prompts.",
    "Transfers in part: sparse over dense in decode, and the gain of a larger batch: both follow the experts that a "
    "batch touches, but at which batch arithmetic takes over depends on the machine's balance of arithmetic to memory.",
    "Transfers in part: prefill over decode, so far as the fractions of the two ceilings that are reached are alike.",
    "Does not transfer: tokens a second, the fraction of a peak that is reached, latencies, and the effect of links "
    "between chips, of which a single host has none.",
    "Does not transfer: number formats; 8-bit arithmetic here is another instruction with another peak.",
    "Cannot be seen here: load imbalance between chips, scheduling of requests, prefix caches, drafted tokens.",
)


def transfers(record: Record | None) -> tuple[str, ...]:
    """The rules, and what this record adds to them."""
    if record is None:
        return (*TRANSFERS, "Nothing was measured for this assessment: ratios of sparse and dense are modelled only.")
    return TRANSFERS + _balance(record) + _host(record)


def _balance(record: Record) -> tuple[str, ...]:
    """How far the measured decode cells are from the balance at which the claimed rates were taken."""
    balances = [c.balance for c in sparse_cells(record, "decode") if c.balance is not None]
    if not balances:
        return ()
    return (
        f"In the decode cells measured here arithmetic takes {number(min(balances), 2)} to {number(max(balances), 2)} "
        "times as long as memory; compare a figure from elsewhere at a like balance.",
    )


def _host(record: Record) -> tuple[str, ...]:
    set_aside = sum(1 for m in record.measurements if m.invalid)
    remarks = []
    if set_aside:
        cells = "1 measured cell" if set_aside == 1 else f"{set_aside} measured cells"
        remarks.append(f"{cells} broke a validity rule, not used as evidence.")
    if record.state != "complete":
        remarks.append("The run did not end; cells that are missing leave claims undecided.")
    return tuple(remarks)
