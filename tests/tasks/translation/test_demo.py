"""The built-in sentences: French as it is written, and test sentences that training has not."""

import pytest

from tasks.translation import demo


@pytest.fixture(scope="module")
def all_pairs():
    return [pair for pairs in demo.corpus().values() for pair in pairs]


def test_no_english_sentence_is_in_two_splits():
    splits = {split: {pair.source for pair in pairs} for split, pairs in demo.corpus().items()}
    assert {split: len(pairs) for split, pairs in demo.corpus().items()} == demo.SIZES
    assert not splits["train"] & (splits["validation"] | splits["test"])
    assert not splits["validation"] & splits["test"]


def test_an_english_sentence_has_one_translation(all_pairs):
    assert len(dict(all_pairs)) == len({*all_pairs})


def test_the_grammar_has_what_it_says(all_pairs):
    french = dict(all_pairs)
    found = " ".join(french.values())
    there = """ne dort pas|n'aime pas|L'oiseau|Est-ce que l'|vieil oncle|vieille tante|bel arbre
parce qu'il|De petites|ne la voit pas|l'entend|n'ont pas|cet arbre|mon église|ne voit pas de"""
    wrong = " le oiseau| le arbre| ne aime| que il|beau arbre|ma église| ce ami|ne voit pas un"
    for piece in there.replace("\n", "|").split("|"):
        assert piece in found, piece
    for piece in wrong.split("|"):
        assert piece not in found, piece


def test_longer_sentences_are_new_too():
    known = {pair.source for pair in demo.corpus()["train"]}
    lengths = []
    for clauses in (1, 4):
        pairs = demo.by_clauses(clauses, 20)
        assert len({pair.source for pair in pairs} - known) == 20
        lengths.append(sum(len(pair.source.split()) for pair in pairs))
    assert lengths[1] > 3 * lengths[0]
