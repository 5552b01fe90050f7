"""Many clients against the server's stand-in, which is killed and started again under them.

    python -m tests.support.load --clients=64 --minutes=10 --output=docs/load.json

Half of the clients ask over REST, half over gRPC, one question after the other, and compare each
answer with that of `zoo.load`. A table of the same figures is written beside the output. Ctrl-C
ends a run early, and what there is by then is reported.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import itertools
import pathlib
import random
import socket
import subprocess
import sys
import threading
import time

import numpy as np

import zoo
from zoo import files
from zoo.catalog.markdown import table
from zoo.serving.client import ServerDown, connect

ROOT = pathlib.Path(__file__).parents[2]
NAMES = ("ner_demo", "sentiment_demo")
PERCENTILES = (50, 90, 99, 99.9, 100)
SENTENCES = (
    "Marie Curie worked in Paris.",
    "Teddy Roosevelt was a great president.",
    "The film was wonderful and the actors were superb.",
    "A dull, slow and terrible story!",
    "Harry Potter met Hermione Granger in London",
    "I would not watch this again.",
    "",
    "日本 is where Anna Müller lives 👍🏽",
)
# Alone, in pairs, and all at once.
QUESTIONS = [
    *([one] for one in SENTENCES),
    *([*pair] for pair in itertools.combinations(SENTENCES[:5], 2)),
    [*SENTENCES],
]


class Server:
    """The stand-in in a process, at the same ports whenever it is started.

    Args:
        models: folders by name.
        starts: how often it will be started. So many processes import TensorFlow at once and wait,
            so that a restart takes as long as the models take to load.
    """

    def __init__(self, models, starts):
        with contextlib.ExitStack() as stack:
            free = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(2)]
            rest, grpc = (one.getsockname()[1] for one in free)
        self.addresses = f"http://127.0.0.1:{rest}", f"grpc://127.0.0.1:{grpc}"
        self._names, self._process = [*models], None
        program = [sys.executable, str(pathlib.Path(__file__).with_name("stand_in.py"))]
        program += [f"--rest_port={rest}", f"--grpc_port={grpc}"]
        program += [f"{name}={folder}" for name, folder in models.items()]
        environment = {"PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
        # In a session of their own: Ctrl-C is for the clients.
        options = {"env": environment, "stdin": subprocess.PIPE, "start_new_session": True}
        self._waiting = [subprocess.Popen(program, **options) for _ in range(starts)]

    def start(self, seconds=120):
        """Returns when it answers."""
        self._process = self._waiting.pop()
        self._process.stdin.write(b"\n")
        self._process.stdin.flush()
        for name in self._names:
            with connect(self.addresses[0], name) as model:
                model.wait_until_ready(seconds)

    def kill(self):
        """Without a word; the processes of its models see that it is gone."""
        _kill(self._process)

    def close(self):
        for process in (self._process, *self._waiting):
            _kill(process)

    def megabytes(self):
        """Of memory, with the processes of its models."""
        return sum(map(megabytes, [self._process.pid, *children(self._process.pid)]))


def _kill(process):
    if process is not None:
        process.kill()
        process.wait()
        process.stdin.close()


def children(pid):
    found = pathlib.Path(f"/proc/{pid}/task").glob("*/children")
    with contextlib.suppress(OSError):
        return [int(child) for path in found for child in path.read_text().split()]
    return []


def megabytes(pid):
    """Resident memory of a process; 0 of one that is gone."""
    with contextlib.suppress(OSError):
        for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
    return 0.0


class Clients:
    """Threads that ask until they are told to stop.

    Attributes:
        asked: (client, begin, end, outcome) of each question; the outcome is "right", "late" for a
            server that was not reached within the time-out, or what went wrong.
    """

    def __init__(self, addresses, models, count, timeout):
        expected = [(name, zoo.load(folder)) for name, folder in models.items()]
        self._expected = [(name, q, model(q)) for name, model in expected for q in QUESTIONS]
        self._addresses, self._names, self._timeout = addresses, [*models], timeout
        self.asked, self._stop = [], threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=[i]) for i in range(count)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, number):
        chosen, address = random.Random(number), self._addresses[number % 2]
        # As many retries as there is time for.
        options = {"timeout": self._timeout, "retries": 10**6}
        with contextlib.ExitStack() as stack:
            models = {n: stack.enter_context(connect(address, n, **options)) for n in self._names}
            while not self._stop.is_set():
                name, question, expected = chosen.choice(self._expected)
                begin = time.monotonic()
                try:
                    outcome = "right" if same(models[name](question), expected) else "wrong"
                except (ServerDown, TimeoutError) as error:
                    early = time.monotonic() - begin < 0.9 * self._timeout
                    outcome = f"early: {error}" if early else "late"
                except Exception as error:
                    outcome = f"{type(error).__name__}: {error}"
                self.asked.append((number, begin, time.monotonic(), outcome))


def same(found, expected):
    return found.keys() == expected.keys() and all(
        found[key].dtype == value.dtype
        and found[key].shape == value.shape
        and (
            np.array_equal(found[key], value)
            if value.dtype.kind not in "f"
            else np.allclose(found[key], value, rtol=1e-4, atol=1e-6)
        )
        for key, value in expected.items()
    )


def run(models, clients, seconds, kills, timeout=60.0, every=10.0, say=print):
    """Loads a server.

    Args:
        models: folders by name, those of the zoo or like them.
        clients: how many ask at once.
        seconds: how long.
        kills: seconds after which the server is killed and started again.
        timeout: seconds of a question.
        every: seconds between looks at the memory, which are said.

    Returns:
        What `docs/load.json` holds; see `report`.
    """
    server = Server(models, 1 + len(kills))
    memory, restarts, left = [], [], sorted(kills)
    try:
        asking = Clients(server.addresses, models, clients, timeout)
        server.start()
        with asking:
            start = time.monotonic()
            with contextlib.suppress(KeyboardInterrupt):
                for look in itertools.count(1):
                    while left and left[0] < min(look * every, seconds):
                        time.sleep(max(0.0, start + left.pop(0) - time.monotonic()))
                        restarts.append(_restart(server))
                    time.sleep(max(0.0, start + min(look * every, seconds) - time.monotonic()))
                    now = time.monotonic() - start
                    own = megabytes("self")
                    memory.append((round(now, 1), round(server.megabytes()), round(own)))
                    megabytes_now = f"{memory[-1][1]} MB the server, {memory[-1][2]} MB the clients"
                    say(f"{now:.0f} s: {len(asking.asked)} answers, {megabytes_now}", flush=True)
                    if now >= seconds:
                        break
            end = time.monotonic()
        return report(asking.asked, clients, end - start, start, end, restarts, memory)
    finally:
        server.close()


def _restart(server):
    """When it was killed, and when it answered again."""
    killed = time.monotonic()
    server.kill()
    server.start()
    return killed, time.monotonic()


def report(asked, clients, seconds, start, end, restarts, memory):
    """The figures of a run: questions that lie in a restart have latencies of their own."""

    def latencies(rows):
        values = [1000 * (e - b) for _, b, e, _ in rows]
        return {f"{p:g}": round(float(np.percentile(values, p)), 1) for p in PERCENTILES if values}

    def in_restart(row):
        return any(killed < row[2] and row[1] < ready for killed, ready in restarts)

    def recovered(killed, ready):
        """Seconds from when the server answers until the last client has an answer."""
        first = {}
        for client, _, e, outcome in asked:
            if outcome == "right" and e > ready:
                first[client] = min(e, first.get(client, e))
        return {
            "killed_after": round(killed - start, 1),
            "seconds_down": round(ready - killed, 2),
            "clients_recovered": len(first),
            "last_recovered_seconds": round(max(first.values(), default=ready) - ready, 2),
        }

    steady = [row for row in asked if row[3] == "right" and not in_restart(row)]
    return {
        "clients": clients,
        "seconds": round(seconds, 1),
        "answers": len(asked),
        "outcomes": dict(collections.Counter(row[3] for row in asked)),
        "answers_per_second": round(sum(start <= row[2] <= end for row in asked) / seconds, 1),
        "latency_ms": latencies(steady),
        "latency_ms_in_restarts": latencies([row for row in asked if in_restart(row)]),
        "restarts": [recovered(*restart) for restart in restarts],
        "memory": [dict(zip(("seconds", "server", "clients"), m, strict=True)) for m in memory],
    }


def markdown(found, command):
    """The figures as tables."""
    outcomes = ", ".join(f"{count} {what}" for what, count in found["outcomes"].items())
    latency = [
        [name, *(f"{value:g}" for value in found[key].values())]
        for name, key in (("steady", "latency_ms"), ("in restarts", "latency_ms_in_restarts"))
        if found[key]
    ]
    restarts, memory = (
        [[f"{value:g}" for value in one.values()] for one in found[key]]
        for key in ("restarts", "memory")
    )
    return "\n".join(
        [
            "# The stand-in of TensorFlow Serving under load",
            "",
            f"`{command}`: {found['clients']} clients for {found['seconds']:g} s beside the server "
            f"on the same cores, {found['answers_per_second']:g} answers a second; {outcomes}.",
            "",
            "**latency, ms, by percentile**",
            "",
            table(["", *(f"{p:g}" for p in PERCENTILES)], latency),
            "",
            "**restarts after `kill -9`**",
            "",
            table(["after, s", "down, s", "clients that recovered", "the last after, s"], restarts),
            "",
            "**resident memory, MB**",
            "",
            table(["after, s", "server", "clients"], memory),
            "",
        ]
    )


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--kills", type=int, default=2, help="in the last third of the time")
    parser.add_argument("--timeout", type=float, default=60.0, help="seconds of a question")
    parser.add_argument("--output", help="a .json file; its table goes to an .md file beside it")
    flags = parser.parse_args(arguments)
    seconds = 60 * flags.minutes
    kills = [seconds * (2 / 3 + i / (3 * flags.kills)) for i in range(flags.kills)]
    models = {name: ROOT / "saved_models" / name for name in NAMES}
    found = run(models, flags.clients, seconds, kills, flags.timeout)
    given = sys.argv[1:] if arguments is None else arguments
    text = markdown(found, " ".join(["python -m tests.support.load", *given]))
    if flags.output:
        files.write_json(flags.output, found)
        files.write_text(pathlib.Path(flags.output).with_suffix(".md"), text)
    print(text)
    return 0 if found["outcomes"].keys() <= {"right", "late"} else 1


if __name__ == "__main__":
    sys.exit(main())
