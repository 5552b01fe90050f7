"""What a result was measured on."""

from __future__ import annotations

import contextlib
import os
import platform
from importlib import metadata

import zoo


def machine() -> dict:
    """Processor, cores, GPUs and versions."""
    # Here, so that a benchmark shows its flags without it.
    import tensorflow as tf

    processor = platform.processor() or platform.machine()
    with contextlib.suppress(OSError), open("/proc/cpuinfo") as lines:
        processor = next((x.split(":")[1].strip() for x in lines if "model name" in x), processor)
    return {
        "processor": processor,
        "cores": os.cpu_count(),
        "gpus": [
            tf.config.experimental.get_device_details(device).get("device_name", device.name)
            for device in tf.config.list_physical_devices("GPU")
        ],
        "python": platform.python_version(),
        **_installed("tensorflow", "keras", "torch"),
    }


def versions() -> dict[str, str]:
    """What computed a result: this project, Keras, TensorFlow."""
    return {"ours": zoo.__version__, **_installed("keras", "tensorflow")}


def _installed(*packages: str) -> dict[str, str]:
    found = {}
    for package in packages:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    return found
