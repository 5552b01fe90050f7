"""Saves modules as SavedModels: versions, signatures, assets, warm-up requests."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import tensorflow as tf

from zoo import files
from zoo.saving import versions

_BEING_WRITTEN = ".tmp-"
_A_DAY = 24 * 60 * 60


def save(
    module: tf.Module,
    signatures: Mapping[str, tf.types.experimental.GenericFunction],
    export_dir: str,
    warmup: Sequence[tuple[str, Mapping[str, tf.Tensor]]] = (),
    about: Mapping[str, object] | None = None,
    check: Callable[[str], object] | None = None,
) -> str:
    """Saves a module as the next version under a folder: whole, or not at all.

    Args:
        module: what to save.
        signatures: by name.
        export_dir: folder of the versions; its own name is that of the model for warm-up requests.
        warmup: (signature, inputs) requests that a server runs when it loads the model.
        about: what the model is made of and how it was trained, as JSON has it, see
            `zoo.catalog.sources`.
        check: called with a folder that holds what will be the version: where it raises an error,
            nothing is saved.

    Returns:
        The folder of the version.
    """
    os.makedirs(export_dir, exist_ok=True)
    _forget_killed(export_dir)
    temporary = tempfile.mkdtemp(prefix=_BEING_WRITTEN, dir=export_dir)
    try:
        options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
        tf.saved_model.save(module, temporary, signatures=dict(signatures), options=options)
        extra = os.path.join(temporary, "assets.extra")
        os.makedirs(extra)
        if about is not None:
            files.write_json(os.path.join(temporary, versions.CONFIGURATION), about)
        if warmup:
            name = os.path.basename(os.path.abspath(export_dir))
            with tf.io.TFRecordWriter(os.path.join(extra, "tf_serving_warmup_requests")) as file:
                for signature, inputs in warmup:
                    file.write(prediction_log(name, signature, inputs))
        if check is not None:
            check(temporary)
        os.chmod(temporary, 0o755)
        while True:
            target = os.path.join(export_dir, str(versions.next_version(export_dir)))
            try:
                os.rename(temporary, target)
                return target
            except OSError:
                if not os.path.exists(target):
                    raise
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _forget_killed(export_dir: str) -> None:
    """Removes what exports that were killed left behind: nothing is written for a whole day."""
    for path in Path(export_dir).glob(f"{_BEING_WRITTEN}*"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > _A_DAY:
                shutil.rmtree(path)


def prediction_log(model: str, signature: str, inputs: Mapping[str, tf.Tensor]) -> bytes:
    """A `tensorflow.serving.PredictionLog` with one `PredictRequest`, in the wire format.

    Written out here, since the package with its protos would be needed for this alone:
    PredictionLog.predict_log = 6, PredictLog.request = 1, PredictRequest.model_spec = 1 and
    .inputs = 2 (a map: key = 1, value = 2), ModelSpec.name = 1 and .signature_name = 3.
    """

    def field(number: int, content: bytes) -> bytes:
        length, size = b"", len(content)
        while size > 127:
            length += bytes([size & 127 | 128])
            size >>= 7
        return bytes([number << 3 | 2]) + length + bytes([size]) + content

    spec = field(1, model.encode()) + field(3, signature.encode())
    request = field(1, spec)
    for name, value in inputs.items():
        tensor = tf.make_tensor_proto(value).SerializeToString()
        request += field(2, field(1, name.encode()) + field(2, tensor))
    return field(6, field(1, request))
