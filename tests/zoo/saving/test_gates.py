"""The signature `gates` gives what the lecture's equations do, for every kind of model."""

import equations
import numpy as np
import pytest
import tensorflow as tf
from programs import ask_server, graph_of

import layers
from zoo import text
from zoo.catalog.loading import Model
from zoo.configuration import (
    ClassifierConfig,
    EncoderDecoderConfig,
    LanguageModelConfig,
    TaggerConfig,
)
from zoo.models import Classifier, EncoderDecoder, LanguageModel, Tagger
from zoo.saving import (
    ClassifierModule,
    InMemory,
    LanguageModule,
    TaggerModule,
    TranslatorModule,
    export,
)
from zoo.text.tokens import END_OF_TEXT, Tokens

TEXTS = ["The cat smiled , the cat .", "the dog", "", "Teddy\nsmiled"]
WORDS = ["the", "The", "cat", "smiled", ".", "teddy", "Teddy"]
STEPS = {
    "gru_simplified": equations.gru_simplified,
    "gru": equations.gru,
    "gru_reset_after": equations.gru_reset_after,
    "lstm": equations.lstm,
}
KINDS = {
    "tagger": ("gru_reset_after", {"bidirectional": True}),
    "classifier": ("lstm", {"bidirectional": True, "depth": 2}),
    "language": ("gru", {"depth": 2}),
    "simplified": ("gru_simplified", {}),
    "translator": ("lstm", {"bidirectional": True, "depth": 2}),
}


def make(folder, kind, **changes):
    """A small model with random weights, its module of signatures, and what reads its text."""
    cell, options = KINDS[kind]
    size = {"units": 3, "embedding_dim": 4, "cell": cell, "jit": False, **options, **changes}
    words = text.write_lines(str(folder / "words.txt"), [text.UNKNOWN_WORD, *WORDS])
    tokens = text.write_lines(str(folder / "tokens.txt"), [text.UNKNOWN_WORD, END_OF_TEXT, *WORDS])
    names = ("O", "B-PER", "I-PER")
    lines = text.write_lines(str(folder / "names.txt"), names)
    vocabulary, reader = text.Vocabulary(words), Tokens(tokens, "words")
    of_words = {"vocabulary_size": vocabulary.size, **size}
    of_tokens = {"vocabulary_size": reader.size, **size}
    if kind == "tagger":
        model = built(Tagger(TaggerConfig(tags=names, character_dim=2, **of_words)))
        return model, TaggerModule(model, vocabulary, lines), vocabulary
    if kind == "classifier":
        model = built(Classifier(ClassifierConfig(labels=names, **of_words)))
        return model, ClassifierModule(model, vocabulary, lines, "start"), vocabulary
    if kind == "translator":
        model = built(EncoderDecoder(EncoderDecoderConfig(**of_tokens)))
        return model, TranslatorModule(model, reader, reader), reader
    model = built(LanguageModel(LanguageModelConfig(**of_tokens)))
    return model, LanguageModule(model, reader), reader


def built(model):
    model.build()
    random = np.random.default_rng(0)
    for variable in model.trainable_variables:
        variable.assign(random.normal(0, 0.7, variable.shape))
    return model


def read_by(kind, model, reader, one):
    """Words and x<t> of a text, `[1, time, features]`, how many steps come before the first word,
    and the recurrent layers, the lowest first."""
    if kind == "tagger":
        words = text.tokenize(tf.constant([one])).flat_values
        inputs = {n: v[None] for n, v in text.features(words, reader).items()}
        x = layers.gates._what_reaches(model.stack, model, inputs)["sequences"].numpy()
        return words, x, 0, model.stack.recurrent_layers
    embedding = model.reader.embedding if kind == "classifier" else model.word_embedding
    table = embedding.embeddings.numpy()
    if kind == "classifier":
        words = text.tokenize(tf.constant([one])).flat_values
        return words, table[reader(words).numpy()][None], 0, model.stack.recurrent_layers
    ids = reader.ids(tf.constant([" ".join(one.split()) if kind == "translator" else one]))
    ids = ids.flat_values
    if kind == "translator":
        stacks = [layer for stack in model.encoders for layer in stack.recurrent_layers]
        return reader.names(ids), table[ids.numpy()][None], 0, stacks
    stacks = [layer for stack in model.stacks for layer in stack.recurrent_layers]
    x = table[ids.numpy()[:-1]]
    return reader.names(ids[:-1]), np.concatenate([np.zeros([1, 4]), x])[None], 1, stacks


