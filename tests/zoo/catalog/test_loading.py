"""Models that load by their name."""

import numpy as np
import pytest
import tensorflow as tf

import zoo


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two versions of a model that spells a text backwards."""
    folder = tmp_path_factory.mktemp("models")

    def serving_default(text):
        letters = tf.strings.unicode_split(text, "UTF-8")
        return {
            "text": tf.strings.reduce_join(tf.reverse(letters.to_tensor(), [1]), axis=1),
            "length": tf.strings.length(text, "UTF8_CHAR"),
        }

    for version in ("2", "10"):
        module = tf.Module()
        spec = tf.TensorSpec([None], tf.string, name="text")
        module.serving_default = tf.function(serving_default, input_signature=[spec])
        path = folder / "backwards" / version
        tf.saved_model.save(
            module, str(path), signatures={"serving_default": module.serving_default}
        )
    (folder / "no_model").mkdir()
    (folder / "broken" / "1").mkdir(parents=True)
    (folder / "broken" / "1" / "saved_model.pb").write_bytes(b"nothing")
    return folder


def test_a_model_takes_strings_and_gives_arrays(folder):
    assert zoo.list_models(folder) == ["backwards", "broken"]
    model = zoo.load("backwards", folder=folder)
    assert model.folder.name == "10"
    out = model(["abc", "né"])
    assert out["text"].tolist() == ["cba", "én"]
    np.testing.assert_array_equal(out["length"], [3, 2])
    assert model("x")["text"].tolist() == ["x"]
    assert zoo.load("backwards", version=2, folder=folder).folder.name == "2"


def test_models_load_by_their_path(folder):
    for path in (folder / "backwards", str(folder / "backwards" / "10")):
        model = zoo.load(path)
        assert model.folder == folder / "backwards" / "10"
        assert model("abc")["text"].tolist() == ["cba"]
    assert zoo.load(folder / "backwards", version=2).folder.name == "2"


def test_signatures_say_what_goes_in_and_out(folder):
    (signature,) = zoo.load("backwards", folder=folder).signatures.values()
    assert {name: str(spec) for name, spec in signature.inputs.items()} == {"text": "string[?]"}
    assert {name: str(spec) for name, spec in signature.outputs.items()} == {
        "text": "string[?]",
        "length": "int32[?]",
    }


def test_errors_say_what_there_is(folder):
    with pytest.raises(ValueError, match=r"such as \['backwards'\]"):
        zoo.load("backward", folder=folder)
    with pytest.raises(ValueError, match=r"one of the versions \[2, 10\]. Received: 3"):
        zoo.load("backwards", version=3, folder=folder)
    with pytest.raises(OSError, match="expected a SavedModel that this TensorFlow"):
        zoo.load("broken", folder=folder)
    model = zoo.load("backwards", folder=folder)
    with pytest.raises(ValueError, match=r"expected inputs \['text'\]"):
        model.ask("serving_default", {"words": ["x"]})
    with pytest.raises(ValueError, match="expected one of the signatures"):
        model.ask("generate", {})
    assert zoo.list_models(folder / "nowhere") == []
