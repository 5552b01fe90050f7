"""SavedModels: signatures, assets, warm-up requests."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence

import tensorflow as tf

from zoo import text
from zoo.models import Classifier, Tagger


class TaggerModule(tf.Module):
    """A tagger with everything from raw text to tags in the graph.

    Args:
        model: a built `Tagger`.
        vocabulary: of its words.
        tags: path of a text file with the names of the tags, one a line.
    """

    def __init__(self, model: Tagger, vocabulary: text.Vocabulary, tags: str):
        super().__init__()
        # Only what the graph needs: tracking the Keras model would save every weight twice.
        self.weights = [v.value for v in model.variables if isinstance(v.value, tf.Variable)]
        self.vocabulary = vocabulary
        self.tags = tf.saved_model.Asset(tags)
        self.tag_names = text.lines_of_numbers(self.tags)
        self._model = _Untracked(model)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")], autograph=False)
    def serving_default(self, text_):
        """Tags raw text. `text` string[B] → tokens, tags string[B, T], confidence float[B, T],
        lengths int32[B]."""
        return self._tag(text.tokenize(text_))

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, None], tf.string, name="tokens"),
            tf.TensorSpec([None], tf.int32, name="lengths"),
        ],
        autograph=False,
    )
    def tokens(self, tokens, lengths):
        """Tags sentences that are split already: `tokens` string[B, T], `lengths` int32[B]."""
        lengths = tf.clip_by_value(lengths, 0, tf.shape(tokens)[1])
        return self._tag(tf.RaggedTensor.from_tensor(tokens, lengths))

    def _tag(self, words: tf.RaggedTensor) -> dict[str, tf.Tensor]:
        inputs = {
            name: words.with_flat_values(values).to_tensor()
            for name, values in text.features(words.flat_values, self.vocabulary).items()
        }
        tags, confidence = self._model.value.decode(inputs)
        lengths = tf.cast(words.row_lengths(), tf.int32)
        real = tf.sequence_mask(lengths, tf.shape(tags)[1])
        names = self.tag_names.lookup(tf.cast(tags, tf.int64))
        return {
            "tokens": words.to_tensor(shape=[None, None]),
            "tags": tf.where(real, names, ""),
            "confidence": tf.cast(confidence, tf.float32),
            "lengths": lengths,
        }


class ClassifierModule(tf.Module):
    """A classifier with everything from raw text to a label in the graph.

    Args:
        model: a built `Classifier`.
        vocabulary: of its words.
        labels: path of a text file with the names of the classes, one a line.
        max_length, keep: how long texts are cut, see `text.cut`.
    """

    def __init__(
        self,
        model: Classifier,
        vocabulary: text.Vocabulary,
        labels: str,
        max_length: int,
        keep: str,
    ):
        super().__init__()
        self.weights = [v.value for v in model.variables if isinstance(v.value, tf.Variable)]
        self.vocabulary = vocabulary
        self.labels = tf.saved_model.Asset(labels)
        self.label_names = text.lines_of_numbers(self.labels)
        self._cut = (max_length, keep)
        self._model = _Untracked(model)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")], autograph=False)
    def serving_default(self, text_):
        """Classifies raw text. `text` string[B] → label string[B], probability float[B],
        probabilities float[B, C]."""
        ids = text.word_ids(text_, self.vocabulary, *self._cut)
        probabilities = self._model.value.probabilities({"words": ids.to_tensor()})
        return {
            "label": self.label_names.lookup(tf.argmax(probabilities, axis=1)),
            "probability": tf.reduce_max(probabilities, axis=1),
            "probabilities": probabilities,
        }


class _Untracked:
    """Keeps an object out of what `tf.Module` tracks and saves."""

    def __init__(self, value):
        self.value = value


def save(
    module: tf.Module,
    signatures: Mapping[str, tf.types.experimental.GenericFunction],
    export_dir: str,
    warmup: Sequence[tuple[str, Mapping[str, tf.Tensor]]] = (),
) -> str:
    """Saves a module as the next version under a folder: whole, or not at all.

    Args:
        module: what to save.
        signatures: by name.
        export_dir: folder of the versions; its own name is that of the model for warm-up requests.
        warmup: (signature, inputs) requests that a server runs when it loads the model.

    Returns:
        The folder of the version.
    """
    os.makedirs(export_dir, exist_ok=True)
    temporary = tempfile.mkdtemp(prefix=".tmp-", dir=export_dir)
    try:
        options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
        tf.saved_model.save(module, temporary, signatures=dict(signatures), options=options)
        if warmup:
            extra = os.path.join(temporary, "assets.extra")
            os.makedirs(extra)
            name = os.path.basename(os.path.abspath(export_dir))
            with tf.io.TFRecordWriter(os.path.join(extra, "tf_serving_warmup_requests")) as file:
                for signature, inputs in warmup:
                    file.write(prediction_log(name, signature, inputs))
        os.chmod(temporary, 0o755)
        while True:
            versions = [int(v) for v in os.listdir(export_dir) if v.isdigit()]
            target = os.path.join(export_dir, str(max(versions, default=0) + 1))
            try:
                os.rename(temporary, target)
                return target
            except OSError:
                if not os.path.exists(target):
                    raise
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


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
