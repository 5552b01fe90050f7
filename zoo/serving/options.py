"""What a user decides about the server; `python -m zoo serve-config` has a flag for each field."""

from __future__ import annotations

import dataclasses
import math
import re

from zoo.configuration import Configuration, option
from zoo.serving.splitting import MAX_BATCH_SIZE


@dataclasses.dataclass(frozen=True)
class ServerConfig(Configuration):
    """How the server runs.

    Raises:
        ValueError: a value is out of bounds, or Docker would not take it.

    Example:
        >>> ServerConfig(cpus=0.5).threads
        1
        >>> ServerConfig(memory="4 GB")
        Traceback (most recent call last):
        ...
        ValueError: memory: expected a number with b, k, m or g, such as 4g. Received: '4 GB'
    """

    image: str = option("tensorflow/serving:2.20.0", "Docker image of the server.")
    grpc_port: int = option(8500, "This machine's port for gRPC.", at_least=1, at_most=65535)
    rest_port: int = option(8501, "This machine's port for REST.", at_least=1, at_most=65535)
    cpus: float = option(
        2.0,
        "Cores that the server may use, of those that there are; it runs as many batches at once. "
        "With 0 there is no limit, and both are all that its machine has.",
        at_least=0,
    )
    memory: str = option(
        "4g",
        "Memory that the server may use; Docker ends and restarts it where it takes more. With 0 "
        "there is no limit.",
    )
    max_batch_size: int = option(
        MAX_BATCH_SIZE,
        "Most texts of a batch, and of a request. Clients connect with the same number.",
        at_least=1,
    )
    poll_seconds: int = option(
        30, "How often the server reads models.config again. With 0, never.", at_least=0
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        expected = {
            "image": (r"[\w./:@-]+", "the name of a Docker image"),
            "memory": (r"\d+(\.\d+)?[bkmg]|0", "a number with b, k, m or g, such as 4g"),
        }
        for name, (pattern, words) in expected.items():
            value = getattr(self, name)
            if not re.fullmatch(pattern, value, re.ASCII | re.IGNORECASE):
                raise ValueError(f"{name}: expected {words}. Received: {value!r}")
        if self.grpc_port == self.rest_port:
            raise ValueError(f"expected two ports. Received: {self.grpc_port} for gRPC and REST")
        if not math.isfinite(self.cpus):
            raise ValueError(f"cpus: expected a number of cores. Received: {self.cpus}")

    @property
    def threads(self) -> int:
        """Of the server, for batches and inside them; 0 where it counts its machine's cores."""
        return math.ceil(self.cpus)
