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
    if not given.command or given.workers < 1:
        parser.error("expected a command such as: python -m tasks.ner --model_dir=runs/two")
    addresses = [f"127.0.0.1:{port}" for port in free_ports(given.workers)]
    workers = []
    for number in range(given.workers):
        task = {"type": "worker", "index": number}
        config = json.dumps({"cluster": {"worker": addresses}, "task": task})
        workers.append(
            subprocess.Popen(
                [*given.command, "--distribute=multi_worker"],
                env={**os.environ, "TF_CONFIG": config},
            )
        )
    # Ctrl-C reaches the workers from the terminal, SIGTERM through here; they end by themselves.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: [worker.terminate() for worker in workers])
    codes = [worker.wait() for worker in workers]
    return next((abs(code) for code in codes if code), 0)


if __name__ == "__main__":
    sys.exit(main())
