"""Reads the files that TensorFlow Serving is started with."""

import re

from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2


def models_of(text):
    config = text_format.Parse(text, model_server_config_pb2.ModelServerConfig())
    return list(config.model_config_list.config)


def batching_of(text):
    """The fields of a file of `BatchingParameters`, whose proto no package holds."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    found = [re.fullmatch(r"(\w+)(?: \{ value: (\d+) \}|: true)", line) for line in lines]
    assert all(found), lines
    return {match[1]: int(match[2]) if match[2] else True for match in found}


def compose_of(text):
    """The lists under the keys of a compose file, and its single values."""
    lists, values, key = {}, {}, None
    for line in text.splitlines():
        line = re.sub(r"(^|\s)# .*", "", line).strip()
        if line.startswith("- "):
            lists.setdefault(key, []).append(line[2:])
        elif line:
            key, value = line.split(":", 1)
            values[key] = value.strip()
    return lists, values


def flags_of(text):
    return dict(flag.removeprefix("--").split("=") for flag in compose_of(text)[0]["command"])
