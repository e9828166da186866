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
