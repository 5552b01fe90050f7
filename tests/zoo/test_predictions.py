"""What models say, in one type for each task."""

import math

import numpy as np
import pytest

from zoo import predictions, text
from zoo.predictions import Classified, ScoredText, ScoredTokens, TaggedText


def test_tagged_texts_have_no_padding():
    answer = {
        "tokens": np.array([["Teddy", "smiled"], ["no", ""], ["", ""]], object),
        "tags": np.array([["B-PER", "O"], ["O", ""], ["", ""]], object),
        "confidence": np.array([[0.5, 1], [0.25, 0], [0, 0]], np.float32),
        "lengths": np.array([2, 1, 0], np.int32),
    }
    assert predictions.tagged(answer) == [
        TaggedText(["Teddy", "smiled"], ["B-PER", "O"], [0.5, 1.0]),
        TaggedText(["no"], ["O"], [0.25]),
        TaggedText([], [], []),
    ]
    assert all(type(p) is float for p in predictions.tagged(answer)[0].confidence)


def test_classified_texts():
    probabilities = np.array([[0.75, 0.25], [0.5, 0.5]], np.float32)
    assert predictions.classified(iter([b"dull", "so so"]), probabilities, ["bad", "good"]) == [
        Classified("dull", "bad", 0.75, {"bad": 0.75, "good": 0.25}),
        Classified("so so", "bad", 0.5, {"bad": 0.5, "good": 0.5}),
    ]
    assert predictions.classified([], probabilities[:0], ["bad", "good"]) == []
    with pytest.raises(ValueError, match="zip"):
        predictions.classified(["one"], probabilities, ["bad", "good"])


def test_scored_texts():
    answer = {
        "tokens": np.array([["a", "<UNK>", "<EOS>"], ["<EOS>", "", ""]], object),
        "log_probabilities": np.array([[-1, -2, -0.5], [-4, 0, 0]], np.float32),
        "lengths": np.array([3, 1], np.int32),
    }
    one, empty = predictions.scored(["a b", ""], answer)
    assert one == ScoredTokens("a b", -3.5, 3, 1, ["a", "<UNK>", "<EOS>"], [-1.0, -2.0, -0.5])
    assert empty == ScoredTokens("", -4.0, 1, 0, ["<EOS>"], [-4.0])
    assert one.perplexity == pytest.approx(math.exp(3.5 / 3))
    assert ScoredText("", -1e9, 1, 0).perplexity == math.exp(700)


def test_the_unknown_word_is_that_of_vocabularies():
    assert predictions._UNKNOWN_WORD == text.UNKNOWN_WORD
