"""Pieces as lists and arrays, and transposition."""

import numpy as np

from tasks.melody import pieces
from tasks.melody.task import transposed


def test_pieces_are_shifted_as_a_whole_and_within_the_keyboard():
    piece, random = pieces.as_array([[60, 64], [], [107]]), np.random.default_rng(0)
    found = {str(pieces.as_piece(transposed(piece, 6, random))) for _ in range(200)}
    expected = {str([[60 + n, 64 + n], [], [107 + n]]) for n in range(-6, 2)}
    assert found == expected
    assert pieces.as_piece(transposed(piece, 0, random)) == [[60, 64], [], [107]]
    assert not transposed(pieces.as_array([[], []]), 6, random).any()


def test_pieces_side_by_side_are_silent_behind_their_ends():
    frames, lengths = pieces.padded([[[60]], [[61], [62, 63]]])
    assert lengths.tolist() == [1, 2] and frames.shape == (2, 2, 88)
    assert [pieces.as_piece(row[:n]) for row, n in zip(frames, lengths, strict=True)] == [
        [[60]],
        [[61], [62, 63]],
    ]
