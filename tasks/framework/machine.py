"""What a result was measured on."""

from __future__ import annotations

import contextlib
import os
import platform
from importlib import metadata

import tensorflow as tf


def machine() -> dict:
    """Processor, cores, GPUs and versions."""
    processor = platform.processor() or platform.machine()
    with contextlib.suppress(OSError), open("/proc/cpuinfo") as lines:
        processor = next((x.split(":")[1].strip() for x in lines if "model name" in x), processor)
    versions = {}
    for package in ("tensorflow", "keras", "torch"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions[package] = metadata.version(package)
    return {
        "processor": processor,
        "cores": os.cpu_count(),
        "gpus": [device.name for device in tf.config.list_physical_devices("GPU")],
        "python": platform.python_version(),
        **versions,
    }
