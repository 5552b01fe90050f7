"""The demo corpus: the lecture's cases, and no name in two splits."""

import collections
import itertools

import pytest

from tasks.tagging import demo as demo_corpus
from tasks.tagging.demo import AMBIGUOUS, SIZES, ambiguous, names, ner, pos
from zoo.text.tags import entities, scheme_of, to_bio

SPLITS = tuple(SIZES)
UPOS = {
    "ADJ",
    "ADP",
    "ADV",
    "AUX",
    "CCONJ",
    "DET",
    "INTJ",
    "NOUN",
    "NUM",
    "PART",
    "PRON",
    "PROPN",
    "PUNCT",
    "SCONJ",
    "SYM",
    "VERB",
}


def text(sentence):
    return " ".join(sentence.tokens)


def test_sizes_and_determinism():
    assert {split: len(sentences) for split, sentences in ner().items()} == SIZES
    first = ner(3)
    demo_corpus._compose_corpus.cache_clear()
    assert ner(3) == first != ner(4)


def test_both_tasks_have_the_same_sentences():
    for split in SPLITS:
        for entity_sentence, pos_sentence in zip(ner()[split], pos()[split], strict=True):
            assert entity_sentence.tokens == pos_sentence.tokens
            assert len(pos_sentence.tokens) == len(pos_sentence.tags) == len(entity_sentence.tags)


@pytest.mark.parametrize("split", SPLITS)
def test_tags(split):
    tags = [sentence.tags for sentence in ner()[split]]
    assert scheme_of(tags) == "BIO"
    assert all(list(sentence) == to_bio(sentence) for sentence in tags)
    assert {kind for sentence in tags for kind, _, _ in entities(sentence)} == {"PER", "LOC", "ORG"}
    assert {tag for sentence in pos()[split] for tag in sentence.tags} == UPOS


def test_entities_are_proper_nouns():
    for entity_sentence, pos_sentence in zip(ner()["train"], pos()["train"], strict=True):
        for _, start, end in entities(entity_sentence.tags):
            assert set(pos_sentence.tags[start:end]) <= {"PROPN", "ADP", "CCONJ"}
            assert pos_sentence.tags[start] == "PROPN"


def test_no_sentence_twice():
    counts = collections.Counter(text(s) for sentences in ner().values() for s in sentences)
    assert counts.most_common(1)[0][1] == 1


# --- names


def test_names_are_many():
    total = collections.Counter()
    for split in SPLITS:
        total.update({kind: len(of_kind) for kind, of_kind in names(split).items()})
    assert total["first"] >= 150
    assert total["surname"] >= 150
    assert total["place"] >= 120
    assert total["organisation"] >= 80


def test_no_name_in_two_splits_or_of_two_kinds():
    lists = [of_kind for split in SPLITS for of_kind in names(split).values()]
    flat = list(itertools.chain(*lists))
    assert len(flat) == len(set(flat))
    assert not set(flat) & set(AMBIGUOUS)


def test_names_of_a_split_occur_in_no_other():
    occurring = {
        split: {token for sentence in ner()[split] for token in sentence.tokens} for split in SPLITS
    }
    for split, other in itertools.permutations(SPLITS, 2):
        for of_kind in names(split).values():
            assert not occurring[other] & set(of_kind)


def test_what_entities_share_across_splits_are_no_names():
    inside = {
        split: {
            token
            for sentence in ner()[split]
            for token, tag in zip(*sentence, strict=True)
            if tag != "O"
        }
        for split in SPLITS
    }
    known = {
        *AMBIGUOUS,
        *demo_corpus.PLACE_HEADS,
        *demo_corpus.ORGANISATION_TAILS,
        *demo_corpus.PLACE_TAILS,
        *("Sons", "Company", "University", "Bank", "Museum", "of", "&"),
    }
    for one, other in itertools.combinations(SPLITS, 2):
        shared = {token for token in inside[one] & inside[other] if not token.endswith(".")}
        assert shared <= known


# --- the lecture


def test_the_sentences_of_the_lecture_are_in_the_test_split_only():
    expected = {
        "He said , Teddy Roosevelt was a great President .": [("PER", 3, 5)],
        "He said , Teddy bears are on sale !": [],
        "Harry Potter and Hermione Granger invented a new spell .": [("PER", 0, 2), ("PER", 3, 5)],
    }
    found = {text(s): entities(s.tags) for s in ner()["test"] if text(s) in expected}
    assert found == expected
    others = {token for s in ner()["train"] + ner()["validation"] for token in s.tokens}
    assert not others & {"Roosevelt", "Harry", "Potter", "Hermione", "Granger"}


@pytest.mark.parametrize("split", SPLITS)
def test_what_stands_before_an_ambiguous_word_tells_nothing(split):
    cases = ambiguous(ner()[split])
    assert len(cases) >= 100
    before = collections.defaultdict(collections.Counter)
    for sentence, index in cases:
        before[sentence.tokens[: index + 1]][sentence.tags[index]] += 1
    for tags in before.values():
        assert tags["B-PER"] == tags["O"]
        assert set(tags) == {"B-PER", "O"}


def test_teddy_is_in_every_split_in_both_roles():
    for split in SPLITS:
        roles = {s.tags[i] for s, i in ambiguous(ner()[split]) if s.tokens[i] == "Teddy"}
        assert roles == {"B-PER", "O"}


def test_ambiguous_words_in_parts_of_speech():
    tags = collections.Counter(s.tags[i] for s, i in ambiguous(pos()["test"]))
    assert tags["PROPN"] == tags["NOUN"] + tags["ADJ"] == len(ambiguous(ner()["test"])) / 2


def test_a_person_is_not_always_followed_by_a_capital():
    people = [(s, i) for s, i in ambiguous(ner()["train"]) if s.tags[i] == "B-PER"]
    with_surname = sum(s.tags[i + 1] == "I-PER" for s, i in people)
    assert 0.25 < with_surname / len(people) < 0.75


# --- variety


def test_variety():
    common = {t for s in ner()["train"] for t, tag in zip(*s, strict=True) if t.islower()}
    assert len(common) >= 300
    assert len(demo_corpus.TEMPLATES.strip().splitlines()) >= 60


def test_every_word_of_the_test_that_is_no_name_occurs_in_training():
    trained = {token.lower() for sentence in ner()["train"] for token in sentence.tokens}
    unseen = [
        token
        for sentence in ner()["test"]
        for token, tag in zip(*sentence, strict=True)
        if tag == "O" and token.lower() not in trained
    ]
    assert len(unseen) <= 10


def test_articles_fit():
    for sentence in ner()["train"]:
        for one, other in itertools.pairwise(sentence.tokens):
            if one.lower() in ("a", "an"):
                assert (one.lower() == "an") == (other[0].lower() in "aeio")
