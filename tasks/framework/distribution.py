"""Training on several devices and machines: every replica has all weights, and its rows of a batch.

A batch, its loss and the clipping of gradients are those of one device: each replica adds its part
to the gradients of the whole batch, whose sum all of them apply. What differs is rounding, and what
dropout draws.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.distribute.collective_all_reduce_strategy import CollectiveAllReduceExtended
from tensorflow.python.eager import context

from tasks.data.batching import Batches, Part
from tasks.data.errors import UserError
from tasks.framework import cluster
from tasks.framework.configuration import TrainingConfig
from tasks.framework.optimizers import unscaled
from tasks.framework.peers import Peers
from zoo.models import RecurrentModel
from zoo.models.parts import ALIKE

# What tells the random numbers of one replica from those of the next.
_STRIDE = 1_000_000_007

# What workers may say differently: whether they read the same, digests tell.
_PATHS = {"train_file", "valid_file", "embeddings_file", "pretrain_file", "pretrain_from"}

T = TypeVar("T")
# A step of training: from inputs and answers to the loss.
Step = Callable[..., tf.Tensor]


@dataclasses.dataclass(frozen=True)
class Team:
    """All replicas of a run, as this process sees them.

    Attributes:
        strategy: of TensorFlow; None: this process trains alone, on one device, as Keras does.
        peers: the other workers, where there are some.
    """

    strategy: tf.distribute.Strategy | None = None
    peers: Peers | None = None

    @property
    def is_chief(self) -> bool:
        """Whether this process writes files, measures, and shows how far training has come."""
        return self.peers is None or self.peers.cluster.is_chief

    @property
    def replicas(self) -> int:
        """Of all workers."""
        return 1 if self.strategy is None else self.strategy.num_replicas_in_sync

    def about(self) -> dict[str, int]:
        """For records: how many workers and replicas there are, where there are some."""
        if self.strategy is None:
            return {}
        return {"workers": self._workers, "replicas": self.replicas}

    def scope(self) -> contextlib.AbstractContextManager[Any]:
        """While it lasts, variables are made for all replicas."""
        return contextlib.nullcontext() if self.strategy is None else self.strategy.scope()

    def part(self, batch_size: int) -> Part:
        """The rows of a batch that this process makes.

        Raises:
            UserError: it cannot be cut into as many parts as there are replicas.
        """
        cluster.check_batch_size(batch_size, self.replicas, "replicas")
        return Part(batch_size, self._number, self._workers)

    def share(self, value: T) -> T:
        """What the chief has, of JSON, in all workers; they wait for it."""
        if self.peers is None:
            return value
        return json.loads(self.peers.share(json.dumps(value).encode()))

    def agree(
        self, options: Mapping[str, Any], read: Mapping[str, Any], defaults: Mapping[str, Any]
    ) -> None:
        """Makes sure that all workers train the same.

        Args:
            options: of the run, by name, as its folder has them.
            read: digests of what is read, by what it is called.
            defaults: of options that the folder of the chief, which may be an older one, lacks.

        Raises:
            UserError: this worker has other values than the chief.
        """
        if self.peers is None:
            return
        if self.strategy is not None:
            read = {**read, "number of devices": len(self.strategy.extended.worker_devices)}
        theirs, read_there = self.share([{**defaults, **options}, dict(read)])
        chief, here = self.peers.cluster.name(0), self.peers.cluster.name(self._number)
        received = []
        for name in sorted(options.keys() & theirs.keys() - _PATHS):
            if options[name] != theirs[name]:
                flag = name if name == "task" else f"--{name}"
                received.append(f"{flag}={theirs[name]!r} at {chief}, {options[name]!r} at {here}")
        # Other flags read other things.
        received = received or [
            f"another {name} at {here}"
            for name in sorted({*read, *read_there})
            if read.get(name) != read_there.get(name)
        ]
        if received:
            raise UserError(
                f"expected all workers to train the same. Received: {'; '.join(received)}"
            )

    def begin(self, variables: Sequence[keras.Variable], history: list[dict]) -> list[dict]:
        """Gives all workers the variables and the history of the chief, and each replica random
        numbers of its own."""
        if self.peers is not None:
            history = self.share(history)
            if self.is_chief:
                self.peers.share(_as_bytes(variables))
            else:
                _assign(variables, self.peers.share(b""))
        if self.replicas > 1:
            seeds = [v for v in variables if v.name == "seed_generator_state"]
            self._draw_apart([v for v in seeds if ALIKE not in v.path])
        return history

    def _draw_apart(self, seeds: Sequence[keras.Variable]) -> None:
        """Those of the first replica stay as they are: they are what a checkpoint holds."""
        assert self.strategy is not None
        for seed in seeds:
            values = self.strategy.experimental_local_results(seed.value)
            for number, value in enumerate(values, self._number * len(values)):
                value.assign_add(tf.constant([number * _STRIDE, 0], value.dtype))

    def step(self, model: RecurrentModel, signature: tuple) -> Step:
        """A step of training on this worker's rows of a batch; it gives the loss of the batch.

        Args:
            model: compiled and built in `scope`.
            signature: of the batches.
        """
        strategy = self.strategy
        if strategy is None:
            return _function(lambda *batch: _step(model, *batch), signature)
        local = len(strategy.extended.worker_devices)
        # Gradients come to it as sums already.
        unscaled(model.optimizer)._all_reduce_sum_gradients = lambda pairs: pairs

        def replicas(*batch: Any) -> tf.Tensor:
            losses = strategy.run(lambda *whole: _step(model, *_rows(whole, local)), args=batch)
            return strategy.experimental_local_results(losses)[0]

        return _function(replicas, signature)

    def train(self, step: Step, batches: Batches) -> float:
        """Trains for an epoch, and shows how far it has come; the mean of the losses.

        Args:
            step: of `step`.
            batches: of this worker.
        """
        total, terminal = tf.zeros([], tf.float64), self.is_chief and os.isatty(1)
        bar = keras.utils.Progbar(
            len(batches), verbose=1 if terminal else 2, stateful_metrics=["loss"]
        )
        for number, batch in enumerate(batches.ahead(), 1):
            total += tf.cast(step(*batch), tf.float64)
            if terminal or number == len(batches):
                bar.update(number, [("loss", float(total) / number)])
        return float(total) / len(batches)

    @property
    def _number(self) -> int:
        return 0 if self.peers is None else self.peers.cluster.number

    @property
    def _workers(self) -> int:
        return 1 if self.peers is None else len(self.peers.cluster)


ALONE = Team()


def _function(body: Callable[..., tf.Tensor], signature: tuple) -> Step:
    """A function of this machine, see `layers.engine.function_here`, for batches of any size."""

    def stays_here(*batch: Any) -> tf.Tensor:
        return body(*batch)

    return tf.function(stays_here, input_signature=signature, autograph=False)


def _rows(batch: T, local: int) -> T:
    """A replica's rows of those of its worker."""
    if local == 1:
        return batch
    number = tf.distribute.get_replica_context().replica_id_in_sync_group % local

    def some(values: tf.Tensor) -> tf.Tensor:
        rows = tf.shape(values)[0] // local
        return values[number * rows : (number + 1) * rows]

    return tf.nest.map_structure(some, batch)


