"""Processes that are forked while threads read."""

import os
import subprocess
import sys

import pytest

from cnnlib.core.paths import PROJECT_ROOT

CODE = """
import os, sys, threading, time
from cnnlib import Recognizer
from tests.helpers import draw
from pathlib import Path

recognizer = Recognizer.general()
picture = draw("01", Path(sys.argv[1]) / "01_1.png").read_bytes()
expected = recognizer.recognize(picture)

def read():
    while True:
        recognizer.recognize(picture)

for _ in range(8):
    threading.Thread(target=read, daemon=True).start()
ended = []
for _ in range(20):
    time.sleep(0.005)
    child = os.fork()
    if child == 0:
        texts = [each.text for each in recognizer.recognize([picture] * 4)]
        os._exit(0 if recognizer.recognize(picture) == expected and texts == [expected.text] * 4 else 3)
    deadline = time.monotonic() + 60
    while (found := os.waitpid(child, os.WNOHANG)) == (0, 0) and time.monotonic() < deadline:
        time.sleep(0.01)
    if found == (0, 0):
        os.kill(child, 9)
    ended.append(found[1] if found != (0, 0) else "hung")
print(ended)
os._exit(0)
"""

MUTED = """
import os, threading
from cnnlib.core.stderr import muted_stderr

muted, end = threading.Event(), threading.Event()

def mute():
    with muted_stderr():
        muted.set()
        end.wait()

thread = threading.Thread(target=mute)
thread.start()
muted.wait()
child = os.fork()
if child == 0:
    os.write(2, b"heard")
    with muted_stderr():
        os.write(2, b"muted")
    os.write(2, b" again")
    os._exit(0)
os.waitpid(child, 0)
end.set()
thread.join()
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_children_read_though_threads_were_reading(tmp_path: object) -> None:
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", CODE, str(tmp_path)], cwd=PROJECT_ROOT, capture_output=True, text=True
    )
    assert run.stdout.strip() == str([0] * 20), run.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_child_of_a_moment_of_silence_is_heard() -> None:
    command = [sys.executable, "-W", "ignore", "-c", MUTED]
    run = subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, timeout=60)
    assert run.stderr == "heard again"
