"""A record of this program as a result table. One sample a fresh process, with the time at which it started."""

import hashlib

from harness.plan import Arm
from harness.record import Host, Measurement, Record
from harness.record.disturbance import disturbed, judge_run
from harness.record.rule import Context, Limits
from harness.tables.table import Fact, FactKind, Metric, ResultTable, Row, Sample, Setting, key, plain

TOOL = "harness"
RATE = Metric(name="rate", unit="tok/s", better="higher")


def table(record: Record, name: str) -> ResultTable:
    """Every cell of `record`; a cell that failed or broke a validity rule is a row with its reason."""
    notes = [] if record.state == "complete" else [f"{name}: the run is {record.state}, cells may be missing"]
    notes += [f"{name}: {finding.line}" for finding in judge_run(record, Limits())]
    return ResultTable(
        tool=TOOL,
        name=name,
        facts=_facts(record),
        rows=tuple(_row(m, record) for m in record.measurements),
        notes=tuple(notes),
    )


def _facts(record: Record) -> tuple[Fact, ...]:
    versions = (("python", record.host.python), *record.host.packages, ("harness", record.harness_version))
    commit = () if record.revision is None else (("commit", record.revision),)
    run = (("created", record.created.isoformat()), ("label", record.label), ("record", record.record_id))
    return (
        *_host(record.host),
        *(Fact(kind="version", name=n, value=v) for n, v in (*versions, *commit)),
        Fact(kind="input", name="config", value=record.config_digest),
        *(Fact(kind="run", name=n, value=v) for n, v in run if v is not None),
    )


def _host(host: Host) -> tuple[Fact, ...]:
    found: tuple[tuple[str, object, bool], ...] = (
        ("cpu", host.cpu, True),
        ("architecture", host.architecture, True),
        ("cores", host.cores, True),
        ("last-level cache (bytes)", host.last_level_cache_bytes, True),
        ("fingerprint", host.fingerprint, True),
        ("memory (bytes)", host.memory_bytes, False),
        ("system", host.system, False),
        ("kernel", host.kernel, False),
        ("virtual", host.virtual, False),
        ("frequency (Hz)", host.frequency_hz, False),
    )
    kind: FactKind = "host"
    return tuple(Fact(kind=kind, name=n, value=plain(v), binding=b) for n, v, b in found if v is not None)


def _row(m: Measurement, record: Record) -> Row:
    good, arms = m.good, record.arms
    digests = {o.logits_digest for o in good if o.logits_digest}
    return Row(
        key=key(**m.named),
        metric=RATE,
        sampled="process",
        samples=tuple(
            Sample(value=o.tokens_per_step / o.median_s, started=o.started)
            for o in good
            if o.median_s and o.tokens_per_step
        ),
        inputs=_inputs(
            next((a for a in arms if (a.model, a.precision, a.threads) == (m.model, m.precision, m.threads)), None)
        ),
        outcomes=(Setting(name="output digest", value=", ".join(sorted(digests))),) if digests else (),
        problem=m.error or "; ".join(m.invalid) or None,
        disturbed=disturbed(m, Context(host=record.host)),
    )


def _inputs(arm: Arm | None) -> tuple[Setting, ...]:
    """What decides the work besides the key: architecture, seed of weights and prompts, evenness of routing."""
    if arm is None:
        return ()
    spec = hashlib.sha256(arm.spec.model_dump_json().encode()).hexdigest()[:12]
    return (
        Setting(name="architecture", value=spec),
        Setting(name="routing skew", value=plain(arm.routing_skew)),
        Setting(name="seed", value=plain(arm.seed)),
    )
