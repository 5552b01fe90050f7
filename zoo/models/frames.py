"""What a frame of music is predicted by: keys each by themselves, or each given the lower ones.

Both layers say the same of a<t>: how likely a frame is, what a frame that is drawn has, and both
take the temperature in the same way.
"""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

# Of 88 keys some four sound: training need not find that out.
_SELDOM = -3.0
# Keys of a frame, as most have them.
_FEW = 8


class _Frames(keras.layers.Layer):
    """Predicts frames `[rows, keys]` from a<t> `[rows, width]`."""

    def __init__(self, keys: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.keys = keys

    def build(self, input_shape: tuple) -> None:
        width = input_shape[-1]
        self.w = self.add_weight(shape=(self.keys, width), name="W")
        self.b = self.add_weight(
            shape=(self.keys,), initializer=keras.initializers.Constant(_SELDOM), name="b"
        )

    def _scores(self, a: tf.Tensor) -> tf.Tensor:
        """W a<t> + b, float32 `[rows, keys]`."""
        w, b = (tf.cast(tf.convert_to_tensor(v), tf.float32) for v in (self.w, self.b))
        return tf.matmul(tf.cast(a, tf.float32), w, transpose_b=True) + b

    def call(self, a: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
        """L = -Σ_k y_k log ŷ_k + (1 - y_k) log(1 - ŷ_k), in nats.

        Args:
            a: a<t>, `[rows, width]`.
            y: frames `[rows, keys]`, 1 where a key sounds.

        Returns:
            float32 `[rows]`.
        """
        y = tf.cast(y, tf.float32)
        losses = tf.nn.sigmoid_cross_entropy_with_logits(y, self.logits(a, y))
        return tf.reduce_sum(losses, axis=1)

    def logits(self, a: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
        """What ŷ is the σ of, `[rows, keys]`, given the keys of y that it may look at."""
        raise NotImplementedError

    def draw(self, a: tf.Tensor, uniform: tf.Tensor, temperature: tf.Tensor) -> tf.Tensor:
        """Draws frames: a key sounds where its number lies below σ(logit / temperature).

        Args:
            a: a<t>, `[rows, width]`.
            uniform: in [0, 1), `[rows, keys]`: a number for each key, so that what is drawn for a
                row does not depend on the others.
            temperature: `[rows]`; what is not above 0, or no number, takes the likelier of both
                for each key; infinity tosses a coin for each.

        Returns:
            bool `[rows, keys]`.
        """
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "keys": self.keys}


@keras.saving.register_keras_serializable("zoo")
class IndependentKeys(_Frames):
    """ŷ<t> = σ(W a<t> + b): a logistic unit for each key, whatever the others do.

    Source: Andrew Ng, Sequence Models, week 1: the loss of "Recurrent neural network model".

    Example:
        >>> layer = IndependentKeys(88)
        >>> layer(tf.zeros([1, 4]), tf.zeros([1, 88])).shape
        TensorShape([1])
    """

    def logits(self, a: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
        del y
        return self._scores(a)

    def draw(self, a: tf.Tensor, uniform: tf.Tensor, temperature: tf.Tensor) -> tf.Tensor:
        return _sounds(self._scores(a), uniform, temperature)


@keras.saving.register_keras_serializable("zoo")
class ChainedKeys(_Frames):
    """P(y<t>) = Π_k P(y_k | y_1, ..., y_{k-1}): each key given the lower ones of its frame.

        b<t> = W a<t> + b,   c<t> = W_c a<t> + c
        h_k = σ(c<t> + Σ_{j<k} U_j y_j)
        ŷ_k = σ(b<t>_k + V_k · h_k)

    Source: Boulanger-Lewandowski, Bengio and Vincent 2012, RNN-NADE; of their equations the order
    of the keys is the ascending one, and V and U are two matrices.

    Only a key that sounds changes h: a frame with n keys has n + 1 hidden layers and not 88, all of
    which are there at once in training; drawing takes n + 1 turns. Frames of a batch have as many
    hidden layers as the fullest of them needs, but those of more than 8 keys are by themselves.

    Args:
        keys: of the piano.
        units: of h.

    Example:
        >>> layer = ChainedKeys(88, 16)
        >>> layer(tf.zeros([1, 4]), tf.zeros([1, 88])).shape
        TensorShape([1])
    """

    def __init__(self, keys: int, units: int, **kwargs: Any):
        super().__init__(keys, **kwargs)
        self.units = units

    def build(self, input_shape: tuple) -> None:
        super().build(input_shape)
        width = input_shape[-1]
        self.w_c = self.add_weight(shape=(self.units, width), name="W_c")
        self.c = self.add_weight(shape=(self.units,), initializer="zeros", name="c")
        self.u = self.add_weight(shape=(self.keys, self.units), name="U")
        self.v = self.add_weight(shape=(self.keys, self.units), name="V")

    def logits(self, a: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
        few = tf.reduce_sum(y, axis=1) <= _FEW
        places = [tf.where(some)[:, 0] for some in (few, ~few)]
        parts = [self._logits(tf.gather(a, rows), tf.gather(y, rows)) for rows in places]
        return tf.dynamic_stitch([tf.cast(rows, tf.int32) for rows in places], parts)

    def _logits(self, a: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
        """Of frames that have about as many keys."""
        b, c, u, v = self._of_steps(a)
        count = tf.reduce_sum(tf.cast(y, tf.int32), axis=1)
        most = tf.maximum(tf.reduce_max(count), 0)
        # The sounding keys, ascending, and behind them others, which add nothing.
        order = y * tf.range(self.keys, 0, -1, dtype=tf.float32)
        found, key = tf.math.top_k(order, most)
        added = tf.gather(u, key) * tf.cast(found > 0, tf.float32)[..., None]
        before = tf.concat([c[:, None], added], axis=1)
        h = tf.sigmoid(tf.cumsum(before, axis=1))
        scores = b[:, None] + tf.matmul(h, v, transpose_b=True)
        # Of the n + 1 hidden layers, key k sees that behind the sounding keys below it.
        below = tf.cumsum(tf.cast(y, tf.int32), axis=1, exclusive=True)
        seen = below[:, None] == tf.range(most + 1)[None, :, None]
        return tf.reduce_sum(tf.where(seen, scores, 0.0), axis=1)

    def draw(self, a: tf.Tensor, uniform: tf.Tensor, temperature: tf.Tensor) -> tf.Tensor:
        b, c, u, v = self._of_steps(a)
        numbers = tf.range(self.keys)

        def turn(at: tf.Tensor, c: tf.Tensor, y: tf.Tensor) -> tuple:
            """Finds the next key that sounds, from key number `at` up."""
            logits = b + tf.matmul(tf.sigmoid(c), v, transpose_b=True)
            sounds = _sounds(logits, uniform, temperature) & (numbers >= at[:, None])
            key = tf.argmax(sounds, axis=1, output_type=tf.int32)
            found = tf.reduce_any(sounds, axis=1)
            here = (numbers == key[:, None]) & found[:, None]
            c += tf.gather(u, key)
            return tf.where(found, key + 1, self.keys), c, y | here

        start = tf.zeros_like(a[:, 0], tf.int32), c, tf.zeros_like(uniform, tf.bool)
        _, _, y = tf.while_loop(
            lambda at, *_: tf.reduce_any(at < self.keys), turn, start, parallel_iterations=1
        )
        return y

    def _of_steps(self, a: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
        """b<t>, c<t>, U and V, float32."""
        w_c, c, u, v = (
            tf.cast(tf.convert_to_tensor(x), tf.float32) for x in (self.w_c, self.c, self.u, self.v)
        )
        c = tf.matmul(tf.cast(a, tf.float32), w_c, transpose_b=True) + c
        return self._scores(a), c, u, v

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units}


def _sounds(logits: tf.Tensor, uniform: tf.Tensor, temperature: tf.Tensor) -> tf.Tensor:
    """Which keys sound, bool `[rows, keys]`."""
    heat = tf.where(temperature > 0, tf.maximum(temperature, 1e-4), 1.0)[:, None]
    drawn = uniform < tf.sigmoid(logits / heat)
    return tf.where((temperature > 0)[:, None], drawn, logits > 0)
