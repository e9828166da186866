import json
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

import label_pictures
from cnnlib.codec.filenames import label_of
from cnnlib.config import SAMPLE_CONFIG, SampleConfig, load_sample_config
from cnnlib.core import paths
from cnnlib.core.errors import SampleError
from cnnlib.core.paths import GENERAL_MODEL
from cnnlib.data.folders import list_entries
from cnnlib.data.sources import list_source
from cnnlib.inference.model_card import load_card
from cnnlib.labelling import rounds
from cnnlib.labelling.filing import Copies
from cnnlib.labelling.journal import Entry, Journal
from cnnlib.labelling.model_in_use import GENERAL, ModelInUse
from cnnlib.labelling.round_state import ENDED, RoundFolder, Rounds, RoundState, ending
from cnnlib.labelling.rounds import fit_config, hold_back, open_config, swap_in
from cnnlib.labelling.session import Label, Labelling
from cnnlib.web.label_app import create_label_app
from tests.helpers import draw, eventually, fill, run_script, write_config

SAID = """\
Network columns: 973,415 parameters, 11 classes
cycle_stop 400 steps of 128 pictures: each is seen 161.0 times, two views at once
10th training >>>
[Training set] The character accuracy rate is 0.10000 The picture accuracy rate is 0.01562 >>> loss 9.6720520035
[Verification set] The character accuracy rate is 0.79644 The picture accuracy rate is 0.25000 >>> loss 2.7672019001
20th training >>>
[Training set] The character accuracy rate is 0.85007 The picture accuracy rate is 0.52344 >>> loss 2.6720520035
[Verification set] The character accuracy rate is 0.79644 The picture accuracy rate is 0.60000 >>> loss 2.7672019001
\r 10%|#  | 2560/51200 [00:10<01:00]\r 11%|#  | 2688/51200
"""


def test_missing_config_has_folders_of_its_own_and_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "my pictures.json"
    config = open_config(path)
    shipped = load_sample_config(SAMPLE_CONFIG)
    assert config.origin_dirs[0] == shipped.origin_dirs[0].parent / path.stem / "origin"
    assert config.model_save_dir == shipped.model_save_dir / path.stem
    folders = [value for key, value in config.model_dump().items() if key.endswith("_image_dir") and value]
    assert all(path.stem in str(folder) for folder in folders)
    assert not path.exists()
    assert open_config(tmp_path / "cage_config.json").model_save_dir == shipped.model_save_dir / "cage"


FOLDERS = {"origin", "new_train", "train", "test", "api", "online", "local"}
OTHER_FOLDERS: dict[str, dict[str, Any]] = {
    "absolute": {
        f"{name}_dir": f"/data/{name}/" for name in ("origin_image", "train_image", "api_image", "model_save")
    },
    "with a dot": {"origin_image_dir": "./sample/origin/", "model_save_dir": "./model"},
    "elsewhere": {"origin_image_dir": "pictures/", "test_image_dir": "~/test", "model_save_dir": "models/one/"},
    "lists": {"origin_image_dir": ["sample/a/", "sample/b/"], "unlabelled_image_dir": ["sample/c/", "/data/c"]},
    "one without labels": {"unlabelled_image_dir": "sample/c/"},
}


@pytest.fixture
def suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., SampleConfig]:
    """Writes a project's sample_config.json, the shipped one with keys changed; returns the config."""
    path, keys = tmp_path / "conf/sample_config.json", json.loads(SAMPLE_CONFIG.read_text(encoding="utf-8"))
    path.parent.mkdir()
    monkeypatch.setattr(paths, "PROJECT_ROOT", tmp_path)
    monkeypatch.setattr(rounds, "SAMPLE_CONFIG", path)

    def write(**changes: Any) -> SampleConfig:
        path.write_text(json.dumps(keys | changes), encoding="utf-8")
        return load_sample_config(path)

    return write


def own_folders(config: SampleConfig) -> set[Path]:
    """Where the pictures and the model of a config are."""
    listed = (*config.dirs_to_split, config.train_image_dir, config.test_image_dir, config.api_image_dir)
    listed = (*listed, config.online_image_dir, config.local_image_dir, config.model_save_dir, *config.unlabelled_dirs)
    return {Path(os.path.realpath(folder)) for folder in listed}


