"""A record of this program as a result table. One sample a fresh process, with the time at which it started."""

import hashlib

from harness.comparison.table import Attribute, Metric, ResultTable, Row, Sample, Setting, attributes, key, plain
from harness.results.disturbance import disturbed, judge_run
from harness.results.plan import Variant
from harness.results.record import Host, Measurement, Record
from harness.results.rules import Limits, RuleContext

TOOL = "harness"
RATE = Metric(name="rate", unit="tok/s", better="higher")


def table(record: Record, name: str) -> ResultTable:
    """Every case of `record`; a case that failed or broke a validity rule is a row with its reason."""
    notes = [] if record.state == "complete" else [f"{name}: the run is {record.state}, cases may be missing"]
    notes += [f"{name}: {finding.line}" for finding in judge_run(record, Limits())]
    return ResultTable(
        tool=TOOL,
        name=name,
        facts=_facts(record),
        rows=tuple(_row(m, record) for m in record.measurements),
        notes=tuple(notes),
    )


def _facts(record: Record) -> tuple[Attribute, ...]:
    versions = (("python", record.host.python), *record.host.packages, ("harness", record.harness_version))
    commit = () if record.revision is None else (("commit", record.revision),)
    run = (("created", record.created.isoformat()), ("label", record.label), ("record", record.record_id))
    return (
        *_host(record.host),
        *(Attribute(kind="version", name=n, value=v) for n, v in (*versions, *commit)),
        Attribute(kind="input", name="config", value=record.config_digest),
        *(Attribute(kind="run", name=n, value=v) for n, v in run if v is not None),
    )


def _host(host: Host) -> tuple[Attribute, ...]:
    return attributes(
        ("host", "cpu", host.cpu, True),
        ("host", "architecture", host.architecture, True),
        ("host", "cores", host.cores, True),
        ("host", "last-level cache (bytes)", host.last_level_cache_bytes, True),
        ("host", "fingerprint", host.fingerprint, True),
        ("host", "memory (bytes)", host.memory_bytes, False),
        ("host", "system", host.system, False),
        ("host", "kernel", host.kernel, False),
        ("host", "virtual", host.virtual, False),
        ("host", "frequency (Hz)", host.frequency_hz, False),
    )


def _row(m: Measurement, record: Record) -> Row:
    good, variants = m.good, record.variants
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
        inputs=_inputs(next((v for v in variants if _same(v, m)), None)),
        outcomes=(Setting(name="output digest", value=", ".join(sorted(digests))),) if digests else (),
        problem=m.error or "; ".join(m.invalid) or None,
        disturbed=disturbed(m, RuleContext(host=record.host)),
    )


def _same(variant: Variant, m: Measurement) -> bool:
    return (variant.model, variant.precision, variant.threads) == (m.model, m.precision, m.threads)


def _inputs(variant: Variant | None) -> tuple[Setting, ...]:
    """What decides the work besides the key: architecture, seed of weights and prompts, evenness of routing."""
    if variant is None:
        return ()
    spec = hashlib.sha256(variant.spec.model_dump_json().encode()).hexdigest()[:12]
    return (
        Setting(name="architecture", value=spec),
        Setting(name="routing skew", value=plain(variant.routing_skew)),
        Setting(name="seed", value=plain(variant.seed)),
    )
