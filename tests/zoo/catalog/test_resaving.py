"""A SavedModel that is saved again has the same weights and gives the same answers."""

import numpy as np
import pytest

import zoo
from zoo.catalog.resaving import resave
from zoo.saving import versions

TEXT = "He said, Teddy Roosevelt was a great President!"


@pytest.mark.parametrize("name", ["ner_demo_forward", "sentiment_demo", "lm_demo"])
def test_the_same_bytes_and_the_same_answers(name, tmp_path):
    old, new = versions.find(name), resave(name, tmp_path / name)
    assert new == tmp_path / name / "1"
    files = sorted(path.name for path in (old / "assets").iterdir())
    assert files == sorted(path.name for path in (new / "assets").iterdir())
    for file in files:
        assert (new / "assets" / file).read_bytes() == (old / "assets" / file).read_bytes()
    expected, found = zoo.load(name)(TEXT), zoo.load(new)(TEXT)
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        if value.dtype.kind == "f":
            np.testing.assert_allclose(found[key], value, rtol=1e-4)
        else:
            np.testing.assert_array_equal(found[key], value)
    assert zoo.catalog.sources.source(new) == zoo.catalog.sources.source(new.parent)


def test_a_translator_that_does_not_say_how_it_searches(tmp_path):
    with pytest.raises(ValueError, match=r"how it searches.*--mode=export"):
        resave("translate_demo", tmp_path)
    assert not list(tmp_path.iterdir())
