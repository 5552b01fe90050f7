"""What configurations and programs repeat, since the originals need TensorFlow."""

import pytest

from tasks.framework import running
from tasks.framework.configuration import RunConfig
from tasks.framework.modes import MODES
from tasks.language.configuration import LanguageData
from tasks.tagging.configuration import EntityRun
from zoo import inputs
from zoo.configuration import options
from zoo.text import tags, tokens


def choices(kind, name):
    return options(kind)[name][1].choices


@pytest.mark.parametrize(
    ("repeated", "original"),
    [
        (RunConfig().max_characters, inputs.MAX_CHARACTERS),
        (running._MODES, tuple(MODES)),
        (choices(LanguageData, "tokens"), tokens.KINDS),
        (choices(EntityRun, "tag_scheme"), tuple(tags.SCHEMES)),
    ],
    ids=["max_characters", "modes", "tokens", "tag_scheme"],
)
def test_what_is_said_twice_says_the_same(repeated, original):
    assert repeated == original
