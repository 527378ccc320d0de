"""A clock that stands still until a step takes time: timing rules are tested on it, without waiting."""

from collections.abc import Callable, Iterator


class ScriptedClock:
    """A clock that only steps advance."""

    def __init__(self) -> None:
        self.now_ns = 0

    def __call__(self) -> int:
        return self.now_ns

    def step_of(self, *durations_ns: int) -> Callable[[], None]:
        """A step that takes each duration in turn, then the last one for ever."""
        script: Iterator[int] = iter(durations_ns)

        def step() -> None:
            self.now_ns += next(script, durations_ns[-1])

        return step
