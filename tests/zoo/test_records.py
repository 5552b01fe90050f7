"""Predictions as objects of JSON: one for each task, and of any signature."""

import json

import numpy as np
import pytest

import zoo
from zoo import records
from zoo.predictions import Translation

TEXTS = ["Teddy Roosevelt smiled.", "", "There is nothing to like."]


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("ner_demo", {"tokens", "tags", "confidence", "start", "end", "entities"}),
        ("sentiment_demo", {"label", "probability", "probabilities"}),
        (
            "lm_demo",
            {
                "log_probability",
                "token_count",
                "unknown_count",
                "tokens",
                "log_probabilities",
                "perplexity",
            },
        ),
    ],
)
def test_each_task_has_its_record(name, keys):
    said = records.predict(zoo.load(name), TEXTS)
    assert [one.text for one in said] == TEXTS
    for one in map(records.record, said):
        assert one.keys() == keys
        json.dumps(one)


def test_entities_are_where_they_stand_in_the_text():
    (one,) = records.predict(zoo.load("ner_demo"), TEXTS[:1])
    (entity,) = records.record(one)["entities"]
    assert (entity["text"], entity["start"], entity["end"]) == ("Teddy Roosevelt", 0, 15)


def test_a_translation_alone_has_no_others():
    assert "n_best" not in records.record(Translation("a", "b", -1.0))
    assert records.record(Translation("a", "b", -1.0, [("c", -2.0)]))["n_best"] == [("c", -2.0)]


def test_rows_are_as_long_as_their_texts():
    model = zoo.load("ner_demo")
    each = records.rows(model.ask("entities", TEXTS))
    assert [row["count"] for row in each] == [1, 0, 0]
    assert [row["entity"] for row in each] == [["Teddy Roosevelt"], [], []]
    (row,) = records.rows({"p": np.array([[0.5, 0.5]]), "label": np.array(["a"], object)})
    assert row == {"p": [0.5, 0.5], "label": "a"}
    json.dumps(each)


def test_what_is_predicted_takes_no_name_that_is_there():
    fields = {"label": 1, "predicted_label": 2}
    assert records.beside(fields, {"label": 3}) == {**fields, "predicted_predicted_label": 3}


def test_a_model_of_no_task_is_named_so():
    class Other(zoo.Model):
        def __init__(self):
            pass

        @property
        def signatures(self):
            return {}

    with pytest.raises(ValueError, match="expected a tagger, a classifier, a language model,"):
        records.predict(Other(), TEXTS)
