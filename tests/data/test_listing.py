from pathlib import Path

import pytest

from cnnlib.data.listing import kinds_of_skipped, stems


def test_kind_of_many_files_has_three_examples_and_the_whole_reason_if_it_is_one() -> None:
    skipped = [(f"{number}.tif", ".tif files are not read: convert them to PNG") for number in range(4)]
    skipped += [(f"{number}.png", f"Cannot be opened: {number}") for number in range(5)]
    skipped += [("a.csv", "the file is empty")]
    assert kinds_of_skipped(skipped) == [
        "Skipped 5: Cannot be opened, such as 0.png, 1.png, 2.png",
        "Skipped 4: .tif files are not read, such as 0.tif, 1.tif, 2.tif: convert them to PNG",
        "Skipped a.csv: the file is empty",
    ]


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
