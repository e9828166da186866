import itertools
import os
import threading

import pytest

from cnnlib.core.parallel import AHEAD, begin_ahead, on_all_cores


def test_results_come_in_the_order_of_the_items() -> None:
    assert list(on_all_cores(lambda number: number * number, range(100))) == [n * n for n in range(100)]


@pytest.mark.skipif(os.cpu_count() == 1, reason="there is one core")
def test_items_are_worked_on_at_the_same_time() -> None:
    both = threading.Barrier(2, timeout=20)
    assert len(list(on_all_cores(lambda _: both.wait(), range(2)))) == 2


def test_exception_is_raised_at_its_items_turn() -> None:
    results = on_all_cores(lambda number: 6 // number, [3, 0, 2])
    assert next(results) == 2
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_endless_items_are_taken_a_bounded_number_ahead_of_a_slow_reader() -> None:
    limit = AHEAD * (os.cpu_count() or 1)
    taken = itertools.count()
    results = on_all_cores(lambda number: number, iter(lambda: bounded(next(taken), 100 + limit), None))
    for number in range(100):
        assert next(results) == number


def test_what_was_begun_in_vain_is_dropped() -> None:
    begun: list[int] = []
    dropped: list[int] = []

    def begin(number: int) -> int:
        begun.append(number)
        return number

    results = begin_ahead(begin, range(10), 3, dropped.append)
    assert [next(results), next(results)] == [0, 1]
    assert begun == [0, 1, 2, 3, 4]
    results.close()
    assert dropped == [2, 3, 4]
    assert [*begin_ahead(begin, range(10), 3, dropped.append)] == [*range(10)]
    assert dropped == [2, 3, 4]


def bounded(number: int, most: int) -> int:
    assert number <= most, "what is taken too early waits in memory"
    return number
