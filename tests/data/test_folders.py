import tracemalloc
from pathlib import Path

import pytest
from filelock import FileLock

from cnnlib.config import SampleConfig
from cnnlib.core.errors import SampleError
from cnnlib.data import folders
from cnnlib.data.folders import first_test_picture, pictures_at, save_picture
from tests.helpers import draw


def test_folder_held_by_another_run_is_refused_after_a_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "LOCK_WAIT_S", 0.1)
    refused = pytest.raises(SampleError, match="another run is writing or moving pictures here")
    with FileLock(tmp_path / ".lock"), refused, folders.locked(tmp_path):
        pass


def test_half_copied_file_of_a_killed_run_is_deleted(tmp_path: Path) -> None:
    left = tmp_path / ".01_1.png.part"
    left.write_bytes(b"half")
    with folders.locked(tmp_path):
        assert folders.list_entries(tmp_path) == []
    assert not left.exists()


def test_file_that_another_program_renames_meanwhile_is_no_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (".01_1.png.part", ".01_2.png.part"):
        (tmp_path / name).write_bytes(b"whole")
    monkeypatch.setattr(Path, "unlink", lambda path: (_ for _ in ()).throw(FileNotFoundError(path)))
    with folders.locked(tmp_path):
        pass


def test_bad_name_in_the_training_folder_is_refused(config: SampleConfig) -> None:
    draw("01", config.train_image_dir / "01.png")
    with pytest.raises(SampleError, match=r"train/01.png: the name has no underscore.*; rename it, or move it out"):
        folders.list_labelled(config.train_image_dir, "png")
    assert folders.labels_in(config.train_image_dir, "png") == []


def test_saved_pictures_of_one_text_do_not_replace_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time_ns", lambda: 5)  # a clock that ticks slowly
    paths = [save_picture(tmp_path / "new", "a/b", "png", bytes([n])) for n in range(3)]
    assert [path.name for path in paths] == ["a%2Fb_5.png", "a%2Fb_6.png", "a%2Fb_7.png"]
    assert [path.read_bytes() for path in paths] == [b"\0", b"\1", b"\2"]


def test_lists_leave_out_hidden_files_folders_and_other_suffixes(tmp_path: Path) -> None:
    for name in ("01_1.png", "10_2.PNG", "nolabel.png", "01_3.jpg", "._01_4.png"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "00_5.png").mkdir()
    assert folders.labels_in(tmp_path, "png") == ["01", "10"]
    assert [path.name for path in pictures_at(tmp_path)] == ["01_1.png", "01_3.jpg", "10_2.PNG", "nolabel.png"]
    assert first_test_picture(tmp_path, "jpeg").name == "01_3.jpg", "another suffix of the same format"


def test_empty_folder_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(SampleError, match="expected a picture or a folder of pictures; got none"):
        pictures_at(tmp_path)
    with pytest.raises(
        SampleError, match=r"expected \.png pictures; got none; verify_and_split_data.py puts them there"
    ):
        first_test_picture(tmp_path / "missing", "png")


def test_links_to_pictures_are_listed_and_those_that_lead_nowhere_or_in_circles_are_not(tmp_path: Path) -> None:
    picture = draw("01", tmp_path / "01_1.png")
    (tmp_path / "01_2.png").symlink_to(picture)
    (tmp_path / "01_3.png").symlink_to(tmp_path / "missing.png")
    (tmp_path / "01_4.png").symlink_to(tmp_path / "01_4.png")
    assert folders.labels_in(tmp_path, "png") == [*folders.scan_labels(tmp_path, "png")] == ["01", "01"]
    assert folders.list_labelled(tmp_path, "png") == [("01_1.png", "01"), ("01_2.png", "01")]
    assert len(folders.list_entries(tmp_path)) == 4
    assert [*folders.scan_labels(tmp_path / "missing", "png")] == []


def test_folder_is_scanned_one_name_at_a_time(tmp_path: Path) -> None:
    peaks = []
    for count in (200, 4000):
        for number in range(count):
            (tmp_path / f"{number}_1.png").touch()
        tracemalloc.start()
        assert sum(1 for _ in folders.scan_labels(tmp_path, "png")) == count
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 20_000, "3,800 names more would take 200 kB"