@pytest.mark.parametrize("kind", OTHER_FOLDERS)
def test_missing_config_shares_no_folder_with_another_captcha(
    suite: Callable[..., SampleConfig], tmp_path: Path, kind: str
) -> None:
    of_another = suite(**OTHER_FOLDERS[kind])
    config = open_config(tmp_path / "conf/site.v2_config.json")
    sample = tmp_path / "sample/site.v2"
    assert own_folders(config) == {*(sample / name for name in FOLDERS), tmp_path / "model/site.v2"}
    assert not own_folders(config) & own_folders(of_another)
    assert (config.cache_dir, config.log_dir) == (of_another.cache_dir, of_another.log_dir)


@pytest.mark.parametrize("key", ["origin_image_dir", "local_image_dir", "model_save_dir"])
def test_folders_of_a_missing_config_are_numbered_where_another_captcha_has_them(
    suite: Callable[..., SampleConfig], tmp_path: Path, key: str
) -> None:
    suite()
    taken = open_config(tmp_path / "conf/site_config.json").model_dump(mode="json")[key]
    suite(**{key: [taken] if key == "origin_image_dir" else taken})
    config = open_config(tmp_path / "conf/site_config.json")
    assert own_folders(config) == {*(tmp_path / "sample/site_2" / name for name in FOLDERS), tmp_path / "model/site_2"}


@pytest.mark.parametrize(
    ("name", "folder"),
    [("site.v2", "site.v2"), ("site.v2.json", "site.v2"), ("_config.json", "_config"), ("._config.json", "._config")],
)
def test_folders_have_the_whole_name_of_the_config(
    suite: Callable[..., SampleConfig], tmp_path: Path, name: str, folder: str
) -> None:
    assert suite().origin_dirs == (tmp_path / "sample/origin",)
    assert open_config(tmp_path / name).origin_dirs == (tmp_path / "sample" / folder / "origin",)


def test_written_config_takes_no_pictures_without_labels_of_another_captcha(
    suite: Callable[..., SampleConfig], tmp_path: Path
) -> None:
    suite(**OTHER_FOLDERS["lists"])
    fill(tmp_path / "sample/site/origin", 3)
    path = tmp_path / "conf/site_config.json"
    config = fit_config(path)
    assert own_folders(config) == {*(tmp_path / "sample/site" / name for name in FOLDERS), tmp_path / "model/site"}
    assert "unlabelled_image_dir" not in json.loads(path.read_text(encoding="utf-8"))


def test_alphabet_of_a_labels_file_stays_in_use_when_only_longer_labels_come(tmp_path: Path) -> None:
    path = write_config(tmp_path, use_labels_json_file=True)
    (tmp_path / "labels.json").write_text('["天", "地", "玄"]', encoding="utf-8")
    fill(tmp_path / "sample/origin", 3, "天地玄", 3)
    config = fit_config(path)
    assert (config.max_captcha, config.use_labels_json_file, str(config.alphabet)) == (3, True, "天地玄")
    draw("天宇", tmp_path / "sample/origin/天宇_1.png")
    config = fit_config(path)
    assert (config.use_labels_json_file, {*"天宇"} <= {*config.char_set}) == (False, True)


def test_config_that_is_there_keeps_size_and_network(tmp_path: Path) -> None:
    path = write_config(tmp_path, image_width=350, image_height=40, max_captcha=2)
    before = path.read_bytes()
    for number in range(3):
        draw("01", tmp_path / f"sample/origin/01_{number}.png", size=(350, 40), seed=number)
    assert fit_config(path).image_width == 350
    assert path.read_bytes() == before


