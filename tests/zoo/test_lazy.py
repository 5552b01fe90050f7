"""What `import zoo` gives, and when it is imported."""

import subprocess
import sys

import pytest
from programs import ROOT

import zoo


def run(code):
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr


def test_names_are_there():
    assert {*zoo.__all__} <= {*dir(zoo)}
    for name in dir(zoo):
        assert getattr(zoo, name) is getattr(zoo, name)
    with pytest.raises(AttributeError, match="module 'zoo' has no attribute 'no'"):
        _ = zoo.no
    with pytest.raises(ImportError, match="cannot import name 'no' from 'zoo'"):
        from zoo import no  # noqa: F401


def test_nothing_is_imported_before_it_is_asked_for():
    run("""
import sys, zoo
assert not {"keras", "tensorflow", "numpy"} & {*sys.modules}
assert zoo.text.UNKNOWN_WORD == "<UNK>"
assert "tensorflow" in sys.modules
""")


@pytest.mark.parametrize("order", ["keras, zoo", "zoo.models, keras", "zoo, keras, zoo.models"])
def test_keras_knows_our_models_in_the_orders_that_the_readme_names(order):
    run(f"""
import sys, {order}
assert keras.saving.get_registered_object("zoo>Tagger") is sys.modules["zoo.models"].Tagger
""")
