"""What came of a run: raw observations, and measurements as a view of them.
An observation is one workload in one fresh process. Its durations are kept one by one, warm-ups too, in order.
A measurement gathers the observations of one case; its rate is derived from the per-process medians.
"""

import datetime as dt
import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, Field, ValidationError, computed_field

from harness.results.plan import Variant, Workload
from harness.stats import Estimate, median, median_estimate
from harness.vocabulary import Frozen, Phase, RunPrecision

Value = TypeVar("Value", bound=BaseModel)

SCHEMA: Literal[3] = 3
"""Version of a record and of a report. 2 added frequency, memory stalls and load to observations: unknown in one of 1.
3 renamed keys (see `FORMER_NAMES`)."""

COMPUTED: Any = {"measurements": {"__all__": {"samples_s", "rate_tok_s", "error"}}}
"""Fields of a record that follow from others, in pydantic's notation: not stored, so that they cannot disagree."""

RecordId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=80)]
"""A run's name in the store: it is typed, printed and made part of file names, so it is plain."""


class Observation(Frozen):
    """One workload timed in one process, or the reason why it could not be."""

    round: int = Field(ge=0)
    warmup_s: tuple[float, ...] = ()
    durations_s: tuple[float, ...] = Field(default=(), description="duration of each timed step, in order")
    tokens_per_step: int = Field(default=0, ge=0, description="tokens really processed by a step")
    outside_s: float | None = Field(
        default=None, ge=0, description="time of all timed steps spent outside the runtime's run call"
    )
    experts_activated: float | None = Field(
        default=None, ge=0, description="mean distinct routed experts a layer and step"
    )
    peak_rss_bytes: int | None = Field(default=None, ge=0)
    rss_after_load_bytes: int | None = Field(
        default=None, ge=0, description="resident with weights and cache in place, before the first step"
    )
    load_s: float | None = Field(default=None, ge=0, description="weights generated and sessions created")
    weight_bytes: int | None = Field(default=None, ge=0, description="of the loaded model as stored, scales included")
    reference_kernel_s: tuple[float, ...] = Field(
        default=(), description="durations of the fixed reference kernel, before and after"
    )
    other_cpu_s: float | None = Field(default=None, ge=0, description="processor time that others used meanwhile")
    steal_s: float | None = Field(default=None, ge=0)
    frequency_hz: float | None = Field(
        default=None, gt=0, description="mean of the processors right after the timed steps; virtual hosts: nominal"
    )
    memory_stall_s: float | None = Field(
        default=None, ge=0, description="time of all timed steps in which some task of the host waited for memory"
    )
    load_1min: float | None = Field(default=None, ge=0, description="the host's load average when it began")
    logits_digest: str | None = Field(
        default=None, description="of the last warm-up step's logits: same seed, same digest"
    )
    started: dt.datetime
    error: str | None = Field(default=None, description="why there are no durations")

    @property
    def median_s(self) -> float | None:
        return median(self.durations_s) if self.durations_s else None


class Counts(Frozen):
    """Figures of a case that follow from the architecture or the stored weights, not from the clock."""

    parameters_total: int
    parameters_active: int
    weight_bytes: int = Field(description="as stored, scales included")
    bits_per_weight: float
    bytes_per_token: float = Field(description="bytes that a step must read at least, divided by its tokens")
    flop_per_token: float
    expected_experts_activated: float | None = Field(
        default=None, description="U(B) = E*(1-(1-k/E)^T), uniform routing"
    )
    quantisation_error: float | None = Field(default=None, description="relative error of logits against fp32 weights")


class CaseKey(Frozen):
    """What identifies a case inside a record: a model as it was loaded, and what a step does."""

    model: str
    phase: Phase
    batch: int
    prompt_tokens: int
    decode_tokens: int
    depth: int = Field(description="cached tokens when decode begins")
    precision: RunPrecision
    threads: int

    @property
    def named(self) -> dict[str, Any]:
        """These fields alone, by which another figure of the same case is named."""
        return {name: getattr(self, name) for name in CaseKey.model_fields}

    @property
    def key(self) -> "CaseKey":
        """The same as a value that compares and hashes, whatever figure it is taken of."""
        return CaseKey(**self.named)

    @property
    def shape(self) -> str:
        """What a step does, in words."""
        lengths = f"{self.prompt_tokens}-token prompts" if self.phase == "prefill" else f"{self.decode_tokens} tokens"
        return f"{self.phase}, batch {self.batch}, {lengths}, {self.precision}"


class Measurement(CaseKey):
    """One case over all its processes."""

    counts: Counts | None = None
    observations: tuple[Observation, ...]
    invalid: tuple[str, ...] = Field(
        default=(), description="validity rules that this case breaks: never used as evidence"
    )

    @property
    def good(self) -> tuple[Observation, ...]:
        return tuple(o for o in self.observations if o.durations_s)

    @property
    def usable(self) -> bool:
        """Whether it was measured and breaks no rule that keeps it out of the evidence."""
        return bool(self.good) and not self.invalid

    @computed_field  # type: ignore[prop-decorator]
    @property
    def samples_s(self) -> tuple[float, ...]:
        """The median step duration of each process, in order of rounds."""
        return tuple(median(o.durations_s) for o in self.good)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def rate_tok_s(self) -> Estimate | None:
        """Tokens a second: tokens of a step over the median step, one sample a process.

        None where nothing was measured, and where a process reports no tokens or no time: that is an error of
        measurement (a validity rule names it), and has no rate.
        """
        rates = self.rates_by_round()
        return median_estimate(list(rates.values())) if rates and len(rates) == len(self.good) else None

    @computed_field  # type: ignore[prop-decorator]
    @property
    def error(self) -> str | None:
        """Why a case has no rate at all."""
        if self.good:
            return None
        return next((o.error for o in self.observations if o.error), "not measured")

    @property
    def experts_activated(self) -> float | None:
        seen = [o.experts_activated for o in self.good if o.experts_activated is not None]
        return median(seen) if seen else None

    @property
    def rss_after_load_bytes(self) -> int | None:
        return max((o.rss_after_load_bytes for o in self.good if o.rss_after_load_bytes is not None), default=None)

    @property
    def peak_rss_bytes(self) -> int | None:
        return max((o.peak_rss_bytes for o in self.good if o.peak_rss_bytes is not None), default=None)

    def rates_by_round(self) -> dict[int, float]:
        """The rate of each process that reports tokens and time, by its round."""
        timed = ((o, median(o.durations_s)) for o in self.good)
        return {o.round: o.tokens_per_step / step_s for o, step_s in timed if step_s > 0 and o.tokens_per_step > 0}


