"""Sentences in which subject and verb agree across nouns of the other number."""

import itertools
import re

from tasks.experiments.agreement import contestants
from tasks.language import attractors, demo
from tasks.language.configuration import LanguageConfig

SINGULAR = {*demo.NOUNS, *demo.PLACES, *attractors.BESIDE_THEIR_VERB}
PLURAL = {
    *demo.NOUNS.values(), *demo.PLACES.values(), *attractors.BESIDE_THEIR_VERB.values(),
}  # fmt: skip
NEW = {*attractors.BESIDE_THEIR_VERB, *attractors.BESIDE_THEIR_VERB.values()}
OF_SINGULAR = {one for one, _ in (*attractors.VERBS, *attractors.INNER_VERBS)}
OF_PLURAL = {many for _, many in (*attractors.VERBS, *attractors.INNER_VERBS)}


def test_verbs_agree_with_their_subjects_and_attractors_are_counted():
    cases = attractors.cases(20) + attractors.cases(20, beside=True)
    for case in cases:
        waiting, nouns = [], []
        for word in f"{case.beginning} {case.right}".split():
            if word in SINGULAR | PLURAL:
                nouns.append(word in PLURAL)
                # The noun of a place waits for no verb: what stands before it is no "that".
                if before not in attractors.PREPOSITIONS:  # noqa: F821
                    waiting.append(word in PLURAL)
            elif word in OF_SINGULAR | OF_PLURAL:
                assert (word in OF_PLURAL) == waiting.pop(), case
            if word not in ("the", *demo.ADJECTIVES):
                before = word  # noqa: F841
        assert waiting == []
        assert case.attractors == sum(number != nouns[0] for number in nouns[1:])
        assert case.distance == len(case.beginning.split()) - 2
        assert {case.right in OF_PLURAL, case.wrong in OF_PLURAL} == {nouns[0], not nouns[0]}
        assert (case.beginning.split()[1] in NEW) == case.beside


def test_there_are_as_many_cases_with_each_number_of_attractors_and_training_has_none():
    training = " | ".join(attractors.corpus()["train"])
    for beside in (False, True):
        counts = [0] * (attractors.MOST_ATTRACTORS + 1)
        for case in attractors.cases(20, beside):
            counts[case.attractors] += 1
            assert f"{case.beginning} {case.right} " not in training
        assert counts == [20] * len(counts)


def test_training_has_new_nouns_beside_their_verb_alone():
    sentences = [words.split() for words in attractors.corpus()["train"]]
    with_new = [words for words in sentences if NEW & set(words)]
    assert 1000 < len(with_new) < 1400
    assert all(words[1] in NEW and len(words) == 4 for words in with_new)
    assert {words[1] for words in with_new} == NEW


def test_no_long_sentence_is_in_two_splits():
    parts = {split: set(texts) for split, texts in attractors.corpus().items()}
    shared = set().union(*(a & b for a, b in itertools.combinations(parts.values(), 2)))
    assert shared and all(re.fullmatch(r"The \w+ \w+ \w+\.", sentence) for sentence in shared)


def test_the_last_contestant_has_as_many_parameters_as_the_lstm():
    config = LanguageConfig.of(units=64, embedding_dim=64)
    *_, lstm, rnn = contestants(config)
    of_lstm, of_rnn = (n * (n + 64 + 1) for n in (lstm.units, rnn.units))
    assert lstm.cell == "lstm" and rnn.cell == "rnn"
    assert abs(4 * of_lstm - of_rnn) < 0.01 * of_rnn
