"""What a tagging program offers is what the zoo knows."""

from tasks.tagging.configuration import EntityRun
from zoo.configuration import options
from zoo.text.tags import SCHEMES


def test_the_program_offers_every_scheme():
    assert set(options(EntityRun)["tag_scheme"][1].choices) == set(SCHEMES)
