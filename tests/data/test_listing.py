from pathlib import Path

import pytest

from cnnlib.core.errors import SampleError
from cnnlib.core.paths import display_path
from cnnlib.data.listing import check_unusable, kinds_of_skipped, list_skipped, stems


def test_kind_of_many_files_has_three_examples_and_the_whole_reason_if_it_is_one() -> None:
    skipped = [(f"{number}.tif", ".tif files are not read: convert them to PNG") for number in range(4)]
    skipped += [(f"{number}.png", f"Cannot be opened: {number}") for number in range(5)]
    skipped += [("a.csv", "the file is empty")]
    assert kinds_of_skipped(skipped) == [
        "Skipped 5: Cannot be opened, such as 0.png, 1.png, 2.png",
        "Skipped 4: .tif files are not read, such as 0.tif, 1.tif, 2.tif: convert them to PNG",
        "Skipped a.csv: the file is empty",
    ]


@pytest.mark.parametrize("name", ["a" * 255, "é" * 127, "中" * 85], ids=len)
def test_lists_about_folders_of_long_names_are_written(tmp_path: Path, name: str) -> None:
    folders = [tmp_path / name, tmp_path / "other" / name, tmp_path / f"{name[:-1]}x"]
    skipped = [(f"{number}.png", f"Cannot be opened: {number}") for number in range(5)]
    files = [tmp_path / f"abnormal_{stem}.txt" for stem in stems(folders)]
    assert [list_skipped(skipped, file)[-1] for file in files] == [
        f"{display_path(file)} lists all 5" for file in files
    ]
    assert len({*files}) == 3
    with pytest.raises(SampleError, match=r"unusable_.* lists all 5"):
        check_unusable(folders[0], 5, dict(skipped), tmp_path)


@pytest.mark.parametrize(
    ("folders", "expected"),
    [
        (["x/a", "y/a", "z/a"], ["a", "a_2", "a_3"]),
        (["a_2", "x/a", "y/a"], ["a_2", "a", "a_3"]),
        (["x/a", "y/a", "a_2"], ["a", "a_2", "a_2_2"]),
    ],
)
def test_no_two_folders_write_the_same_file(folders: list[str], expected: list[str]) -> None:
    assert stems([*map(Path, folders)]) == expected
