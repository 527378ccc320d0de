"""A model that is loaded once, called for its logits, and opened for stepping.

An engine keeps one session alive at a time, because a second one lengthens the tail of every step. Weights are handed
to a session as values in memory and dropped once it has packed them in its own layout: switching between prefill and
decode draws them again from the seed, which is cheaper than keeping them twice.
"""

import contextlib
import ctypes
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import psutil
from numpy.typing import NDArray

from harness.errors import UnfitHostError
from harness.model.counts import parameters
from harness.model.graph.decoder import build
from harness.model.graph.derived import derived
from harness.model.graph.dispatch import Strategy, strategy
from harness.model.graph.nodes import Program
from harness.model.graph.packing import packed_array
from harness.model.operators import Executed
from harness.model.spec import Spec
from harness.model.tensors import stored_bytes, tensor_layout
from harness.model.weights import Stored, generate, one_of
from harness.results.plan import Variant, Workload
from harness.runtime.runner import Choices, Decoder, DecodeRunner, PrefillRunner, Runner, run_traced
from harness.runtime.session import Array, BoundSession, exact_byte, open_session, read_profile
from harness.vocabulary import Phase, RunPrecision

if TYPE_CHECKING:  # a measuring process draws its weights: what it does not import, it does not hold
    from harness.model.checkpoint import Checkpoint

_READING_COPIES = 4
"""Of one tensor in fp32, while it is read: its parts, the tensor, its blocks over their scales, and those rounded."""

_FEW = 1
"""Sequences for which a graph is made by default."""


