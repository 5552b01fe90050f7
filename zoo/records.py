"""What a model says of texts, as objects of JSON: the same from a program and from a pipeline."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from zoo import predictions
from zoo.predictions import (
    Classified,
    ComposedPiece,
    Entity,
    ScoredText,
    ScoredTokens,
    TaggedText,
    Translation,
)
from zoo.predictor import Predictor
from zoo.text import tags

Prediction = Classified | ScoredTokens | TaggedText | Translation | ComposedPiece


def predict(model: Predictor, texts: Sequence[str | bytes]) -> Sequence[Prediction]:
    """What a model of the zoo says of each text, whichever its task is. To a model of music, a text
    is the notes from which it composes a piece of 64 frames.

    Raises:
        ValueError: the model is of no task of the zoo.

    Example:
        >>> import zoo
        >>> predict(zoo.load("sentiment_demo"), ["There is nothing to like."])[0].label
        'negative'
    """
    known = model.signatures
    outputs = known["serving_default"].outputs if "serving_default" in known else {}
    if "tags" in outputs:
        return predictions.tagged(model(texts), texts)
    if "probabilities" in outputs:
        return predictions.classified(texts, model(texts)["probabilities"], model.labels())
    if "perplexity" in outputs:
        return predictions.scored(texts, model.ask("tokens", {"text": texts}))
    if "n_best" in known:
        return predictions.translated(texts, model.ask("n_best", {"text": texts}))
    if "frames" in outputs:
        return predictions.composed(
            model.compose([one.decode() if isinstance(one, bytes) else one for one in texts])
        )
    raise ValueError(
        "expected a tagger, a classifier, a language model, a translator or a model of music of "
        f"the zoo. Received: a model whose serving_default gives {sorted(outputs)}. Name the "
        "signature that is asked"
    )


def record(prediction: Prediction) -> dict[str, Any]:
    """A prediction as an object of JSON, without the text.

    Of tagged texts where each token lies, and of tags that mark entities these too; of scored ones
    the perplexity.

    Example:
        >>> record(Translation("deux", "two", -0.1))
        {'translation': 'two', 'log_probability': -0.1}
    """
    values = {name: value for name, value in vars(prediction).items() if name != "text"}
    if isinstance(prediction, TaggedText):
        if prediction.tokens and not prediction.start:
            del values["start"], values["end"]
        del values["n_best"]
        if prediction.n_best:
            values["n_best"] = [{"tags": tags, "probability": p} for tags, p in prediction.n_best]
        if set(prediction.tags) <= {tags.OUTSIDE} or tags.scheme_of([prediction.tags]):
            values["entities"] = [vars(entity) for entity in found_entities(prediction)]
    elif isinstance(prediction, ScoredText):
        values["perplexity"] = prediction.perplexity
    elif isinstance(prediction, Translation) and not prediction.n_best:
        del values["n_best"]
    return values


def found_entities(one: TaggedText) -> list[Entity]:
    """The entities of a tagged text, with where they lie in it; of a sentence that came in tokens,
    in its tokens with a blank between them."""
    start, end, text = one.start, one.end, one.text
    if not start:
        end = [n - 1 for n in itertools.accumulate(len(token) + 1 for token in one.tokens)]
        start = [n - len(token) for n, token in zip(end, one.tokens, strict=True)]
        text = " ".join(one.tokens)
    return [
        Entity(text[start[a] : end[b - 1]], kind, start[a], end[b - 1], min(one.confidence[a:b]))
        for kind, a, b in tags.entities(one.tags)
    ]


def rows(answer: Mapping[str, np.ndarray]) -> list[dict[str, Any]]:
    """The answer of a signature as an object for each text.

    Args:
        answer: arrays with the batch as first axis; what is said of each token or entity is as long
            as `lengths` or `count` says.

    Example:
        >>> rows({"tags": np.array([["O", "O"], ["O", ""]]), "lengths": np.array([2, 1])})[1]
        {'tags': ['O'], 'lengths': 1}
    """
    counts = next((answer[name] for name in ("lengths", "count") if name in answer), None)
    columns = [
        [value[:count] for value, count in zip(array, counts, strict=True)]
        if counts is not None and array.ndim > 1
        else array
        for array in answer.values()
    ]
    each = zip(*columns, strict=True)
    return [dict(zip(answer, map(_plain, row), strict=True)) for row in each]


def beside(fields: Mapping[str, Any], predicted: Mapping[str, Any]) -> dict[str, Any]:
    """What came with a text, and behind it what is predicted, under names that are still free.

    Example:
        >>> beside({"id": 1, "label": "?"}, {"label": "good"})
        {'id': 1, 'label': '?', 'predicted_label': 'good'}
    """
    return {**fields, **{renamed(name, fields): value for name, value in predicted.items()}}


def renamed(name: str, names: Collection[str]) -> str:
    """The name of what is predicted, beside the columns of an input.

    Example:
        >>> renamed("label", ["id", "text"]), renamed("label", ["text", "label"])
        ('label', 'predicted_label')
    """
    return renamed(f"predicted_{name}", names) if name in names else name


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value