def test_config_is_written_for_the_labelled_pictures_and_widened_for_later_ones(tmp_path: Path) -> None:
    path = write_config(tmp_path)
    keys = json.loads(path.read_text(encoding="utf-8"))
    path.unlink()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rounds, "default_keys", lambda _: keys)
        with pytest.raises(SampleError, match="origin/: expected labelled pictures; got none"):
            fit_config(path)
        assert not path.exists()
        for number, label in enumerate(("ab", "bcd", "ab")):
            draw(label, tmp_path / f"sample/origin/{label}_{number}.png", size=(60, 24), seed=number)
        config = fit_config(path)
    assert (config.image_width, config.image_height, config.max_captcha) == (60, 24, 3)
    assert str(config.alphabet) == "abcd"
    assert config.cycle_stop == "auto"
    before = path.read_bytes()
    assert fit_config(path) == config
    assert path.read_bytes() == before, "it fits already"
    draw("xyzab", tmp_path / "sample/origin/xyzab_1.png", size=(60, 24))
    assert fit_config(path).max_captcha == 5
    assert path.with_name(f"{path.name}.bak").read_bytes() == before


def said(config: SampleConfig, count: int, *, at_random: bool, seed: int) -> list[Entry]:
    drawn = fill(config.origin_dirs[0], count, seed=seed)
    return [
        Entry("label", f"{seed} {path.name}", label_of(path.name), path.name, at_random=at_random) for path in drawn
    ]


def test_pictures_that_came_at_random_are_for_the_test_until_it_has_its_share(
    config: SampleConfig, tmp_path: Path
) -> None:
    journal = Journal(tmp_path / "labels.jsonl")
    chosen, surest = said(config, 30, at_random=True, seed=1), said(config, 170, at_random=False, seed=2)
    for entry in (*chosen, *surest):
        journal.append(entry)
    count = rounds.count_for_test(200)
    assert hold_back(config, journal) == count
    held = {path.name for path in list_entries(config.test_image_dir)}
    assert held < {entry.copy for entry in chosen}
    assert hold_back(config, journal) == 0, "it has its share"
    assert len(list_entries(config.origin_dirs[0])) + len(held) == 200


def test_of_few_pictures_at_random_all_are_for_the_test(config: SampleConfig, tmp_path: Path) -> None:
    journal = Journal(tmp_path / "labels.jsonl")
    for entry in (*said(config, 2, at_random=True, seed=1), *said(config, 198, at_random=False, seed=2)):
        journal.append(entry)
    assert hold_back(config, journal) == 2


def test_new_model_is_taken_by_what_reads_and_replaces_the_older_one(finished: SampleConfig, tmp_path: Path) -> None:
    target = tmp_path / "in_use"
    (finished.model_save_dir / "report").mkdir(exist_ok=True)
    (finished.model_save_dir / "report" / "suspects.csv").write_text("none", encoding="utf-8")
    reader = ModelInUse(target)
    assert reader.version == GENERAL
    swap_in(finished.model_save_dir, target)
    reader.refresh()
    assert reader.version.startswith("20 ")
    assert reader.characters == "01"
    assert load_card(target) == load_card(finished.model_save_dir)
    assert (target / "report" / "suspects.csv").exists()
    swap_in(finished.model_save_dir, target)
    assert load_card(target) == load_card(finished.model_save_dir)
    (target / "model_card.json").write_text("{", encoding="utf-8")
    reader.refresh()
    assert reader.characters == "01", "a broken model is passed over"


@pytest.mark.parametrize("given", [None, "unlabelled", ["one", "two"]])
def test_round_trains_with_the_same_config_in_a_folder_of_its_own(
    tmp_path: Path, folder: RoundFolder, given: str | list[str] | None
) -> None:
    path = write_config(tmp_path, **({"unlabelled_image_dir": given} if given else {}))
    config, pictures = load_sample_config(path), tmp_path / "pictures"
    pictures.mkdir()
    folder.path.mkdir()
    own = load_sample_config(rounds._own_config(path, config, folder, pictures))
    assert own.unlabelled_dirs == (config.unlabelled_dirs or (pictures,)), "a choice of the user's stays"
    changed = {"model_save_dir": folder.model, "unlabelled_image_dir": own.unlabelled_image_dir}
    assert own.model_dump() == config.model_dump() | changed


