"""Notes by name and by number."""

import pytest

from zoo import notes


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
    with pytest.raises(ValueError, match="expected") as error:
        notes.numbers_of(text)
    assert message in str(error.value)
