"""`harness` beside llama.cpp: prefill and decode of one architecture at the same stored bits, in turn, and ratios.

llama.cpp is no dependency. Give it an environment of its own (the build takes some minutes) and name its interpreter:

    python -m venv peer && peer/bin/pip install llama-cpp-python gguf
    python -m tests.benchmarks.peers --peer peer/bin/python --rounds 5

Each round times both sides of every case, ours first in even rounds; a ratio is the median over rounds of ours over the
peer's, with the least and the largest. Both are alive at the same time and each waits while the other runs. The last
column is the ratio that decode would have if its products took their time and all other operators none (products.py):
what the runtime's own operators allow.
"""

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import IO, get_args

from harness.catalog.models import preset
from harness.model.spec import Spec
from harness.model.weights import generate
from harness.results.plan import Workload
from harness.runtime.engine import Engine
from harness.runtime.runner import Runner
from harness.vocabulary import Phase, RunPrecision
from tests.benchmarks.llama_peer import TYPES, timed_block
from tests.benchmarks.products import products_alone

Case = tuple[str, Phase, int, int, int]
"""Name, phase, sequences, tokens of each, cached tokens."""

CASES: tuple[Case, ...] = (
    ("prefill 512", "prefill", 1, 512, 0),
    ("decode 64", "decode", 1, 64, 0),
    ("decode 64, batch 16", "decode", 16, 64, 0),
    ("decode 64, depth 2048", "decode", 1, 64, 2048),
)


class Peer:
    """llama.cpp in a process of its own."""

    def __init__(
        self, interpreter: str, spec: Spec, precision: RunPrecision, threads: int, cases: tuple[Case, ...]
    ) -> None:
        program = Path(__file__).with_name("llama_peer.py")
        self._process = subprocess.Popen(
            [interpreter, str(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        task = {
            "spec": json.loads(spec.model_dump_json()),
            "precision": precision,
            "threads": threads,
            "cases": [dict(zip(("phase", "batch", "tokens", "depth"), case[1:], strict=True)) for case in cases],
        }
        self._send(json.dumps(task))
        self.version: str = json.loads(self._answer())["ready"]

    def _pipe(self, pipe: IO[str] | None) -> IO[str]:
        assert pipe is not None
        return pipe

    def _send(self, line: str) -> None:
        stdin = self._pipe(self._process.stdin)
        stdin.write(line + "\n")
        stdin.flush()

    def _answer(self) -> str:
        line = self._pipe(self._process.stdout).readline()
        if not line:
            raise SystemExit("the peer ended: are llama-cpp-python and gguf installed in the environment of --peer?")
        return line

    def block(self, case: int) -> list[float]:
        self._send(str(case))
        samples: list[float] = json.loads(self._answer())
        return samples

    def close(self) -> None:
        self._pipe(self._process.stdin).close()
        self._process.wait()


def rate(samples: list[float], case: Case) -> float:
    """Tokens a second of the median step."""
    _, phase, batch, tokens, _ = case
    return batch * (tokens if phase == "prefill" else 1) / statistics.median(samples)


def opened(engine: Engine, case: Case) -> Runner:
    _, phase, batch, tokens, depth = case
    prompt = tokens if phase == "prefill" else 0
    workload = Workload(phase=phase, batch=batch, prompt_tokens=prompt, decode_tokens=tokens, depth=depth)
    return engine.open(workload, seed=1)


def ours(engine: Engine, case: Case) -> list[float]:
    """One timed block, opened anew, because cases share a session; the first two steps warm it up."""
    runner, session = opened(engine, case), engine.session(case[1])

    def step() -> float:
        before = session.run_s + runner.outside_s
        runner.step()
        return session.run_s + runner.outside_s - before

    for _ in range(2):
        step()
    return timed_block(step)


def products(spec: Spec, precision: RunPrecision, threads: int, case: Case) -> list[Callable[[], list[float]]]:
    """Timed blocks of the products of a decode step alone; of prefill none."""
    _, phase, batch, tokens, depth = case
    if phase == "prefill":
        return []
    engine = Engine(spec, precision, threads, partial(generate, spec, precision, 0))
    return [partial(timed_block, products_alone(engine, batch=batch, tokens=tokens, depth=depth))]


def compare(
    peer: Peer, spec: Spec, precision: RunPrecision, threads: int, cases: tuple[Case, ...], rounds: int
) -> None:
    """Print a row for each case."""
    for phase in get_args(Phase):
        engine = Engine.load(spec, precision, threads=threads, seed=0, first=phase)
        for index, case in enumerate(cases):
            if case[1] != phase:
                continue
            sides: list[Callable[[], list[float]]] = [partial(ours, engine, case), partial(peer.block, index)]
            sides += products(spec, precision, threads, case)
            rates: list[list[float]] = [[] for _ in sides]
            for number in range(rounds):
                for i in range(len(sides))[:: -1 if number % 2 else 1]:
                    rates[i].append(rate(sides[i](), case))
            columns = [f"{precision} / {TYPES[precision]}", case[0]]
            columns += [f"{statistics.median(side):,.0f}" for side in rates[:2]]
            columns += [_spread([a / b for a, b in zip(side, rates[1], strict=True)]) for side in rates[::2]]
            print("| " + " | ".join(columns) + " |" + " |" * (len(sides) == 2), flush=True)
        engine.close()


def _spread(ratios: list[float]) -> str:
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--peer", default=sys.executable, help="interpreter with llama-cpp-python and gguf")
    parser.add_argument("--model", default="moe-1b")
    parser.add_argument("--precision", nargs="+", default=["fp32", "int8", "int4"], choices=list(TYPES))
    parser.add_argument("--cases", nargs="+", type=int, default=list(range(len(CASES))), help="which, from 0")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    spec, cases = preset(arguments.model), tuple(CASES[i] for i in arguments.cases)
    print(
        "| bits | case | harness, tok/s | llama.cpp, tok/s | ratio (least to largest) | ratio of the products alone |"
    )
    print("|---|---|---|---|---|---|")
    for precision in arguments.precision:
        peer = Peer(arguments.peer, spec, precision, arguments.threads, cases)
        compare(peer, spec, precision, arguments.threads, cases, arguments.rounds)
        peer.close()
    print(f"\n{peer.version}, {arguments.threads} threads, {arguments.rounds} rounds")


if __name__ == "__main__":
    main()
