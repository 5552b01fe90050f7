"""What `import zoo` gives, and when it is imported."""

import subprocess
import sys

import pytest
from programs import ROOT

import zoo


def test_names_are_there():
    assert {*zoo.__all__} <= {*dir(zoo)}
    for name in dir(zoo):
        assert getattr(zoo, name) is getattr(zoo, name)
    with pytest.raises(AttributeError, match="module 'zoo' has no attribute 'no'"):
        _ = zoo.no
    with pytest.raises(ImportError, match="cannot import name 'no' from 'zoo'"):
        from zoo import no  # noqa: F401


def test_nothing_is_imported_before_it_is_asked_for():
    """And Keras knows our models, also where `zoo.models` is imported after it."""
    code = """
import sys, zoo
assert not {"keras", "tensorflow", "numpy"} & {*sys.modules}
assert zoo.text.UNKNOWN_WORD == "<UNK>"
assert "tensorflow" in sys.modules
import keras, zoo.models
assert keras.saving.get_registered_object("zoo>Tagger") is zoo.models.Tagger
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
