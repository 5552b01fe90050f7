"""Runs a training program as two workers of this machine, or as more.

    python examples/two_workers.py python -m tasks.ner --model_dir=runs/two
    python examples/two_workers.py --workers=4 python -m tasks.lm --batch_size=64

Each worker is a process with its own TF_CONFIG, as launchers on clusters start them. Only the first
one, the chief, shows how far training has come. Ctrl-C stops all; the same command goes on.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import subprocess
import sys


def free_ports(count: int) -> list[int]:
    """Ports of this machine at which nobody listens."""
    listening = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in listening]
    for one in listening:
        one.close()
    return ports


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("command", nargs=argparse.REMAINDER, help="a training program")
    given = parser.parse_args()
    if given.command[:1] == ["--"]:
        del given.command[0]
    if given.workers < 1:
        parser.error(f"--workers: expected 1 or more, received {given.workers}")
    if not given.command:
        parser.error("expected a command such as: python -m tasks.ner --model_dir=runs/two")
    addresses = [f"127.0.0.1:{port}" for port in free_ports(given.workers)]
    workers: list[subprocess.Popen] = []
    stopped: list[int] = []

    def stop(number: int, _: object) -> None:
        """Ctrl-C reaches them from the terminal, SIGTERM through here; they end by themselves."""
        stopped.append(number)
        if number == signal.SIGTERM:
            for worker in workers:
                worker.terminate()

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    for number in range(given.workers):
        task = {"type": "worker", "index": number}
        config = json.dumps({"cluster": {"worker": addresses}, "task": task})
        try:
            worker = subprocess.Popen(
                [*given.command, "--distribute=multi_worker"],
                env={**os.environ, "TF_CONFIG": config},
            )
        except OSError as error:
            parser.error(f"{given.command[0]}: {error.strerror}")
        workers.append(worker)
    codes = [worker.wait() for worker in workers]
    return next((128 + number for number in stopped), next((abs(c) for c in codes if c), 0))


if __name__ == "__main__":
    sys.exit(main())
