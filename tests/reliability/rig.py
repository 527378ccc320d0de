"""Plans, headers and observations for tests that need no model, and a worker that answers at once.

The worker is this file run as a program: it needs nothing but the standard library, so that hundreds of runs are quick.
"""

import datetime as dt
import json
import socket
import sys

HURRIED = (sys.executable, "-S", __file__)
"""Command of a worker that answers each workload at once with three made-up durations."""


def answer() -> None:
    """Read a task, answer each workload, wait for each acknowledgement."""
    task = json.load(sys.stdin)
    channel = socket.socket(fileno=int(sys.argv[sys.argv.index("--channel") + 1]))

    def say(message: dict[str, object]) -> None:
        channel.sendall(json.dumps(message).encode() + b"\n")
        if not channel.recv(1):
            sys.exit(1)

    started = dt.datetime.now(dt.UTC).isoformat()
    if task["kind"] == "ceilings":
        ceiling = {
            "round": task["round"],
            "read_bytes_s": 1e10,
            "read_kernel": "none",
            "matmul": [],
            "started": started,
        }
        say({"ceiling": ceiling})
        return
    say({"loaded": True})
    for index, workload in enumerate(task["workloads"]):
        observation = {
            "round": task["round"],
            "durations_s": [0.01, 0.011, 0.012],
            "tokens_per_step": workload["batch"],
            "started": started,
        }
        say({"workload": index, "observation": observation})


if __name__ == "__main__":
    answer()
