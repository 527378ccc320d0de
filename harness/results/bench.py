"""The rows of `harness bench`: a record's cases, with what was found of their precision and where their time goes.

A row stands alone: it names its model, host and versions, so that rows of many runs can lie in one table. What was
not measured is None.
"""

import datetime as dt
from typing import Any

from pydantic import Field

from harness.model.operators import ProfileRow
from harness.results.disturbance import share_of
from harness.results.gains import Bound, MeasuredRow, measured_rows
from harness.results.inspection import Fidelity, Profile
from harness.results.plan import Variant
from harness.results.record import CaseKey, Ceilings, Measurement, Record, case_key
from harness.results.validity import findings
from harness.stats import median
from harness.vocabulary import Frozen, RunPrecision

End = tuple[float | None, float | None]


class RateEstimate(Frozen):
    """Tokens a second: median over fresh processes, its 90 % interval (None from one process), and their number."""

    point: float
    low: float | None
    high: float | None
    n: int


class HostCeilings(Frozen):
    """What this host reached at best in the same run, at this row's precision and threads."""

    read_bytes_s: float | None
    read_bytes_s_interval: End
    matmul_flop_s: float | None
    matmul_flop_s_interval: End


class ExpertsActivated(Frozen):
    """Distinct routed experts a layer and step: as counted, and what uniform routing gives."""

    measured: float | None
    expected: float | None


class ParameterCounts(Frozen):
    total: int | None
    active: int | None


class BenchRow(CaseKey):
    """One case. `error` says why there is no rate; `invalid` why a rate must not be relied upon."""

    rate_tok_s: RateEstimate | None
    samples_s: tuple[float, ...] = Field(description="median step of each process")
    bits_per_weight: float | None = Field(description="as stored, scales included, embeddings too")
    weight_bytes: int | None
    bytes_per_token: float | None = Field(description="least that a step must read, over its tokens")
    flop_per_token: float | None
    ceiling_fraction: float | None = Field(description="rate over the lesser of what the two ceilings allow")
    ceiling_binding: Bound | None = Field(description="which of the two that is")
    ceilings: HostCeilings
    peak_rss_bytes: int | None
    rss_after_load_bytes: int | None = Field(
        default=None, description="resident with weights and cache in place, before the first step"
    )
    load_s: float | None = Field(description="weights generated and session opened")
    outside_fraction: float | None = Field(description="share of the steps spent outside the runtime's run call")
    experts_activated: ExpertsActivated
    parameters: ParameterCounts
    quantisation_error: float | None = Field(
        description="relative error of logits against fp32 weights that take the same experts; fp32: 0"
    )
    rerouted_error: float | None = Field(description="the same, each with the experts that it chooses itself")
    top_token_match: float | None = Field(description="share of sequences whose most likely token is fp32's")
    experts_kept: float | None = Field(description="share of routed choices that are fp32's")
    seed: int
    routing_skew: float
    invalid: tuple[str, ...]
    warnings: tuple[str, ...]
    error: str | None
    profile: tuple[ProfileRow, ...] | None
    run: str | None = Field(description="the run's id in the store")
    created: dt.datetime
    host: str | None
    host_fingerprint: str
    versions: tuple[tuple[str, str], ...]


class Inspections(Frozen):
    """What was found besides timing: of one model and seed, at several precisions."""

    model: str
    fidelities: tuple[Fidelity, ...] = ()
    problem: str | None = Field(default=None, description="why a precision has no fidelity")


class VariantProfile(Frozen):
    """The profile of one case."""

    variant: Variant
    profile: Profile


def rows(
    record: Record, inspections: tuple[Inspections, ...] = (), profiles: tuple[VariantProfile, ...] = ()
) -> tuple[BenchRow, ...]:
    """One row for each of the record's cases, in its order."""
    variants = {(a.model, a.precision, a.threads): a for a in record.variants}
    profiled = {case_key(p.variant, p.profile.workload): p.profile.rows for p in profiles}
    warned = _warnings(record)
    found = []
    for m, shown in zip(record.measurements, measured_rows(record), strict=True):
        variant = variants[m.model, m.precision, m.threads]
        seen, warnings = _fidelity(m, inspections), warned.get(m.key, ())
        if seen is None and m.precision != "fp32":
            why = next((i.problem for i in inspections if i.model == m.model and i.problem), None)
            warnings = (*warnings, f"quantisation-error: not measured: {why}") if why else warnings
        found.append(_row(record, m, shown, variant, seen, profiled.get(m.key), warnings))
    return tuple(found)


