"""The texts of the files that TensorFlow Serving itself reads: protos in text format."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from urllib.parse import quote

from zoo.serving.options import ServerConfig
from zoo.serving.served import Served

# Where the server sees the folder of the models.
MODELS = "/models"
WRITTEN = "# Written by `python -m zoo serve-config`.\n"


def models_config(models: Iterable[Served]) -> str:
    """A `ModelServerConfig`. Each model has a comment with the path that tells its state."""
    return f"{WRITTEN}model_config_list {{\n{''.join(map(_model, models))}}}\n"


def batching_config(config: ServerConfig) -> str:
    """`BatchingParameters` for small models on a CPU."""
    threads = (
        f"# As many as the cores that compose.yaml allows.\n"
        f"num_batch_threads {{ value: {config.threads} }}\n"
        if config.threads
        else "# No num_batch_threads: as many as the server's machine has cores.\n"
    )
    return (
        f"{WRITTEN}"
        "# Also the most texts of one request: more are refused, and the client sends them in\n"
        "# parts. The server's own splitting would not do: answers are padded to the longest text\n"
        "# of a batch, and the parts would not fit together.\n"
        f"max_batch_size {{ value: {config.max_batch_size} }}\n"
        "# What an idle server waits for company at most.\n"
        "batch_timeout_micros { value: 1000 }\n"
        f"{threads}"
        "# Of each model: further requests are refused at once, rather than answered late.\n"
        "max_enqueued_batches { value: 100 }\n"
        "# No allowed_batch_sizes: the graphs take any size, and rows of padding cost time.\n"
        "# A tagger's `tokens` of several requests are padded to one width, with any word: the\n"
        "# model reads `lengths` words of each.\n"
        "pad_variable_length_inputs: true\n"
    )


def monitoring_config() -> str:
    """A `MonitoringConfig`: metrics for Prometheus on the REST port."""
    path = "/monitoring/prometheus/metrics"
    return f'{WRITTEN}prometheus_config {{\n  enable: true\n  path: "{path}"\n}}\n'


def check_labels(before: str, models: Sequence[Served]) -> None:
    """Refuses labels that a running server would not move.

    It moves a label only to a version that is loaded already, and it looks at labels before it
    loads anything: where one is refused, nothing of the new file is done, now or later.

    Args:
        before: the models.config that the server may be running with, as `models_config` wrote it.
        models: that are to follow.

    Raises:
        ValueError: a label moves to a version that `before` has not.
    """
    old = {one.name: one for one in map(_read, before.split("  config {\n")[1:])}
    for model in models:
        known = old.get(model.name, Served(model.name))
        labels = dict(known.labels)
        for label, version in model.labels:
            if labels.get(label, version) != version and version not in known.versions:
                pairs = [f"{name}:{number}" for name, number in known.labels]
                first = ",".join([*pairs, str(version)])
                raise ValueError(
                    f"{model.name}: expected the label {label} to move to a version that the "
                    f"server has, one of {list(known.versions)}. Received: {version}. Say first "
                    f"--versions {model.name}={first}, wait until version {version} is there, and "
                    "then move the label"
                )


def _model(model: Served) -> str:
    policy = "latest { num_versions: 1 }"
    if model.versions:
        policy = f"specific {{ {' '.join(f'versions: {number}' for number in model.versions)} }}"
    labels = "".join(
        f"    version_labels {{ key: {quoted(label)} value: {number} }}\n"
        for label, number in model.labels
    )
    return (
        "  config {\n"
        f"    # GET /v1/models/{quote(model.name, safe='')}\n"
        f"    name: {quoted(model.name)}\n"
        f"    base_path: {quoted(f'{MODELS}/{model.name}')}\n"
        '    model_platform: "tensorflow"\n'
        f"    model_version_policy {{ {policy} }}\n"
        f"{labels}"
        "  }\n"
    )


def _read(text: str) -> Served:
    """What `_model` wrote."""
    name = re.search(r"^    name: (.*)$", text, re.MULTILINE)
    labels = re.findall(r'version_labels { key: "([^"]*)" value: (\d+) }', text)
    return Served(
        json.loads(name[1]) if name else "",
        tuple(map(int, re.findall(r" versions: (\d+)", text))),
        tuple((label, int(number)) for label, number in labels),
    )


def quoted(text: str) -> str:
    """As a string of JSON, which YAML and the text format of protos read too."""
    return json.dumps(text, ensure_ascii=False)
