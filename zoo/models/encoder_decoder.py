"""Encoder and decoder: one sequence read, another one written."""

from __future__ import annotations

from typing import Any, NamedTuple, cast

import keras
import tensorflow as tf

import layers
from layers.engine.compiling import compiles
from layers.engine.feeding import FeedingPlan, FeedingTensors, run_feeding
from layers.gates import gates_of_layers
from layers.softmax import log_probabilities, summed_cross_entropy
from zoo.configuration import EncoderDecoderConfig
from zoo.models.parts import Inputs, MakeStack, RecurrentModel
from zoo.models.weighting import weights_of_steps
from zoo.models.words import WordDropout
from zoo.text import tokens


class Memory(NamedTuple):
    """What a decoder looks back at, for each sentence; nothing without attention.

    Attributes:
        keys: as `layers.Attention.project` gives them, `[batch, T_x, columns]`.
        values: a<t> of the encoder, `[batch, T_x, width]`.
        real: bool `[batch, T_x]`, True where there is a token.
    """

    keys: tf.Tensor
    values: tf.Tensor
    real: tf.Tensor


@keras.saving.register_keras_serializable("zoo")
class EncoderDecoder(RecurrentModel):
    """P(y<1>, ..., y<T_y> | x<1>, ..., x<T_x>) = Π_t P(y<t> | x, y<1>, ..., y<t-1>).

        encoder   h<1>, ..., h<T_x> = stack(x<1>, ..., x<T_x>), in both directions where they are
        bridge    s[l]<0> = tanh(W_l [s→[l], s←[l]] + b_l), from where the encoder's layer l ends
        decoder   a<t> = stack(y<t-1>), from s<0>; y<0> = 0
        attention context<t> = Σ_t' α<t,t'> h<t'>, where a<t> is the query and h<t'> the keys
                  (`layers.Attention`); for dot products, which need keys as wide as the query, both
                  directions of h<t'> are added up
                  ã<t> = tanh(W_c [context<t>, a<t>] + b_c)
        softmax   ŷ<t> = softmax(W ã<t> + b)
        loss      L = Σ_t L<t>,   L<t> = -log ŷ<t>[y<t>]

    With `config.attention` `"none"`, the lecture's plain network, ã<t> is a<t>, and what the
    decoder knows of x is s<0>. The last target is `<EOS>`; in training, the right token is fed
    back, not the one written (teacher forcing).

    With `config.input_feeding`, the decoder reads [y<t-1>, ã<t-1>], ã<0> = 0: its steps wait for
    attention, and the loop of `layers.engine.feeding` takes them. Without, all steps of the decoder
    run at once as any stack does, and attention after them.

    The bridge has a matrix for each state of each layer: of as many directions as the encoder has,
    into the one of the decoder. The memory cell c of an LSTM is not squashed.

    Source: Andrew Ng, Sequence Models, week 1, "Different types of RNNs"; Sutskever, Vinyals and Le
    2014; Cho et al. 2014; attention, its scores and input feeding: Bahdanau, Cho and Bengio 2015;
    Luong, Pham and Manning 2015.

    The output weights W are the embedding of what is written where `config.tied` says so, and that
    of what is read too, if both share a vocabulary (Press and Wolf 2017). `dropout` drops columns
    of inputs, of outputs and between layers, the same ones at every step (Gal and Ghahramani 2016).

    Args:
        config: what it is made of; `vocabulary_size` counts padding, `<UNK>` and `<EOS>` too.
        make_stack: makes encoder and decoder, `layers.Stack` or what takes its arguments; with
            input feeding, the decoder's have to be `layers.Stack`. Its attribute `make_attention`,
            where it has one, stands for `layers.Attention`.

    Inputs: a dict of `source` x, int32 `[batch, T_x]`, and `targets` y, int32 `[batch, T_y]`; 0 is
    padding, on the right. Output: ã<t> `[batch, T_y, width]`, as W sees it; at padding, anything.
    In training, the model's loss is the mean of L<t> over all tokens of the batch.

    Notes:
        In Bahdanau's paper the query is a<t-1>, and its context enters step t. Here both enter one
        step later, inside of ã: `attention="additive"` with `input_feeding` is that network, with a
        readout that has seen step t (the form of Luong, and of most toolkits).

    Example:
        >>> config = EncoderDecoderConfig(vocabulary_size=50, units=8, embedding_dim=4)
        >>> model = EncoderDecoder(config)
        >>> x, y = tf.constant([[7, 9, 3, 2]]), tf.constant([[8, 6, 2]])
        >>> model({"source": x, "targets": y}).shape
        TensorShape([1, 3, 4])
        >>> model.log_probabilities(x, y).shape
        TensorShape([1, 3])
    """

    configuration = EncoderDecoderConfig
    config: EncoderDecoderConfig
    # None where the configuration has no use for them.
    attention: Any
    combine: Any
    projection: Any
    source_embedding: Any
    w: Any

    def __init__(
        self, config: EncoderDecoderConfig, make_stack: MakeStack = layers.Stack, **kwargs: Any
    ):
        super().__init__(config, make_stack, **kwargs)
        self.word_dropout = WordDropout(config.word_dropout)
        self.word_embedding = self._small_embedding(config.vocabulary_size)
        self.source_embedding = None
        if config.source_vocabulary_size or not config.tied:
            size = config.source_vocabulary_size or config.vocabulary_size
            self.source_embedding = self._small_embedding(size)
        self.encoders = [
            self._one_layer(bidirectional=config.bidirectional) for _ in range(config.depth)
        ]
        self.decoders = [self._one_layer(bidirectional=False) for _ in range(config.depth)]
        # In one row, as the states are: a SavedModel finds no layers in lists of lists.
        self.bridges = [
            self.dense(config.units, activation=None if i % self._states else "tanh")
            for i in range(self._states * config.depth)
        ]
        # One mask for all steps: noise of the shape [batch, 1, width].
        self.source_dropouts, self.target_dropouts = (
            [self.dropout(noise_shape=(None, 1, None)) for _ in range(config.depth + 1)]
            for _ in range(2)
        )
        self.seed_generator = keras.random.SeedGenerator()
        width = config.embedding_dim if config.tied else config.units
        self.attention = self.combine = self.projection = self.w = None
        if config.attention != "none":
            make_attention = getattr(make_stack, "make_attention", layers.Attention)
            self.attention = make_attention(config.attention, dtype=self.dtype_policy)
            self.combine = self.dense(width, activation="tanh")
        elif width != config.units:
            self.projection = self.dense(width, use_bias=False)
        if not config.tied:
            self.w = self.add_weight(shape=(config.vocabulary_size, width), name="W")
        self.b = self.add_weight(shape=(config.vocabulary_size,), initializer="zeros", name="b")

    def _small_embedding(self, size: int) -> keras.layers.Embedding:
        return keras.layers.Embedding(
            size,
            self.config.embedding_dim,
            keras.initializers.RandomUniform(-0.1, 0.1),
            dtype=self.dtype_policy,
        )

    def _one_layer(self, bidirectional: bool) -> keras.layers.Layer:
        return self.recurrent(
            self.config.units,
            bidirectional=bidirectional,
            recurrent_dropout=self.config.recurrent_dropout,
            return_state=True,
        )

    @property
    def _states(self) -> int:
        """How many states a layer of the decoder has."""
        return self.decoders[0].states_per_layer

    @property
    def _directions(self) -> int:
        return 2 if self.config.bidirectional else 1

    def build(self, input_shape: object = None) -> None:
        config, read = self.config, self.config.units * self._directions
        for embedding in (self.word_embedding, self.source_embedding):
            if embedding is not None:
                embedding.build((None, None))
        width = config.embedding_dim
        for stack in self.encoders:
            stack.build((None, None, width))
            width = read
        for bridge in self.bridges:
            bridge.build((None, read))
        width = config.embedding_dim
        if config.input_feeding:
            width += self.combine.units
        for stack in self.decoders:
            stack.build((None, None, width))
            width = config.units
        if self.attention is not None:
            keys = width if config.attention == "dot" else read
            self.attention.build((None, None, width), (None, None, keys))
            self.combine.build((None, None, read + width))
        if self.projection is not None:
            self.projection.build((None, None, width))

    # --- The encoder -----------------------------------------------------------------------------

    def read(
        self, source: tf.Tensor, training: bool = False
    ) -> tuple[Memory | tuple[()], list[tf.Tensor]]:
        """Reads sentences; what the decoder starts from.

        Args:
            source: x, int32 `[batch, T_x]`, 0 is padding; a sentence may be empty.
            training: whether dropout acts.

        Returns:
            The `Memory`, empty without attention, and what `step` takes before the first step: with
            input feeding ã<0>, `[batch, width]`, then the states of all layers, each
            `[batch, units]`.
        """
        real, embedding = source > tokens.PADDING, self.source_embedding or self.word_embedding
        x = embedding(self.word_dropout(source, training=training))
        x = self.source_dropouts[0](x, training=training)
        states = []
        for i, stack in enumerate(self.encoders):
            x, *ends = stack(x, mask=real, training=training)
            x = self.source_dropouts[i + 1](x, training=training)
            # Those of the forward direction come first.
            for k in range(self._states):
                bridge = self.bridges[i * self._states + k]
                states.append(bridge(tf.concat(ends[k :: self._states], axis=1)))
        if self.attention is None:
            return (), states
        keys = x
        if self.config.attention == "dot" and self.config.bidirectional:
            keys = tf.add_n(tf.split(x, 2, axis=2))  # as wide as a<t>
        if self.config.input_feeding:
            none = tf.zeros([tf.shape(source)[0], self.combine.units], self.compute_dtype)
            states = [none, *states]
        return Memory(self.attention.project(keys), x, real), states

    def gate_activations(self, inputs: Inputs) -> dict[str, tf.Tensor]:
        """Of the encoder, over the `source`."""
        source = inputs["source"]
        embedding = self.source_embedding or self.word_embedding
        recurrent = [layer for stack in self.encoders for layer in stack.recurrent_layers]
        return gates_of_layers(recurrent, embedding(source), source > tokens.PADDING)

    # --- The decoder -----------------------------------------------------------------------------

    def embed(self, ids: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Embeddings of what was written, ids of any shape; of none, 0, zeros."""
        x = self.word_embedding(self.word_dropout(ids, training=training))
        return x * tf.cast(ids > tokens.PADDING, x.dtype)[..., None]

    def step(
        self, ids: tf.Tensor, states: list[tf.Tensor], memory: Memory | tuple[()]
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """One step alone.

        Args:
            ids: y<t-1>, int32 `[rows]`, 0 for none; the rows of a sentence, one or more, side by
                side, and for all sentences as many.
            states: before the step, each `[rows, ...]`.
            memory: of the sentences.

        Returns:
            ã<t>, `[rows, width]`, and the new states.
        """
        x, feeding = self.embed(ids), self.config.input_feeding
        new_states: list[tf.Tensor] = []
        if feeding:
            x, states = tf.concat([x, states[0]], axis=1), states[1:]
        for i, stack in enumerate(self.decoders):
            x, some = stack.step(x, states[i * self._states : (i + 1) * self._states])
            new_states += some
        if isinstance(memory, Memory):
            x = self._attend_in_rows(x, memory)
        elif self.projection is not None:
            x = self.projection(x)
        return x, ([x] if feeding else []) + new_states

    def _attend_in_rows(self, a: tf.Tensor, memory: Memory) -> tf.Tensor:
        """ã<t> of rows of which each sentence has several."""
        sentences, rows = tf.shape(memory.real)[0], tf.shape(a)[0]
        queries = tf.reshape(a, [sentences, rows // tf.maximum(sentences, 1), self.config.units])
        context, _ = self.attention.attend(queries, memory.keys, memory.values, memory.real)
        context = tf.reshape(context, [rows, context.shape[2]])
        return self.combine(tf.concat([context, a], axis=1))

    def write(
        self,
        targets: tf.Tensor,
        states: list[tf.Tensor],
        memory: Memory | tuple[()],
        training: bool = False,
    ) -> tuple[tf.Tensor, tf.Tensor | None]:
        """ã<t> for targets `[batch, T_y]`, all steps with the right token fed back.

        Args:
            targets: y, int32 `[batch, T_y]`, padding on the right.
            states, memory: as `read` gave them.
            training: whether dropout acts.

        Returns:
            ã<t> `[batch, T_y, width]`, and the weights α `[batch, T_y, T_x]`, or None without
            attention or with input feeding.
        """
        # No mask: what comes after padding is padding.
        ids = tf.pad(targets, [[0, 0], [1, 0]])[:, :-1]
        x = self.target_dropouts[0](self.embed(ids, training), training=training)
        if self.config.input_feeding:
            return self._write_by_steps(x, states, cast(Memory, memory), training), None
        for i, stack in enumerate(self.decoders):
            start = states[i * self._states : (i + 1) * self._states]
            if i:
                x = self.target_dropouts[i](x, training=training)
            x = stack(x, initial_state=start, training=training)[0]
        alpha = None
        if isinstance(memory, Memory):
            context, alpha = self.attention.attend(x, memory.keys, memory.values, memory.real)
            x = self.combine(tf.concat([context, x], axis=2))
        elif self.projection is not None:
            x = self.projection(x)
        return self.target_dropouts[-1](x, training=training), alpha

    def _write_by_steps(
        self, x: tf.Tensor, states: list[tf.Tensor], memory: Memory, training: bool
    ) -> tf.Tensor:
        """ã<t> where each step waits for the attention of the one before."""
        config, batch = self.config, tf.shape(x)[0]
        cells = [stack.recurrent_layers[0] for stack in self.decoders]
        weights, scored = [cell.weight_tensors() for cell in cells], self.attention.weight_tensors()
        precision = weights[0]["kernel"].dtype

        def factors(rate: float, widths: list[int]) -> tuple[tf.Tensor, ...]:
            if not (training and rate):
                return ()
            ones = [tf.ones([batch, width], precision) for width in widths]
            return tuple(keras.random.dropout(o, rate, seed=self.seed_generator) for o in ones)

        states = [tf.cast(state, precision) for state in states[1:]]
        many, between = self._states, [config.units] * (config.depth - 1)
        tensors = FeedingTensors(
            x=tf.cast(x, precision),
            states=tuple(tuple(states[i * many : (i + 1) * many]) for i in range(config.depth)),
            kernels=tuple(w["kernel"] for w in weights),
            biases=tuple(w["bias"] for w in weights),
            recurrent_kernels=tuple(w["recurrent_kernel"] for w in weights),
            recurrent_biases=tuple(
                w["recurrent_bias"] for w in weights if w["recurrent_bias"] is not None
            ),
            memory=tf.cast(memory.keys, precision),
            values=tf.cast(memory.values, precision),
            combine=tf.cast(tf.convert_to_tensor(self.combine.kernel), precision),
            combine_bias=tf.cast(tf.convert_to_tensor(self.combine.bias), precision),
            query=scored["query_kernel"],
            scale=scored["scale"],
            mask=memory.real,
            recurrent_dropout=factors(config.recurrent_dropout, [config.units] * config.depth),
            dropout=factors(config.dropout, [*between, self.combine.units]),
        )
        plan = FeedingPlan(
            cells[0].cell,
            config.depth,
            additive=config.attention == "additive",
            compiled=compiles(config.layer_jit, pays=training),
        )
        return tf.cast(run_feeding(plan, tensors), self.compute_dtype)

    def scores(self, a: tf.Tensor) -> tf.Tensor:
        """W ã + b, `[rows, vocabulary]`, float32."""
        w, b = self.output_weights()
        return tf.matmul(tf.cast(a, tf.float32), w, transpose_b=True) + b

    def output_weights(self) -> tuple[tf.Tensor, tf.Tensor]:
        """W `[vocabulary, width]` and b `[vocabulary]`, float32."""
        w = self.word_embedding.embeddings if self.config.tied else self.w
        return tf.cast(tf.convert_to_tensor(w), tf.float32), tf.convert_to_tensor(self.b)

    # --- Training and scoring --------------------------------------------------------------------

    def call(self, inputs: Inputs, training: bool = False) -> tf.Tensor:
        """ã<t> `[batch, T_y, width]`."""
        memory, states = self.read(inputs["source"], training)
        return self.write(inputs["targets"], states, memory, training)[0]

    def compute_loss(
        self,
        x: Any = None,
        y: tf.Tensor | None = None,
        y_pred: tf.Tensor | None = None,
        sample_weight: tf.Tensor | None = None,
        training: bool = True,
    ) -> tf.Tensor:
        """Mean of L<t> over the tokens of a batch, in nats; in training with label smoothing.

        `sample_weight` weighs tokens, `[batch, T_y]`, or all of a sentence's, `[batch]`, see
        `zoo.models.weighting`.
        """
        del y
        smoothing = self.config.label_smoothing if training else 0.0
        total, count = self.summed_loss(y_pred, x["targets"], smoothing, sample_weight)
        return tf.math.divide_no_nan(total, count) + sum(self.losses)

    def loss_count(self, inputs: Inputs) -> tf.Tensor:
        """Tokens of the targets."""
        return tf.math.count_nonzero(inputs["targets"])

    def summed_loss(
        self,
        a: tf.Tensor,
        targets: tf.Tensor,
        smoothing: float = 0.0,
        sample_weight: tf.Tensor | None = None,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Σ weight L<t> over the tokens of a batch, in nats, and their count."""
        weights = weights_of_steps(sample_weight, targets, "token")
        # Of padding, no score is computed.
        real = tf.where(targets > tokens.PADDING)
        a, targets, weights = (tf.gather_nd(v, real) for v in (a, targets, weights))
        w, b = self.output_weights()
        a = tf.cast(a, tf.float32)
        total = summed_cross_entropy(a, w, b, targets, weights, smoothing, self.products_of_softmax)
        return total, tf.cast(tf.shape(targets)[0], tf.float32)

    def weighted_classes(self) -> tuple[str, ...]:
        raise ValueError(
            "class_weight: expected none, since what an encoder-decoder answers is not `y`. Give "
            "sample_weight, one for each token or sentence"
        )

    def log_probabilities(self, source: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
        """log P(y<t> | x, y<1>, ..., y<t-1>) of each target, `[batch, T_y]`, 0 at padding."""
        a, real = self({"source": source, "targets": targets}, training=False), targets > 0
        rows = tf.cast(tf.reshape(a, [-1, a.shape[-1]]), tf.float32)
        found = log_probabilities(rows, *self.output_weights(), tf.reshape(targets, [-1]))
        return tf.where(real, tf.reshape(found, tf.shape(targets)), 0.0)

    def alignment(self, source: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
        """How much each token of a source weighed when a target was written.

        Args:
            source: x, int32 `[batch, T_x]`.
            targets: y, int32 `[batch, T_y]`: the right ones, or what was written.

        Returns:
            α, float32 `[batch, T_y, T_x]`; 0 at padding of either.

        Raises:
            ValueError: the model has no attention.
        """
        if self.attention is None:
            raise ValueError(
                "alignment: expected a model with attention. Received: attention='none'"
            )
        memory, states = self.read(source)
        a, alpha = self.write(targets, states, memory)
        if alpha is None:
            alpha = self._weights_of_steps(targets, a, states, cast(Memory, memory))
        real = (targets > tokens.PADDING)[:, :, None]
        return tf.where(real, tf.cast(alpha, tf.float32), 0.0)

    def _weights_of_steps(
        self, targets: tf.Tensor, a: tf.Tensor, states: list[tf.Tensor], memory: Memory
    ) -> tf.Tensor:
        """α of all steps, from the ã that each of them has read."""
        ids = tf.pad(targets, [[0, 0], [1, 0]])[:, :-1]
        x = tf.concat([self.embed(ids), tf.pad(a, [[0, 0], [1, 0], [0, 0]])[:, :-1]], axis=2)
        for i, stack in enumerate(self.decoders):
            start = states[1 + i * self._states : 1 + (i + 1) * self._states]
            x = stack(x, initial_state=start)[0]
        return self.attention.attend(x, memory.keys, memory.values, memory.real)[1]
