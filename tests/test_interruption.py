import signal
import threading

import pytest

from cnnlib.interruption import interruption


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_first_signal_is_noted_and_handlers_come_back(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with interruption() as interrupted:
        assert interrupted.signal is None
        signal.raise_signal(number)
        assert interrupted.signal == number
    assert signal.getsignal(number) == before


def test_second_ctrl_c_interrupts_at_once() -> None:
    with interruption():
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_other_threads_are_left_alone() -> None:
    seen = []

    def body() -> None:
        with interruption() as interrupted:
            seen.append(interrupted.signal)

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    assert seen == [None]
