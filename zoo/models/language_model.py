"""Language models: the probability of a text, word by word or character by character."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

import layers
from layers.gates import gates_of_layers
from layers.sampled_softmax import draw, summed_sampled_cross_entropy
from layers.softmax import log_probabilities, summed_cross_entropy
from zoo.configuration import LanguageModelConfig
from zoo.models.by_length import STEPS_AT_ONCE, Group, in_groups
from zoo.models.carrying import CarriesStates
from zoo.models.parts import Inputs, MakeStack, drawing_words
from zoo.models.weighting import exact, weights_of_steps
from zoo.models.words import WordDropout
from zoo.text import tokens

# Scores of a vocabulary that are in memory at a time, and the fewest steps of a window.
_SCORES_AT_ONCE, _FEWEST_STEPS = 2**24, 4


@keras.saving.register_keras_serializable("zoo")
class LanguageModel(CarriesStates):
    """P(y<1>, ..., y<T>) = Π_t P(y<t> | y<1>, ..., y<t-1>).

        x<t> = y<t-1>,   x<1> = 0,   a<0> = 0
        ŷ<t> = softmax(W a<t> + b)
        L<t> = -Σ_i y_i<t> log ŷ_i<t> = -log ŷ<t>[y<t>],   L = Σ_t L<t>

    There is no start word: x<1> is a vector of zeros. The last target is `<EOS>`. In training the
    right word is fed back, not the drawn one (teacher forcing).

    Source: Andrew Ng, Sequence Models, week 1, "Language model and sequence generation".

    The output weights W are the embedding where `config.tied` says so (Press and Wolf 2017; Inan
    et al. 2017); where `units` is another number than `embedding_dim`, a matrix between them is
    trained. `dropout` drops columns of inputs, of outputs and between layers, the same ones at
    every step of a sequence (Gal and Ghahramani 2016). With `sampled_softmax`, a training step
    compares the right words with so many others, drawn by their rank of frequency (Jean et al.
    2015). With `rows`, the states of so many rows of running text are carried from batch to batch,
    as variables of the model.

    Args:
        config: what it is made of; `vocabulary_size` counts padding, `<UNK>` and `<EOS>` too.
        make_stack: makes the recurrent part, `layers.Stack` or what takes its arguments.

    Inputs: a dict of `targets` y, int32 `[batch, time]`, 0 is padding, on the right; `before`,
    int32 `[batch]`, the token before the first target or 0 where there is none; and `fresh`, bool
    `[batch]`, where a text begins and the states are zeros again. Output: a<t>
    `[batch, time, width]`, as W sees it. In training, the model's loss is the mean of L<t>.

    Example:
        >>> model = LanguageModel(LanguageModelConfig(vocabulary_size=50, units=8, embedding_dim=4))
        >>> y = tf.constant([[7, 9, 2]])
        >>> log_p, _ = model.log_probabilities(y, tf.constant([0]), model.zero_states(1))
        >>> log_p.shape
        TensorShape([1, 3])
    """

    configuration = LanguageModelConfig
    config: LanguageModelConfig
    # None where all words are compared with.
    drawing: Any

    def __init__(
        self, config: LanguageModelConfig, make_stack: MakeStack = layers.Stack, **kwargs: Any
    ):
        super().__init__(config, make_stack, **kwargs)
        self.word_dropout = WordDropout(config.word_dropout)
        self.word_embedding = keras.layers.Embedding(
            config.vocabulary_size,
            config.embedding_dim,
            keras.initializers.RandomUniform(-0.1, 0.1),
            dtype=self.dtype_policy,
        )
        self.stacks = [
            self.recurrent(
                config.units,
                recurrent_dropout=config.recurrent_dropout,
                return_state=True,
                layer={"weight_dropout": config.weight_dropout},
            )
            for _ in range(config.depth)
        ]
        # One mask for all steps: noise of the shape [batch, 1, width].
        self.dropouts = [self.dropout(noise_shape=(None, 1, None)) for _ in range(config.depth + 1)]
        width = config.embedding_dim if config.tied else config.units
        self.projection = None
        if width != config.units:
            self.projection = self.dense(width, use_bias=False)
        self.drawing = drawing_words() if config.sampled_softmax else None
        self.w = None
        if not config.tied:
            self.w = self.add_weight(shape=(config.vocabulary_size, width), name="W")
        self.b = self.add_weight(shape=(config.vocabulary_size,), initializer="zeros", name="b")
        self.make_carried(self.stacks[0].states_per_layer * config.depth)

    def build(self, input_shape: object = None) -> None:
        self.word_embedding.build((None, None))
        width = self.config.embedding_dim
        for stack in self.stacks:
            stack.build((None, None, width))
            width = self.config.units
        if self.projection is not None:
            self.projection.build((None, None, width))

    # --- The equations ---------------------------------------------------------------------------

    def inputs_of(self, targets: tf.Tensor, before: tf.Tensor) -> tf.Tensor:
        """x<t> = y<t-1>: the targets, one step later."""
        return tf.concat([before[:, None], targets], axis=1)[:, :-1]

    def embed(self, ids: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Embeddings of ids of any shape; of none, 0, zeros."""
        x = self.word_embedding(self.word_dropout(ids, training=training))
        return x * tf.cast(ids > tokens.PADDING, x.dtype)[..., None]

    def run(
        self,
        ids: tf.Tensor,
        states: Sequence[tf.Tensor],
        mask: tf.Tensor | None = None,
        training: bool = False,
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """a<t> for inputs `[batch, time]`, and the last states of all layers."""
        x = self.dropouts[0](self.embed(ids, training), training=training)
        count, new_states = len(states) // len(self.stacks), []
        for i, stack in enumerate(self.stacks):
            start = list(states[i * count : (i + 1) * count])
            x, *some = stack(x, initial_state=start, mask=mask, training=training)
            x = self.dropouts[i + 1](x, training=training)
            new_states += some
        return (x if self.projection is None else self.projection(x)), new_states

    def step(self, ids: tf.Tensor, states: list[tf.Tensor]) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """a<t> `[batch, width]` for inputs `[batch]`, one step alone, and the new states."""
        x, count, new_states = self.embed(ids), len(states) // len(self.stacks), []
        for i, stack in enumerate(self.stacks):
            x, some = stack.step(x, states[i * count : (i + 1) * count])
            new_states += some
        return (x if self.projection is None else self.projection(x)), new_states

    def gate_activations(self, inputs: Inputs) -> dict[str, tf.Tensor]:
        """At the step that reads each of the `targets`: one later than it is predicted.

        The step before, which reads x<1> = 0, is taken and not shown.
        """
        ids = tf.pad(inputs["targets"], [[0, 0], [1, 0]])
        first = tf.range(tf.shape(ids)[1]) == 0
        recurrent = [layer for stack in self.stacks for layer in stack.recurrent_layers]
        found = gates_of_layers(recurrent, self.embed(ids), first | (ids > tokens.PADDING))
        return {name: values[:, 1:] for name, values in found.items()}

    def scores(self, a: tf.Tensor) -> tf.Tensor:
        """W a + b, `[batch, vocabulary]`, float32."""
        w, b = self.output_weights()
        return tf.matmul(exact(a), w, transpose_b=True) + b

    def output_weights(self) -> tuple[tf.Tensor, tf.Tensor]:
        w = self.word_embedding.embeddings if self.config.tied else self.w
        return exact(tf.convert_to_tensor(w)), tf.convert_to_tensor(self.b)

    def zero_states(self, batch: int | tf.Tensor) -> list[tf.Tensor]:
        return [s for stack in self.stacks for s in stack.get_initial_state(batch)]

    # --- Training and scoring --------------------------------------------------------------------

    def call(self, inputs: Inputs, training: bool = False) -> tf.Tensor:
        """a<t> `[batch, time, width]`."""
        targets, fresh = inputs["targets"], inputs["fresh"]
        ids, real = self.inputs_of(targets, inputs["before"]), targets > tokens.PADDING
        if not (training and self.config.rows):
            return self.run(ids, self.zero_states(tf.shape(targets)[0]), real, training)[0]
        return self.carry_on(fresh, lambda states: self.run(ids, states, real, training))

    def compute_loss(
        self,
        x: Any = None,
        y: tf.Tensor | None = None,
        y_pred: tf.Tensor | None = None,
        sample_weight: tf.Tensor | None = None,
        training: bool = True,
    ) -> tf.Tensor:
        """Mean of L<t> over the tokens of a batch, in nats.

        In training with `config.sampled_softmax`, L<t> is that of a sampled softmax.

        `sample_weight` weighs tokens, `[batch, time]`, or all of a text's, `[batch]`, see
        `zoo.models.weighting`.
        """
        del y
        samples = min(self.config.sampled_softmax, self.config.vocabulary_size) if training else 0
        total, count = self.summed_loss(y_pred, x["targets"], samples, sample_weight)
        return tf.math.divide_no_nan(total, count) + sum(self.losses)

    def summed_loss(
        self,
        a: tf.Tensor,
        targets: tf.Tensor,
        samples: int = 0,
        sample_weight: tf.Tensor | None = None,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Σ weight L<t> over the tokens of a batch, in nats, and their count."""
        real, a = targets > tokens.PADDING, exact(tf.reshape(a, [-1, a.shape[-1]]))
        weights = weights_of_steps(sample_weight, targets, "token") * tf.cast(real, tf.float32)
        weights = tf.cast(tf.reshape(weights, [-1]), a.dtype)
        targets = tf.reshape(targets, [-1])
        w, b = self.output_weights()
        products = self.products_of_softmax
        if samples:
            drawn = draw(self.drawing.next(), samples, self.config.vocabulary_size)
            total = summed_sampled_cross_entropy(a, w, b, targets, weights, drawn, products)
        else:
            total = summed_cross_entropy(a, w, b, targets, weights, products=products)
        return total, tf.cast(tf.math.count_nonzero(real), total.dtype)

    def loss_count(self, inputs: Inputs) -> tf.Tensor:
        """Tokens."""
        return tf.math.count_nonzero(inputs["targets"])

    def weighted_classes(self) -> tuple[str, ...]:
        raise ValueError(
            "class_weight: expected none, since what a language model answers is not `y`. Give "
            "sample_weight, one for each token or text"
        )

    def log_probabilities(
        self, targets: tf.Tensor, before: tf.Tensor, states: Sequence[tf.Tensor]
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """log P(y<t> | ...) of each target, `[batch, time]`, 0 at padding, and the last states."""
        real = targets > tokens.PADDING
        a, states = self.run(self.inputs_of(targets, before), states, mask=real)
        rows = exact(tf.reshape(a, [-1, a.shape[-1]]))
        found = log_probabilities(rows, *self.output_weights(), tf.reshape(targets, [-1]))
        return tf.where(real, tf.reshape(found, tf.shape(targets)), 0.0), states

    # --- Whole texts, in time and memory that follow their real tokens ----------------------------

    def score_texts(self, ids: tf.RaggedTensor) -> tf.Tensor:
        """log P of each token of texts of any length, each text from its beginning.

        What `log_probabilities` gives, in windows of time through which the states are carried, and
        texts in groups of like length: nothing is as large as a whole text is long, but for a few
        numbers for each token.

        Args:
            ids: of the tokens, int32 `[texts, (tokens)]`.

        Returns:
            float32 `[tokens of all texts]`.
        """
        steps = min(STEPS_AT_ONCE, _SCORES_AT_ONCE // self.config.vocabulary_size)
        steps = max(_FEWEST_STEPS, steps)

        def log_p(a: tf.Tensor, targets: tf.Tensor, places: tf.Tensor) -> tf.Tensor:
            scores, right = (tf.gather_nd(x, places) for x in (a, targets))
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(right, self.scores(scores))
            return -losses

        def at_once(group: Group) -> list[tf.Tensor]:
            targets, x, real = inputs_of(group)
            a, _ = self.run(x, self.zero_states(tf.shape(x)[0]), real)
            return [log_p(a, targets, tf.where(real))]

        def in_windows(group: Group) -> list[tf.Tensor]:
            targets, x, real = inputs_of(group)

            def see(start: tf.Tensor, end: tf.Tensor, a: tf.Tensor, found: tf.Tensor) -> tf.Tensor:
                places = tf.where(real[:, start:end])
                here = places + tf.stack([0, start])
                values = log_p(a, targets[:, start:end], places)
                return tf.tensor_scatter_nd_update(found, here, values)

            found = tf.zeros_like(targets, tf.float32)
            _, found = self._in_windows(x, real, steps, see, found)
            return [tf.gather_nd(found, tf.where(real))]

        def inputs_of(group: Group) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            targets = group.padded(ids.flat_values)
            x = self.inputs_of(targets, tf.zeros([tf.shape(targets)[0]], tf.int32))
            return targets, x, targets > tokens.PADDING

        (found,) = in_groups(
            ids.row_lengths(),
            in_windows,
            of_steps=[tf.zeros_like(ids.flat_values, tf.float32)],
            splits=ids.row_splits,
            most_rows=steps // _FEWEST_STEPS,
            at_once=at_once,
            steps_at_once=steps,
        )
        return found

    def read_texts(self, ids: tf.RaggedTensor) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Where the next token of each text is predicted from: a<t>, and the states there.

        Args:
            ids: of the tokens, int32 `[texts, (tokens)]`; a text may have none.

        Returns:
            a<t> `[texts, width]`, and the states of all layers, each `[texts, units]`.
        """

        def inputs_of(group: Group) -> tuple[tf.Tensor, tf.Tensor]:
            # x<1> = 0 and then the text: a mask that is one step longer.
            x = tf.pad(group.padded(ids.flat_values), [[0, 0], [1, 0]])
            return x, tf.range(group.longest + 1) <= group.of(ids.row_lengths())[:, None]

        def at_once(group: Group) -> list[tf.Tensor]:
            x, mask = inputs_of(group)
            return self.run(x, self.zero_states(tf.shape(x)[0]), mask)[1]

        def in_windows(group: Group) -> list[tf.Tensor]:
            x, mask = inputs_of(group)
            return self._in_windows(x, mask, STEPS_AT_ONCE)[0]

        states = in_groups(
            ids.row_lengths(),
            in_windows,
            of_rows=self.zero_states(ids.nrows()),
            splits=ids.row_splits,
            most_rows=STEPS_AT_ONCE // _FEWEST_STEPS,
            at_once=at_once,
        )
        # The first state of the last layer is its output.
        a = states[-self.stacks[-1].states_per_layer]
        return (a if self.projection is None else self.projection(a)), states

    def _in_windows(
        self,
        x: tf.Tensor,
        mask: tf.Tensor,
        steps: int,
        see: Callable[..., tf.Tensor] = lambda start, end, a, seen: seen,
        seen: tf.Tensor | None = None,
    ) -> tuple[list[tf.Tensor], tf.Tensor]:
        """Runs over inputs in windows of time, from states of zeros.

        Args:
            x: ids `[rows, time]`.
            mask: bool `[rows, time]`, True where a step is real.
            steps: of a window, those of all rows together.
            see: from start and end of a window, a<t> `[rows, window, width]`, and what was seen
                before, to what is seen after it.
            seen: before the first window.

        Returns:
            The last states, each `[rows, units]`, and what was seen in the end.
        """
        rows, time = tf.unstack(tf.shape(x, tf.int64))
        at_once = tf.maximum(steps // tf.maximum(rows, 1), 1)

        def window(start: tf.Tensor, seen: tf.Tensor, *states: tf.Tensor) -> tuple[tf.Tensor, ...]:
            end = tf.minimum(start + at_once, time)
            a, new_states = self.run(x[:, start:end], list(states), mask[:, start:end])
            return end, see(start, end, a, seen), *new_states

        seen = tf.zeros([]) if seen is None else seen
        _, seen, *states = tf.while_loop(
            lambda start, *_: start < time,
            window,
            (tf.constant(0, tf.int64), seen, *self.zero_states(rows)),
            parallel_iterations=1,
        )
        return states, seen
