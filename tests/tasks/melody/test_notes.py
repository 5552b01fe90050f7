"""Notes by name and number, pieces as lists and arrays, transposition."""

import numpy as np
import pytest

from tasks.data.errors import UserError
from tasks.melody import notes
from tasks.melody.task import transposed


def test_every_key_has_a_name_that_is_read_as_its_number():
    for number in range(21, 109):
        assert notes.numbers_of(notes.name_of(number)) == [number]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("C4 E4 G4", [60, 64, 67]),
        ("g4,c4, 60", [60, 67]),
        ("Db4 C#4 B#3 Cb5 F##4", [60, 61, 67, 71]),
        ("A0 C8 21 108", [21, 108]),
        (" – ", []),
        ("", []),
    ],
)
def test_notes_are_read(text, expected):
    assert notes.numbers_of(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("H4", "expected notes such as C4"),
        ("C", "expected notes such as C4"),
        ("C4 x", "Received: 'x'"),
        ("20", "A0 to C8, which are 21 to 108. Received: '20'"),
        ("C#8", "Received: 'C#8'"),
        ("-60", "expected notes"),
    ],
)
def test_what_is_no_note_is_an_error(text, message):
    with pytest.raises(UserError, match="--seed_notes: ") as error:
        notes.numbers_of(text)
    assert message in str(error.value)


def test_pieces_are_shifted_as_a_whole_and_within_the_keyboard():
    piece, random = notes.as_array([[60, 64], [], [107]]), np.random.default_rng(0)
    found = {str(notes.as_piece(transposed(piece, 6, random))) for _ in range(200)}
    expected = {str([[60 + n, 64 + n], [], [107 + n]]) for n in range(-6, 2)}
    assert found == expected
    assert notes.as_piece(transposed(piece, 0, random)) == [[60, 64], [], [107]]
    assert not transposed(notes.as_array([[], []]), 6, random).any()


def test_pieces_side_by_side_are_silent_behind_their_ends():
    frames, lengths = notes.padded([[[60]], [[61], [62, 63]]])
    assert lengths.tolist() == [1, 2] and frames.shape == (2, 2, 88)
    assert [notes.as_piece(row[:n]) for row, n in zip(frames, lengths, strict=True)] == [
        [[60]],
        [[61], [62, 63]],
    ]
