"""The package as a whole: its examples run, and it stands on its own."""

import ast
import doctest
import importlib
import inspect
import pathlib

import keras
import numpy as np
import pytest
import tensorflow as tf

import layers

FILES = sorted(pathlib.Path(layers.__file__).parent.glob("*.py"))
MODULES = [f"layers.{path.stem}" for path in FILES if path.stem != "__init__"]
NAMES = {
    "keras": keras,
    "np": np,
    "tf": tf,
    **{name: getattr(layers, name) for name in layers.__all__},
}


def examples(module):
    module = importlib.import_module(module)
    tests = doctest.DocTestFinder().find(module, extraglobs={**vars(module), **NAMES})
    return [test for test in tests if test.examples]


@pytest.mark.parametrize("module", MODULES)
def test_examples_in_docstrings_run(module):
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    for test in examples(module):
        assert runner.run(test).failed == 0, test.name


def test_everything_public_has_an_example():
    documented = {test.name.split(".")[-1] for module in MODULES for test in examples(module)}
    public = {name for name in layers.__all__ if inspect.getdoc(getattr(layers, name))}
    assert public - {"CELLS", "POOLINGS"} <= documented
    assert {"lecture_weights", "gate_activations"} <= documented


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_layers_import_nothing_that_stands_on_them(path):
    allowed = {"layers", "keras", "numpy", "tensorflow"}
    standard = {"__future__", "collections", "dataclasses", "functools", "os"}
    nodes = list(ast.walk(ast.parse(path.read_text())))
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module for node in nodes if isinstance(node, ast.ImportFrom)]
    assert {name.split(".")[0] for name in names} <= allowed | standard
