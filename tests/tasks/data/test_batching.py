"""Batches of sequences of different length."""

import numpy as np

from tasks.data import batching


def test_pools_hold_each_sequence_once_and_those_of_like_length_together():
    lengths = np.random.default_rng(1).integers(1, 60, 1003)
    groups = batching.shuffled_in_pools(lengths, 8, seed=3, epoch=2)
    assert sorted(number for group in groups for number in group) == list(range(1003))
    assert sorted(map(len, groups), reverse=True) == [8] * 125 + [3]

    spread = [np.ptp(lengths[group]) for group in groups]
    at_random = [np.ptp(lengths[i : i + 8]) for i in range(0, 1003, 8)]
    assert np.mean(spread) < np.mean(at_random) / 10
    firsts = [lengths[group[0]] for group in groups]
    assert firsts != sorted(firsts)  # long ones do not all come at the end


def test_seed_and_epoch_alone_say_which_pools():
    lengths = np.arange(300)
    one = batching.shuffled_in_pools(lengths, 4, seed=3, epoch=2)
    assert one == batching.shuffled_in_pools(lengths, 4, seed=3, epoch=2)
    assert one != batching.shuffled_in_pools(lengths, 4, seed=3, epoch=1)
    assert one != batching.shuffled_in_pools(lengths, 4, seed=4, epoch=2)
