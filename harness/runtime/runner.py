"""What is timed: a prefill or a decode step on seeded random token ids.

Ids are drawn in advance, never chosen by the model: greedy decoding of a random model routes every token alike.
"""

import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from harness.model.graph.packing import CACHE_DEVIATIONS, code_of_zero
from harness.model.spec import Spec
from harness.model.tensors import Cache, layer_cache
from harness.results.plan import PROMPTS, Workload, traced_prompts
from harness.runtime.session import Array, BoundSession
from harness.vocabulary import RunPrecision

Choices = dict[int, NDArray[np.int64]]
"""The experts that routers chose, by layer."""


class Decoder:
    """A decode session bound to one cache, which each step extends in place by one token of each sequence."""

    def __init__(
        self, spec: Spec, precision: RunPrecision, session: BoundSession, *, batch: int, capacity: int
    ) -> None:
        self._session = session
        session.unbind()
        self._number = session.binding_number
        self._tokens = np.zeros(batch, dtype=np.int64)
        self._position = (_MLAPosition if spec.attention == "mla" else _GQAPosition)(batch, capacity)
        self.capacity = capacity
        self.logits = np.empty((batch, spec.vocab_size), dtype=np.float32)
        self.cache: list[tuple[tuple[Cache, Array], ...]] = []
        self.length = 0
        for name, value in (("tokens", self._tokens[:, None]), *self._position.inputs):
            session.bind_input(name, value)
        for layer in range(spec.num_hidden_layers):
            caches = layer_cache(spec, precision, layer)
            shaped = ((c, c.shape(batch, capacity)) for c in caches)
            self.cache.append(tuple((c, np.zeros(shape, dtype=session.element(c.name))) for c, shape in shaped))
            for cache, array in self.cache[-1]:
                session.bind_output(f"{cache.name}_new", session.bind_input(cache.name, array))
        session.bind_output("logits", self.logits)

    def fill(self, length: int, random: np.random.Generator) -> None:
        """Write random numbers of deviation 1, as normed latents have, for the first `length` tokens."""
        for layer in self.cache:
            for cache, array in layer:
                past = array[..., :length] if cache.columns else array[..., :length, :]
                drawn = random.standard_normal(past.shape, dtype=np.float32)
                if cache.bits == 8:
                    drawn = np.rint(drawn * (127 / CACHE_DEVIATIONS)).clip(-127, 127) + code_of_zero(past.dtype)
                past[...] = drawn
                if cache.columns and cache.bits == 8:  # below the keys the latents again, which lie in rows as well
                    (rows, lines), *_ = layer
                    past[:, -rows.width :] = lines[:, :length].transpose(0, 2, 1)
        self.rewind(length)

    def rewind(self, length: int) -> None:
        """Forget all but the first `length` tokens."""
        self._position.rewind(length)
        self.length = length

    def step(self, tokens: Array) -> None:
        """Decode one token [B] of each sequence; `logits` then holds what follows."""
        _check_owner(self._session, self._number)
        self._tokens[:] = tokens
        self._position.advance(self.length)
        self.length += 1
        self._session.run()


class _MLAPosition:
    """Where the cache of MLA ends: positions, rows to write, and a mask over the rows not yet written."""

    def __init__(self, batch: int, capacity: int) -> None:
        self._rows = np.zeros(batch, dtype=np.int64)
        self._mask = np.full(capacity, -np.inf, dtype=np.float32)
        self.inputs: tuple[tuple[str, Array], ...] = (
            ("positions", self._rows[:, None]),  # the same numbers, in the same memory
            ("rows", self._rows),
            ("mask", self._mask),
        )

    def rewind(self, length: int) -> None:
        self._mask[:length] = 0
        self._mask[length:] = -np.inf

    def advance(self, position: int) -> None:
        self._rows.fill(position)
        self._mask[position] = 0


class _GQAPosition:
    """Where the cache of GQA ends: each sequence's length before this token, and the longest with it."""

    def __init__(self, batch: int, _capacity: int) -> None:
        self._lengths = np.zeros(batch, dtype=np.int32)
        self._total = np.zeros(1, dtype=np.int32)
        self.inputs: tuple[tuple[str, Array], ...] = (("lengths", self._lengths), ("total", self._total))

    def rewind(self, length: int) -> None:
        """Nothing to forget: what lies beyond the length is not read."""

    def advance(self, position: int) -> None:
        self._lengths.fill(position)
        self._total.fill(position + 1)


