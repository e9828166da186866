from concurrent.futures import Future

from cnnlib.generation import CHUNK, chunks_of, in_turn


def test_all_chunks_are_done_in_turn_and_few_are_under_way() -> None:
    under_way: list[int] = []

    def submit(chunk: list[int]) -> Future[int]:
        under_way.append(chunk[0])
        done: Future[int] = Future()
        done.set_result(len(chunk))
        return done

    count = 10 * CHUNK + 1
    sizes = []
    for size in in_turn(submit, chunks_of(iter(range(count))), ahead=3):
        sizes.append(size)
        assert len(under_way) - len(sizes) < 3
    assert sizes == [CHUNK] * 10 + [1]
    assert under_way == list(range(0, count, CHUNK))
