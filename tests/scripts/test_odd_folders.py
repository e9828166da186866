"""What verify_and_split_data.py says of folders as people have them."""

from pathlib import Path

import pytest

import verify_and_split_data
from cnnlib.config import load_sample_config
from cnnlib.data.folders import list_entries
from tests.helpers import draw, fill, run_script, write_config


@pytest.fixture
def config_path(tmp_path: Path) -> Path:
    return write_config(tmp_path)


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    return tmp_path / "sample" / "origin"


def main(*arguments: str | Path) -> int:
    return verify_and_split_data.main([*map(str, arguments)])


def test_proposal_is_what_pictures_are_judged_by(
    config_path: Path, origin: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in fill(origin, 40, "abcd", 5):
        draw(path.name[:5], path, size=(90, 30), seed=int(path.stem[-2:]))
    draw("x", origin / "Screenshot from 2024-05-06 at noon_1.png", size=(640, 480))
    for name in (".hidden", ".x_1.png", "Thumbs.db", "._a.png", ".DS_Store"):
        (origin / name).write_bytes(b"x")
    written = tmp_path / "new.json"
    assert main(config_path, "--write-config", written) == 0
    printed = capsys.readouterr().out
    assert "Total pictures in the original set: 41\n====The following 1 picture is abnormal====\n" in printed
    (listed,) = (line for line in printed.splitlines() if line.startswith("[Picture "))
    assert listed.startswith(
        "[Picture 0] [Screenshot from 2024-05-06 at noon_1.png] [Wrong size: expected 90x30 pixels"
    )
    assert "; Label 'Screenshot from 2024-05-06 at noon': not in the alphabet: S " in listed
    assert "; Doubtful label 'Screenshot from 2024-05-06 at noon': a blank inside: likely no label" in listed
    assert load_sample_config(written).char_set == "abcd"
    assert (tmp_path / "new_pictures.png").read_bytes().startswith(b"\x89PNG")
    assert f"24 pictures over their labels are in {(tmp_path / 'new_pictures.png').as_posix()}" in printed
    main(written)
    assert len(list_entries(origin)) == 2, "the stray, and the hidden file, which the original lists"


def test_long_list_is_cut_grouped_and_whole_in_a_file(
    config_path: Path, origin: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in fill(origin, 60):
        draw(path.name[:2], path, size=(40, 20), seed=int(path.stem[-2:]))
    for number in range(5):
        draw("ab", origin / f"ab_{number}.png", size=(40, 20), seed=100 + number)
    (origin / "01_x.png").write_bytes(b"broken")
    assert main(config_path) == 0
    printed = capsys.readouterr().out.splitlines()
    file = tmp_path / "logs" / "abnormal_origin.txt"
    lines = [line for line in printed if line.startswith("[Picture ")]
    assert len(lines) == 20
    assert f"... and 46 more: {file.as_posix()} lists all 66" in printed
    assert lines == file.read_text().splitlines()[:20]
    assert len(file.read_text().splitlines()) == 66
    groups = [line for line in printed if " of them: " in line]
    assert groups[0].startswith("65 of them: Wrong size, such as 00_0000")
    assert groups[0].count(".png") == 3
    assert groups[1:] == [
        "5 of them: Label not in the alphabet, such as ab_0.png, ab_1.png, ab_2.png",
        "1 of them: Cannot be opened, such as 01_x.png",
    ]


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (
            [f"{n:04d}_{'abcd'[n % 4]}{'dcba'[n // 4 % 4]}1.png" for n in range(20)],
            "a serial number seems to come first",
        ),
        ([f"IMG_{n:04d}.png" for n in range(20)], "all such names begin with 'IMG', which is likely no label"),
    ],
)
def test_serial_numbers_and_camera_names_are_not_learned(
    tmp_path: Path, origin: Path, capsys: pytest.CaptureFixture[str], names: list[str], reason: str
) -> None:
    config_path = write_config(tmp_path, char_set="0123456789IMG", max_captcha=4)
    for number, name in enumerate(names):
        draw("01", origin / name, seed=number)
    assert main(config_path) == 0
    printed = capsys.readouterr().out
    assert printed.count(reason) == 20
    assert "Labels that are likely wrong: 20, such as " in printed
    assert len(list_entries(origin)) == 20
    assert main(config_path, "--write-config", tmp_path / "new.json") == 2
    said = capsys.readouterr()
    assert said.out.count(reason) == 20
    assert "got none; no config is written" in said.err
    assert main(config_path, "--accept-labels") == 0
    assert len(list_entries(origin)) == 0


