"""What answers to texts: a SavedModel, a model in memory, or a model on a server.

All are asked in the same way and refuse the same questions in the same words. NumPy is all that is
needed here.
"""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from zoo import batches
from zoo.inputs import Spec, as_input, as_objects, check_characters, is_single, shown, spread
from zoo.notes import numbers_of
from zoo.predictions import Entity, entities
from zoo.serving.sessions import Session, Sessions


@dataclass(frozen=True)
class Signature:
    """Inputs and outputs of a question that a model answers, by name."""

    inputs: dict[str, Spec]
    outputs: dict[str, Spec]


class Predictor(abc.ABC):
    """A model that takes texts and gives a dict of arrays, wherever it runs.

    Attributes:
        max_characters: most characters of a text, or of the words of a sentence, that may be asked
            about; None for any number. Time and memory grow with them.
    """

    max_characters: int | None = None
    # What is raised where a model has no such signature.
    _no_signature: type[ValueError] = ValueError
    # Whether questions are asked in batches of like length.
    _by_length = False

    @property
    @abc.abstractmethod
    def signatures(self) -> Mapping[str, Signature]:
        """The questions that the model answers, by name."""

    @property
    @abc.abstractmethod
    def _place(self) -> str:
        """Where the model is, for messages."""

    @abc.abstractmethod
    def _run(self, signature: str, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The outputs for inputs that fit; texts are arrays of bytes, and may be so in outputs."""

    def __str__(self) -> str:
        return self._place

    def __call__(self, texts: object) -> dict[str, np.ndarray]:
        """The answers of `serving_default` for a text or several.

        Args:
            texts: whatever `as_texts` takes.

        Returns:
            Arrays by name, with the batch as first axis: `[batch]`, `[batch, time]`. What is said
            of each token is padded to the longest text of the question; `lengths` `[batch]` says
            how many tokens are real.

        Raises:
            ValueError: there are no texts in `texts`, or a text has more than `max_characters`.
        """
        return self.ask("serving_default", {"text": texts})

    def entities(self, texts: object) -> list[Entity] | list[list[Entity]]:
        """The names that a tagger finds: of one text a list, of several a list of such lists.

        Raises:
            ValueError: there are no texts in `texts`, or the model finds no names.
        """
        found = entities(self.ask("entities", {"text": texts}))
        return found[0] if isinstance(texts, str | bytes) else found

    def labels(self) -> list[str]:
        """The names of a classifier's classes, in the order of its `probabilities`.

        Raises:
            ValueError: the model is no classifier.
        """
        return self.ask("labels", {"text": [""]})["labels"][0].tolist()

    def gates(self, texts: object) -> dict[str, np.ndarray]:
        """What every gate does at each word, by the lecture's names, see `zoo.saving.gates`.

        Args:
            texts: whatever `as_texts` takes.

        Returns:
            tokens `[batch, time]`, lengths `[batch]`, and each gate and state of each layer,
            `[batch, time, units]`, as `"layer_1/gate_u"` or, of two directions,
            `"layer_1/forward/gate_u"`.

        Raises:
            ValueError: there are no texts in `texts`, or the model shows no gates.
        """
        if "gates" not in self.signatures:
            raise self._no_signature(
                "expected a model with a signature 'gates', as those of GRUs and LSTMs have. "
                f"Received: {self._place}, with {sorted(self.signatures)}. A GRU or LSTM that was "
                "saved before there were such signatures is to be saved again: python -m zoo "
                "resave NAME"
            )
        return self.ask("gates", {"text": texts})

    def n_best(self, texts: object, n: int | Sequence[int] = 3) -> dict[str, np.ndarray]:
        """The most probable sequences of tags of texts, see `zoo.saving.tagger`.

        Args:
            texts: whatever `as_texts` takes.
            n: how many, of all texts or of each.

        Returns:
            tags `[batch, n, time]`, the most probable sequence first; log_probability `[batch, n]`;
            count `[batch]`, of sequences, and token_count `[batch]`.

        Raises:
            ValueError: there are no texts in `texts`, `n` is no number from 1 up, or the model has
                no such signature.
        """
        counts = np.asarray(n)
        if counts.dtype.kind not in "iu" or np.any(counts < 1):
            raise ValueError(f"n_best: expected n of 1 or more. Received: {n!r}")
        return self.ask("n_best", {"text": texts, "n": n})

    def compose(
        self,
        seeds: str | Sequence[str | Sequence[int]],
        length: int = 64,
        temperature: float = 1.0,
        seed: int | Sequence[int] = 0,
    ) -> dict[str, np.ndarray]:
        """Pieces that a model of music composes, see `zoo.saving.music`.

        Args:
            seeds: of each piece the notes of its first frame, such as `"C4 E4 G4"` or
                `[60, 64, 67]`; of none, it is drawn too. One text is one piece.
            length: frames of a piece.
            temperature: see `zoo.models.frames`.
            seed: of what is drawn, for all pieces or for each.

        Returns:
            frames bool `[batch, time, 88]`, from the lowest key of a piano up, lengths int32
            `[batch]`. `zoo.predictions.composed` makes MIDI numbers of them.

        Raises:
            ValueError: what is there are no notes, or the model composes nothing.
        """
        each = [seeds] if isinstance(seeds, str) else list(seeds)
        given = [
            numbers_of(one if isinstance(one, str) else " ".join(map(str, one))) for one in each
        ]
        notes = np.zeros([len(given), max([1, *map(len, given)])], np.int32)
        for row, some in zip(notes, given, strict=True):
            row[: len(some)] = some
        asked = {"notes": notes, "length": length, "temperature": temperature, "seed": seed}
        return self.ask("serving_default", asked)

    def session(self) -> Session:
        """A text that is read as it comes.

        Raises:
            ValueError: the model has no signature `stream`.
        """
        return Session(self)

    def sessions(self, timeout: float | None = 600.0) -> Sessions:
        """Many texts that are read as they come, the chunks of all in one question.

        Args:
            timeout: seconds after which a text that nothing more came of is forgotten; None: never.

        Raises:
            ValueError: the model has no signature `stream`.
        """
        return Sessions(self, timeout)

    def ask(self, signature: str, inputs: Mapping[str, object] | object) -> dict[str, np.ndarray]:
        """Asks a signature.

        Args:
            signature: its name, one of `signatures`.
            inputs: by name, each a tensor, an array, a list or a generator, with the batch as first
                axis. Texts are `str`, or `bytes` that need not be UTF-8. A single text or number
                stands for all rows of the batch. Of a signature with one input, that input alone.

        Returns:
            The signature's outputs by name; texts are `str`, but what of a stream waits is bytes. A
            model that is in this process is asked in batches of texts of like length, and the
            answer is put together as if it had been asked at once.

        Raises:
            ValueError: there is no such signature, or its inputs are other ones, or an input cannot
                be made what the signature takes without loss, or a text has more than
                `max_characters`.
        """
        known = self.signatures
        if signature not in known:
            raise self._no_signature(
                f"{self._place}: signature {signature!r}: expected one of the signatures "
                f"{sorted(known)}. Received: {signature!r}"
            )
        specs = known[signature]
        named = inputs if isinstance(inputs, Mapping) else {}
        if not isinstance(inputs, Mapping) and len(specs.inputs) == 1:
            named = dict.fromkeys(specs.inputs, inputs)
        if named.keys() != specs.inputs.keys():
            received = sorted(named) if isinstance(inputs, Mapping) else shown(inputs)
            raise ValueError(
                f"{signature}: expected inputs {sorted(specs.inputs)}. Received: {received}"
            )
        arrays = {name: as_input(name, named[name], spec) for name, spec in specs.inputs.items()}
        arrays = spread(arrays, {name for name in arrays if is_single(named[name])})
        for name, array in arrays.items():
            if array.dtype.kind == "O" and array.ndim and self.max_characters is not None:
                check_characters(name, array, self.max_characters)
        lengths = batches.lengths_of(arrays) if self._by_length else None
        numbers = [] if lengths is None else batches.by_length(lengths)
        if len(numbers) < 2:
            return self._answer(signature, arrays)
        answers = []
        for some in numbers:
            answers.append(self._answer(signature, batches.part(arrays, some)))
            if any(value.shape[:1] != some.shape for value in answers[-1].values()):
                # Not all of its outputs have the batch as first axis.
                return self._answer(signature, arrays)
        return batches.joined(answers, numbers)

    def _answer(self, signature: str, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        specs = self.signatures[signature]
        outputs = _without_company(self._run(signature, arrays), specs.outputs)
        # Half a character is no text: what goes in again, as bytes, stays as it is.
        kept = {name for name in specs.inputs if name.endswith("_bytes")}
        return {
            name: values if name in kept else _readable(values) for name, values in outputs.items()
        }


def _without_company(
    outputs: dict[str, np.ndarray], specs: Mapping[str, Spec]
) -> dict[str, np.ndarray]:
    """Without the steps that only another client's texts have, which ran in the same batch."""
    counted = next((name for name in ("lengths", "count") if name in outputs), None)
    if counted is None:
        return outputs
    longest = int(np.max(outputs[counted], initial=0))

    def over_time(name: str) -> bool:
        shape = specs[name].shape if name in specs else None
        return outputs[name].ndim > 1 and (shape is None or shape[1] is None)

    return {name: v[:, :longest] if over_time(name) else v for name, v in outputs.items()}


def _readable(values: np.ndarray) -> np.ndarray:
    """Numbers as they are; texts as an array of `str`."""
    if values.dtype.kind != "O":
        return values
    texts = [t.decode("utf-8", "replace") if isinstance(t, bytes) else t for t in values.ravel()]
    return as_objects(texts).reshape(values.shape)
