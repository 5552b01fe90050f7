"""Peak memory and time of questions with one long text, each in a process of its own."""

import json
import subprocess
import sys

import pytest

# A process prints how many MB and seconds a question takes, once a shorter one was answered. They
# are children of one that has imported everything and run nothing.
_SCRIPT = """
import itertools, json, os, resource, sys, tempfile, time, traceback
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np
import tensorflow as tf
from zoo import text
from zoo.configuration import ClassifierConfig, LanguageModelConfig, TaggerConfig
from zoo.models import Classifier, LanguageModel, Tagger
from zoo.saving import ClassifierModule, LanguageModule, TaggerModule
from zoo.text import tokens

random = np.random.default_rng(0)
known = ["".join(four) for four in itertools.product("abcdefghijklmn", repeat=4)][:33_000]

def measure(kind, texts, words, longest):
    folder = tempfile.mkdtemp()
    vocabulary = text.write_lines(folder + "/vocabulary.txt", ["<UNK>", "<EOS>", *known])
    if kind in ("tagger", "entities"):
        names = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
        reader = text.Vocabulary(vocabulary)
        model = Tagger(TaggerConfig(vocabulary_size=reader.size, units=64, tags=tuple(names)))
        model.build()
        if kind == "entities":  # few, or what is answered takes more than what is measured
            model.scores.bias.assign([9.0] + [0.0] * 4)
        module = TaggerModule(model, reader, text.write_lines(folder + "/tags.txt", names))
    elif kind == "classifier":
        reader = text.Vocabulary(vocabulary)
        config = ClassifierConfig(vocabulary_size=reader.size, units=64, labels=("a", "b"))
        model = Classifier(config)
        model.build()
        labels = text.write_lines(folder + "/labels.txt", ["a", "b"])
        module = ClassifierModule(model, reader, labels, "both")
    else:
        reader = tokens.Tokens(vocabulary, "split")
        model = LanguageModel(LanguageModelConfig(vocabulary_size=reader.size, units=64))
        model.build()
        module = LanguageModule(model, reader)
    signature = module.entities if kind == "entities" else module.serving_default
    ask = signature.get_concrete_function()

    def written(count):
        return " ".join(random.choice(known, count))

    def peak():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

    asked = tf.constant([written(words) for _ in range(texts - 1)] + [written(longest)])
    ask(tf.constant([written(words)] * 2))
    ask(tf.constant([written(words), written(100 * words)]))
    before, start = peak(), time.process_time()
    answer = {name: value.shape for name, value in ask(asked).items()}
    print(json.dumps({"mb": peak() - before, "seconds": time.process_time() - start}), flush=True)

for case in json.loads(sys.argv[1]):
    child = os.fork()
    if not child:
        try:
            measure(*case)
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(0)
    os.waitpid(child, 0)
"""


# Padded to the longest text, they take 3,900, 950, 1,460 and more than 1,000 MB. Of one text
# alone, all states at a time would take 48 MB.
CASES = {
    ("tagger", 200, 10, 4000): 200,
    ("entities", 1000, 10, 20_000): 300,
    ("classifier", 1000, 10, 10_000): 100,
    ("language model", 200, 10, 4000): 120,
    ("language model", 1, 10, 35_000): 25,
}


@pytest.fixture(scope="module")
def found():
    command = [sys.executable, "-c", _SCRIPT, json.dumps(list(CASES))]
    run = subprocess.run(command, capture_output=True, text=True)
    assert len(run.stdout.splitlines()) == len(CASES), run.stderr
    return dict(zip(CASES, map(json.loads, run.stdout.splitlines()), strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=lambda case: "-".join(map(str, case)))
def test_memory_follows_what_is_real(case, found):
    assert found[case]["mb"] < CASES[case]
    assert found[case]["seconds"] < 60
