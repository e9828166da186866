import os
import sys
import threading

import pytest

from cnnlib.core.stderr import muted_stderr


def test_native_output_is_hidden_only_inside(capfd: pytest.CaptureFixture[str]) -> None:
    with muted_stderr():
        os.write(2, b"noise")
    os.write(2, b"after")
    assert capfd.readouterr().err == "after"


def test_exception_passes_and_standard_error_is_restored(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="inside"), muted_stderr():
        raise ValueError("inside")
    os.write(2, b"after")
    assert capfd.readouterr().err == "after"


def test_closed_standard_error_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stderr", None)  # as Python has it where it was closed
    with muted_stderr():
        os.write(2, b"another file by now")
    assert capfd.readouterr().err == "another file by now"


def test_threads_restore_standard_error_too(capfd: pytest.CaptureFixture[str]) -> None:
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