def expected_of(cell, x, recurrent):
    """All gates by the equations in NumPy, layer by layer."""
    named = {}
    states = ("a", "c") if cell == "lstm" else ("c",)
    for number, layer in enumerate(recurrent, start=1):
        ways = {"": (layer, False)}
        if hasattr(layer, "forward_layer"):
            ways = {"forward/": (layer.forward_layer, False)}
            ways |= {"backward/": (layer.backward_layer, True)}
        outputs = []
        for way, (one, reverse) in ways.items():
            zeros = {name: np.zeros([1, 3]) for name in states}
            weights = one.lecture_weights()
            here, _ = equations.run(STEPS[cell], weights, x, zeros, reverse=reverse)
            named |= {f"layer_{number}/{way}{name}": values for name, values in here.items()}
            outputs.append(here[states[0]])
        x = np.concatenate(outputs, axis=-1)
    return named


@pytest.mark.parametrize("kind", KINDS)
def test_gates_are_those_of_the_equations_in_any_company(kind, tmp_path):
    model, module, reader = make(tmp_path, kind)
    asked = InMemory(module)
    answer = asked.gates(TEXTS)
    assert answer["tokens"].shape == (len(TEXTS), max(answer["lengths"]))
    for row, one in enumerate(TEXTS):
        words, x, before, recurrent = read_by(kind, model, reader, one)
        count = len(words)
        assert answer["lengths"][row] == count
        shown = [word.decode() for word in words.numpy()]
        assert answer["tokens"][row].tolist()[:count] == shown
        expected = expected_of(KINDS[kind][0], x, recurrent) if x.shape[1] > before else {}
        if expected:
            assert answer.keys() - {"tokens", "lengths"} == expected.keys()
        alone = asked.gates(one)
        for name, values in expected.items():
            np.testing.assert_allclose(answer[name][row, :count], values[0, before:], atol=1e-5)
            np.testing.assert_allclose(alone[name][0], values[0, before:], atol=1e-5)
        for name in answer.keys() - {"tokens", "lengths"}:
            assert answer[name].dtype == np.float32
            assert not answer[name][row, count:].any()


def test_a_server_without_xla_shows_gates_and_weights_are_saved_once(tmp_path):
    model, module, _ = make(tmp_path, "classifier")
    assert "gates" in module.signature_names
    assert "gates" not in dict(module.warmup(tf.constant(TEXTS)))
    folder = export.save(module, {"gates": module.gates}, str(tmp_path / "saved"))
    expected, loaded = InMemory(module).gates(TEXTS), Model(folder)
    (served,) = ask_server(folder, ("gates", {"text": TEXTS}))
    assert loaded.gates(TEXTS).keys() == expected.keys() == served.keys()
    assert str(loaded.signatures["gates"].outputs["layer_1/backward/gate_u"]) == "float32[?, ?, 3]"
    for name, values in expected.items():
        if name != "tokens":
            np.testing.assert_allclose(served[name], values, atol=1e-6)
    used = {node.op for f in graph_of(folder).graph_def.library.function for node in f.node_def}
    assert not {op for op in used if "Cudnn" in op}
    restored = tf.train.list_variables(f"{folder}/variables/variables")
    assert sum(name.startswith("weights/") for name, _ in restored) == len(model.weights)


@pytest.mark.parametrize(
    ("kind", "cell"), [("tagger", "none"), ("classifier", "rnn"), ("language", "rnn")]
)
def test_what_has_no_gates_shows_none_and_says_so(kind, cell, tmp_path):
    _, module, _ = make(tmp_path, kind, cell=cell)
    assert "gates" not in module.signature_names
    with pytest.raises(ValueError, match=r"expected a model with a signature 'gates'.*zoo resave"):
        InMemory(module).gates("The cat")