def _row(
    record: Record,
    m: Measurement,
    shown: MeasuredRow,
    variant: Variant,
    seen: Fidelity | None,
    profile: tuple[ProfileRow, ...] | None,
    warnings: tuple[str, ...],
) -> BenchRow:
    rate, expected = m.rate_tok_s, m.counts.expected_experts_activated if m.counts else None
    counted: dict[str, Any] = {name: getattr(m.counts, name, None) for name in _COUNTED}
    return BenchRow(
        **m.named,
        rate_tok_s=RateEstimate(point=rate.point, low=rate.low, high=rate.high, n=rate.n) if rate else None,
        samples_s=m.samples_s,
        **counted,
        ceiling_fraction=shown.ceiling_fraction,
        ceiling_binding=shown.binding,
        ceilings=_ceilings(record.ceilings, m.precision),
        peak_rss_bytes=m.peak_rss_bytes,
        rss_after_load_bytes=m.rss_after_load_bytes,
        load_s=_median([o.load_s for o in m.good if o.load_s is not None]),
        outside_fraction=share_of(m, lambda o: o.outside_s),
        experts_activated=ExpertsActivated(measured=m.experts_activated, expected=expected),
        parameters=ParameterCounts(
            total=getattr(m.counts, "parameters_total", None), active=getattr(m.counts, "parameters_active", None)
        ),
        **_distance(m.precision, variant, seen),
        seed=variant.seed,
        routing_skew=variant.routing_skew,
        invalid=m.invalid,
        warnings=warnings,
        error=m.error,
        profile=profile,
        run=record.record_id,
        created=record.created,
        host=record.host.cpu,
        host_fingerprint=record.host.fingerprint,
        versions=(("python", record.host.python), *record.host.packages),
    )


_COUNTED = ("bits_per_weight", "weight_bytes", "bytes_per_token", "flop_per_token")


def _distance(precision: RunPrecision, variant: Variant, seen: Fidelity | None) -> dict[str, Any]:
    """How far the model is from its fp32 weights, as a row's fields; fp32 is what the others are compared with."""
    kept = getattr(seen, "experts_kept", 1.0 if precision == "fp32" and variant.spec.is_sparse else None)
    if precision == "fp32":
        return {"quantisation_error": 0.0, "rerouted_error": 0.0, "top_token_match": 1.0, "experts_kept": kept}
    return {
        "quantisation_error": getattr(seen, "logits_error", None),
        "rerouted_error": getattr(seen, "rerouted_error", None),
        "top_token_match": getattr(seen, "top_token_match", None),
        "experts_kept": kept,
    }


def _fidelity(m: Measurement, inspections: tuple[Inspections, ...]) -> Fidelity | None:
    of_model = (f for i in inspections if i.model == m.model for f in i.fidelities)
    return next((f for f in of_model if (f.precision, f.phase) == (m.precision, m.phase)), None)


def _warnings(record: Record) -> dict[CaseKey, tuple[str, ...]]:
    """Of each case, what is true of its rate and makes it less exact than it looks. Each case is judged alone: a
    finding names its case in words, which do not tell two prompt lengths apart."""
    found = {}
    for m in record.measurements:
        alone = record.model_copy(update={"measurements": (m,)})
        found[m.key] = tuple(f.line for f in findings(alone) if f.severity == "warning" and f.case is not None)
    return found


def _ceilings(ceilings: Ceilings | None, precision: RunPrecision) -> HostCeilings:
    read = ceilings.read_bytes_s if ceilings else None
    matmul = ceilings.matmul_flop_s(precision) if ceilings else None
    return HostCeilings(
        read_bytes_s=read.point if read else None,
        read_bytes_s_interval=(read.low, read.high) if read else (None, None),
        matmul_flop_s=matmul.point if matmul else None,
        matmul_flop_s_interval=(matmul.low, matmul.high) if matmul else (None, None),
    )


def _median(samples: list[float]) -> float | None:
    return median(samples) if samples else None
