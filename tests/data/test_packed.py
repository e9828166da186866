"""Packed pictures are those of the files, whatever was killed, broken, changed or packed at once before."""

import errno
import gc
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cnnlib.codec.images import Shape
from cnnlib.core.errors import SampleError
from cnnlib.core.joined_array import JoinedArray
from cnnlib.core.paths import PROJECT_ROOT, display_path
from cnnlib.core.progress import progress_bar
from cnnlib.data import packed
from cnnlib.data.packed import cache_of, clear_cache, fingerprint, open_part, pack

SHAPE = Shape(4, 6, 3)


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed, "PART_BYTES", 500)  # seven pictures


class Source:
    """Pictures of one colour, which are numbers; it notes which ones are read."""

    def __init__(self, *numbers: int) -> None:
        self.numbers, self.broken, self.read_numbers = numbers, set[int](), list[int]()
        self.names = [*numbers]

    def read(self, place: int) -> np.ndarray:
        number = self.numbers[place]
        self.read_numbers.append(number)
        if number in self.broken:
            raise SampleError(f"{number} is broken")
        return np.full((4, 6, 3), number, np.uint8)

    def pack(self, folder: Path, shape: Shape = SHAPE) -> tuple[JoinedArray, dict[int, str]]:
        self.read_numbers.clear()
        fingerprints = np.array([fingerprint(str(name), 1, 2) for name in self.names], np.uint64)
        return pack(folder, fingerprints, shape, self.read, progress_bar)


def values(pictures: JoinedArray) -> list[int]:
    return pictures[:][:, 0, 0, 0].tolist()


def test_pictures_come_in_the_order_of_their_numbers_and_are_read_once(tmp_path: Path) -> None:
    source = Source(*range(100))
    pictures, reasons = source.pack(tmp_path)
    assert (pictures.shape, reasons) == ((100, 4, 6, 3), {})
    assert values(pictures) == [*range(100)] == sorted(source.read_numbers)
    assert pictures[np.array([7, 3, 99, 7])][:, 3, 5, 2].tolist() == [7, 3, 99, 7]
    assert values(pictures.select(np.array([50, 4]))) == [50, 4]
    assert len([*tmp_path.glob("*.pictures")]) > 3
    again, _ = source.pack(tmp_path)
    assert (values(again), source.read_numbers) == ([*range(100)], [])


def test_only_added_pictures_are_read_and_those_that_left_are_dropped(tmp_path: Path) -> None:
    Source(*range(60)).pack(tmp_path)
    source = Source(*range(10, 90))
    assert values(source.pack(tmp_path)[0]) == [*range(10, 90)]
    assert sorted(source.read_numbers) == [*range(60, 90)]
    kept = sum(len(open_part(path).pixels) for path in tmp_path.glob("*.pictures"))
    assert kept == 80, "older parts are deleted"


def test_picture_that_changed_is_read_again(tmp_path: Path) -> None:
    Source(1, 2, 3).pack(tmp_path)
    fingerprints = np.array([fingerprint(name, 1, time) for name, time in (("1", 2), ("2", 3), ("3", 2))], np.uint64)
    read = []

    def other(place: int) -> np.ndarray:
        read.append(place)
        return np.full((4, 6, 3), 20, np.uint8)

    pictures, _ = pack(tmp_path, fingerprints, SHAPE, other, progress_bar)
    assert (values(pictures), read) == ([1, 20, 3], [1])


def test_unusable_pictures_are_named_each_time_until_they_can_be_used(tmp_path: Path) -> None:
    source = Source(*range(40))
    source.broken = {5, 17}
    for _ in range(2):
        pictures, reasons = source.pack(tmp_path)
        assert reasons == {5: "5 is broken", 17: "17 is broken"}
        assert [value for place, value in enumerate(values(pictures)) if place not in reasons] == [
            number for number in range(40) if number not in source.broken
        ]
    assert sorted(source.read_numbers) == [5, 17]
    source.broken = {17}
    pictures, reasons = source.pack(tmp_path)
    assert reasons == {17: "17 is broken"}
    assert values(pictures)[5] == 5


@pytest.mark.parametrize("harm", ["cut", "empty", "garbage", "deleted"])
def test_broken_part_is_made_again(tmp_path: Path, harm: str) -> None:
    source = Source(*range(40))
    source.pack(tmp_path)
    path = min(tmp_path.glob("*.pictures"))
    content = path.read_bytes()
    harms: dict[str, Callable[[], object]] = {
        "cut": lambda: path.write_bytes(content[:-1]),
        "empty": lambda: path.write_bytes(b""),
        "garbage": lambda: path.write_bytes(os.urandom(len(content))),
        "deleted": path.unlink,
    }
    harms[harm]()
    assert values(source.pack(tmp_path)[0]) == [*range(40)]
    assert 0 < len(source.read_numbers) < 40
    assert path.read_bytes() == content


