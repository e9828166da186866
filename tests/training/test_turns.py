import numpy as np
import pytest

from cnnlib.training.self_training import READ_LIMIT, numbers_of_turn


@pytest.mark.parametrize("count", [1, 20, 3000, READ_LIMIT])
def test_each_turn_reads_all_of_few_pictures(count: int) -> None:
    for turn in range(5):
        assert numbers_of_turn(turn, count, seed=7).tolist() == [*range(count)]


def test_turns_read_all_of_many_pictures_one_after_the_other() -> None:
    turns = [numbers_of_turn(turn, 2 * READ_LIMIT + 100, seed=7) for turn in range(3)]
    assert [len(numbers) for numbers in turns[:2]] == [READ_LIMIT, READ_LIMIT]
    assert not np.intersect1d(turns[0], turns[1]).size
    assert {*np.concatenate(turns).tolist()} == {*range(2 * READ_LIMIT + 100)}
