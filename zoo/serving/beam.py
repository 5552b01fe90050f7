"""A model of the zoo in a pipeline of Apache Beam: `pip install 'lecture-rnn-zoo[beam]'`.

    texts | RunInference(Handler("ner_wikiann"))
    keyed | RunInference(KeyedModelHandler(Handler("ner_wikiann")))

Beam's own handler of TensorFlow models reads them with Keras, and Keras 3 reads no SavedModel.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from apache_beam.ml.inference.base import ModelHandler, PredictionResult

from zoo import batches
from zoo.inputs import MAX_CHARACTERS
from zoo.predictor import Predictor

# Texts of a batch, most of them short. Those of like length run together.
BATCH_SIZE = 1024
# So many characters weigh as much as a short text: long texts come in batches of fewer.
CHARACTERS = 256


class Handler(ModelHandler):
    """Asks a model about batches of texts, `str` or `bytes`.

    Each process has its own copy of the model, which takes a few megabytes.

    Args:
        name: whatever `zoo.load` takes. Where workers are other machines, the path must be theirs;
            a name of the zoo comes with the installed package.
        version: by default the newest.
        folder: that holds the models, as of `zoo.load`.
        signature: that is asked, one that takes texts alone. By default the model says all that it
            predicts.
        batch_size: texts of a batch; fewer where they are long.
        max_characters: of a text; a longer one fails its batch.
        options: of Beam's `ModelHandler`.

    Gives a `PredictionResult` for each text, whose `inference` is what `zoo.records.predict` says
    of it: a `TaggedText`, a `Classified`, a `ScoredTokens` or a `Translation`. Of a signature that
    was named, it is a dict of its outputs for the text.

    Example:
        >>> handler = Handler("sentiment_demo")
        >>> found = handler.run_inference(["There is nothing to like."], handler.load_model())
        >>> [result.inference.label for result in found]
        ['negative']
    """

    def __init__(
        self,
        name: str | os.PathLike,
        *,
        version: int | None = None,
        folder: str | os.PathLike | None = None,
        signature: str | None = None,
        batch_size: int = BATCH_SIZE,
        max_characters: int | None = MAX_CHARACTERS,
        **options: Any,
    ):
        super().__init__(
            min_batch_size=batch_size,
            max_batch_size=batch_size,
            element_size_fn=functools.partial(_weight, batch_size),
            **options,
        )
        self._name, self._version, self._folder = os.fspath(name), version, folder
        self._signature, self._max_characters = signature, max_characters

    def load_model(self) -> Predictor:
        """The model, as `zoo.load` gives it.

        Raises:
            ValueError: there is no such model or version.
            OSError: its SavedModel cannot be read.
        """
        from zoo.catalog.loading import load
        from zoo.quiet import import_tensorflow

        import_tensorflow()
        return load(self._name, self._version, self._folder, self._max_characters)

    def run_inference(
        self,
        batch: Sequence[str | bytes],
        model: Predictor,
        inference_args: dict[str, Any] | None = None,
    ) -> Iterable[PredictionResult]:
        """What the model says of each text of a batch."""
        said = self.answers(batch, model)
        pairs = zip(batch, said, strict=True)
        return [PredictionResult(text, one, self._name) for text, one in pairs]

    def answers(self, texts: Sequence[str | bytes], model: Predictor) -> list[Any]:
        """What the model says of each text, without what belongs to Beam.

        Those of like length are asked about at a time: the answer to all at once would be padded to
        the longest.
        """
        found = list[Any]([None] * len(texts))
        for numbers in batches.by_length(np.array([len(text) for text in texts], np.int64)):
            said = self._ask(model, [texts[number] for number in numbers])
            for number, one in zip(numbers, said, strict=True):
                found[number] = one
        return found

    def get_num_bytes(self, batch: Sequence[str | bytes]) -> int:
        """How long the texts of a batch are."""
        return sum(map(len, batch))

    def validate_inference_args(self, inference_args: dict[str, Any] | None) -> None:
        """Raises ValueError where there are any: a signature takes texts alone."""
        if inference_args:
            raise ValueError(f"expected no inference_args. Received: {sorted(inference_args)}")

    def update_model_path(self, model_path: str | None = None) -> None:
        """Another version of the model while the pipeline runs: Beam's `model_metadata_pcoll`."""
        if model_path:
            self._name, self._version, self._folder = model_path, None, None

    def _ask(self, model: Predictor, texts: Sequence[str | bytes]) -> Sequence[Any]:
        from zoo import records

        if self._signature is None:
            return records.predict(model, texts)
        return records.rows(model.ask(self._signature, texts))


def _weight(most: int, element: str | bytes | tuple) -> int:
    """How many short texts a text weighs as much as; `KeyedModelHandler` has pairs with a key.

    Beam makes an empty batch before one that weighs more than a whole batch may.

    Example:
        >>> _weight(1024, "short"), _weight(1024, ("key", "word " * 1000)), _weight(4, "a" * 9999)
        (1, 20, 4)
    """
    text = element[1] if isinstance(element, tuple) else element
    return min(most, 1 + len(text) // CHARACTERS)