def test_other_shape_is_not_mixed_up(tmp_path: Path) -> None:
    Source(*range(9)).pack(tmp_path)
    fingerprints = np.array([fingerprint(str(number), 1, 2) for number in range(9)], np.uint64)

    def read(place: int) -> np.ndarray:
        return np.full((6, 4, 3), place + 100, np.uint8)

    pictures, _ = pack(tmp_path, fingerprints, Shape(6, 4, 3), read, progress_bar)
    assert values(pictures) == [*range(100, 109)]
    assert cache_of(tmp_path, tmp_path, SHAPE) != cache_of(tmp_path, tmp_path, Shape(6, 4, 3))
    assert cache_of(tmp_path, tmp_path, SHAPE) != cache_of(tmp_path, tmp_path / "other", SHAPE)


@pytest.mark.parametrize("name", ["FORMAT", "PIL.__version__"])
def test_what_another_decoder_made_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    Source(*range(40)).pack(tmp_path)
    monkeypatch.setattr(f"cnnlib.data.packed.{name}", 99 if name == "FORMAT" else "99.0")
    source = Source(*range(40))
    assert values(source.pack(tmp_path)[0]) == [*range(40)]
    assert sorted(source.read_numbers) == [*range(40)]
    assert sum(len(open_part(path).pixels) for path in tmp_path.glob("*.pictures")) == 40, "older parts are deleted"
    source.pack(tmp_path)
    assert source.read_numbers == []


@pytest.mark.parametrize("target", ["file", "none"])
def test_cache_in_place_of_which_is_something_else_is_named(tmp_path: Path, target: str) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "cache").symlink_to(target)
    got = "a file" if target == "file" else "a link to nothing: none; is its disk mounted\\?"
    with pytest.raises(SampleError, match=f"decoded pictures can't be kept there: expected a folder; got {got}; free"):
        Source(1, 2).pack(tmp_path / "cache" / "train")


KILLED = """
import os, sys
from pathlib import Path
from tests.data.test_packed import Source, packed
packed.PART_BYTES = 500
class Dying(Source):
    def read(self, place):
        if len(self.read_numbers) == int(sys.argv[2]):
            os._exit(9)
        return super().read(place)
Dying(*range(60)).pack(Path(sys.argv[1]))
"""


@pytest.mark.parametrize("reads", [0, 1, 30, 59])
def test_killed_run_leaves_finished_parts_to_the_next(tmp_path: Path, reads: int) -> None:
    killed = subprocess.run([sys.executable, "-c", KILLED, tmp_path, str(reads)], cwd=PROJECT_ROOT, check=False)
    assert killed.returncode == 9
    source = Source(*range(60))
    assert values(source.pack(tmp_path)[0]) == [*range(60)]
    assert 60 - reads <= len(source.read_numbers) <= 60 - reads + 20
    assert not [*tmp_path.glob("*.part"), *tmp_path.glob(".*.part")]


@pytest.mark.parametrize("name", ["a" * 238, "a" * 239, "a" * 255, "b" + "é" * 127, "中" * 85, "😀" * 63], ids=len)
def test_folder_of_a_long_name_has_a_cache_of_its_own(tmp_path: Path, name: str) -> None:
    folders = [tmp_path / name, tmp_path / "other" / name, tmp_path / f"{name[:-1]}x"]
    caches = [cache_of(tmp_path, folder, SHAPE) for folder in folders]
    assert len({*caches}) == 3
    for number, cache in enumerate(caches):
        assert cache.name.encode().decode().startswith(name[:20])
        assert values(Source(number, 9).pack(cache)[0]) == [number, 9]


