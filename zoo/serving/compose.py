"""The compose file that starts the server, and how Docker knows that it is well."""

from __future__ import annotations

from collections.abc import Mapping

from zoo.serving.options import ServerConfig
from zoo.serving.server_files import WRITTEN, quoted

GRPC_PORT, REST_PORT = 8500, 8501  # of the image


def compose(config: ServerConfig, volumes: Mapping[str, str], flags: Mapping[str, str]) -> str:
    """A compose file with one server for all models.

    Args:
        config: how the server runs.
        volumes: folders, from where the compose file is, by where the server sees them.
        flags: of the server, its files among them.
    """
    flags = {**flags, "enable_batching": "true", **_flags(config)}
    command = "".join(f"      - --{name}={value}\n" for name, value in flags.items())
    # Compose would put variables where a dollar stands alone.
    mounts = "".join(
        f"      - {quoted(f'{source}:{target}:ro').replace('$', '$$')}\n"
        for target, source in volumes.items()
    )
    check = quoted(health_check(flags["model_config_file"])).replace("$", "$$")
    return (
        f"{WRITTEN}"
        "services:\n"
        "  serving:\n"
        "    # The SavedModels are of TensorFlow 2.21 and hold core operations only.\n"
        f"    image: {config.image}\n"
        "    command:\n"
        f"{command}"
        "    ports:\n"
        f'      - "{config.grpc_port}:{GRPC_PORT}" # gRPC\n'
        f'      - "{config.rest_port}:{REST_PORT}" # REST\n'
        "    volumes:\n"
        f"{mounts}"
        f"{_limits(config)}"
        "    healthcheck:\n"
        f'      test: ["CMD", "bash", "-c", {check}]\n'
        "      interval: 10s\n"
        "      timeout: 5s\n"
        "      # A new models.config is read and its models are loaded meanwhile.\n"
        f"      retries: {3 + -(-config.poll_seconds // 10)}\n"
        "      start_period: 60s\n"
        "    restart: unless-stopped\n"
    )


def health_check(models_config: str, port: int = REST_PORT) -> str:
    """A bash command that succeeds where every model of a models.config answers.

    It reads the file whenever it runs, so that it knows what the server is to have by now; the
    server's image has no curl.
    """
    return (
        f"paths=$(grep -o '/v1/models/[^ ]*' {models_config}) || exit 1;"
        " for path in $paths; do"
        f" exec 3<>/dev/tcp/127.0.0.1/{port}"
        " && printf 'GET %s HTTP/1.0\\r\\nHost: localhost\\r\\n\\r\\n' \"$path\" >&3"
        " && grep -q '\"AVAILABLE\"' <&3 || exit 1;"
        " done"
    )


def _flags(config: ServerConfig) -> dict[str, str]:
    flags = {}
    if config.poll_seconds:
        flags["model_config_file_poll_wait_seconds"] = str(config.poll_seconds)
    # A label may be given before its version is loaded, as when the server starts.
    flags["allow_version_labels_for_unavailable_models"] = "true"
    if config.threads:
        # Threads as many as the machine has cores would wait for each other under the limit.
        for what in ("intra", "inter"):
            flags[f"tensorflow_{what}_op_parallelism"] = str(config.threads)
    return flags


def _limits(config: ServerConfig) -> str:
    limits = f"    cpus: {config.cpus:g}\n" if config.cpus else ""
    if float(config.memory.rstrip("bkmgBKMG")):
        limits += f"    mem_limit: {config.memory}\n"
    more = "python -m zoo serve-config --cpus=8 --memory=16g"
    return f"    # Limits; `{more}` has others, 0 is none.\n{limits}"
