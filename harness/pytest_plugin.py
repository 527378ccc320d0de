"""A pytest plugin: times prefill and decode of a model under pytest-benchmark, so that its files hold tokens a second.

Rounds run inside the test's process: they track one machine over time, and do not show the spread between processes.
Nothing heavy is imported until a test asks for the fixture. Without pytest-benchmark the fixture skips its tests; under
xdist, or with --benchmark-disable, each model still takes one step, untimed.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from pytest_benchmark.fixture import BenchmarkFixture

    from harness.results.plan import Variant, Workload
    from harness.runtime.engine import Engine
    from harness.vocabulary import Phase, RunPrecision

ROUNDS = 10
WARMUP_ROUNDS = 2


@dataclass(frozen=True)
class TimedCase:
    """One model with one workload: what a benchmark of this plugin times."""

    variant: "Variant"
    workload: "Workload"

    def __str__(self) -> str:
        w = self.workload
        tokens = w.prompt_tokens if w.phase == "prefill" else w.decode_tokens
        return f"{self.variant.model}-{self.variant.precision}-{w.phase}-batch{w.batch}-tokens{tokens}"


def case(
    model: str,
    phase: "Phase" = "decode",
    *,
    batch: int = 1,
    tokens: int = 32,
    depth: int = 0,
    precision: "RunPrecision" = "int8",
    threads: int | None = None,
    seed: int = 0,
) -> TimedCase:
    """A preset, or a counterpart of one (`moe-tiny:equal-active`), with a workload of `tokens` a sequence.

    `threads` defaults to the cores that this process may use. Raises UsageError for an unknown model.
    """
    from harness.catalog.models import preset
    from harness.measure.host.description import usable_cores
    from harness.results.plan import Variant, Workload

    prefill = phase == "prefill"
    return TimedCase(
        variant=Variant(
            model=model, spec=preset(model), precision=precision, threads=threads or usable_cores(), seed=seed
        ),
        workload=Workload(
            phase=phase,
            batch=batch,
            prompt_tokens=tokens if prefill else 0,
            decode_tokens=0 if prefill else tokens,
            depth=depth,
        ),
    )


cell = case
"""The name of `case` up to 0.1.0."""


def cases(config: Path | str) -> tuple[TimedCase, ...]:
    """Every case that a config asks for, as `harness run` would measure them on this host. For parametrize, with
    `ids=str`. Raises UsageError with file, line and column."""
    from harness.config import Config
    from harness.files import validation
    from harness.measure import planner
    from harness.measure.host.description import describe

    made = planner.make(validation.read(Path(config), Config, what="config"), describe())
    found = [TimedCase(variant=t.variant, workload=w) for t in made.tasks if t.variant is not None for w in t.workloads]
    return tuple(dict.fromkeys(found))


@dataclass
class Loaded:
    """The model of the latest test, kept for the next one: models are large, and one at a time is in memory."""

    variant: "Variant | None" = None
    engine: "Engine | None" = None
    facts: dict[str, str] = field(default_factory=dict)

    def get(self, case: TimedCase) -> "Engine":
        from harness.runtime.engine import Engine

        if self.engine is None or self.variant != case.variant:
            self.variant, self.engine = case.variant, None
            self.engine = Engine.of_variant(case.variant, case.workload.phase, case.workload.batch)
        return self.engine

    def host(self) -> dict[str, str]:
        """This host's fingerprint and the versions that figures depend on, read once a session."""
        if not self.facts:
            from harness.measure.host.description import describe

            found = describe()
            self.facts = {"harness_host_fingerprint": found.fingerprint}
            self.facts |= {f"harness_version_{name}": version for name, version in found.packages}
        return self.facts


@dataclass(frozen=True)
class ModelBenchmark:
    """What the fixture `harness_benchmark` gives a test: call it once, with a case."""

    benchmark: "BenchmarkFixture"
    loaded: Loaded

    def __call__(
        self, case: TimedCase, *, rounds: int = ROUNDS, warmup_rounds: int = WARMUP_ROUNDS
    ) -> "NDArray[np.float32]":
        """Time `rounds` steps of `case`; returns the logits [batch, V] of the last one, so that a test can check them.

        Writes to the benchmark's `extra_info`: tokens of a step, the rate, the host's fingerprint, versions, and the
        inputs that must agree for two files to be comparable.
        """
        runner = self.loaded.get(case).open(case.workload, seed=case.variant.seed)
        info: dict[str, Any] = self.benchmark.extra_info
        info.update(self.loaded.host())
        info["harness_tokens"] = runner.tokens_per_step
        info.update({f"harness_input_{name}": value for name, value in _inputs(case).items()})
        self.benchmark.pedantic(runner.step, rounds=rounds, warmup_rounds=warmup_rounds)  # type: ignore[no-untyped-call]
        if self.benchmark.enabled and self.benchmark.stats is not None:
            info["harness_rate_tok_s"] = runner.tokens_per_step / self.benchmark.stats.stats.median
        return runner.logits().copy()


def _inputs(case: TimedCase) -> dict[str, str | int | float]:
    """What decides the work of a step."""
    import hashlib

    return {
        "architecture": hashlib.sha256(case.variant.spec.model_dump_json().encode()).hexdigest()[:12],
        **case.variant.model_dump(include={"precision", "threads", "seed", "routing_skew"}),
        **case.workload.model_dump(),
    }


@pytest.fixture(scope="session")
def _harness_loaded() -> Iterator[Loaded]:
    loaded = Loaded()
    yield loaded
    loaded.engine = None


@pytest.fixture
def harness_benchmark(benchmark: "BenchmarkFixture", _harness_loaded: Loaded) -> ModelBenchmark:
    """Time prefill or decode of a model: `harness_benchmark(case("moe-tiny", "decode"))`."""
    return ModelBenchmark(benchmark=benchmark, loaded=_harness_loaded)


class _Absent:
    """What takes the fixture's place where pytest-benchmark is not active: it may be blocked with `-p no:benchmark`."""

    @pytest.fixture
    def harness_benchmark(self) -> None:
        """Skips: pytest-benchmark is not active."""
        pytest.skip("harness_benchmark needs pytest-benchmark, which is not active here")


def pytest_configure(config: pytest.Config) -> None:
    """Let the fixture skip where pytest-benchmark is not active; of two fixtures of one name the later one counts."""
    manager = config.pluginmanager
    if not manager.hasplugin("benchmark") and not manager.hasplugin("harness-absent"):
        manager.register(_Absent(), "harness-absent")
