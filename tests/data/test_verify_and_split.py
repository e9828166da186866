import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from cnnlib.config import SampleConfig
from cnnlib.core.errors import SampleError
from cnnlib.core.paths import PROJECT_ROOT
from cnnlib.data import folders, verify_and_split
from cnnlib.data.verify_and_split import SetSizes
from tests.helpers import draw, fill, write_config
from tests.hostile import png_of_no_colour
from tests.labelling.case_blind import ignore_case


def faults(config: SampleConfig) -> dict[str, str | None]:
    return {sample.path.name: sample.fault for sample in verify_and_split.check_folder(config.origin_image_dir, config)}


def test_every_abnormal_file_has_its_reason(config: SampleConfig) -> None:
    origin = config.origin_image_dir
    draw("01", origin / "01_0.png")
    draw("01", origin / "01_1.PNG")
    draw("01", origin / "01_2.jpg")
    draw("01", origin / "01.png")
    draw("01", origin / "_3.png")
    draw("01", origin / "01_4.png", size=(33, 16))
    draw("0x", origin / "0x_5.png")
    draw("011", origin / "011_6.png")
    whole = (origin / "01_0.png").read_bytes()
    (origin / "01_7.png").write_bytes(whole[: len(whole) - 30])
    (origin / "01_8.png").write_bytes(b"")
    (origin / "01_9.png").write_bytes(png_of_no_colour(32, 16))
    Image.new("LA", (32, 16), (255, 0)).save(origin / "01_10.png")
    (origin / ".DStore").write_bytes(b"")
    (origin / "folder_9.png").mkdir()
    reasons = faults(config)
    assert {name for name, fault in reasons.items() if fault is None} == {"01_0.png", "01_1.PNG"}
    assert reasons["01_2.jpg"] == reasons[".DStore"] == "File extension is incorrect"
    assert reasons["01.png"] == "Bad name: the name has no underscore between label and serial number"
    assert reasons["_3.png"] == "Bad name: the name has no label before the underscore"
    assert reasons["01_4.png"] == "Wrong size: expected 32x16 pixels; got 33x16"
    assert reasons["0x_5.png"] == "Label '0x': not in the alphabet: x"
    assert reasons["011_6.png"] == "Label '011': expected at most 2 characters (max_captcha); got 3"
    assert str(reasons["01_7.png"]).startswith("Cannot be opened: can't be decoded: ")
    assert reasons["01_8.png"] == "Cannot be opened: not a PNG, JPEG, GIF, BMP or WebP picture; got 0 bytes"
    assert reasons["01_9.png"] == "Cannot be opened: can't be decoded: palette index out of range"
    assert reasons["01_10.png"] == "Empty picture: all pixels have the same colour, transparent ones count as white"
    assert reasons["folder_9.png"] == "Not a file"


@pytest.mark.parametrize(
    ("count", "test"), [(0, 0), (1, 0), (2, 1), (14, 1), (20, 2), (500, 50), (800, 50), (1000, 50), (10_000, 500)]
)
def test_five_percent_are_test_pictures_and_more_of_few(count: int, test: int) -> None:
    assert len(SetSizes().draw_test([Path(f"01_{n}.png") for n in range(count)], seed=0)) == test


def test_test_set_keeps_its_share_when_few_pictures_come_at_a_time() -> None:
    sets = SetSizes()
    drawn = [sets.draw_test([Path(f"01_{day}-{n}.png") for n in range(day % 4)], 0) for day in range(50)]
    assert (sets.training, sets.test) == (66, 7)
    assert sum(map(len, drawn)) == 7
    later = [Path(f"01_{n}.png") for n in range(40)]
    assert not SetSizes(10, 10).draw_test(later, 0), "there are more than enough"
    assert len(SetSizes(10_000, 0).draw_test(later, 0)) == 4, "not all that come go to the test"


@pytest.mark.parametrize(
    ("looks", "tests"),
    [
        ((500, 500), [25, 25]),
        ((300, 300, 300), [17, 16, 17]),
        ((2000, 10), [100, 1]),
        ((10, 2000), [1, 100]),
        ((2000, 9), [100, 0]),
        ((40, 0, 40), [4, 0, 4]),
        ((1, 1), [0, 1]),
    ],
)
def test_each_look_gives_its_share_in_proportion(looks: tuple[int, ...], tests: list[int]) -> None:
    sets, drawn = SetSizes(), []
    for place, count in enumerate(looks):
        later = sum(looks[place + 1 :])
        share = sets.test_share(count, later)
        drawn.append(len(sets.draw_test([Path(f"01_{place}-{n}.png") for n in range(count)], 0, later)))
        assert not count or share == drawn[-1] / count, "what is printed of the share is so"
    assert drawn == tests
    assert (sets.training, sets.test) == (sum(looks) - sum(tests), sum(tests))


