"""What is saved of a model of music: from seed notes to a piece, and from a piece to how likely it
is, as signatures."""

from __future__ import annotations

import tensorflow as tf

from zoo.decoding.composing import compose
from zoo.models import MusicModel
from zoo.models.parts import Inputs
from zoo.saving.gates import add_gates_of
from zoo.saving.parts import Request, Untracked, given_back, named, of_batch, of_states, same_rows
from zoo.saving.weights import StoredWeights

# Of the requests by which a server warms up: a chord and nothing, and frames of a piece.
_SEEDS, _FRAMES = ((60, 64, 67), (0, 0, 0)), 8


class MusicModule(tf.Module):
    """A model of music with everything from seed notes to a piece in the graph.

    Its signature `gates` takes `frames` and `lengths` as `score` does, and gives each gate and
    state at each frame, see `zoo.saving.gates`.

    Args:
        model: a built `MusicModel`.
        weights: how the weights are stored, one of `zoo.configuration.STORED`.
    """

    def __init__(self, model: MusicModel, weights: str = "float32"):
        super().__init__()
        self.signature_names = ["serving_default", "score", "stream"]
        self.weights = StoredWeights(model, weights)
        self._model = Untracked(model)
        self._keys = keys = model.config.vocabulary_size
        self._states = of_states(model.zero_states(1))
        frames = tf.TensorSpec([None, None, keys], tf.bool, name="frames")
        lengths = of_batch(tf.int32, "lengths")
        self.score = tf.function(self._score, autograph=False, input_signature=[frames, lengths])
        self.stream = tf.function(
            self._stream,
            autograph=False,
            input_signature=[
                frames,
                lengths,
                tf.TensorSpec([None, keys], tf.bool, name="state_frame"),
                of_batch(tf.int32, "frame_count"),
                of_batch(tf.float64, "log_probability"),
                *self._states,
            ],
        )
        add_gates_of(self, model, self.weights, _read, [frames, lengths])

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, None], tf.int32, name="notes"),
            of_batch(tf.int32, "length"),
            of_batch(tf.float32, "temperature"),
            of_batch(tf.int32, "seed"),
        ],
        autograph=False,
    )
    def serving_default(
        self, notes: tf.Tensor, length: tf.Tensor, temperature: tf.Tensor, seed: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """A piece from seed notes.

        notes int32[B, N], MIDI numbers of the first frame, padded with 0; what is no key, 21 to
        108, is passed over, and without any the first frame is drawn too. length int32[B], frames
        with the first one; of 0 and less there are none. temperature float[B], below 1 what is
        likely becomes likelier, and at 0 and less each key is as is likelier. seed int32[B]
        → frames bool[B, T, 88], from the lowest key up, silent behind the end; lengths int32[B].
        The same seed gives the same piece, alone or in a batch."""
        same_rows(notes, length, temperature, seed)
        with self.weights.reading():
            frames = compose(self._model.value, notes, length, temperature, seed)
        return {"frames": frames, "lengths": tf.maximum(length, 0)}

    def _score(self, frames: tf.Tensor, lengths: tf.Tensor) -> dict[str, tf.Tensor]:
        """log P of whole pieces. frames bool[B, T, 88]; lengths int32[B], frames of each that are
        real → log_probability float[B], natural logarithm; log_probabilities float[B, T], of each
        frame given those before; greedy bool[B, T, 88], each frame as temperature 0 draws it
        behind those before; lengths int32[B], as given but for what is not there."""
        same_rows(frames, lengths)
        lengths = tf.clip_by_value(lengths, 0, tf.shape(frames)[1])
        with self.weights.reading():
            found, greedy = self._model.value.judge_pieces(frames, lengths)
        total = tf.reduce_sum(tf.cast(found, tf.float64), axis=1)
        return {
            "log_probability": tf.cast(total, tf.float32),
            "log_probabilities": found,
            "greedy": greedy,
            "lengths": lengths,
        }

    def _stream(
        self,
        frames: tf.Tensor,
        lengths: tf.Tensor,
        state_frame: tf.Tensor,
        frame_count: tf.Tensor,
        log_probability: tf.Tensor,
        *states: tf.Tensor,
    ) -> dict[str, tf.Tensor]:
        """log P of pieces that come in chunks.

        frames bool[B, T, 88] that have come; lengths int32[B], how many of them are real; and what
        the chunk before gave by the same names, zeros for the first one: state_frame bool[B, 88],
        its last frame; frame_count int32[B] and log_probability double[B], of all frames so far;
        state_0, ... float[B, units], of all layers → these, log_probabilities float[B, T] and
        lengths int32[B]."""
        same_rows(frames, lengths, state_frame, frame_count, log_probability, *states)
        time = tf.shape(frames)[1]
        lengths = tf.clip_by_value(lengths, 0, time)
        with self.weights.reading():
            model = self._model.value
            before = given_back(states, model.zero_states(tf.size(lengths)))
            real = tf.sequence_mask(lengths, time)
            found, after = model.log_probabilities(frames, state_frame, before, real)
        # The frame before the chunk, and those of the chunk: the last that is real.
        all_frames = tf.concat([state_frame[:, None], frames], axis=1)
        return {
            "log_probabilities": found,
            "lengths": lengths,
            "state_frame": tf.gather(all_frames, lengths, batch_dims=1),
            "frame_count": frame_count + lengths,
            "log_probability": log_probability + tf.reduce_sum(tf.cast(found, tf.float64), axis=1),
            **named(self._states, after),
        }

    def warmup(self, texts: tf.Tensor) -> list[Request]:
        """Requests that a server runs when it loads the model; they need no texts."""
        del texts
        count = len(_SEEDS)
        seeds = {
            "notes": tf.constant(_SEEDS),
            "length": tf.fill([count], _FRAMES),
            "temperature": tf.ones([count]),
            "seed": tf.range(count),
        }
        piece = {
            "frames": tf.zeros([count, _FRAMES, self._keys], tf.bool),
            "lengths": tf.fill([count], _FRAMES),
        }
        nothing = {
            spec.name: tf.zeros([count, *spec.shape[1:]], spec.dtype)
            for spec in self.stream.input_signature[2:]
        }
        return [("serving_default", seeds), ("score", piece), ("stream", piece | nothing)]


def _read(frames: tf.Tensor, lengths: tf.Tensor) -> tuple[dict[str, tf.Tensor], Inputs]:
    """What `gates` says beside the gates, and what the model reads."""
    same_rows(frames, lengths)
    time = tf.shape(frames)[1]
    lengths = tf.clip_by_value(lengths, 0, time)
    return {"lengths": lengths}, {"frames": frames, "real": tf.sequence_mask(lengths, time)}