class PrefillRunner:
    """A step reads `batch` prompts of `prompt_tokens` each, without a past."""

    def __init__(self, spec: Spec, session: BoundSession, workload: Workload, seed: int) -> None:
        random, batch, prompt_tokens = np.random.default_rng([seed, 0]), workload.batch, workload.prompt_tokens
        self._spec, self._session = spec, session
        self._prompts = random.integers(0, spec.vocab_size, (PROMPTS, batch, prompt_tokens), dtype=np.int64)
        self._tokens = self._prompts[0].copy()
        self._logits = np.empty((batch, spec.vocab_size), dtype=np.float32)
        self._taken = 0
        self.tokens_per_step = batch * prompt_tokens
        self.outside_s = 0.0
        session.unbind()
        self._number = session.binding_number
        session.bind_input("tokens", self._tokens)
        session.bind_output("logits", self._logits)

    def step(self) -> None:
        start, inside = time.perf_counter(), self._session.run_s
        _check_owner(self._session, self._number)
        self._tokens[...] = self._prompts[self._taken % PROMPTS]
        self._taken += 1
        self._session.run()
        self.outside_s += time.perf_counter() - start - (self._session.run_s - inside)

    def logits(self) -> NDArray[np.float32]:
        """Logits [batch, V] of the last step."""
        return self._logits

    def experts_activated(self) -> float | None:
        """Mean distinct routed experts of a layer in a step, counted from the routers' choices in untimed runs."""
        if not self._spec.is_sparse:
            return None
        steps = []
        for prompt in self._prompts[: traced_prompts(self.tokens_per_step)]:
            self._tokens[...] = prompt
            steps.append(_experts_activated(self._spec, self._session, self._session.run))
        return sum(steps) / len(steps)


class DecodeRunner:
    """A step decodes one token of each of `batch` sequences; after `decode_tokens` steps it starts over.

    It starts behind `depth` and `prompt_tokens` rows of the cache, which hold random numbers of deviation 1, as normed
    latents have.
    """

    def __init__(
        self, spec: Spec, precision: RunPrecision, session: BoundSession, workload: Workload, seed: int
    ) -> None:
        random, batch, steps = np.random.default_rng([seed, 1]), workload.batch, workload.decode_tokens
        self._spec, self._session, self._depth = spec, session, workload.depth + workload.prompt_tokens
        self._ids = random.integers(0, spec.vocab_size, (steps, batch), dtype=np.int64)
        self._decoder = Decoder(spec, precision, session, batch=batch, capacity=self._depth + steps)
        self._decoder.fill(self._depth, random)
        self.tokens_per_step = batch
        self.outside_s = 0.0

    def step(self) -> None:
        start, inside = time.perf_counter(), self._session.run_s
        if self._decoder.length == self._decoder.capacity:
            self._decoder.rewind(self._depth)
        self._decoder.step(self._ids[self._decoder.length - self._depth])
        self.outside_s += time.perf_counter() - start - (self._session.run_s - inside)

    def logits(self) -> NDArray[np.float32]:
        """Logits [batch, V] of the last step."""
        return self._decoder.logits

    def experts_activated(self) -> float | None:
        """Mean distinct routed experts of a layer in a step, counted from the routers' choices in one untimed pass."""
        if not self._spec.is_sparse:
            return None
        self._decoder.rewind(self._depth)

        def decode() -> None:
            self._decoder.step(self._ids[self._decoder.length - self._depth])

        steps = [_experts_activated(self._spec, self._session, decode) for _ in self._ids]
        self._decoder.rewind(self._depth)
        return sum(steps) / len(steps)


def _check_owner(session: BoundSession, number: int) -> None:
    """Raise ValueError where another workload was bound to the session since."""
    if session.binding_number != number:
        raise ValueError("this workload is no longer bound: another one was opened on its session")


def _experts_activated(spec: Spec, session: BoundSession, step: Callable[[], None]) -> float:
    distinct = [len(np.unique(experts)) for experts in run_traced(spec, session, step).values()]
    return sum(distinct) / len(distinct)


def run_traced(spec: Spec, session: BoundSession, step: Callable[[], None]) -> Choices:
    """The experts [tokens, k] that each layer's router chooses in `step`, in no order."""
    layers = range(spec.dense_layers, spec.num_hidden_layers)
    names = [f"selection_{layer}" for layer in layers]
    for name in names:
        session.bind_output(name)
    step()
    k = spec.num_experts_per_tok
    scores = session.outputs(names)
    session.unbind_outputs(names)
    return {i: np.argpartition(-s, k - 1, axis=-1)[:, :k] for i, s in zip(layers, scores, strict=True)}


Runner = PrefillRunner | DecodeRunner
