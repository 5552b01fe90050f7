"""The workers that train together, as `TF_CONFIG` says; every launcher sets it.

    {"cluster": {"worker": ["10.0.0.1:2222", "10.0.0.2:2222"]},
     "task": {"type": "worker", "index": 0}}

Free of TensorFlow, so that what is wrong is said at once.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
from collections.abc import Mapping
from typing import Any

from tasks.data.errors import UserError

VARIABLE = "TF_CONFIG"
# Gradients of embeddings with more rows than this are sent as the rows that a batch has; of smaller
# ones, a batch has most rows, and often.
SENT_DENSE = 4096
# The jobs that train, in the order in which TensorFlow counts them.
_JOBS = ("chief", "worker")
_PARTS = ("cluster", "task")


@dataclasses.dataclass(frozen=True)
class Cluster:
    """Some workers, and which of them this process is.

    Attributes:
        jobs: what each is called, such as `"worker 1"`; the first one is the chief, who alone
            writes files and shows progress.
        addresses: of each, host and port.
        number: of this one.

    Example:
        >>> cluster = Cluster(("worker 0", "worker 1"), ("10.0.0.1:2222", "10.0.0.2:2222"), 1)
        >>> cluster.name(0), cluster.name(1), cluster.is_chief
        ('worker 0, the chief (10.0.0.1:2222)', 'worker 1 (10.0.0.2:2222)', False)
    """

    jobs: tuple[str, ...]
    addresses: tuple[str, ...]
    number: int

    def __len__(self) -> int:
        return len(self.addresses)

    @property
    def is_chief(self) -> bool:
        return self.number == 0

    def name(self, number: int) -> str:
        """What a worker is called in messages."""
        chief = ", the chief" if number == 0 else ""
        return f"{self.jobs[number]}{chief} ({self.addresses[number]})"

    def host_and_port(self, number: int) -> tuple[str, int]:
        """The address of a worker, in parts."""
        host, _, port = self.addresses[number].rpartition(":")
        return host.strip("[]"), int(port)


def read(environment: Mapping[str, str] = os.environ) -> Cluster:
    """The cluster that `TF_CONFIG` describes.

    Raises:
        UserError: it is not set, or does not describe one.

    Example:
        >>> task = '"task": {"type": "worker", "index": 1}'
        >>> read({"TF_CONFIG": '{"cluster": {"worker": ["a:1", "b:1"]}, %s}' % task}).addresses
        ('a:1', 'b:1')
    """
    given = environment.get(VARIABLE, "")
    if not given.strip():
        raise UserError(
            f"--distribute=multi_worker: expected {VARIABLE} in the environment of each worker, as "
            'launchers set it: {"cluster": {"worker": ["HOST:PORT", ...]}, "task": {"type": '
            '"worker", "index": 0}}. Received: none. For the devices of one machine give '
            "--distribute=mirrored."
        )
    try:
        said = json.loads(given)
    except ValueError as error:
        raise _error(f"JSON: {error}", given) from None
    cluster, task = (said.get(name) if isinstance(said, dict) else None for name in _PARTS)
    if not isinstance(cluster, dict) or not isinstance(task, dict):
        raise _error('an object with "cluster" and "task"', given)
    unknown = sorted(cluster.keys() - set(_JOBS))
    if unknown:
        raise _error(f"a cluster of {' and '.join(_JOBS)} alone, without {unknown}", given)
    jobs, addresses = [], []
    for job in _JOBS:
        some = cluster.get(job, [])
        if not isinstance(some, list) or not all(map(_is_address, some)):
            raise _error(f'a list of "HOST:PORT" for {job!r}', given)
        jobs += [f"{job} {index}" for index in range(len(some))]
        addresses += some
    twice = sorted({one for one in addresses if addresses.count(one) > 1})
    if twice:
        raise _error(f"an address of its own for each worker, and not {twice[0]} twice", given)
    if len(cluster.get("chief", [])) > 1:
        raise _error("one chief", given)
    here = f"{task.get('type')} {task.get('index')}"
    if here not in jobs:
        expected = f"a task of the cluster ({', '.join(jobs) or 'which is empty'})"
        raise _error(f"{expected}, and not {here}", given)
    return Cluster(tuple(jobs), tuple(addresses), jobs.index(here))


def check_batch_size(batch_size: int, parts: int, what: str) -> None:
    """Raises UserError where a batch cannot be cut into equal parts.

    Example:
        >>> check_batch_size(9, 2, "workers")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ...
        tasks.data.errors.UserError: --batch_size: expected a multiple of 2, the number of ...
    """
    if batch_size % parts:
        raise UserError(
            f"--batch_size: expected a multiple of {parts}, the number of {what}, since it counts "
            f"the rows of all of them together. Received: {batch_size}. Give "
            f"--batch_size={-(-batch_size // parts) * parts}"
        )


def _is_address(value: Any) -> bool:
    host, _, port = value.rpartition(":") if isinstance(value, str) else ("", "", "")
    # One of IPv6 stands in brackets.
    plain = re.fullmatch(r"[\w.-]+|\[[0-9a-fA-F:.%\w]+\]", host)
    return bool(plain) and port.isdecimal() and 0 < int(port) < 2**16


def _error(expected: str, given: str) -> UserError:
    return UserError(f"{VARIABLE}: expected {expected}. Received: {given!r}")
