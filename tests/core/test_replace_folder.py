"""A folder that takes the place of another, whole at any moment."""

import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from cnnlib.core import files
from cnnlib.core.files import replace_folder, restore_folder
from cnnlib.core.paths import PROJECT_ROOT

REPLACE = """
import sys
from pathlib import Path
from cnnlib.core.files import replace_folder, restore_folder
target = Path(sys.argv[1])
number = 0
restore_folder(target)
print("ready", flush=True)
while True:
    number += 1
    new = target.with_name(f".new-{number}")
    new.mkdir()
    for name in ("first", "second"):
        (new / name).write_text(str(number))
    replace_folder(new, target)
"""


class Killed(BaseException):
    """In place of SIGKILL."""


def folder(path: Path, text: str) -> Path:
    path.mkdir()
    (path / "file").write_text(text)
    return path


@pytest.fixture(params=["exchanged", "renamed"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "renamed":
        monkeypatch.setattr(files, "_exchange", lambda *_: False)
    return str(request.param)


@pytest.mark.usefixtures("way")
def test_new_folder_takes_the_place_and_nothing_else_is_left(tmp_path: Path) -> None:
    target = tmp_path / "7"
    replace_folder(folder(tmp_path / "new", "1"), target)
    replace_folder(folder(tmp_path / "new", "2"), target)
    assert (target / "file").read_text() == "2"
    assert [path.name for path in tmp_path.iterdir()] == ["7"]


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("step", range(8))
def test_older_or_new_folder_is_there_wherever_it_ends(
    step: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = folder(tmp_path / "7", "older")
    new, done = folder(tmp_path / "new", "new"), [0]

    def counted(original: object) -> object:
        def call(*arguments: object, **options: object) -> object:
            done[0] += 1
            if done[0] > step:
                raise Killed
            return original(*arguments, **options)  # type: ignore[operator]

        return call

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", counted(Path.rename))
        patch.setattr(files.shutil, "rmtree", counted(files.shutil.rmtree))
        patch.setattr(files, "_exchange", counted(files._exchange))
        with suppress(Killed):
            replace_folder(new, target)
    restore_folder(target)
    assert (target / "file").read_text() in ("older", "new")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="other systems can't exchange folders")
def test_killed_process_leaves_a_whole_folder_in_its_place(tmp_path: Path) -> None:
    target = tmp_path / "7"
    target.mkdir()
    for name in ("first", "second"):
        (target / name).write_text("0")
    for number in range(20):
        process = subprocess.Popen([sys.executable, "-c", REPLACE, target], cwd=PROJECT_ROOT, stdout=subprocess.PIPE)
        assert process.stdout
        process.stdout.readline()
        time.sleep(0.001 * number)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        assert (target / "first").read_text() == (target / "second").read_text()
        for left in tmp_path.glob(".new-*"):
            for path in left.iterdir():
                path.unlink()
            left.rmdir()