class MatmulCeiling(Frozen):
    precision: RunPrecision
    flop_s: Estimate
    kernel: str = Field(description="the operator and shape that reached it")


class Ceilings(Frozen):
    """What this host reached at best in the same run. A rate above one is an error of measurement."""

    read_bytes_s: Estimate
    read_kernel: str
    matmul: tuple[MatmulCeiling, ...]

    def matmul_flop_s(self, precision: RunPrecision) -> Estimate | None:
        return next((m.flop_s for m in self.matmul if m.precision == precision), None)


class CeilingObservation(Frozen):
    """The host's best rates in one process."""

    round: int = Field(ge=0)
    read_bytes_s: float = Field(gt=0)
    read_kernel: str
    matmul: tuple[tuple[RunPrecision, float, str], ...] = Field(description="precision, FLOP/s, kernel")
    reference_kernel_s: tuple[float, ...] = ()
    started: dt.datetime


class Host(Frozen):
    """Where a run happened. Fields that could not be read are None."""

    cpu: str | None
    architecture: str
    cores: int
    last_level_cache_bytes: int | None
    memory_bytes: int
    available_bytes: int
    instruction_sets: tuple[str, ...] = ()
    system: str
    kernel: str | None = None
    virtual: bool | None = Field(default=None, description="runs under a hypervisor")
    frequency_hz: float | None = None
    load_1min: float | None = None
    timer_resolution_s: float | None = Field(default=None, gt=0, description="smallest step of the clock, as observed")
    python: str
    packages: tuple[tuple[str, str], ...] = Field(
        default=(), description="name and version of what the figures depend on"
    )

    @property
    def fingerprint(self) -> str:
        """Two runs with different fingerprints are not comparable without saying so."""
        import hashlib

        basis = (self.cpu, self.architecture, self.cores, self.last_level_cache_bytes, self.instruction_sets)
        return hashlib.sha256(repr(basis).encode()).hexdigest()[:12]


FORMER_NAMES = {
    "arm": "variant",
    "arms": "variants",
    "bearing": "stance",
    "cells": "cases",
    "control": "counterpart",
    "control_s": "reference_kernel_s",
    "coverage": "experts_activated",
    "expected_coverage": "expected_experts_activated",
    "foreign_cpu_s": "other_cpu_s",
    "looks": "analyses",
    "memory_wait_s": "memory_stall_s",
    "walkable": "transferable",
}
"""Names that keys had in records, reports and logs of versions 1 and 2, and what they are called since version 3."""


def as_current(version: object) -> object:
    """A record of an earlier version is one of this version in which the fields added since are unknown."""
    return SCHEMA if version in (1, 2) and not isinstance(version, bool) else version


def with_current_names(value: Any) -> Any:
    """JSON values of any version with the names that keys have in this one."""
    return renamed(value, FORMER_NAMES, {"arm": "variant"})


def renamed(value: Any, names: Mapping[str, str], kinds: Mapping[str, str]) -> Any:
    """JSON values with other names of keys; `kinds`: what tasks are called."""
    if isinstance(value, dict):
        return {names.get(key, key): _renamed_value(key, inner, names, kinds) for key, inner in value.items()}
    return [renamed(inner, names, kinds) for inner in value] if isinstance(value, list) else value


def _renamed_value(key: str, value: Any, names: Mapping[str, str], kinds: Mapping[str, str]) -> Any:
    return kinds.get(value, value) if key == "kind" and isinstance(value, str) else renamed(value, names, kinds)


def from_json(model: type[Value], text: str | bytes) -> Value:
    """`text`, written by any version, as a `model`. Raises ValidationError."""
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        try:
            return model.model_validate_json(json.dumps(with_current_names(json.loads(text))))
        except (ValueError, RecursionError):
            raise error from None


class Record(Frozen):
    """All that a run produced. `record_id` is its name in the store; `state` says whether it ran to its end."""

    schema_version: Annotated[Literal[3], BeforeValidator(as_current)] = SCHEMA
    record_id: RecordId
    name: str
    label: str | None = None
    created: dt.datetime
    state: Literal["complete", "interrupted", "running"]
    harness_version: str
    config_digest: str
    config_text: str = Field(description="the config as it was read, so that the run can be repeated")
    revision: str | None = Field(
        default=None, description="git commit of the folder that the run was started in, + where files were changed"
    )
    host: Host
    ceilings: Ceilings | None
    ceiling_observations: tuple[CeilingObservation, ...] = ()
    variants: tuple[Variant, ...]
    measurements: tuple[Measurement, ...]
    notes: tuple[str, ...] = ()


def case_key(variant: Variant, workload: Workload) -> CaseKey:
    """The key of a case that is to be measured."""
    return CaseKey(model=variant.model, precision=variant.precision, threads=variant.threads, **dict(workload))
