"""Scores of translations, where sources have one reference or several."""

import pytest

from tasks.translation import scores

ONE, OTHER = "le chat noir est là maintenant .", "le chat noir dort ici ce soir ."


def test_each_source_counts_once_with_all_its_references():
    sources = ["cat", "dog", "cat"]
    translations = [OTHER, "le chien dort ici ce soir .", OTHER]
    found = scores.metrics(sources, [ONE, translations[1], OTHER], translations)
    assert found["sources"] == 2
    assert found["bleu_all_references"] == pytest.approx(100)
    assert found["bleu"] == pytest.approx(scores.bleu([ONE, *translations[1:]], translations))
    assert found["bleu"] < 80 and found["exact"] == pytest.approx(2 / 3)


def test_without_a_source_twice_there_is_one_figure():
    assert "bleu_all_references" not in scores.metrics(["a", "b"], [ONE, OTHER], [ONE, ONE])
