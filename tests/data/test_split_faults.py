"""A split goes on when names are long, pictures vanish or it is killed, and leaves what it should."""

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import verify_and_split_data
from cnnlib.config import SampleConfig
from cnnlib.core import files
from cnnlib.core.paths import PROJECT_ROOT
from cnnlib.data import config_proposal, samples, verify_and_split
from cnnlib.data.verify_and_split import SetSizes, count_for_test, separate_duplicates, set_sizes
from tests.helpers import draw, fill, write_config


class KilledError(BaseException):
    """Stands for SIGKILL: nothing catches it."""


def moved_names(config: SampleConfig) -> set[str]:
    folders = (config.train_image_dir, config.test_image_dir)
    return {path.name for folder in folders for path in folder.glob("*.png")}


def across_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every move copy, as to another device."""

    def move(path: Path, folder: Path) -> None:
        verify_and_split._move_across_devices(path, folder / path.name)

    monkeypatch.setattr(verify_and_split, "move", move)


@pytest.mark.parametrize("label", ["0" * 2, "é" * 2], ids=["ASCII", "two bytes a character"])
@pytest.mark.parametrize("length", [200, 250, 251, 255])
def test_longest_names_are_moved_across_devices(
    configure: Callable[..., SampleConfig], monkeypatch: pytest.MonkeyPatch, label: str, length: int
) -> None:
    config = configure(char_set="0é")
    name = f"{label}_{'1' * (length - len(label.encode()) - 5)}.png"
    assert len(name.encode()) == length
    draw("00", config.origin_image_dir / "a.png").rename(config.origin_image_dir / name)
    draw("01", config.origin_image_dir / "00_1.png", seed=1)
    across_devices(monkeypatch)
    verify_and_split_data.split(config, [], set_sizes(config), moving=True, accept_labels=False)
    assert moved_names(config) == {name, "00_1.png"}
    assert not any(files.is_temporary(path) for path in config.train_image_dir.iterdir())


@pytest.mark.parametrize("step", ["checked", "compared", "moved"])
def test_vanished_picture_is_named_and_the_others_are_moved(
    config: SampleConfig, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], step: str
) -> None:
    paths = fill(config.origin_image_dir, 40)
    lost = paths[7]
    module, name = {
        "checked": (samples, "read_picture"),
        "compared": (verify_and_split_data.splitting, "separate_duplicates"),
        "moved": (verify_and_split, "spread"),
    }[step]
    original = getattr(module, name)

    def vanish(*arguments: object) -> object:
        lost.unlink(missing_ok=True)
        return original(*arguments)

    monkeypatch.setattr(module, name, vanish)
    verify_and_split_data.split(config, [], set_sizes(config), moving=True, accept_labels=False)
    assert moved_names(config) == {path.name for path in paths} - {lost.name}
    printed = capsys.readouterr().out
    assert lost.name in printed
    assert "The number of test sets is: 4" in printed
    assert "The number of training sets is: 35" in printed


def test_duplicate_that_vanishes_from_the_sets_is_no_duplicate(config: SampleConfig) -> None:
    picture = draw("01", config.origin_image_dir / "01_1.png")
    twin = config.train_image_dir / "01_2.png"
    twin.parent.mkdir(parents=True)
    shutil.copy(picture, twin)
    found = verify_and_split.check_folder(config.origin_image_dir, config)
    names = verify_and_split.list_names
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(verify_and_split, "list_names", lambda folder: [*names(folder), "gone.png"])
        others, duplicates = separate_duplicates(found, (config.train_image_dir,), "png")
    assert (others, [twin.path for twin in duplicates]) == ([], [picture])


@pytest.mark.parametrize("count", [400, 397, 1000])
@pytest.mark.parametrize("seed", range(3))
def test_twenty_kills_leave_five_percent_test_pictures(
    config: SampleConfig, monkeypatch: pytest.MonkeyPatch, count: int, seed: int
) -> None:
    chance, share = random.Random(seed), count_for_test(count) / count
    left = {Path(f"01_{number}.png") for number in range(count)}
    sizes = SetSizes()
    moves: list[Path] = []
    most = 0

    def move(path: Path, folder: Path) -> None:
        if len(moves) == most:
            raise KilledError
        moves.append(path)
        left.remove(path)
        sizes.training += folder == Path("train")
        sizes.test += folder == Path("test")

    monkeypatch.setattr(verify_and_split, "move", move)
    for _ in range(20):
        moves, most = [], chance.randrange(count // 15)
        test = replace(sizes).draw_test(sorted(left), config.split_seed)
        with pytest.raises(KilledError):
            verify_and_split.move_all(sorted(left), test, (Path("train"), Path("test")), replace(sizes))
        total = sizes.training + sizes.test
        assert abs(sizes.test - share * total) <= 1.5, "what is moved has its share at any time"
    moves, most = [], count
    test = replace(sizes).draw_test(sorted(left), config.split_seed)
    verify_and_split.move_all(sorted(left), test, (Path("train"), Path("test")), replace(sizes))
    assert (sizes.training + sizes.test, sizes.test) == (count, count_for_test(count))


def test_backup_is_whole_or_not_there_when_it_is_killed(
    config: SampleConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "sample_config.json"
    before = path.read_bytes()
    proposed = {"char_set": "01ab"}

    def killed(*_: object) -> None:
        raise KilledError

    writers: list[tuple[object, str]] = [(files.os, "fsync"), (Path, "replace"), (config_proposal.shutil, "copystat")]
    for module, name in writers:
        with monkeypatch.context() as patched:
            patched.setattr(module, name, killed)
            with pytest.raises(KilledError):
                config_proposal.write(path, path, proposed)
        assert path.read_bytes() == before
        assert all(backup.read_bytes() == before for backup in tmp_path.glob("*.bak*"))
    older = config_proposal.write(path, path, proposed)
    assert older == tmp_path / "sample_config.json.bak"
    assert older.read_bytes() == before
    assert list(tmp_path.glob("*.bak*")) == [older]
    assert config.name


def test_backup_is_not_written_in_place(tmp_path: Path) -> None:
    """A kill right after the backup is opened leaves no empty one; the process is killed by itself there."""
    path = write_config(tmp_path)
    code = (
        f"import os, signal, sys; sys.path.insert(0, {str(PROJECT_ROOT)!r}); from pathlib import Path\n"
        "from cnnlib.data import config_proposal; path = Path(sys.argv[1]); opened = Path.open\n"
        "import builtins, io; real = io.open\n"
        "def end(self, mode='r', *a, **k):\n"
        "    file = real(self, mode, *a, **k)\n"
        "    if 'w' in mode: os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return file\n"
        "Path.open = end; builtins.open = end\n"
        "config_proposal.write(path, path, {'char_set': '01ab'})"
    )
    run = subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    assert run.returncode == -9
    assert not list(tmp_path.glob("sample*.bak*"))


@pytest.mark.skipif(os.name != "posix", reason="Windows has other rights")
def test_config_and_its_backup_are_read_by_those_who_could_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_config(tmp_path)
    path.chmod(0o600)
    modes, sync = [], os.fsync

    def noted(descriptor: int) -> None:
        modes.append(oct(os.fstat(descriptor).st_mode & 0o7777))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    backup = config_proposal.write(path, path, {"char_set": "01ab"})
    assert modes[::2] == ["0o600", "0o600"], "the folder is waited for after each"
    assert backup
    assert [oct(each.stat().st_mode & 0o7777) for each in (path, backup)] == ["0o600", "0o600"]


def test_config_that_is_a_link_stays_one(tmp_path: Path) -> None:
    real, path = tmp_path / "dotfiles" / "captcha.json", tmp_path / "sample_config.json"
    real.parent.mkdir()
    write_config(tmp_path).rename(real)
    path.symlink_to(real)
    before = real.read_bytes()
    backup = config_proposal.write(path, path, {"char_set": "01ab"})
    assert (path.is_symlink(), json.loads(real.read_text())["char_set"]) == (True, "01ab")
    assert backup == tmp_path / "sample_config.json.bak"
    assert backup.read_bytes() == before


def test_test_pictures_are_spread_evenly(configure: Callable[..., SampleConfig]) -> None:
    assert configure().split_seed == 0
    paths = [Path(f"{number:03d}") for number in range(103)]
    test = set(random.Random(1).sample(paths, 5))
    order = list(verify_and_split.spread(paths, test, SetSizes()))
    assert sorted(order) == paths
    places = [place for place, path in enumerate(order) if path in test]
    assert places == [0, 20, 41, 61, 82]
    assert list(verify_and_split.spread(paths, set(), SetSizes())) == paths
    assert list(verify_and_split.spread(paths[:2], set(paths[:2]), SetSizes())) == paths[:2]
    later = list(verify_and_split.spread(paths, test, SetSizes(20, 2)))
    assert next(place for place, path in enumerate(later) if path in test) == 13


def test_duplicate_that_changed_after_it_was_checked_stays(config: SampleConfig) -> None:
    first = draw("01", config.origin_image_dir / "01_1.png")
    second = Path(shutil.copy(first, first.with_name("01_2.png")))
    found = verify_and_split.check_folder(config.origin_image_dir, config)
    draw("01", second, seed=1)
    others, duplicates = separate_duplicates(found, (config.train_image_dir,), "png")
    assert ([sample.path for sample in others], duplicates) == ([first, second], [])