def _step(model: RecurrentModel, inputs: Any, answers: tf.Tensor) -> tf.Tensor:
    """One step of a replica.

        share = count / Σ count,   L = Σ share L_replica,   ∇L = Σ ∇(share L_replica)

    where the sums are over replicas, and the counts what each mean loss is divided by.
    """
    variables, share = model.trainable_variables, None
    if tf.distribute.get_replica_context().num_replicas_in_sync > 1:
        count = tf.cast(model.loss_count(inputs), model.variable_dtype)
        share = tf.math.divide_no_nan(count, summed([count])[0])
    with tf.GradientTape() as tape:
        predicted = model(inputs, training=True)
        loss = model.compute_loss(x=inputs, y=answers, y_pred=predicted, training=True)
        if share is not None:
            loss *= tf.cast(share, loss.dtype)
        scaled = model.optimizer.scale_loss(loss)
    gradients = tape.gradient(scaled, [variable.value for variable in variables])
    if share is not None:
        gradients = [_as_sent(g, v) for g, v in zip(gradients, variables, strict=True)]
        loss, *gradients = summed([tf.cast(loss, model.variable_dtype), *gradients])
    model.optimizer.apply(gradients, variables)
    return loss


def summed(values: Sequence[Any]) -> list[Any]:
    """The sums over all replicas: of tensors in one message, of large sparse ones row by row.

    Args:
        values: tensors of known shapes, `tf.IndexedSlices`, or None, which stays as it is.
    """
    dense = [i for i, value in enumerate(values) if isinstance(value, tf.Tensor)]
    sparse = [i for i, value in enumerate(values) if isinstance(value, tf.IndexedSlices)]
    found = list(values)
    flat = tf.concat([tf.reshape(values[i], [-1]) for i in dense], axis=0)
    sizes = [values[i].shape.num_elements() for i in dense]
    total, *rows = tf.distribute.get_replica_context().all_reduce(
        tf.distribute.ReduceOp.SUM, [flat, *(_distinct_rows(values[i]) for i in sparse)]
    )
    for i, part in zip(dense, tf.split(total, sizes), strict=True):
        found[i] = tf.reshape(part, values[i].shape)
    for i, some in zip(sparse, rows, strict=True):
        found[i] = some
    return found


def _as_sent(gradient: Any, variable: keras.Variable) -> Any:
    """A gradient as it is sent: rows of large embeddings, and tensors of a known shape."""
    if gradient is None:
        return None
    if isinstance(gradient, tf.IndexedSlices) and variable.shape[0] > cluster.SENT_DENSE:
        return gradient
    return tf.ensure_shape(tf.convert_to_tensor(gradient), variable.shape)


