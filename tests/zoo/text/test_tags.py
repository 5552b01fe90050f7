"""Tag schemes: round trips, recognition of the scheme, and what a CRF may not write."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.text.tags import (
    entities,
    forbidden_transitions,
    scheme_of,
    split_tag,
    to_bio,
    to_scheme,
)

TYPES = ("PER", "LOC", "creative-work")


def write_bio(length, spans):
    tags = ["O"] * length
    for kind, start, end in spans:
        tags[start:end] = [f"B-{kind}"] + [f"I-{kind}"] * (end - start - 1)
    return tags


def write_iob1(length, spans):
    tags = ["O"] * length
    ended = {}
    for kind, start, end in spans:
        tags[start:end] = [f"I-{kind}"] * (end - start)
        if ended.get(start) == kind:
            tags[start] = f"B-{kind}"
        ended[end] = kind
    return tags


def write_bioes(length, spans, last="E", single="S"):
    tags = write_bio(length, spans)
    for kind, start, end in spans:
        tags[end - 1] = f"{single if end - start == 1 else last}-{kind}"
    return tags


def write_bilou(length, spans):
    return write_bioes(length, spans, last="L", single="U")


WRITERS = (write_bio, write_iob1, write_bioes, write_bilou)


@st.composite
def sentences(draw):
    """A length and entities that do not overlap but may touch."""
    spans, position = [], 0
    for _ in range(draw(st.integers(0, 4))):
        start = position + draw(st.integers(0, 2))
        position = start + draw(st.integers(1, 3))
        spans.append((draw(st.sampled_from(TYPES)), start, position))
    return position + draw(st.integers(0, 2)), spans


@pytest.mark.parametrize("write", WRITERS)
@given(sentence=sentences())
def test_every_scheme_gives_the_entities_back(write, sentence):
    length, spans = sentence
    assert entities(write(length, spans)) == spans
    assert to_bio(write(length, spans)) == write_bio(length, spans)
    for scheme, other in zip(("BIO", "IOB1", "BIOES", "BILOU"), WRITERS, strict=True):
        assert to_scheme(write(length, spans), scheme) == other(length, spans)


@given(st.lists(st.sampled_from(["O", *(f"{p}-{t}" for p in "BIESLU" for t in "XY")]), max_size=12))
def test_whatever_the_tags_to_bio_keeps_the_entities_and_is_valid(tags):
    bio = to_bio(tags)
    assert entities(bio) == entities(tags)
    assert to_bio(bio) == bio
    names = sorted(set(bio))
    pairs, starts, _ = forbidden_transitions(names)
    indices = [names.index(tag) for tag in bio]
    assert not set(itertools.pairwise(indices)) & set(pairs)
    assert indices[:1] not in [[start] for start in starts]


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        (["I-X", "I-X", "O", "I-X"], [("X", 0, 2), ("X", 3, 4)]),
        (["B-X", "I-Y"], [("X", 0, 1), ("Y", 1, 2)]),
        (["B-X", "E-X", "I-X"], [("X", 0, 2), ("X", 2, 3)]),
        (["S-X", "E-X"], [("X", 0, 1), ("X", 1, 2)]),
        ([], []),
    ],
)
def test_lenient_reading(tags, expected):
    assert entities(tags) == expected


@pytest.mark.parametrize(
    ("corpus", "expected"),
    [
        ([["B-X", "I-X", "O"], ["B-X", "B-X"]], "BIO"),
        ([["I-X", "I-X", "O"], ["I-X", "B-X"]], "IOB1"),
        ([["O", "I-X"], ["O", "B-X"]], "BIO"),  # neither: BIO with errors
        ([["B-X", "E-X"]], "BIOES"),
        ([["B-X", "I-X"], ["S-X"]], "BIOES"),
        ([["B-X", "L-X", "U-X"]], "BIOES"),
        ([["O", "O"], []], None),
        ([["ADJ", "X", "_", "-LRB-", "``", "NN", "PRP$"]], None),
        ([["O", "S", "U", "N", "V"]], None),  # parts of speech in tweets
        ([], None),
    ],
)
def test_scheme_of_a_corpus(corpus, expected):
    assert scheme_of(corpus) == expected


@given(sentence=sentences())
def test_bio_is_never_taken_for_another_scheme(sentence):
    length, spans = sentence
    assert scheme_of([write_bio(length, spans)]) == ("BIO" if spans else None)


@pytest.mark.parametrize("tag", ["X-", "B", "B-", "X-PER", "b-PER", "", "ADJ", "-LRB-"])
def test_a_tag_without_scheme_is_named_with_what_was_expected(tag):
    for function in (split_tag, lambda tag: to_bio(["O", tag]), lambda tag: entities([tag])):
        with pytest.raises(ValueError, match=r"expected an entity tag .*B-PER") as error:
            function(tag)
        assert repr(tag) in str(error.value)


@pytest.mark.parametrize(
    ("tags", "named"),
    [
        (["O", "B-PER", "X-"], "'X-'"),
        (["B-PER", "B"], "'B'"),
        (["O", "B", "I"], "'B'"),
        (["O", "B-"], "'B-'"),
    ],
)
def test_a_corpus_with_a_broken_tag_is_refused(tags, named):
    with pytest.raises(ValueError, match=f"found {named}"):
        scheme_of([tags])
    with pytest.raises(ValueError, match=f"found {named}"):
        forbidden_transitions(tags)


def named(tag_names):
    pairs, starts, ends = forbidden_transitions(tag_names)
    return (
        {(tag_names[one], tag_names[other]) for one, other in pairs},
        {tag_names[start] for start in starts},
        {tag_names[end] for end in ends},
    )


def test_forbidden_in_bio():
    pairs, starts, ends = named(["O", "B-X", "I-X", "B-Y", "I-Y"])
    assert pairs == {
        *(("O", tag) for tag in ("I-X", "I-Y")),
        *((tag, "I-Y") for tag in ("B-X", "I-X")),
        *((tag, "I-X") for tag in ("B-Y", "I-Y")),
    }
    assert starts == {"I-X", "I-Y"}
    assert ends == set()


@pytest.mark.parametrize("letters", ["BIES", "BILU"])
def test_forbidden_in_bioes_and_bilou(letters):
    b, i, e, s = (f"{letter}-X" for letter in letters)
    pairs, starts, ends = named(["O", b, i, e, s])
    allowed = {
        *((one, other) for one in ("O", e, s) for other in ("O", b, s)),
        *((one, other) for one in (b, i) for other in (i, e)),
    }
    assert pairs == set(itertools.product(["O", b, i, e, s], repeat=2)) - allowed
    assert starts == {i, e}
    assert ends == {b, i}


def test_an_open_entity_does_not_go_on_as_another_type():
    pairs, _, _ = named(["O", "B-X", "E-X", "B-Y", "E-Y"])
    assert ("B-X", "E-Y") in pairs
    assert ("B-X", "E-X") not in pairs


@given(st.lists(sentences(), min_size=1, max_size=4), st.sampled_from(WRITERS))
def test_what_a_scheme_writes_is_never_forbidden(corpus, write):
    written = [write(length, spans) for length, spans in corpus]
    if write is write_iob1:
        written = [to_bio(tags) for tags in written]
    names = sorted({tag for tags in written for tag in tags})
    pairs, starts, ends = forbidden_transitions(names)
    for tags in filter(None, written):
        indices = [names.index(tag) for tag in tags]
        assert not set(itertools.pairwise(indices)) & set(pairs)
        assert indices[0] not in starts
        assert indices[-1] not in ends


def test_parts_of_speech_forbid_nothing():
    assert forbidden_transitions(["ADJ", "X", "_", "-LRB-", "O"]) == ([], [], [])
