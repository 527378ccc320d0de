"""A worker with the real protocol and a model that misbehaves at batch 7, in the way that its first argument names.

Run as a program by the sweep; its engine does nothing but what the animal does.
"""

import os
import signal
import subprocess
import sys
import time

import numpy as np
from numpy.typing import NDArray

from harness.errors import UnfitHostError
from harness.measure.worker import main
from harness.results.plan import Task, Variant, Workload

BAD_BATCH = 7


class Runner:
    def __init__(self, animal: str, batch: int):
        self._animal = animal if batch == BAD_BATCH else "tame"
        self.tokens_per_step = batch
        self.outside_s = 0.0

    def step(self) -> None:
        behave(self._animal)
        time.sleep(0.001)

    def experts_activated(self) -> float | None:
        return None

    def logits(self) -> NDArray[np.float32]:
        return np.zeros((1, 4), np.float32)


class Engine:
    load_s = 0.0
    weight_bytes = 0

    def __init__(self, animal: str):
        self._animal = animal

    def open(self, workload: Workload, *, seed: int) -> Runner:
        assert workload.phase == "decode" and seed >= 0
        return Runner(self._animal, workload.batch)


def behave(animal: str) -> None:
    """Do what `animal` does."""
    if animal == "sleeps":
        time.sleep(3600)
    elif animal == "segfaults":
        print("about to fall", file=sys.stderr, flush=True)
        os.kill(os.getpid(), signal.SIGSEGV)
    elif animal == "leaves":
        os._exit(0)
    elif animal == "fails":
        raise UnfitHostError("the runtime refused the graph")
    elif animal == "raises":
        raise ZeroDivisionError("a defect")
    elif animal == "chatters":
        print('{"workload": 0, "observation": null}\n' * 10_000, flush=True)
        os.write(2, b"\xff\xfe junk \x00\n")
    elif animal == "hoards":
        hoard = []
        while True:
            hoard.append(np.full(64 << 20, 1, np.uint8))
    elif animal == "breeds":
        subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(3600)", "grandchild-of-the-zoo"])
        os._exit(3)
    elif animal == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(3600)


def load(animal: str) -> Engine:
    if animal == "unloadable":
        raise UnfitHostError("the model does not fit")
    if animal == "dies-loading":
        os._exit(9)
    return Engine(animal)


if __name__ == "__main__":
    if sys.argv[1] == "babbles":
        import socket

        with socket.socket(fileno=int(sys.argv[3])) as channel:
            channel.sendall(b"\x00not json\n")
            time.sleep(3600)

    def load_task(_task: Task, _variant: Variant) -> Engine:
        return load(sys.argv[1])

    sys.exit(main(sys.argv[2:], load=load_task, reference=lambda: (0.004, 0.004)))
