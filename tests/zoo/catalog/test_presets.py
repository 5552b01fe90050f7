"""Recipes and entries: what is read from their files, and mistakes in them."""

import re

import pytest

from zoo.catalog.entries import ENTRIES, PRESETS, entry, read_entries, read_presets

ENTRY = """
[one]
task = "ner"
preset = "demo"
purpose = "Shows."
not_for = "anything."
data = "sentences"
licence = "none"
samples = ["A text."]
baseline = { what = "nothing", flags = [] }
"""


def test_a_recipe_that_is_like_another_has_its_flags():
    imdb, like = PRESETS["sentiment"]["imdb"], PRESETS["sentiment"]["imdb_pretrained"]
    assert like == imdb | {
        "epochs": 2,
        "units": 256,
        "embedding_dim": 128,
        "dropout": 0.5,
        "word_dropout": 0.1,
        "adversarial": 0.02,
        "pretrain": True,
        "pretrain_epochs": 5,
        "self_training": True,
        "teacher_epochs": 2,
        "mixed_precision": "mixed_bfloat16",
        "weights": "int8",
    }
    assert "like" not in like


def test_entries_are_recipes_of_their_tasks():
    for one in ENTRIES.values():
        assert one.preset in PRESETS[one.task]
        assert all(flag.startswith("--") for flag in (*one.recipe, *one.baseline.flags))
    assert ENTRIES["lm_wikitext2"].needs == ("train_file", "valid_file")
    assert all(a.split in ("validation", "test") for one in ENTRIES.values() for a in one.anchors)
    assert "  " not in "".join(one.not_for for one in ENTRIES.values())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[ner", "expected TOML. Received: "),
        ("ner = 1", "ner: expected a table. Received: 1"),
        ("[ner]\nunits = 1", "ner.units: expected a table"),
        ("[ner.demo]\nunits = [1]", "ner.demo.units: expected a text, a number, or true or false"),
        (
            '[ner.demo]\nlike = "other"\n[ner.other]\n',
            "ner.demo.like: expected one of the recipes above it, []. Received: 'other'",
        ),
        ('[pos.demo]\n[ner.demo]\nlike = "demo"', "ner.demo.like: expected one of"),
    ],
)
def test_mistakes_in_recipes_are_named(tmp_path, text, message):
    path = tmp_path / "presets.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match=f"^{re.escape(f'{path}: {message}')}"):
        read_presets(path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("purpose", "porpoise", "one.porpoise: expected one of the keys"),
        ('licence = "none"', "", "one.licence: expected a value. Received: no such key"),
        ('"sentences"', "3", "one.data: expected a text. Received: 3"),
        ('["A text."]', '"A text."', "one.samples: expected a list. Received: 'A text.'"),
        ('["A text."]', "[1]", "one.samples[0]: expected a text. Received: 1"),
        ('["A text."]', "[]", "one.samples: expected at least one text"),
        (", flags = []", "", "one.baseline.flags: expected a value"),
        ('"demo"', '"demon"', "one.preset: expected one of ['demo'"),
        ('"ner"', '"nerd"', "one.task: expected one of ['lm', 'music', 'ner'"),
    ],
)
def test_mistakes_in_entries_are_named(tmp_path, old, new, message):
    path = tmp_path / "entries.toml"
    assert old in ENTRY
    path.write_text(ENTRY.replace(old, new))
    with pytest.raises(ValueError, match=f"^{re.escape(f'{path}: {message}')}"):
        read_entries(PRESETS, path)


def test_an_entry_that_is_not_there_is_an_error_with_the_nearest():
    assert entry("ner_demo") is ENTRIES["ner_demo"]
    with pytest.raises(ValueError, match=r"such as \['ner_demo'"):
        entry("ner_deno")
