"""The files that TensorFlow Serving starts with: models, batching, monitoring, a compose file."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from zoo import files
from zoo.saving.versions import home, list_models

IMAGE = "tensorflow/serving:2.20.0"
REST_PORT = 8501
# Where the server sees the folder of the models.
MODELS = "/models"
MODELS_CONFIG, BATCHING_CONFIG = "models.config", "batching.config"
MONITORING_CONFIG, COMPOSE = "monitoring.config", "compose.yaml"
_HOME = home()
_WRITTEN = "# Written by `python -m zoo serve-config`.\n"


def write_config(
    folder: str | os.PathLike = _HOME,
    root: str | os.PathLike = _HOME.parent,
) -> list[Path]:
    """Writes the files for all models of a folder.

    Args:
        folder: of the models; gets the three files of the server.
        root: gets `compose.yaml`.

    Returns:
        The paths of the files.

    Raises:
        ValueError: there are no models.
    """
    folder, root = Path(folder).absolute(), Path(root).absolute()
    names = list_models(folder)
    if not names:
        raise ValueError(f"{folder}: expected a folder with at least one model. Received: none")
    inside = folder.is_relative_to(root)
    volume = f"./{folder.relative_to(root).as_posix()}" if inside else folder.as_posix()
    texts = {
        folder / MODELS_CONFIG: models_config(names),
        folder / BATCHING_CONFIG: batching_config(),
        folder / MONITORING_CONFIG: monitoring_config(),
        root / COMPOSE: compose(names, volume),
    }
    for path, text in texts.items():
        files.write_text(str(path), text)
    return list(texts)


def models_config(names: Sequence[str]) -> str:
    """A `ModelServerConfig`: the newest version of each model."""
    entries = "".join(
        "  config {\n"
        f"    name: {_quoted(name)}\n"
        f"    base_path: {_quoted(f'{MODELS}/{name}')}\n"
        '    model_platform: "tensorflow"\n'
        "    model_version_policy { latest { num_versions: 1 } }\n"
        "  }\n"
        for name in names
    )
    return f"{_WRITTEN}model_config_list {{\n{entries}}}\n"


def batching_config() -> str:
    """`BatchingParameters` for small models on a CPU."""
    return (
        f"{_WRITTEN}"
        "# Also the most texts of one request: more are refused. Requests are not split, since\n"
        "# answers are padded to the longest text of a batch: parts would not fit together.\n"
        "max_batch_size { value: 256 }\n"
        "# What an idle server waits for company at most.\n"
        "batch_timeout_micros { value: 1000 }\n"
        "# As many as the server has cores.\n"
        "num_batch_threads { value: 4 }\n"
        "# Of each model: further requests are refused at once, rather than answered late.\n"
        "max_enqueued_batches { value: 100 }\n"
        "# No allowed_batch_sizes: the graphs take any size, and rows of padding cost time.\n"
        "# A tagger's `tokens` of several requests are padded to one width, with any word: the\n"
        "# model reads `lengths` words of each.\n"
        "pad_variable_length_inputs: true\n"
    )


def monitoring_config() -> str:
    """A `MonitoringConfig`: metrics for Prometheus on the REST port."""
    return (
        f"{_WRITTEN}"
        'prometheus_config {\n  enable: true\n  path: "/monitoring/prometheus/metrics"\n}\n'
    )


def health_check(name: str, port: int = REST_PORT) -> str:
    """A bash command that succeeds where a model answers; the server's image has no curl."""
    path = quote(f"/v1/models/{name}").replace("%", "%%")
    return (
        f"exec 3<>/dev/tcp/127.0.0.1/{port}"
        f" && printf 'GET {path} HTTP/1.0\\r\\nHost: localhost\\r\\n\\r\\n' >&3"
        " && grep -q '\"AVAILABLE\"' <&3"
    )


def compose(names: Sequence[str], volume: str = "./saved_models") -> str:
    """A compose file with one server for all models.

    Args:
        names: of the models; the server is healthy when the first answers.
        volume: folder of the models, from where the compose file is.
    """
    # Compose would put variables where a dollar stands alone.
    mount = _quoted(f"{volume}:{MODELS}:ro").replace("$", "$$")
    check = _quoted(health_check(names[0])).replace("$", "$$")
    return (
        f"{_WRITTEN}"
        "# `docker compose up` serves all models of the folder.\n"
        "services:\n"
        "  serving:\n"
        "    # The SavedModels are of TensorFlow 2.21 and hold core operations only.\n"
        f"    image: {IMAGE}\n"
        "    command:\n"
        f"      - --model_config_file={MODELS}/{MODELS_CONFIG}\n"
        "      - --enable_batching=true\n"
        f"      - --batching_parameters_file={MODELS}/{BATCHING_CONFIG}\n"
        f"      - --monitoring_config_file={MODELS}/{MONITORING_CONFIG}\n"
        "    ports:\n"
        '      - "8500:8500" # gRPC\n'
        f'      - "{REST_PORT}:{REST_PORT}" # REST\n'
        "    volumes:\n"
        f"      - {mount}\n"
        "    healthcheck:\n"
        f'      test: ["CMD", "bash", "-c", {check}]\n'
        "      interval: 10s\n"
        "      timeout: 5s\n"
        "      retries: 3\n"
        "      start_period: 60s\n"
        "    restart: unless-stopped\n"
    )


def _quoted(text: str) -> str:
    """As a string of JSON, which YAML and the text format of protos read too."""
    return json.dumps(text, ensure_ascii=False)
