"""The handler in pipelines of Apache Beam; skipped where that is not installed."""

import pickle

import pytest

pytest.importorskip("apache_beam")

import apache_beam as beam
from apache_beam.ml.inference.base import KeyedModelHandler, RunInference
from apache_beam.testing.util import assert_that, equal_to

import zoo
from zoo import records
from zoo.serving.beam import Handler

RUNNER = "FnApiRunner"
TEXTS = ["There is nothing to like.", "", "A wonderful film. " * 200, b"Good, not bad."]


def expected(name, texts=TEXTS):
    return records.predict(zoo.load(name), texts)


@pytest.mark.parametrize("batch_size", [1, 3, 1024])
def test_elements_are_texts(batch_size):
    with beam.Pipeline(RUNNER) as pipeline:
        said = (
            pipeline
            | beam.Create(TEXTS)
            | RunInference(Handler("sentiment_demo", batch_size=batch_size))
            | beam.Map(lambda result: (result.example, result.inference.label))
        )
        labels = [one.label for one in expected("sentiment_demo")]
        assert_that(said, equal_to(list(zip(TEXTS, labels, strict=True))))


def test_keys_stay_with_their_texts():
    with beam.Pipeline(RUNNER) as pipeline:
        said = (
            pipeline
            | beam.Create(list(enumerate(TEXTS)))
            | RunInference(KeyedModelHandler(Handler("sentiment_demo", batch_size=2)))
            | beam.MapTuple(lambda key, result: (key, result.example))
        )
        assert_that(said, equal_to(list(enumerate(TEXTS))))


@pytest.mark.parametrize("name", ["ner_demo", "lm_demo", "translate_demo"])
def test_every_task_is_answered(name):
    handler = Handler(name)
    found = handler.run_inference(TEXTS[:2], handler.load_model())
    assert [result.inference for result in found] == expected(name, TEXTS[:2])
    assert {result.model_id for result in found} == {name}


def test_a_long_text_pads_no_others():
    """Answers to thousands of short texts are not as wide as that to the longest."""
    handler, asked = Handler("sentiment_demo"), []
    model = handler.load_model()

    class Watched:
        signatures, labels = model.signatures, model.labels

        def __call__(self, texts):
            asked.append(len(texts))
            return model(texts)

    found = handler.answers(["so", "so " * 5000, "so"], Watched())
    assert [one.text[:3] for one in found] == ["so", "so ", "so"]
    assert asked == [1, 2]


def test_a_named_signature_gives_its_outputs():
    handler = Handler("translate_demo", signature="greedy")
    (found,) = handler.run_inference(["The cat sleeps."], handler.load_model())
    assert found.inference.keys() == {"text", "log_probability"}


def test_it_goes_to_workers_and_takes_a_new_path():
    handler = pickle.loads(pickle.dumps(Handler("sentiment_demo", version=9)))
    with pytest.raises(ValueError, match="9"):
        handler.load_model()
    handler.update_model_path(None)
    handler.update_model_path(str(zoo.load("ner_demo").folder))
    assert "entities" in handler.load_model().signatures


def test_it_takes_no_arguments():
    with pytest.raises(ValueError, match="expected no inference_args"):
        RunInference(Handler("ner_demo"), inference_args={"beam_size": 3}).expand(None)
    assert Handler("ner_demo").get_num_bytes(["ab", b"c"]) == 3
