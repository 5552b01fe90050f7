"""The recipes of the zoo are made of what the programs take."""

import pytest

from tasks import lm, music, ner, pos, sentiment
from zoo.catalog.entries import PRESETS


@pytest.mark.parametrize("program", [module.PROGRAM for module in (ner, pos, sentiment, lm, music)])
def test_every_recipe_is_made_of_flags_of_its_task(program):
    for name, values in PRESETS[program.name].items():
        config, run = program.parse([f"--preset={name}"])
        said = config.as_dict() | run.as_dict()
        assert {flag: said[flag] for flag in values} == values
