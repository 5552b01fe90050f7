"""Chunks of a text give what the whole gives, and what comes later changes nothing."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo import text
from zoo.configuration import ClassifierConfig, LanguageModelConfig, TaggerConfig
from zoo.models import Classifier, LanguageModel, Tagger
from zoo.saving import ClassifierModule, InMemory, LanguageModule, TaggerModule
from zoo.serving.sessions import Sessions
from zoo.text.tokens import END_OF_TEXT, Tokens

TEXT = "He said,  Teddy Roosevelt … doesn’t smile.\nNo. 5, the <br />cat. é"
WORDS = ["the", "cat", "teddy", ".", "said", "He"]
NAMES = ["O", "B-PER", "I-PER"]
MODELS = {
    "crf": (Tagger, {"depth": 2}),
    "softmax": (Tagger, {"crf": False, "cell": "lstm"}),
    "last": (Classifier, {"pooling": "last", "depth": 2}),
    "attention": (Classifier, {"pooling": "attention", "cell": "lstm"}),
    "words": (LanguageModel, {"depth": 2}),
}


def make(folder, name, **changes):
    kind, options = MODELS[name]
    size = {"units": 3, "embedding_dim": 3, "cell": "gru", "jit": False, "bidirectional": False}
    size = {**size, **options, **changes}
    words = text.write_lines(str(folder / "words.txt"), [text.UNKNOWN_WORD, *WORDS])
    tokens = text.write_lines(
        str(folder / "tokens.txt"), [text.UNKNOWN_WORD, END_OF_TEXT, *WORDS, "e", "é"]
    )
    names = text.write_lines(str(folder / "names.txt"), NAMES)
    vocabulary = text.Vocabulary(words)
    if kind is LanguageModel:
        reader = Tokens(tokens, name)
        model = LanguageModel(LanguageModelConfig(vocabulary_size=reader.size, **size))
    elif kind is Tagger:
        config = TaggerConfig(vocabulary_size=vocabulary.size, tags=NAMES, character_dim=3, **size)
        model = Tagger(config)
    else:
        model = Classifier(ClassifierConfig(vocabulary_size=vocabulary.size, labels=NAMES, **size))
    model.build()
    random = np.random.default_rng(0)
    for variable in model.trainable_variables:
        variable.assign(random.normal(0, 1, variable.shape))
    if kind is LanguageModel:
        return InMemory(LanguageModule(model, reader))
    if kind is Tagger:
        return InMemory(TaggerModule(model, vocabulary, names))
    return InMemory(ClassifierModule(model, vocabulary, names, "start"))


@pytest.fixture(scope="module", params=MODELS)
def model(request, tmp_path_factory):
    return make(tmp_path_factory.mktemp("stream"), request.param)


def heard(model, chunks):
    """All that is said of tokens, and what is said of the text in the end."""
    with model.session() as session:
        said = [*map(session.send, chunks), session.end()]
    each = [name for name in said[0] if name != "probabilities" and np.ndim(said[0][name])]
    return {**said[-1], **{name: np.concatenate([one[name] for one in said]) for name in each}}


@settings(max_examples=4)
@given(st.lists(st.integers(0, len(TEXT.encode())), max_size=8).map(sorted))
def test_chunks_give_what_the_whole_gives(model, cuts):
    whole = TEXT.encode()
    pairs = zip([0, *cuts], [*cuts, len(whole)], strict=True)
    found, expected = heard(model, [whole[a:b] for a, b in pairs]), heard(model, [whole])
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        if np.asarray(value).dtype.kind == "f":
            np.testing.assert_allclose(found[name], value, rtol=1e-4, atol=1e-5, err_msg=name)
        else:
            np.testing.assert_array_equal(found[name], value, name)


@pytest.mark.parametrize("model", [name for name in MODELS if name != "crf"], indirect=True)
def test_a_stream_says_what_other_signatures_say(model):
    """But a CRF: it decides by the whole text there, and here by the words up to each."""
    found, whole = heard(model, [TEXT]), model(TEXT)
    if "generate" in model.signatures:
        whole = {**whole, **model.ask("tokens", TEXT)}
    for name in whole.keys() & found.keys():
        value = whole[name][0]
        if np.asarray(value).dtype.kind == "f":
            np.testing.assert_allclose(found[name], value, rtol=1e-4, err_msg=name)
        else:
            np.testing.assert_array_equal(found[name], value, name)


def rows(spec, count):
    shape = [count, *(size or 1 for size in spec.shape[1:])]
    return np.full(shape, b"") if spec.dtype.kind == "O" else np.zeros(shape, spec.dtype)


@pytest.mark.parametrize("model", ["crf", "last", "words"], indirect=True)
def test_inputs_of_fewer_rows_stand_for_nobody(model):
    """What clients of the project check, a request of others may do."""
    for name in {"stream", "generate", "tokens", "n_best"} & set(model.signatures):
        specs = model.signatures[name].inputs
        if len(specs) == 1:
            continue
        whole = {key: rows(spec, 3) for key, spec in specs.items()}
        model._run(name, whole)
        for key, spec in specs.items():
            with pytest.raises(tf.errors.InvalidArgumentError):
                model._run(name, {**whole, key: rows(spec, 1)})


@pytest.mark.parametrize("name", ["crf", "last"])
@pytest.mark.parametrize("changes", [{"bidirectional": True}, {"cell": "none"}])
def test_who_looks_at_words_to_come_has_no_stream(tmp_path, name, changes):
    model = make(tmp_path, name, **changes)
    with pytest.raises(ValueError, match=r"expected a model of one direction.*--nobidirectional"):
        Sessions(model)