def _distinct_rows(slices: tf.IndexedSlices) -> tf.IndexedSlices:
    """The same with each row once."""
    rows, where = tf.unique(slices.indices)
    values = tf.math.unsorted_segment_sum(slices.values, where, tf.size(rows))
    return tf.IndexedSlices(values, rows, slices.dense_shape)


# --- How a run begins and ends ------------------------------------------------------------------


# A process has one strategy, and so one team.
_HERE: list[Team] = []


@contextlib.contextmanager
def joined(training: TrainingConfig, name: str, model_dir: str | None = None) -> Iterator[Team]:
    """While it lasts, this process is part of the team that a recipe asks for.

    Workers other than the chief say nothing meanwhile but errors. Inside of another one, it is the
    same team.

    Args:
        training: the recipe.
        name: of the program, for messages.
        model_dir: where the run can be resumed, if it can.

    Raises:
        UserError: there is no such team.
    """
    if _HERE or training.distribute == "none":
        yield _HERE[0] if _HERE else ALONE
        return
    with contextlib.ExitStack() as stack:
        if training.distribute == "mirrored":
            team = _mirrored()
        else:
            peers = Peers(
                cluster.read(), name, "; the same commands resume the run" * bool(model_dir)
            )
            stack.enter_context(_parting(peers))
            team = _workers(peers)
        _HERE.append(team)
        stack.callback(_HERE.clear)
        if not team.is_chief:
            stack.enter_context(_silent())
        team.part(training.batch_size)
        yield team


def _mirrored() -> Team:
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    return Team(tf.distribute.MirroredStrategy([device.name for device in devices]))


def _workers(peers: Peers) -> Team:
    # TensorFlow's own watch takes a worker that is busy for ten seconds for a lost one.
    context.context().configure_coordination_service("", enable_health_check=False)
    CollectiveAllReduceExtended._enable_check_health = False
    try:
        return Team(tf.distribute.MultiWorkerMirroredStrategy(), peers)
    except (RuntimeError, tf.errors.OpError) as error:
        here = peers.cluster.name(peers.cluster.number)
        raise UserError(f"TensorFlow cannot start {here}: {error}") from None


@contextlib.contextmanager
def _parting(peers: Peers) -> Iterator[None]:
    """Tells the others how it ended here; but for the chief, with which all end."""
    here = peers.cluster.name(peers.cluster.number)
    try:
        with _stops():
            yield
    except KeyboardInterrupt:
        peers.close(f"{here} was stopped", lost=True)
        raise
    except BaseException as error:
        if isinstance(error, tf.errors.OpError):
            # Whoever is lost, TensorFlow's own word for it may come first.
            try:
                peers.wait_for_the_blame()
            except KeyboardInterrupt:
                peers.close(f"{here} was stopped", lost=True)
                raise
        said = str(error) if isinstance(error, UserError) else type(error).__name__
        peers.close(f"{here} ended: {said}")
        raise
    finally:
        peers.close()
        peers.cleanup.close()


@contextlib.contextmanager
def _stops() -> Iterator[None]:
    """Ctrl-C at the moment at which TensorFlow makes an error, as it does when another worker has
    gone by the same Ctrl-C, comes as an error of pybind11."""
    try:
        yield
    except RuntimeError as error:
        stop = re.search(r"REPLACED BY KeyboardInterrupt: (\d+)", str(error))
        if stop is None:
            raise
        raise KeyboardInterrupt(int(stop[1])) from None


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    with (
        open(os.devnull, "w") as nothing,
        contextlib.redirect_stdout(nothing),
        contextlib.redirect_stderr(nothing),
    ):
        yield


def folder_of(team: Team, model_dir: str | None, name: str) -> str:
    """Where a worker keeps what it writes: the run's folder, or if it is not the chief, a temporary
    one that ends with it."""
    if team.peers is not None and not team.is_chief:
        return team.peers.cleanup.enter_context(tempfile.TemporaryDirectory(prefix=f"{name}-"))
    return model_dir or tempfile.mkdtemp(prefix=f"{name}-")


def end_with_the_chief(team: Team) -> None:
    """Ends a worker that is not the chief, when that is done; the chief goes on, and nobody who is
    lost from now on stops it.

    Raises:
        SystemExit: without a fault.
    """
    if team.peers is None:
        return
    if team.is_chief:
        team.peers.need_nobody()
        return
    team.peers.wait_for_the_end()
    sys.exit(0)


def _as_bytes(variables: Sequence[keras.Variable]) -> bytes:
    file = io.BytesIO()
    np.savez(file, *(keras.ops.convert_to_numpy(variable) for variable in variables))
    return file.getvalue()


def _assign(variables: Sequence[keras.Variable], values: bytes) -> None:
    with np.load(io.BytesIO(values)) as arrays:
        for variable, name in zip(variables, arrays.files, strict=True):
            variable.assign(arrays[name])