def test_pictures_of_a_zip_file_teach_too(tmp_path: Path, folder: RoundFolder) -> None:
    drawn = fill(tmp_path / "pictures", 3)
    with ZipFile(tmp_path / "pictures.zip", "w") as archive:
        for path in drawn:
            archive.write(path, f"some/{path.name}")
        archive.writestr("readme.txt", "about these pictures")
    path = write_config(tmp_path)
    for _ in range(2):  # the second round finds what the first one left
        folder.path.mkdir(exist_ok=True)
        own = rounds._own_config(path, load_sample_config(path), folder, tmp_path / "pictures.zip")
        (unpacked,) = load_sample_config(own).unlabelled_dirs
        contents = sorted(path.read_bytes() for path in unpacked.iterdir())
        assert contents == sorted(path.read_bytes() for path in drawn)
        assert not any(label_of(path.name) for path in unpacked.iterdir() if "_" in path.name)


@pytest.fixture
def folder(tmp_path: Path) -> RoundFolder:
    return RoundFolder(tmp_path / "round")


def stated(started: Rounds) -> RoundState:
    state = started.state()
    assert state
    return state


def test_state_is_read_from_what_the_training_says(folder: RoundFolder) -> None:
    started = Rounds([sys.executable, "-c", "print('ended')"], folder)
    assert started.state() is None
    folder.path.mkdir()
    folder.log.write_bytes(SAID.encode())
    state = started.state()
    assert state
    assert (state.running, state.step, state.steps, state.curve) == (False, 20, 400, (0.25, 0.6))
    assert state.said == " 11%|#  | 2688/51200"
    with folder.held():
        state = started.state()
        assert state
        assert state.running
        with pytest.raises(SampleError, match="under way"):
            started.start()


def test_started_round_is_a_process_of_its_own(folder: RoundFolder) -> None:
    script = "import os, sys; print(os.getsid(0) == os.getpid()); print('failed', file=sys.stderr)"
    started = Rounds([sys.executable, "-c", script], folder)
    started.start()
    assert eventually(lambda: folder.log.read_text(encoding="utf-8") == "True\nfailed\n")
    assert eventually(lambda: not stated(started).running)
    assert stated(started).said == "failed"


def test_round_that_failed_says_its_last_lines_and_where_the_log_is(folder: RoundFolder) -> None:
    folder.path.mkdir()
    folder.log.write_text("one\ntwo\nconf/a.json: too small\ntrain_model.py ended with status 2\n", encoding="utf-8")
    started = Rounds([], folder)
    *lines, place = stated(started).fault.splitlines()
    assert lines == ["two", "conf/a.json: too small", "train_model.py ended with status 2"]
    assert place.endswith("round/round.log")
    folder.log.write_text(f"{ENDED} 92.0% of 25 test pictures", encoding="utf-8")
    assert stated(started).fault == ""


def test_too_few_labelled_pictures_are_refused(folder: RoundFolder) -> None:
    started = Rounds([sys.executable, "-c", ""], folder, lambda: 9)
    with pytest.raises(SampleError, match="expected 10 or more labelled pictures to train on; got 9; label some more"):
        started.start()
    assert not folder.log.exists()


@pytest.mark.parametrize("suffix", ["jpg", "gif", "bmp", "webp"])
def test_round_is_started_on_pictures_of_any_format(
    suite: Callable[..., SampleConfig], tmp_path: Path, folder: RoundFolder, suffix: str
) -> None:
    suite()
    path, pictures = tmp_path / "conf/site_config.json", tmp_path / "pictures"
    for number in range(10, 20):
        draw(str(number), pictures / f"{number}.{suffix}")
    config = open_config(path)
    labelling = label_pictures.open_labelling(config, path, pictures)
    started = Rounds([sys.executable, "-c", ""], folder, partial(rounds.count_labelled, config))
    client = create_label_app(lambda: labelling, started).test_client()
    for number, file in enumerate(labelling.files):
        if number == 9:
            assert "got 9; label some more" in client.post("/round", json={}).json["message"]
        labelling.label(number, Label(file.name.stem))
    answer = client.post("/round", json={})
    assert answer.status_code == 200, answer.json
    assert eventually(lambda: not stated(started).running)
    assert fit_config(path).image_suffix == suffix
    assert rounds.count_labelled(config) == 10, "as the page counts that was opened before"


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (2, "ended with status 2"),
        (-9, "was ended from outside, by the signal SIGKILL, as the system does when memory runs short"),
        (143, "was ended from outside, by the signal SIGTERM"),
    ],
)
def test_end_of_a_script_is_said_in_words(status: int, expected: str) -> None:
    assert ending(status) == expected