def test_two_runs_at_once_both_get_all_pictures(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from tests.data.test_packed import Source, packed, values;"
        "packed.PART_BYTES = 500; print(sum(values(Source(*range(200)).pack(Path(sys.argv[1]))[0])))"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    runs = [subprocess.Popen(command, cwd=PROJECT_ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [run.communicate()[0].strip() for run in runs] == [str(sum(range(200)))] * 2


def test_pictures_stay_readable_when_another_run_drops_them(tmp_path: Path) -> None:
    pictures, _ = Source(*range(40)).pack(tmp_path)
    Source(*range(100, 120)).pack(tmp_path)
    assert values(pictures) == [*range(40)]


def test_cache_that_can_not_be_written_is_named_with_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    message = "file/cache/: decoded pictures can't be kept there: .*; free some space there, or name another folder as"
    with pytest.raises(SampleError, match=message):
        Source(1, 2).pack(tmp_path / "file" / "cache")


FEW_FILES = """
import resource, sys
from pathlib import Path
from tests.data.test_packed import Source, packed, values
resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[2]), int(sys.argv[2])))
packed.PART_BYTES = 100
for numbers in (range(1000), range(1000), range(500, 1600)):
    source = Source(*(number % 251 for number in numbers))
    source.names = [*numbers]
    pictures, reasons = source.pack(Path(sys.argv[1]))
    assert (values(pictures), reasons) == ([number % 251 for number in numbers], {})
    print(len(source.read_numbers), len(pictures._parts), flush=True)
"""


@pytest.mark.skipif(os.name != "posix", reason="Windows has other limits")
def test_more_parts_than_files_may_be_open_are_packed_taken_and_replaced(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-c", FEW_FILES, tmp_path, "256"], cwd=PROJECT_ROOT, capture_output=True, text=True, check=True
    )
    read, parts = zip(*(map(int, line.split()) for line in run.stdout.splitlines()), strict=True)
    assert read == (1000, 0, 600)
    assert min(parts) > 500


@pytest.mark.skipif(os.name != "posix", reason="Windows has other limits")
@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE])
def test_too_many_open_files_are_said_with_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    Source(*range(40)).pack(tmp_path)
    parts = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.pictures")}
    opened = Path.open

    def refuse(path: Path, *arguments: Any, **options: Any) -> Any:
        if path.suffix == ".pictures":
            raise OSError(number, os.strerror(number), str(path))
        return opened(path, *arguments, **options)

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(SampleError, match=f"{os.strerror(number)}; .* let more files be open at once: ulimit -n 4096"):
        Source(*range(40)).pack(tmp_path)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.pictures")} == parts, "they are whole"


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="Linux lists what is mapped")
def test_parts_are_unmapped_with_the_last_array_of_them(tmp_path: Path) -> None:
    def mapped() -> int:
        return Path("/proc/self/maps").read_text().count(str(tmp_path))

    pictures, _ = Source(*range(40)).pack(tmp_path)
    row = pictures._parts[0][1:2]
    assert mapped() == len(pictures._parts) > 3
    del pictures
    gc.collect()
    assert (mapped(), row.shape) == (1, (1, 4, 6, 3))
    del row
    assert mapped() == 0


def test_clearing_deletes_packed_pictures_alone(tmp_path: Path) -> None:
    Source(1, 2).pack(tmp_path / "first")
    Source(1, 2).pack(tmp_path / "second")
    (tmp_path / "second" / "notes.txt").write_text("mine")
    assert clear_cache(tmp_path) > 2 * 2 * 4 * 6 * 3
    assert [path.relative_to(tmp_path).as_posix() for path in sorted(tmp_path.rglob("*"))] == [
        "second",
        "second/notes.txt",
    ]
    assert clear_cache(tmp_path / "missing") == 0


BUSY = """
import sys, time
from pathlib import Path
from cnnlib.core.files import take_lock
with take_lock(Path(sys.argv[1]), 0):
    print("locked", flush=True)
    time.sleep(600)
"""


@pytest.mark.parametrize(
    "busy", ["train-0123/.lock", f"doctor-{'0' * 16}/.lock", f"doctor-{'0' * 16}/.training-1.lock"]
)
def test_clearing_passes_over_what_another_run_works_in(tmp_path: Path, busy: str) -> None:
    whole = [tmp_path / f"doctor-{digit * 16}" for digit in "01"]
    for folder in whole:
        (folder / "cache").mkdir(parents=True)
        (folder / "cache" / "01_1.png").write_bytes(bytes(100))
    for name in ("train-0123", "train-4567"):
        Source(1, 2).pack(tmp_path / name)
    before = {path for path in (tmp_path / busy).parent.rglob("*") if path.name != ".lock"}
    said: list[str] = []
    with subprocess.Popen([sys.executable, "-c", BUSY, tmp_path / busy], cwd=PROJECT_ROOT, stdout=-1, text=True) as run:
        assert run.stdout
        assert run.stdout.readline() == "locked\n"
        assert clear_cache(tmp_path, ["doctor"], said.append) > 100
        assert said == [f"[Warning] {display_path((tmp_path / busy).parent)} is in use by another run, and stays"]
        assert [*tmp_path.iterdir()] == [(tmp_path / busy).parent]
        assert before <= {*tmp_path.rglob("*")}
        run.kill()
    assert clear_cache(tmp_path, ["doctor"], said.append) >= 100
    assert (len(said), [*tmp_path.iterdir()]) == (1, [])