@pytest.mark.parametrize(("count", "test"), [(500, 25), (100, 8), (12, 1), (10, 1), (9, 0)])
def test_look_that_comes_later_gives_its_share_although_the_test_set_has_enough(count: int, test: int) -> None:
    paths = [Path(f"01_{n}.png") for n in range(count)]
    assert len(SetSizes(450, 50).draw_test(paths, 0, 0)) == test
    assert not SetSizes(450, 50).draw_test(paths, 0), "more pictures of one look give none"
    assert not SetSizes(450, 50, drawing=False).draw_test(paths, 0, 0)


def test_split_depends_on_the_seed_and_not_on_the_order() -> None:
    paths = [Path(f"01_{n}.png") for n in range(100)]
    shuffled = random.Random(1).sample(paths, 100)
    assert SetSizes().draw_test(paths, 7) == SetSizes().draw_test(shuffled, 7)
    assert SetSizes().draw_test(paths, 7) != SetSizes().draw_test(paths, 8)


def test_existing_name_is_refused_and_both_files_stay(tmp_path: Path) -> None:
    source, target = tmp_path / "a" / "01_1.png", tmp_path / "b"
    source.parent.mkdir()
    target.mkdir()
    source.write_bytes(b"new")
    (target / "01_1.png").write_bytes(b"old")
    with pytest.raises(SampleError, match="already exists"):
        verify_and_split.move(source, target)
    assert (source.read_bytes(), (target / "01_1.png").read_bytes()) == (b"new", b"old")


@pytest.mark.parametrize("kind", ["hard link", "link", "broken link"])
def test_link_of_the_name_is_refused_and_stays(tmp_path: Path, kind: str) -> None:
    picture, target = draw("01", tmp_path / "a" / "01_1.png"), tmp_path / "b"
    target.mkdir()
    link = target / "01_1.png"
    if kind == "hard link":
        link.hardlink_to(picture)
    else:
        link.symlink_to(picture if kind == "link" else tmp_path / "none")
    with pytest.raises(SampleError, match=r"b/01_1\.png: already exists; .*a/01_1\.png stays where it is"):
        verify_and_split.move(picture, target)
    assert picture.exists()
    assert link.is_symlink() == (kind != "hard link")


def test_link_to_the_file_of_that_name_is_refused(tmp_path: Path) -> None:
    picture = draw("01", tmp_path / "b" / "01_1.png")
    link = tmp_path / "01_1.png"
    link.symlink_to(picture)
    with pytest.raises(SampleError, match="already exists"):
        verify_and_split.move(link, picture.parent)
    assert picture.is_file()
    assert not picture.is_symlink()