def test_round_is_under_way_from_its_start_on(folder: RoundFolder) -> None:
    started = Rounds([sys.executable, "-c", "import sys; sys.stdin.read(); import time; time.sleep(60)"], folder)
    started.start()
    process = started._process
    assert process
    try:
        assert stated(started).running, "before it holds its folder"
        with pytest.raises(SampleError, match="under way"):
            started.start()
    finally:
        process.kill()
        process.wait()
    assert not stated(started).running
    started.start()
    assert started._process
    started._process.kill()
    started._process.wait()


@pytest.mark.parametrize("at_random", [2, 0])
def test_pictures_that_were_chosen_for_their_readings_are_never_for_the_test(
    config: SampleConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_random: int
) -> None:
    path, journal = tmp_path / "sample_config.json", Journal(tmp_path / "labels.jsonl")
    for entry in (*said(config, at_random, at_random=True, seed=1), *said(config, 98, at_random=False, seed=2)):
        journal.append(entry)
    calls = dict[str, list[str]]()
    monkeypatch.setattr(rounds, "_script", lambda name, _, *options: calls.setdefault(name, [*options]))
    monkeypatch.setattr(rounds, "swap_in", lambda *_: None)
    figures = {"picture_accuracy_interval": [0.5, 1], "picture_accuracy": 1, "samples": 2}
    monkeypatch.setattr(rounds, "read_json_object", lambda _: figures)
    lines = list[str]()
    rounds.run(path, tmp_path / "gone.zip", journal, lines.append)
    tested = {"test_batch.py": list[str]()} if at_random else {}
    assert calls == {"verify_and_split_data.py": ["--accept-labels", "--no-test"], "train_model.py": [], **tested}
    assert lines[-1].startswith(ENDED)
    assert ("without a test: no labelled picture came at random" in lines[-1]) is (at_random == 0)
    assert len(list_entries(config.test_image_dir)) == at_random


@pytest.mark.slow
def test_round_trains_on_the_labels_and_the_page_reads_with_the_new_model(tmp_path: Path) -> None:
    path = write_config(tmp_path, network="classic", cycle_stop=10, cycle_save=10)
    config = load_sample_config(path)
    pictures = tmp_path / "pictures"
    fill(pictures, 60)
    files = list_source(pictures).entries
    journal = Journal(label_pictures.journal_path(path, pictures))
    sets = config.train_image_dir, config.test_image_dir
    reader = ModelInUse(config.model_save_dir)
    labelling = Labelling(files, journal, Copies(config.origin_dirs[0], sets), reader)
    for number, file in enumerate(labelling.files[:40]):
        labelling.label(number, Label(label_of(file.name.name)))
    done = run_script("label_pictures.py", pictures, "--config", path, "--train")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith(ENDED)
    assert "pictures without labels" in done.stdout
    assert len(list_entries(config.test_image_dir)) + len(list_entries(config.train_image_dir)) == 40
    assert list_entries(config.origin_dirs[0]) == []
    labelling.next_question("tab")
    assert reader.version.startswith("10 ")
    assert labelling.progress().right is None, "of the new model nothing is known yet"


def test_round_never_trains_into_the_general_model(tmp_path: Path) -> None:
    path = write_config(tmp_path, model_save_dir=str(GENERAL_MODEL))
    with pytest.raises(
        SampleError, match="model_save_dir: expected a folder of your own; got that of the general model"
    ):
        rounds.run(path, tmp_path, Journal(tmp_path / "labels.jsonl"), print)