ODD = {
    "a\xa0b": r"\xa0",
    "a\u3000b": r"\u3000",
    "ab\ufe0f": r"\ufe0f",
    "a\u3164b": r"\u3164",
}


@pytest.mark.parametrize("label", ODD)
def test_what_nobody_sees_is_shown_as_an_escape(
    config_path: Path, origin: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], label: str
) -> None:
    for path in fill(origin, 40, "abcd", 2):
        draw(path.name[:2], path, seed=int(path.stem[-2:]))
    draw("ab", origin / f"{label}_1.png", seed=900)
    for arguments in ([], ["--write-config", str(tmp_path / "new.json")]):
        assert main(config_path, *arguments) == 0
        printed = capsys.readouterr().out
        assert f"Label '{label.replace(label.strip('ab'), ODD[label])}': not in the alphabet: " in printed
        assert f"it has {ODD[label]} (" in printed
        assert label not in printed
    assert load_sample_config(tmp_path / "new.json").char_set == "abcd"
    assert main(config_path, "--write-config", tmp_path / "all.json", "--accept-labels") == 0
    printed = capsys.readouterr().out
    assert label.strip("ab") in load_sample_config(tmp_path / "all.json").char_set
    assert f"\\u{ord(label.strip('ab')):04x}" in printed, "as JSON has it"
    assert printed.splitlines()[-1].endswith("all.json --accept-labels")