def test_name_in_other_case_alone_is_given_where_the_system_ignores_case(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = draw("ab", tmp_path / "a" / "ab_1.png")
    other = draw("ab", tmp_path / "b" / "Ab_1.png", seed=1)
    content = other.read_bytes()
    ignore_case(monkeypatch)
    verify_and_split.move(picture, picture.parent, "AB_1.png")
    assert [path.name for path in picture.parent.iterdir()] == ["AB_1.png"]
    with pytest.raises(SampleError, match="already exists"):
        verify_and_split.move(picture, other.parent)
    assert [(path.name, path.read_bytes()) for path in other.parent.iterdir()] == [("Ab_1.png", content)]


def test_same_picture_is_a_duplicate_under_its_label_and_abnormal_under_another(config: SampleConfig) -> None:
    origin, train, test = config.origin_image_dir, config.train_image_dir, config.test_image_dir
    original = draw("01", test / "01_1.png", seed=1)
    for name in ("01_1.png", "01_7.png", "00_8.png"):
        shutil.copy(original, draw("01", origin / name))
    draw("01", train / "01_2.png", seed=2)
    draw("01", origin / "01_2.png", seed=3)
    draw("01", origin / "01_3.png", seed=4)
    draw("01", origin / "01_4.png", seed=4)
    draw("01", origin / "01_5.png", seed=5)
    (train / "01_5.png").symlink_to(origin / "01_5.png")
    draw("01", origin / "01_6.png", seed=6)
    (train / "01_6.png").hardlink_to(origin / "01_6.png")
    (origin / "01_8.png").hardlink_to(train / "01_2.png")
    shutil.copy(draw("01", origin / "01_9.png", seed=9), train / "01_9.png.off")  # taken out of training
    shutil.copy(origin / "01_3.png", origin / "10_3.png")
    samples = verify_and_split.check_folder(origin, config)
    others, duplicates = verify_and_split.separate_duplicates(samples, (train, test), "png")
    assert [twin.name for twin in duplicates] == ["01_1.png", "01_4.png", "01_6.png", "01_7.png", "01_8.png"]
    reasons = {sample.path.name: str(sample.fault).partition(":")[0] for sample in others}
    assert reasons == {
        "00_8.png": "Same picture, another label",
        "01_2.png": "Name taken",
        "01_3.png": "None",
        "01_5.png": "Name taken",
        "01_9.png": "None",
        "10_3.png": "Same picture, another label",
    }


def link_to(path: Path, picture: Path, kind: str) -> None:
    """Make a link to a picture: absolute, relative, over another link, or through a link to its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    target = picture if kind == "absolute" else Path(os.path.relpath(picture, path.parent))
    if kind == "chained":
        path.with_suffix(".link").symlink_to(target)
        target = Path(path.with_suffix(".link").name)
    if kind == "folder":
        place = path.parent.with_name("place")
        place.exists() or place.symlink_to(picture.parent, target_is_directory=True)
        target = place / picture.name
    path.symlink_to(target)


LINKS = ["absolute", "relative", "chained", "folder"]


@pytest.mark.skipif(os.name != "posix", reason="links need rights on Windows")
@pytest.mark.parametrize("kind", LINKS)
@pytest.mark.parametrize("hard", [False, True], ids=["one name", "two names"])
def test_copies_of_linked_pictures_are_duplicates(config: SampleConfig, tmp_path: Path, kind: str, hard: bool) -> None:
    origin, sets = config.origin_image_dir, (config.train_image_dir, config.test_image_dir)
    for number, folder in enumerate(sets):
        stored = draw("01", tmp_path / "store" / f"object{number}.png", seed=number)
        link_to(folder / f"01_{number}.png", stored, kind)
        origin.mkdir(parents=True, exist_ok=True)
        for name in (f"01_{number}.png", f"01_9{number}.png", f"10_{number}.png"):
            shutil.copy(stored, origin / name)
        if hard:
            (origin / f"01_8{number}.png").hardlink_to(stored)
    samples = verify_and_split.check_folder(origin, config)
    others, duplicates = verify_and_split.separate_duplicates(samples, sets, "png")
    hard_links = ["01_80.png", "01_81.png"] if hard else []
    assert [twin.name for twin in duplicates] == ["01_0.png", "01_1.png", *hard_links, "01_90.png", "01_91.png"]
    assert [(each.name, str(each.fault).partition(":")[0]) for each in others] == [
        (f"10_{number}.png", "Same picture, another label") for number in range(2)
    ]


@pytest.mark.skipif(os.name != "posix", reason="links need rights on Windows")
@pytest.mark.parametrize("kind", LINKS)
@pytest.mark.parametrize("hard", [False, True], ids=["one name", "two names"])
def test_link_of_a_set_to_a_sample_is_no_reason_to_delete_it(
    config: SampleConfig, tmp_path: Path, kind: str, hard: bool
) -> None:
    origin, train, test = config.origin_image_dir, config.train_image_dir, config.test_image_dir
    link_to(train / "01_5.png", draw("01", origin / "01_1.png", seed=1), kind)
    twins = [draw("01", origin / name, seed=2) for name in ("01_2.png", "01_3.png")]
    for number, twin in enumerate(twins):  # each alone would be the reason to delete the other
        link_to((train, test)[number] / f"01_{6 + number}.png", twin, kind)
    if hard:
        for path in [*origin.iterdir()]:
            (tmp_path / "elsewhere").mkdir(exist_ok=True)
            (tmp_path / "elsewhere" / path.name).hardlink_to(path)
    (train / "01_8.png").symlink_to("nothing.png")
    (train / "01_9.png").symlink_to("01_9.png")
    samples = verify_and_split.check_folder(origin, config)
    others, duplicates = verify_and_split.separate_duplicates(samples, (train, test), "png")
    assert [twin.name for twin in duplicates] == ["01_3.png"], "the second of two equal ones alone"
    assert {each.name: each.fault for each in others} == {"01_1.png": None, "01_2.png": None}


@pytest.mark.parametrize("renaming", [False, True])
def test_name_that_an_earlier_picture_will_have_is_taken(config: SampleConfig, renaming: bool) -> None:
    first, second, sets = config.origin_image_dir, config.new_image_dir, (config.train_image_dir, config.test_image_dir)
    for number, folder in enumerate((first, second)):
        draw("01", folder / "01_1.png", seed=number)
        draw("01", folder / f"01_{number + 2}.png", seed=number + 2)
    earlier, later = verify_and_split.check_folder(first, config), verify_and_split.check_folder(second, config)
    samples, _ = verify_and_split.separate_duplicates(later, sets, "png", earlier, renaming=renaming)
    fault = f"Name taken: a picture of {first.as_posix()}/ has this name, and comes first"
    assert {sample.name: sample.fault for sample in samples} == {
        "01_1.png": None if renaming else fault,
        "01_3.png": None,
    }


def test_links_and_huge_files_are_abnormal(config: SampleConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    picture = draw("01", config.origin_image_dir / "01_1.png")
    picture.with_name("01_2.png").symlink_to("01_1.png")
    assert faults(config)["01_2.png"] == "A link, not a file"
    monkeypatch.setattr("cnnlib.codec.images.FILE_LIMIT_BYTES", 10)
    assert str(faults(config)["01_1.png"]).startswith("Cannot be opened: expected a file of at most 10 bytes; got ")


def other_device(tmp_path: Path) -> Path:
    """A folder on another device than `tmp_path`."""
    shared = Path("/dev/shm")
    if not shared.is_dir() or shared.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("this machine has no second file system that a test may write to")
    return Path(tempfile.mkdtemp(dir=shared))


def test_move_across_devices_leaves_one_whole_file(tmp_path: Path) -> None:
    target = other_device(tmp_path)
    try:
        picture = draw("01", tmp_path / "01_1.png")
        content = picture.read_bytes()
        verify_and_split.move(picture, target)
        assert [(path.name, path.read_bytes()) for path in target.iterdir()] == [("01_1.png", content)]
        assert not picture.exists()
    finally:
        shutil.rmtree(target)


@pytest.mark.skipif(os.name != "posix", reason="Windows has other rights")
def test_picture_on_its_way_to_another_device_is_read_by_those_who_could_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture, modes, sync = draw("01", tmp_path / "01_1.png"), [], os.fsync
    picture.chmod(0o600)

    def noted(descriptor: int) -> None:
        modes.append(oct(os.fstat(descriptor).st_mode & 0o7777))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    verify_and_split._move_across_devices(picture, tmp_path / "01_2.png")
    assert modes[0] == oct((tmp_path / "01_2.png").stat().st_mode & 0o7777) == "0o600"


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="SIGKILL is POSIX's")
@pytest.mark.parametrize("across", [False, True], ids=["one device", "two devices"])
def test_kill_at_random_moments_neither_loses_nor_doubles_a_picture(tmp_path: Path, across: bool) -> None:
    elsewhere = other_device(tmp_path) if across else tmp_path
    target = {"train_image_dir": str(elsewhere / "train"), "test_image_dir": str(elsewhere / "test")}
    config_path = write_config(tmp_path, **target)
    origin = tmp_path / "sample" / "origin"
    fill(origin, 400)
    before = contents(origin)
    chance, killed = random.Random(5), 0
    mover = f"import sys; sys.path.insert(0, {str(PROJECT_ROOT)!r}); import tests.data.killed_mover as m; m.main()"
    try:
        for _ in range(10 if across else 20):
            process = subprocess.Popen([sys.executable, "-c", mover, str(config_path)], stdout=subprocess.PIPE)
            assert process.stdout
            assert b"moving\n" in iter(process.stdout.readline, b"")  # it starts now
            time.sleep(chance.uniform(0, 0.03))
            process.send_signal(signal.SIGKILL)
            killed += process.wait() == -signal.SIGKILL and 0 < len(contents(origin)) < 400
            places = [origin, elsewhere / "train", elsewhere / "test"]
            pictures = sum((contents(place) for place in places), Counter())
            if not across:  # a rename is in one place or the other; a copy may be in both until the next run
                assert pictures == before
            assert set(pictures) == set(before)
        subprocess.run(
            [sys.executable, str(PROJECT_ROOT / "verify_and_split_data.py"), "--config", str(config_path)], check=True
        )
        assert contents(elsewhere / "train") + contents(elsewhere / "test") == before
        assert contents(origin) == Counter()
        assert killed, "the moves ended before they could be killed"
    finally:
        if across:
            shutil.rmtree(elsewhere)


def contents(folder: Path) -> Counter[tuple[str, bytes]]:
    """Names and bytes of the pictures in a folder, without those that are being copied."""
    return Counter((path.name, path.read_bytes()) for path in folders.list_entries(folder))