def labelled_by_the_grid(config: SampleConfig, path: Path, count: int) -> Labelling:
    """The labelling of so many pictures, of which the grid has labelled all that it shows."""
    fill(path.parent / "pictures", count)
    labelling = label_pictures.open_labelling(config, path, path.parent / "pictures")
    for number, file in enumerate(labelling.files):
        if number not in labelling.queue.order.apart:
            labelling.label(number, Label(label_of(file.name.name), tab="tab", at_random=False))
    return labelling


def test_who_labels_with_the_grid_alone_is_asked_for_pictures_at_random(config: SampleConfig, tmp_path: Path) -> None:
    path, pictures = tmp_path / "sample_config.json", tmp_path / "pictures"
    labelling = labelled_by_the_grid(config, path, 300)
    message = "label 10 more pictures one by one, which come next, then train"
    check = partial(label_pictures.check_tested, config, labelling)
    started = Rounds([sys.executable, "-c", ""], RoundFolder(tmp_path / "round"), None, check)
    client = create_label_app(lambda: labelling, started).test_client()
    assert message in client.post("/round", json={}).json["message"]
    with pytest.raises(SampleError, match=message):
        rounds.run(path, pictures, labelling.journal, print)
    assert len(labelling.queue.order.apart) >= 10
    for _ in range(10):
        question = labelling.next_question("tab")
        assert question
        labelling.label(question.number, Label(label_of(question.name), tab="tab"))
    assert client.post("/round", json={}).status_code == 200
    assert hold_back(config, labelling.journal) == 10
    held = {path.name for path in list_entries(config.test_image_dir)}
    assert held == {entry.copy for entry in labelling.journal.standing.values() if entry.at_random}


def test_pictures_at_random_come_first_also_after_a_start_anew(config: SampleConfig, tmp_path: Path) -> None:
    path = tmp_path / "sample_config.json"
    labelled_by_the_grid(config, path, 300)
    labelling = label_pictures.open_labelling(config, path, tmp_path / "pictures")
    question = labelling.next_question("tab")
    assert question
    assert question.number in labelling.queue.order.apart


def test_training_goes_on_where_no_picture_at_random_is_left(config: SampleConfig, tmp_path: Path) -> None:
    labelling = labelled_by_the_grid(config, tmp_path / "sample_config.json", 40)
    while question := labelling.next_question("tab"):
        labelling.set_aside(question.number, 1.0, "tab")
    assert rounds.lacking_for_test(config, labelling.journal, labelling.files) == 0


@pytest.mark.parametrize("folder", ["test", "train"])
@pytest.mark.parametrize("same", [True, False])
def test_pictures_of_the_sets_that_are_labelled_anew_stop_no_training(
    config: SampleConfig, tmp_path: Path, folder: str, same: bool
) -> None:
    journal, sets = Journal(tmp_path / "labels.jsonl"), {"test": config.test_image_dir, "train": config.train_image_dir}
    fill(tmp_path / "pictures", 40)
    files = list_source(tmp_path / "pictures").entries
    reader: Any = ModelInUse(config.model_save_dir)
    first = Labelling(files, Journal(tmp_path / "old"), Copies(config.origin_dirs[0], []), reader)
    anew = Labelling(files, journal, Copies(config.origin_dirs[0], []), reader)
    for number in range(3):
        first.label(number, Label("01"))
    config.origin_dirs[0].rename(sets[folder])
    for number in range(3):
        anew.label(number, Label("01" if same else "10"))
    fill(config.origin_dirs[0], 40, seed=5)
    for _ in range(2):
        assert hold_back(config, journal) == 0, "no picture gets into both sets, or into one under two labels"
    assert len(list_entries(sets[folder])) == 3


def test_picture_that_is_there_twice_stops_no_training(config: SampleConfig, tmp_path: Path) -> None:
    journal = Journal(tmp_path / "labels.jsonl")
    entries = said(config, 30, at_random=True, seed=1)
    for entry in entries:
        journal.append(entry)
        journal.append(Entry("label", f"copy {entry.picture}", entry.label, entry.copy))
    assert hold_back(config, journal) == 3
