import multiprocessing
import os
import signal
import threading
from multiprocessing.connection import Connection

import pytest

from cnnlib.core.signals import block_signals, catch_stop_signals, unblock_signals

HANGUP = [signal.SIGHUP] if hasattr(signal, "SIGHUP") else []  # Windows has none


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, *HANGUP])
def test_first_signal_is_noted_and_handlers_come_back(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with catch_stop_signals() as interrupted:
        assert interrupted.signal is None
        signal.raise_signal(number)
        assert interrupted.signal == number
    assert signal.getsignal(number) == before


def test_first_signal_is_answered_at_once_and_one_before_the_answer_does_nothing() -> None:
    answered: list[int] = []

    def heard(number: int) -> None:
        signal.raise_signal(signal.SIGINT)  # pressed twice
        answered.append(number)

    with catch_stop_signals(heard) as stop:
        signal.raise_signal(signal.SIGINT)
        assert (answered, stop.signal) == ([signal.SIGINT], signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)
        assert (answered, stop.signal) == ([signal.SIGINT], signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


@pytest.mark.skipif(not HANGUP, reason="only POSIX has terminals that close")
def test_second_hangup_is_ignored() -> None:
    with catch_stop_signals() as interrupted:
        signal.raise_signal(signal.SIGHUP)
        signal.raise_signal(signal.SIGHUP)
        assert interrupted.signal == signal.SIGHUP


@pytest.mark.skipif(not HANGUP, reason="only POSIX has terminals that close")
def test_hangup_stays_ignored_under_nohup() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        with catch_stop_signals() as interrupted:
            signal.raise_signal(signal.SIGHUP)
            assert interrupted.signal is None
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.skipif(not HANGUP, reason="only POSIX can block signals")
def test_process_started_while_signals_are_blocked_gets_them_when_it_unblocks() -> None:
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    with block_signals():
        process = spawn.Process(target=report_signals, args=(theirs,), daemon=True)
        process.start()
        os.kill(process.pid, signal.SIGINT)  # while it still imports
    theirs.close()  # so that its end is seen
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == set()
    assert ours.recv() == "started"
    assert ours.recv() == "interrupted"
    process.join()


def report_signals(reports: Connection) -> None:
    reports.send("started")
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in what shells start in the background
    try:
        unblock_signals()
    except KeyboardInterrupt:
        reports.send("interrupted")


def test_second_ctrl_c_interrupts_at_once() -> None:
    with catch_stop_signals():
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_other_threads_are_left_alone() -> None:
    seen = []

    def body() -> None:
        with catch_stop_signals() as interrupted:
            seen.append(interrupted.signal)

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    assert seen == [None]
