"""A SavedModel that is saved again has the same weights and gives the same answers."""

import json
import shutil

import numpy as np
import pytest

import zoo
from zoo import files
from zoo.catalog.resaving import resave
from zoo.saving import versions

TEXT = "He said, Teddy Roosevelt was a great President!"


@pytest.mark.parametrize("name", ["lm_demo", "translate_demo"])
def test_the_same_bytes_and_the_same_answers(name, tmp_path):
    old, new = versions.find(name), resave(name, tmp_path / name)
    assert new == tmp_path / name / "1"
    names = sorted(path.name for path in (old / "assets").iterdir())
    assert names == sorted(path.name for path in (new / "assets").iterdir())
    for file in names:
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
    version = tmp_path / "translator" / "1"
    shutil.copytree(versions.find("translate_demo"), version)
    said = version / versions.CONFIGURATION
    files.write_json(said, json.loads(said.read_text()) | {"saved": {}})
    with pytest.raises(ValueError, match=r"how it searches.*--mode=export"):
        resave(version)
    assert [path.name for path in version.parent.iterdir()] == ["1"]
