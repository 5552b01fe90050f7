"""What must be set before TensorFlow is imported, and what every test starts from."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# What is compiled here runs once or twice: it need not be fast, but soon there.
os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")

import functools
import gc
import pathlib
import random

import hypothesis
import keras
import pytest
import tensorflow as tf
from cases import functions_run_eagerly
from tensorflow.python.eager import context
from xdist.scheduler import LoadScopeScheduling

# A graph is optimized for longer than it then runs; what optimization might break asks for it. In
# the server's runtime, graphs of all models are optimized.
OPTIMIZE = "disable_meta_optimizer"
tf.config.optimizer.set_experimental_options({OPTIMIZE: True})

hypothesis.settings.register_profile("layers", deadline=None, max_examples=15, derandomize=True)
hypothesis.settings.load_profile("layers")


CLIENTS = "tests/zoo/serving/"


def pytest_collection_modifyitems(items):
    """What is long comes first, so that no process is left with it at the end."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: (CLIENTS not in item.nodeid, item.path not in slow))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """The tests of a file run in one process, and so do those of clients, which share servers."""

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            return CLIENTS if nodeid.startswith(CLIENTS) else nodeid.partition("::")[0]

    return ByFile(config, log)


MODELS = pathlib.Path(__file__).parents[1] / "saved_models"


def read_once(load, most=16):
    """`tf.saved_model.load`, which reads a folder again only where a file of it has changed.

    A folder that several tests and programs ask is then read, and its graphs are made fast, once.
    What is not committed is forgotten by `forget`.
    """
    committed, passing = (
        functools.lru_cache(most)(lambda folder, _: load(folder)) for _ in range(2)
    )

    def read(folder, *arguments, **options):
        path = pathlib.Path(folder).resolve()
        if arguments or options or not path.is_dir():
            return load(folder, *arguments, **options)
        stats = [(str(file), file.stat()) for file in sorted(path.rglob("*"))]
        files = tuple((name, s.st_ino, s.st_mtime_ns, s.st_size) for name, s in stats)
        loaded = committed if path.is_relative_to(MODELS) else passing
        return loaded(str(path), files)

    read.forget = passing.cache_clear
    return read


def pytest_collection_finish():
    """The million objects of TensorFlow and Keras stay; looking for garbage in them takes long."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(200_000, 20, 100)


@pytest.fixture(scope="session", autouse=True)
def models_are_read_once():
    with pytest.MonkeyPatch.context() as patch:
        read = read_once(tf.saved_model.load)
        patch.setattr(tf.saved_model, "load", read)
        yield read


@pytest.fixture(scope="module", autouse=True)
def what_is_left_is_freed(models_are_read_once):
    """Kernels and graphs of a module's tests, of which a whole run would pile up gigabytes.

    What outlives its module stays, and is not looked through again behind every later one.
    """
    yield
    models_are_read_once.forget()
    context.context().clear_kernel_cache()
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def seeded():
    """As `keras.utils.set_random_seed` does, but for one thing: TensorFlow would drop its kernels,
    and optimize the graph of every function anew in every test that calls it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tf.random, "set_seed", lambda _: None)
        keras.utils.set_random_seed(0)
    eager = context.context()
    eager._seed, eager._rng = 0, random.Random(0)


@pytest.fixture
def optimized_graphs():
    """TensorFlow optimizes graphs, as it does for users."""
    tf.config.optimizer.set_experimental_options({OPTIMIZE: False})
    yield
    tf.config.optimizer.set_experimental_options({OPTIMIZE: True})


@pytest.fixture
def without_graphs():
    """Numbers are compared, whatever runs them: no graph is made for what is asked once."""
    with functions_run_eagerly():
        yield
