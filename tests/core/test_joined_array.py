import numpy as np

from cnnlib.core.joined_array import JoinedArray

PARTS = [np.arange(12, dtype=np.uint8).reshape(3, 2, 2), np.arange(12, 20, dtype=np.uint8).reshape(2, 2, 2)]


def test_rows_of_several_parts_come_in_the_order_asked_for() -> None:
    joined = JoinedArray(PARTS, np.array([4, 0, 2]))
    assert (len(joined), joined.shape) == (3, (3, 2, 2))
    assert joined[np.array([0, 2])][:, 0, 0].tolist() == [16, 8]
    assert joined.select(np.array([1]))[:].tolist() == PARTS[0][:1].tolist()


def test_join_of_none_has_no_rows() -> None:
    none = JoinedArray.join([])
    assert (len(none), none.shape, none[:].shape) == (0, (0,), (0,))
    assert len(none.select(np.zeros(0, np.int64))) == 0


def test_none_joined_with_others_adds_nothing() -> None:
    joined = JoinedArray.join([JoinedArray.join([]), JoinedArray(PARTS, np.arange(5)), JoinedArray.join([])])
    assert joined.shape == (5, 2, 2)
    assert np.array_equal(joined[:], np.concatenate(PARTS))
