"""Classifiers say the names of their classes, wherever they are."""

import json
import shutil
import urllib.request

import pytest
import tensorflow as tf

import zoo
from zoo.saving import InMemory, export
from zoo.serving.client import NoSignature, connect

NAMES = ["O", "B-PER", "I-PER"]


def test_names_are_the_same_in_memory_as_a_saved_model_and_on_a_server(local, modules, address):
    in_memory, there = InMemory(modules["classifier"]), connect(address, "classifier")
    for model in (in_memory, local("classifier"), there):
        assert model.labels() == NAMES
        answer = model(["the cat smiled", ""])
        best = answer["probabilities"].argmax(axis=1)
        assert answer["label"].tolist() == [NAMES[i] for i in best]


@pytest.mark.parametrize("texts", [["a"], ["a", "b", ""], []])
def test_the_signature_has_the_batch_as_first_axis(local, address, texts):
    """A server with batching splits the answers of several requests by their rows."""
    for model in (local("classifier"), connect(address, "classifier", max_batch_size=2)):
        names = model.ask("labels", {"text": texts})["labels"]
        assert names.shape == (len(texts), 3)
        assert all(row == NAMES for row in names.tolist())


def test_curl_gets_them(server):
    body = json.dumps({"signature_name": "labels", "instances": [""]}).encode()
    with urllib.request.urlopen(f"{server.rest}/v1/models/classifier:predict", body) as answer:
        assert json.load(answer) == {"predictions": [NAMES]}


def test_other_models_have_none(local, address):
    with pytest.raises(NoSignature, match="expected one of the signatures"):
        connect(address, "tagger").labels()
    with pytest.raises(ValueError, match="expected one of the signatures"):
        local("tagger").labels()


def test_saved_models_without_the_signature_have_the_asset(modules, tmp_path):
    module = modules["classifier"]
    export.save(module, {"serving_default": module.serving_default}, str(tmp_path))
    shutil.copy(tmp_path / "1" / "assets" / "names.txt", tmp_path / "1" / "assets" / "labels.txt")
    assert zoo.load(tmp_path).labels() == NAMES


def test_names_are_read_once(local, monkeypatch):
    model = local("classifier")
    assert model.labels() == NAMES
    monkeypatch.setattr(tf, "constant", None)  # no question could be asked
    assert model.labels() == NAMES
