"""Asks a model that TensorFlow Serving serves, and gives what `zoo.load` gives.

The same names, dtypes, shapes and values, over REST or gRPC. REST needs the standard library and
NumPy alone; gRPC needs `pip install tensorflow-serving-api`.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from zoo.inputs import MAX_CHARACTERS
from zoo.serving.asking import Client, Target
from zoo.serving.errors import NoSignature, OutOfTime, ServerDown, ServerError
from zoo.serving.over_rest import RestClient
from zoo.serving.splitting import MAX_BATCH_SIZE

__all__ = ["Client", "NoSignature", "OutOfTime", "ServerDown", "ServerError", "connect"]


def connect(
    address: str,
    name: str,
    *,
    version: int | None = None,
    label: str | None = None,
    timeout: float = 10.0,
    retries: int = 3,
    max_batch_size: int = MAX_BATCH_SIZE,
    max_characters: int | None = MAX_CHARACTERS,
) -> Client:
    """A model on a server. Nothing is sent before the first question.

    Args:
        address: `http://HOST:PORT` or `https://HOST:PORT` for REST, where a path may follow, or
            `grpc://HOST:PORT`. TensorFlow Serving's ports are 8501 and 8500.
        name: of the model.
        version: by default the newest that is served.
        label: of a version, in place of its number.
        timeout: seconds that a question may take from when it is asked to when the last byte of
            its answer is there: all attempts, pauses and parts together. A time-out is not retried.
        retries: how often a question is asked again when the connection is refused or lost, after
            pauses that grow from 0.2 to 2 seconds.
        max_batch_size: texts that are sent at once, the server's own limit. More are sent in parts,
            one after the other, and the answer is that to the whole.
        max_characters: most characters of a text that it may be asked about; None for any number.

    Raises:
        ValueError: an argument is not one of these.
        ImportError: gRPC is not installed.

    Example:
        >>> model = connect("http://localhost:8501", "ner_wikiann")
        >>> model.wait_until_ready(seconds=60)  # doctest: +SKIP
        >>> model("Marie Curie worked in Paris.")["tags"].tolist()  # doctest: +SKIP
        [['B-PER', 'I-PER', 'O', 'O']]
    """
    target = Target(address, name, version, label, timeout, retries, max_batch_size, max_characters)
    if _scheme(address) == "grpc":
        from zoo.serving.over_grpc import GrpcClient

        return GrpcClient(_checked(target))
    return RestClient(_checked(target))


def _scheme(address: str) -> str:
    parts = urlsplit(address)
    try:
        # REST has a usual port, gRPC has none.
        kinds = {"http", "https", "grpc"} if parts.port else {"http", "https"}
    except ValueError:  # what is given for the port is no number
        kinds = set()
    if not parts.hostname or parts.scheme not in kinds:
        raise ValueError(
            "expected an address such as 'http://localhost:8501' or 'grpc://localhost:8500'. "
            f"Received: {address!r}"
        )
    return parts.scheme


def _checked(target: Target) -> Target:
    version, label, timeout = target.version, target.label, target.timeout
    retries, max_batch_size = target.retries, target.max_batch_size
    if version is not None and label is not None:
        raise ValueError(f"expected a version or a label. Received: {version=}, {label=}")
    if not timeout > 0 or retries < 0:
        raise ValueError(f"expected timeout > 0 and retries >= 0. Received: {timeout=}, {retries=}")
    if max_batch_size < 1:
        raise ValueError(f"expected max_batch_size >= 1. Received: {max_batch_size=}")
    return target
