from collections import Counter

import numpy as np
import pytest

from cnnlib.training.order import change_keys, picture_numbers


@pytest.mark.parametrize("count", [1, 2, 3, 10, 64, 65, 1000])
def test_every_epoch_has_each_picture_once(count: int) -> None:
    for epoch in range(4):
        numbers = picture_numbers(np.arange(epoch * count, (epoch + 1) * count), count, 5)
        assert sorted(numbers) == list(range(count))


def test_each_epoch_and_each_seed_has_an_order_of_its_own() -> None:
    orders = {
        tuple(picture_numbers(np.arange(100) + 100 * epoch, 100, seed)) for epoch in range(5) for seed in range(5)
    }
    assert len(orders) == 25


def test_a_place_has_the_same_picture_whatever_is_asked_for_beside_it() -> None:
    places = np.arange(95, 135)
    whole = picture_numbers(places, 40, 2**32 - 1)
    assert [int(picture_numbers(places[number : number + 1], 40, 2**32 - 1)[0]) for number in range(40)] == [*whole]


def test_all_orders_of_a_few_are_about_equally_frequent() -> None:
    found = Counter(tuple(picture_numbers(np.arange(4), 4, seed)) for seed in range(4800))
    assert len(found) == 24
    assert min(found.values()) > 120
    assert max(found.values()) < 300


def test_the_order_of_many_is_not_related_to_their_numbers() -> None:
    numbers = picture_numbers(np.arange(100_000), 100_000, 0)
    assert abs(np.corrcoef(np.arange(100_000), numbers)[0, 1]) < 0.02
    assert abs(np.corrcoef(numbers[1:], numbers[:-1])[0, 1]) < 0.02
    apart = np.abs(np.diff(numbers)).mean() / 100_000
    assert apart == pytest.approx(1 / 3, abs=0.01), "the mean distance of two random numbers"


def test_keys_differ_from_place_to_place_and_from_seed_to_seed() -> None:
    keys = {seed: change_keys(np.arange(1000), seed) for seed in (0, 1, 2**31, 2**32 - 1)}
    assert len({int(key) for each in keys.values() for key in each}) == 4000
    assert (change_keys(np.arange(500, 600), 1) == keys[1][500:600]).all()