class Engine:
    """One model at one precision: its weights in memory once, one session alive at a time."""

    def __init__(
        self, spec: Spec, precision: RunPrecision, threads: int, source: Callable[[], dict[str, Stored]]
    ) -> None:
        self.spec, self.precision, self.threads = spec, precision, threads
        self.weight_bytes = stored_bytes(spec, precision)
        self.load_s = 0.0
        self._source = source
        self._session: BoundSession | None = None
        self._built: tuple[Phase, Strategy] | None = None

    @classmethod
    def load(
        cls,
        spec: Spec,
        precision: RunPrecision,
        *,
        threads: int,
        seed: int,
        routing_skew: float = 0.0,
        first: Phase = "prefill",
        batch: int | None = None,
    ) -> "Engine":
        """Draw the weights from `seed` and open the session of phase `first` for `batch` sequences.

        Raises UnfitHostError before anything is allocated where the model does not fit into memory.
        """
        check_memory(spec, precision)
        engine = cls(spec, precision, threads, partial(generate, spec, precision, seed, skew=routing_skew))
        engine.session(first, batch=batch)
        return engine

    @classmethod
    def of_variant(cls, variant: Variant, first: Phase = "prefill", batch: int | None = None) -> "Engine":
        """The model of `variant`, loaded as `load` does."""
        spec, precision, threads = variant.spec, variant.precision, variant.threads
        skew = variant.routing_skew
        return cls.load(
            spec, precision, threads=threads, seed=variant.seed, routing_skew=skew, first=first, batch=batch
        )

    @classmethod
    def of_checkpoint(cls, checkpoint: "Checkpoint", precision: RunPrecision, *, threads: int) -> "Engine":
        """An engine whose weights are read from a checkpoint, each time that a session is opened."""
        check_memory(checkpoint.spec, precision, reading=True)
        engine = cls(checkpoint.spec, precision, threads, partial(checkpoint.weights, precision))
        engine.session("prefill")
        return engine

    def profile(self, workload: Workload, *, seed: int, steps: int) -> tuple[Executed, ...]:
        """Every operator of `steps` steps of a workload, after one that is left out. Opens a session of its own.

        `harness.model.operators.rows` adds them up by part of the model.
        """
        phase, batch = workload.phase, workload.batch
        self.close()
        with tempfile.TemporaryDirectory() as folder:
            self._built = self._graph(phase, batch)
            self._session = self.opened(self.program(phase, batch), profile=str(Path(folder) / "profile"))
            runner = self.open(workload, seed=seed)
            for _ in range(steps + 1):
                runner.step()
            executed = read_profile(Path(self._session.end_profiling()))
        self.close()
        return executed[len(executed) // (steps + 1) :]

    def session(self, phase: Phase, *, batch: int | None = None) -> BoundSession:
        """The session of `phase`, opened now if it is not the one alive. `load_s` is how long that took.

        In fp32 steps of few sequences and of many have graphs of their own where experts are large. Without a `batch`
        it is the one alive, or that of few; both take any number.
        """
        if self._session is not None and self._built is not None:
            fits = self._built[0] == phase if batch is None else self._built == self._graph(phase, batch)
            if fits:
                return self._session
        self.close()
        start, sequences = time.perf_counter(), batch or _FEW
        self._session = self.opened(self.program(phase, sequences))
        self._built = self._graph(phase, sequences)
        _return_freed_memory()  # the graph's own too, which is gone only now
        self.load_s = time.perf_counter() - start
        return self._session

    def close(self) -> None:
        """Give back the memory of the session that is alive, if any. Its runners cannot step any more."""
        if self._session is not None:
            self._session.close()
        self._session = self._built = None

    def _graph(self, phase: Phase, batch: int) -> tuple[Phase, Strategy]:
        """Which of its graphs a workload needs."""
        return phase, strategy(self.spec, self.precision, phase, batch)

    def program(self, phase: Phase, batch: int) -> Program:
        """The graph of `phase` for `batch` sequences, without weights."""
        return build(
            self.spec,
            self.precision,
            phase,
            positions=self.spec.max_position_embeddings,
            experts=self._graph(phase, batch)[1],
            byte=exact_byte(),
            threads=self.threads,
        )

    def opened(self, program: Program, profile: str | None = None) -> BoundSession:
        """A session of `program` with this model's weights, beside the one alive."""
        weights, tensors = self._source(), {t.name: t for t in tensor_layout(self.spec)}
        for tensor, stored in derived(self.spec, self.precision, weights, {b.tensor for b in program.bindings}):
            tensors[tensor.name], weights[tensor.name] = tensor, stored
        arrays: dict[str, Array] = {}
        last_use = {b.tensor: b.name for b in program.bindings}
        for b in program.bindings:
            tensor, stored = tensors[b.tensor], weights[b.tensor]
            if b.one is not None:
                tensor, stored = tensor.matrix(), one_of(stored, b.one)
            arrays[b.name] = packed_array(tensor, stored, b.packing, self.precision, b.factor, b.dtype, b.parts)
            if last_use[b.tensor] == b.name:
                del weights[b.tensor]
        session = open_session(program.model, arrays, self.threads, profile=profile)
        arrays.clear()
        _return_freed_memory()
        return session

    def prefill(self, tokens: Array) -> NDArray[np.float32]:
        """Logits [B, V] after the last of `tokens` [B, S]."""
        return self.prefill_traced(tokens, trace=False)[0]

    def decode(self, tokens: Array) -> NDArray[np.float32]:
        """Logits [B, V] after the last of `tokens` [B, S], one token after another through an empty cache."""
        return self.decode_traced(tokens, trace=False)[0]

    def prefill_traced(self, tokens: Array, *, trace: bool = True) -> tuple[NDArray[np.float32], Choices]:
        """Logits as `prefill` returns them, and the experts [B, S, k] that each layer's router chose."""
        session = self.session("prefill", batch=tokens.shape[0])
        session.unbind()
        logits = np.empty((tokens.shape[0], self.spec.vocab_size), dtype=np.float32)
        session.bind_input("tokens", np.ascontiguousarray(tokens, dtype=np.int64))
        session.bind_output("logits", logits)
        if not trace:
            session.run()
            return logits, {}
        chosen = run_traced(self.spec, session, session.run)
        return logits, {layer: c.reshape(*tokens.shape, -1) for layer, c in chosen.items()}

    def decode_traced(self, tokens: Array, *, trace: bool = True) -> tuple[NDArray[np.float32], Choices]:
        """Logits as `decode` returns them, and the experts [B, S, k] that each layer's router chose."""
        session = self.session("decode", batch=tokens.shape[0])
        decoder = Decoder(self.spec, self.precision, session, batch=tokens.shape[0], capacity=tokens.shape[1])
        steps: list[Choices] = []
        for column in tokens.T:
            if trace:
                steps.append(run_traced(self.spec, session, partial(decoder.step, column)))
            else:
                decoder.step(column)
        layers = steps[0] if steps else {}
        return decoder.logits, {layer: np.stack([step[layer] for step in steps], axis=1) for layer in layers}

    def open(self, workload: Workload, *, seed: int) -> Runner:
        """A workload ready to be stepped. Opens the session of its phase if another one is alive."""
        session = self.session(workload.phase, batch=workload.batch)
        if workload.phase == "prefill":
            return PrefillRunner(self.spec, session, workload, seed)
        return DecodeRunner(self.spec, self.precision, session, workload, seed)


def _return_freed_memory() -> None:
    """Ask glibc to hand freed pages back to the system: it keeps up to a fifth of the weights' size otherwise. Other C
    libraries do so by themselves or not at all."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def check_memory(spec: Spec, precision: RunPrecision, *, reading: bool = False) -> None:
    """Raise UnfitHostError where the stored weights, held twice while a session packs them, exceed free memory.

    `reading`: from a checkpoint, whose tensors are in fp32, with a few copies, before each one is rounded.
    """
    needed, free = 2 * stored_bytes(spec, precision), psutil.virtual_memory().available
    if reading:
        needed += _READING_COPIES * 4 * max(tensor.count for tensor in tensor_layout(spec))
    if needed > free:
        raise UnfitHostError(
            f"a model of {parameters(spec).total:,} parameters at {precision} needs {needed / 2**30:.1f} GiB to load, "
            f"but {free / 2**30:.1f} GiB of memory are free; choose a smaller model or fewer bits"
        )