def test_import_ends_with_the_next_command(
    config_path: Path, origin: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "from elsewhere"
    for path in fill(source, 40, "abcd", 4):
        draw(path.name[:4], path, seed=int(path.stem[-2:])).rename(path.with_suffix(".JPG"))
    for number in range(5):
        (source / f"IMG_{number}.png").write_bytes(min(source.glob("*.JPG")).read_bytes())
    assert main("--import", source, config_path) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed == [
        f"{source.as_posix()}/: 40 labels from names, 5 skipped",
        "Skipped 5: all such names begin with 'IMG', which is likely no label, such as IMG_0.png, IMG_1.png, IMG_2.png",
        f"{(tmp_path / 'logs' / 'import_skipped.txt').as_posix()} lists all 5",
        f"Copied 40 pictures into {origin.as_posix()}/",
        f"Write a config for them with: python verify_and_split_data.py --config {config_path} --write-config "
        f"{config_path}",
    ]
    assert main(config_path, "--write-config", config_path) == 0
    assert main(config_path) == 0
    assert len(list_entries(tmp_path / "sample" / "train")) == 36
    capsys.readouterr()
    assert main("--import", source, config_path) == 0
    assert capsys.readouterr().out.endswith(f"Copied 0 pictures into {origin.as_posix()}/; 40 were there already\n")
    draw("abcd", source / "abcd.JPG", seed=77)
    assert main("--import", source, config_path) == 0
    assert capsys.readouterr().out.splitlines()[-2:] == [
        f"Copied 1 pictures into {origin.as_posix()}/; 40 were there already",
        f"Move them with: python verify_and_split_data.py --config {config_path}",
    ]


def test_import_of_nothing_is_status_two(config_path: Path, tmp_path: Path) -> None:
    for source in (tmp_path / "none", tmp_path):
        run = run_script("verify_and_split_data.py", "--import", source, config_path)
        assert (run.returncode, run.stdout) == (2, "")
        assert "expected " in run.stderr
    run = run_script("verify_and_split_data.py", "--import", tmp_path, "--dry-run")
    assert "not allowed with argument" in run.stderr


def test_names_without_a_label_and_folders_are_led_to_the_import(
    config_path: Path, origin: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    draw("01", origin / "01 (1).png")
    (origin / "captchas").mkdir()
    main(config_path)
    printed = capsys.readouterr().out
    assert "[01 (1).png] [Bad name: the name has no underscore between label and serial number]" in printed
    assert "[captchas] [Not a file]" in printed
    assert "Names without a label: 2, such as 01 (1).png; put them into a folder of their own, and copy" in printed


def test_pictures_without_a_suffix_write_no_config_and_are_led_to_the_import(
    config_path: Path, origin: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number, path in enumerate(fill(origin, 30, "abcd", 4)):
        draw(path.name[:4], path, seed=number).rename(path.with_suffix(".dat" if number == 0 else ""))
    written = tmp_path / "new.json"
    assert main(config_path, "--write-config", written) == 2
    said = capsys.readouterr()
    assert "30 of them: File extension is incorrect, such as " in said.out
    assert "Pictures without the suffix of a picture: 30, such as " in said.out
    assert said.out.endswith("copy them with --import FOLDER, which gives them one\n")
    assert "expected labelled pictures that a config can take; got none; no config is written\n" in said.err
    assert (said.err.count("\n"), written.exists()) == (1, False)
    for suffix in ("any", "png"):
        assert main(write_config(tmp_path, image_suffix=suffix)) == 0
        printed = capsys.readouterr().out
        assert "Pictures without the suffix of a picture: 30, such as " in printed
        assert '"image_suffix": "any"' not in printed, "it would not take them"
    origin.rename(tmp_path / "downloads")
    assert main(config_path, "--import", tmp_path / "downloads") == 0
    assert main(config_path, "--write-config", written) == 0
    assert load_sample_config(written).char_set == "abcd"


def test_labels_longer_than_any_config_takes_write_no_config(
    config_path: Path, origin: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(origin, 12, "ab", 70)
    for options in ([], ["--accept-labels"]):
        assert main(config_path, "--write-config", tmp_path / "new.json", *options) == 2
        said = capsys.readouterr()
        assert said.out.count("': expected at most 64 characters; got 70]\n") == 12
        assert said.err.endswith("got none; no config is written\n")
        assert not (tmp_path / "new.json").exists()


def test_empty_folders_are_said_with_the_way_out(
    config_path: Path, origin: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new = tmp_path / "sample" / "new_train"
    line = (
        f"No pictures: {origin.as_posix()}/ and {new.as_posix()}/ are missing or empty; put labelled pictures there, "
        f"write where they are as origin_image_dir in {config_path.as_posix()}, or copy them with --import FOLDER"
    )
    for options in (["--dry-run"], [], ["--dry-run"]):
        assert main(config_path, *options) == 0
        assert capsys.readouterr().out.splitlines()[-1] == line
    assert main(config_path, "--write-config", tmp_path / "new.json") == 2
    assert line in capsys.readouterr().out.splitlines()
    draw("01", origin / "nolabel.png")
    main(config_path)
    assert "No pictures" not in capsys.readouterr().out
    (origin / "nolabel.png").unlink()
    fill(tmp_path / "sample" / "train", 2)
    main(config_path)
    assert "No pictures" not in capsys.readouterr().out, "they were moved before"


@pytest.mark.parametrize("options", [[], ["--dry-run"], ["--write-config", "new.json"], ["--doctor"]])
@pytest.mark.parametrize("kind", ["file", "link"])
def test_folder_in_place_of_which_is_something_else_is_named_before_a_picture_is_moved(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str, options: list[str]
) -> None:
    first, second = (tmp_path / name for name in ("first", "second"))
    fill(first, 10)
    if kind == "link":
        second.symlink_to("/mnt/captchas")
    else:
        second.write_text("no folder")
    got = "a link to nothing: /mnt/captchas; is its disk mounted?" if kind == "link" else "a file"
    for folders in ([first, second], [first, second / "in"]):
        path = write_config(tmp_path, origin_image_dir=[*map(str, folders)])
        assert main(path, *options) == 2
        assert capsys.readouterr().err == f"{second}: expected a folder; got {got}\n"
    assert len(list_entries(first)) == 10


def test_short_label_that_one_picture_has_stays_until_it_is_accepted(
    config_path: Path, origin: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(origin, 40)
    draw("1", origin / "1_1.png", seed=900)
    main(config_path)
    expected = "[1_1.png] [Doubtful label '1': a length of 1, as in 1 of 41 labels: likely no captcha, or a slip]"
    assert expected in capsys.readouterr().out
    main(config_path, "--accept-labels")
    assert list_entries(origin) == []


def test_next_step_is_said_only_where_pictures_are_there(
    config_path: Path, origin: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = fill(tmp_path / "downloads", 1)[0]
    draw("x", origin / "zz_9.png").write_bytes(path.read_bytes())
    assert main(config_path, "--import", tmp_path / "downloads") == 2
    printed = capsys.readouterr()
    assert "the same picture is there under another label" in printed.out
    assert "Write a config" not in printed.out
    assert printed.err.endswith("downloads/: expected pictures that can be copied; got none\n")
    (origin / "zz_9.png").rename(origin / path.name)
    assert main(config_path, "--import", tmp_path / "downloads") == 0
    printed = capsys.readouterr()
    assert "; 1 were there already\nWrite a config for them with: " in printed.out
