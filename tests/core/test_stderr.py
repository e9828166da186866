import os
import sys
import threading

import pytest

from cnnlib.core.stderr import muted_stderr


def test_native_noise_is_hidden_and_comes_back_after(capfd: pytest.CaptureFixture[str]) -> None:
    with muted_stderr():
        os.write(2, b"noise")
    os.write(2, b"after")
    assert capfd.readouterr().err == "after"


def test_exception_passes_and_standard_error_is_restored(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="inside"), muted_stderr():
        raise ValueError("inside")
    os.write(2, b"after")
    assert capfd.readouterr().err == "after"


def test_without_standard_error_nothing_is_touched(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stderr", None)  # as Python has it where it was closed
    with muted_stderr():
        os.write(2, b"another file by now")
    assert capfd.readouterr().err == "another file by now"


def test_threads_restore_it_too(capfd: pytest.CaptureFixture[str]) -> None:
    def body() -> None:
        for _ in range(100):
            with muted_stderr():
                pass

    threads = [threading.Thread(target=body) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    os.write(2, b"after")
    assert capfd.readouterr().err == "after"
