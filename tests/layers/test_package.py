"""The package as a whole: its examples run, and all that is public has one."""

import ast
import doctest
import importlib
import inspect
import pathlib
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import layers
from layers import engine

ROOT = pathlib.Path(layers.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
MODULES = [
    ".".join(["layers", *path.relative_to(ROOT).with_suffix("").parts]).removesuffix(".__init__")
    for path in FILES
]
NAMES = {
    "engine": engine,
    "keras": keras,
    "np": np,
    "tf": tf,
    **{name: getattr(layers, name) for name in layers.__all__},
}
# The engine's own parts, known to no one outside: their docstrings give shapes, not examples.
WITHIN_THE_ENGINE = {
    *("Tensors", "Result", "join", "Residuals", "forward", "backward", "forward_in_blocks"),
    *("Compilable", "infer", "differentiable", "steps_forward", "steps_back", "run_by_cudnn"),
}


def examples(module):
    module = importlib.import_module(module)
    tests = doctest.DocTestFinder().find(module, extraglobs={**vars(module), **NAMES})
    return [test for test in tests if test.examples]


def public(module):
    """Classes and functions that a module defines, and new public methods of its layers."""
    module = importlib.import_module(module)
    for name, value in vars(module).items():
        here = getattr(value, "__module__", None) == module.__name__
        code = isinstance(value, type) or inspect.isfunction(inspect.unwrap(value))
        if name.startswith("_") or not here or not code:
            continue
        yield f"{module.__name__}.{name}"
        if isinstance(value, type) and issubclass(value, keras.layers.Layer):
            inherited = {method for base in value.__mro__[1:] for method in vars(base)}
            for method in sorted(vars(value).keys() - inherited):
                alias = getattr(vars(value)[method], "__name__", None) != method
                if inspect.isfunction(vars(value)[method]) and not (
                    method.startswith("_") or alias
                ):
                    yield f"{module.__name__}.{name}.{method}"


@pytest.mark.parametrize("module", MODULES)
def test_examples_in_docstrings_run(module):
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    for test in examples(module):
        assert runner.run(test).failed == 0, test.name


def test_everything_public_has_an_example():
    documented = {test.name for module in MODULES for test in examples(module)}
    names = {name for module in MODULES for name in public(module)}
    assert {"layers.rnn.RNN", "layers.engine.running.run", "layers.crf.CRF.decode"} <= names
    missing = sorted(names - documented)
    assert [name for name in missing if name.split(".")[-1] not in WITHIN_THE_ENGINE] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_layers_import_nothing_that_stands_on_them(path):
    allowed = {"layers", "keras", "numpy", "tensorflow"}
    nodes = list(ast.walk(ast.parse(path.read_text())))
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module for node in nodes if isinstance(node, ast.ImportFrom)]
    assert {name.split(".")[0] for name in names} <= allowed | sys.stdlib_module_names


@pytest.mark.parametrize("path", sorted((ROOT / "engine").glob("*.py")), ids=lambda path: path.name)
def test_the_engine_knows_no_layers(path):
    """It imports nothing of `layers` but itself, and each module only those listed before it."""
    order = ["cell", "plan", "compiling", "sharding", "loops", "passes", "blocks", "kernels"]
    order = [
        f"layers.engine.{name}" for name in [*order, "gradient", "cudnn", "checking", "running"]
    ]
    nodes = list(ast.walk(ast.parse(path.read_text())))
    names = [node.module for node in nodes if isinstance(node, ast.ImportFrom)]
    ours = [name for name in names if name.startswith("layers")]
    here = f"layers.engine.{path.stem}"
    assert set(ours) <= set(order[: order.index(here)] if here in order else order)
