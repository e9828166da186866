import json
import os
import re
from pathlib import Path

import pytest

from cnnlib.codec.alphabet import Alphabet
from cnnlib.config import (
    CAPTCHA_CONFIG,
    SAMPLE_CONFIG,
    CaptchaConfig,
    Config,
    SampleConfig,
    json_schema,
    load_captcha_config,
    load_labels,
    load_sample_config,
    save_labels,
)
from cnnlib.core.errors import ConfigError
from cnnlib.core.paths import PROJECT_ROOT, display_path
from tests.helpers import write_config

# The keys of the original suite, each with its default.
DESCRIBED = {
    "origin_image_dir": "sample/origin/",
    "new_image_dir": "sample/new_train/",
    "train_image_dir": "sample/train/",
    "test_image_dir": "sample/test/",
    "api_image_dir": "sample/api/",
    "online_image_dir": "sample/online/",
    "local_image_dir": "sample/local/",
    "model_save_dir": "model/",
    "image_width": 100,
    "image_height": 60,
    "max_captcha": 4,
    "image_suffix": "png",
    "char_set": "0123456789abcdefghijklmnopqrstuvwxyz",
    "use_labels_json_file": False,
    "remote_url": "http://127.0.0.1:6100/captcha/",
    "cycle_stop": 3000,
    "acc_stop": 0.99,
    "cycle_save": 500,
    "enable_gpu": 0,
    "train_batch_size": 128,
    "test_batch_size": 100,
}


def faults_of(tmp_path: Path, **changes: object) -> list[str]:
    path = write_config(tmp_path, **changes)
    with pytest.raises(ConfigError) as caught:
        load_sample_config(path)
    return [line.removeprefix(f"{path}: ") for line in str(caught.value).splitlines()]


def test_least_char_count_above_char_count_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "captcha.json"
    path.write_text(json.dumps(json.loads(CAPTCHA_CONFIG.read_text(encoding="utf-8")) | {"least_char_count": 5}))
    with pytest.raises(ConfigError, match="key 'least_char_count': expected at most char_count, 4; got 5"):
        load_captcha_config(path)
    path.write_text(json.dumps(json.loads(CAPTCHA_CONFIG.read_text(encoding="utf-8")) | {"least_char_count": 0}))
    with pytest.raises(ConfigError, match="'least_char_count': expected a whole number of characters, 1 to 64; got 0"):
        load_captcha_config(path)


def test_min_captcha_above_max_captcha_is_refused(tmp_path: Path) -> None:
    assert faults_of(tmp_path, min_captcha=5, max_captcha=4) == [
        "key 'min_captcha': expected at most max_captcha, 4; got 5"
    ]
    assert load_sample_config(write_config(tmp_path, min_captcha=4, max_captcha=4)).min_captcha == 4


@pytest.mark.parametrize("wrong", [0, 4, "2", 2.0, True])
def test_views_are_one_to_three(tmp_path: Path, wrong: object) -> None:
    assert faults_of(tmp_path, views=wrong) == [f"key 'views': expected 1, 2 or 3; got {json.dumps(wrong)}"]
    assert load_sample_config(write_config(tmp_path, views=3)).views == 3


def test_shipped_configs_hold_the_original_keys_and_defaults() -> None:
    shipped = json.loads(SAMPLE_CONFIG.read_text(encoding="utf-8"))
    assert {key: value for key, value in shipped.items() if key != "$schema"} == DESCRIBED
    assert load_captcha_config().count == 1000


def test_config_written_for_the_original_suite_works_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "old.json"
    path.write_text(json.dumps(DESCRIBED), encoding="utf-8")
    config = load_sample_config(path)
    assert config.train_image_dir == PROJECT_ROOT / "sample/train"
    assert (config.network, config.channels) == ("columns", 1)


def test_relative_paths_start_at_the_project_in_any_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_sample_config().origin_image_dir == PROJECT_ROOT / "sample" / "origin"


def test_all_faults_are_reported_at_once_with_key_expected_and_received(tmp_path: Path) -> None:
    faults = faults_of(
        tmp_path, image_width="wide", char_set="aab", cycle_stop=0, enable_gpu=2, imgae_height=60, acc_stop=1.5
    )
    assert "key 'image_width': expected a whole number of pixels, 8 to 4096; got \"wide\"" in faults
    assert "key 'char_set': expected each character once; got more than one of a" in faults
    assert "key 'cycle_stop': expected a whole number of steps, 1 to 1000000000, or \"auto\"; got 0" in faults
    assert "key 'enable_gpu': expected true, false, 1 or 0; got 2" in faults
    assert "key 'imgae_height': expected a known key, the nearest is 'image_height'; got 'imgae_height'" in faults
    assert "key 'acc_stop': expected a number from 0 to 1; got 1.5" in faults
    assert len(faults) == 6


def test_missing_key_is_named_with_what_it_expects(tmp_path: Path) -> None:
    path = write_config(tmp_path)
    keys = json.loads(path.read_text(encoding="utf-8"))
    del keys["max_captcha"]
    path.write_text(json.dumps(keys), encoding="utf-8")
    with pytest.raises(
        ConfigError, match=r"key 'max_captcha': expected a whole number of characters.*the key is missing"
    ):
        load_sample_config(path)


def test_paths_and_addresses_that_cannot_work_are_faults(tmp_path: Path) -> None:
    faults = faults_of(tmp_path, model_save_dir="a\0b", remote_url="nonsense")
    assert "key 'remote_url': expected an address such as http://127.0.0.1:6000/b; got nonsense" in faults
    assert any(fault.startswith("key 'model_save_dir': expected a path") for fault in faults)
    for wrong in ("http://[::1/x", "http:// ", "http://h:99999/"):
        (fault,) = faults_of(tmp_path, remote_url=wrong)
        assert fault == f"key 'remote_url': expected an address such as http://127.0.0.1:6000/b; got {wrong}"
    fault, *_ = faults_of(tmp_path, train_image_dir="sample\train")
    assert fault.endswith(r'; got "sample\train"; write / or \\ between folders, a single \ begins a control character')
    (fault,) = faults_of(tmp_path, cycle_save=10**25)
    assert fault.startswith("key 'cycle_save': expected a whole number, 1 to 1000000000; got 1")
    assert load_sample_config(write_config(tmp_path, model_save_dir="~/m")).model_save_dir == Path.home() / "m"


@pytest.mark.skipif(os.name == "nt", reason="they are paths of Windows")
def test_paths_of_windows_are_refused_elsewhere(tmp_path: Path) -> None:
    for wrong in ("C:\\Users\\me\\captcha", "d:/captcha", "C:"):
        (fault,) = faults_of(tmp_path, origin_image_dir=wrong)
        expected = "expected a path without a drive letter, which only Windows has"
        assert fault == f"key 'origin_image_dir': {expected}; got {json.dumps(wrong)}"
    for key in ("origin_image_dir", "model_save_dir", "labels_json_file"):
        for wrong in ("sample\\origin\\", "\\\\server\\share", "~\\captcha"):
            (fault,) = faults_of(tmp_path, **{key: wrong})
            assert fault == f"key '{key}': expected / between folders; got {json.dumps(wrong)}; write / for each \\"
    (fault,) = faults_of(tmp_path, origin_image_dir=[str(tmp_path), "sample\\a"])
    assert fault == "key 'origin_image_dir': expected / between folders; got \"sample\\\\a\"; write / for each \\"


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ("$HOME/x", 'expected a path without variables, which only a shell knows; got "$HOME/x"; write it out'),
        ("a/${USER}/x", 'expected a path without variables, which only a shell knows; got "a/${USER}/x"; write it out'),
        ("%USERPROFILE%/x", 'without variables, which only a shell knows; got "%USERPROFILE%/x"; write it out'),
        ("~nobody_x/x", 'got "~nobody_x/x"; no user is called so here: write the path of the folder'),
        ("file:///x", 'expected a path on this machine; got the address "file:///x"; write the path alone'),
        ("http://x", 'expected a path on this machine; got the address "http://x"; write the path alone'),
        (" sample/x", 'expected a path without blanks around it; got " sample/x"; leave them off'),
        ("sample/x ", 'expected a path without blanks around it; got "sample/x "; leave them off'),
    ],
)
def test_path_that_only_other_programs_understand_is_refused(tmp_path: Path, wrong: str, expected: str) -> None:
    for value in (wrong, [str(tmp_path), wrong]):
        (fault,) = faults_of(tmp_path, origin_image_dir=value)
        assert fault.startswith("key 'origin_image_dir': ")
        assert fault.endswith(expected)


def test_folder_that_is_called_like_a_variable_is_taken(tmp_path: Path) -> None:
    for name in ("$HOME", "%A%", " a ", "~nobody_x"):
        (tmp_path / name).mkdir()
        folder = tmp_path / name
        assert load_sample_config(write_config(tmp_path, log_dir=str(folder))).log_dir == folder
    for name in ("a$", "50% of 100%", "$5", "a b", "a:b"):
        assert load_sample_config(write_config(tmp_path, log_dir=str(tmp_path / name))).log_dir == tmp_path / name


@pytest.mark.skipif(os.name == "nt", reason="a backslash is no part of a name there")
def test_folder_that_has_a_backslash_in_its_name_is_taken(tmp_path: Path) -> None:
    folder = tmp_path / "a\\b"
    folder.mkdir()
    assert load_sample_config(write_config(tmp_path, origin_image_dir=str(folder))).origin_image_dir == folder
    (tmp_path / "c:d").mkdir()
    assert load_sample_config(write_config(tmp_path, log_dir=str(tmp_path / "c:d"))).log_dir == tmp_path / "c:d"


@pytest.mark.parametrize(
    ("alphabet", "ignoring", "labels", "spelled"),
    [
        ("abc", False, ["ABc", "abc"], ["ABc", "abc"]),
        ("abc", True, ["abc", "abc"], ["abc", "abc"]),
        ("ABC", True, ["abc", "abc"], ["ABC", "ABC"]),
        ("aABc", True, ["abc", "abc"], ["aBc", "aBc"]),
        ("xy", True, ["abc", "abc"], ["ABc", "abc"]),
    ],
)
def test_labels_are_the_same_in_either_case_where_case_is_ignored(
    tmp_path: Path, alphabet: str, ignoring: bool, labels: list[str], spelled: list[str]
) -> None:
    config = load_sample_config(write_config(tmp_path, char_set=alphabet, ignore_case=ignoring))
    assert [config.label(text) for text in ("ABc", "abc")] == labels
    assert [config.spelled(text) for text in ("ABc", "abc")] == spelled
    assert config.label("e\u0301") == config.spelled("e\u0301") == "é"
    assert (config.label("É"), config.label("İ")) == (("é" if ignoring else "É"), "İ")


def test_flags_take_numbers_and_truth_values(tmp_path: Path) -> None:
    assert load_sample_config(write_config(tmp_path, enable_gpu=1)).enable_gpu is True
    assert load_sample_config(write_config(tmp_path, enable_gpu=False)).enable_gpu is False


@pytest.mark.parametrize("wrong", [True, 1.0, 2, "3"])
def test_channels_are_one_or_three(tmp_path: Path, wrong: object) -> None:
    (fault,) = faults_of(tmp_path, channels=wrong)
    assert fault == f"key 'channels': expected 1 (grey) or 3 (colour); got {json.dumps(wrong)}"


@pytest.mark.parametrize(
    "key",
    ["origin_image_dir", "new_image_dir", "train_image_dir", "test_image_dir", "api_image_dir", "model_save_dir"],
)
def test_predictions_are_not_saved_in_a_folder_of_labelled_pictures(tmp_path: Path, key: str) -> None:
    (fault,) = faults_of(tmp_path, **{key: str(tmp_path / "local"), "local_image_dir": str(tmp_path / "local")})
    assert fault.startswith(f"keys '{key}', 'local_image_dir': expected different folders")


def test_list_of_folders_is_resolved_as_one_folder_is(tmp_path: Path) -> None:
    config = load_sample_config(write_config(tmp_path, origin_image_dir=["sample/a", "~/b", str(tmp_path / "c")]))
    assert config.origin_image_dir == (PROJECT_ROOT / "sample" / "a", Path.home() / "b", tmp_path / "c")
    assert config.dirs_to_split == (*config.origin_dirs, config.new_image_dir)
    single = load_sample_config(write_config(tmp_path))
    assert single.origin_dirs == (single.origin_image_dir,) == (tmp_path / "sample" / "origin",)
    assert (single.has_looks, config.has_looks) == (False, True)


@pytest.mark.parametrize("wrong", [[], [""], ["a", 1], ["a", ["b"]], 3, {"a": 1}, ""])
def test_what_is_no_folder_and_no_list_of_folders_is_refused_in_one_line(tmp_path: Path, wrong: object) -> None:
    (fault,) = faults_of(tmp_path, origin_image_dir=wrong)
    expected = "a path, absolute or relative to the project's folder, or a list of 1 or more"
    assert fault == f"key 'origin_image_dir': expected {expected}; got {json.dumps(wrong)}"


def test_control_character_in_a_list_is_named(tmp_path: Path) -> None:
    (fault,) = faults_of(tmp_path, origin_image_dir=["sample/a", "sample\tb"])
    assert fault.startswith("key 'origin_image_dir': expected a path without control characters; got ")


@pytest.mark.parametrize("key", ["new_image_dir", "train_image_dir", "api_image_dir", "model_save_dir", "cache_dir"])
def test_no_folder_of_a_list_is_that_of_another_key(tmp_path: Path, key: str) -> None:
    folder = str(tmp_path / "same")
    (fault,) = faults_of(tmp_path, **{"origin_image_dir": [str(tmp_path / "a"), folder], key: folder})
    assert fault == f"keys 'origin_image_dir', '{key}': expected different folders; got {folder}/ for both"


def test_folder_twice_in_a_list_or_inside_another_is_refused(tmp_path: Path) -> None:
    first, second, inside = (tmp_path / name for name in ("a", "link", "a/b"))
    first.mkdir()
    second.symlink_to(first)
    (fault,) = faults_of(tmp_path, origin_image_dir=[str(first), str(second)])
    shown = f"as {first.as_posix()}/ and {second.as_posix()}/"
    assert fault == f"key 'origin_image_dir': expected each folder once; got one twice, {shown}"
    for folders in ([inside, first], [second, inside]):
        (fault,) = faults_of(tmp_path, origin_image_dir=[*map(str, folders)])
        shown = f"{inside.as_posix()}/ inside {(first if first in folders else second).as_posix()}/"
        assert fault == f"key 'origin_image_dir': expected folders side by side; got {shown}; move it out"
    assert load_sample_config(write_config(tmp_path, origin_image_dir=[str(tmp_path / "a"), str(tmp_path / "ab")]))


def test_file_saved_by_windows_notepad_is_read(tmp_path: Path) -> None:
    path = write_config(tmp_path)
    path.write_text(path.read_text(encoding="utf-8"), encoding="utf-8-sig")
    assert load_sample_config(path).max_captcha == 2


def test_alphabet_comes_from_labels_json_when_configured(tmp_path: Path) -> None:
    (tmp_path / "labels.json").write_text('["天", "地"]', encoding="utf-8")
    assert load_sample_config(write_config(tmp_path, use_labels_json_file=True)).alphabet.characters == ("天", "地")


def test_missing_labels_json_is_a_fault_that_names_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"key 'use_labels_json_file'.*labels.json.*collect_labels.py"):
        load_sample_config(write_config(tmp_path, use_labels_json_file=True))


@pytest.mark.parametrize(("kind", "path"), [(SampleConfig, SAMPLE_CONFIG), (CaptchaConfig, CAPTCHA_CONFIG)])
def test_schema_has_every_key_as_the_code_has_it(kind: type[SampleConfig], path: Path) -> None:
    name = display_path(path.with_suffix(".schema.json"))
    written = json.loads(path.with_suffix(".schema.json").read_text(encoding="utf-8"))
    missing = json_schema(kind)["properties"].keys() - written["properties"].keys()
    assert not missing, f"{name}: expected every key; {missing} are missing; write it with: python -m cnnlib.config"
    assert written == json_schema(kind), f"{name}: expected what the code says; write it with: python -m cnnlib.config"


def keys_of(kind: type[Config]) -> set[str]:
    return {field.alias or name for name, field in kind.model_fields.items()}


@pytest.mark.parametrize("kind", [SampleConfig, CaptchaConfig])
def test_documentation_has_a_row_for_every_key(kind: type[Config]) -> None:
    page = (PROJECT_ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    rows = set(re.findall(r"^\| `([^`.]+)` \|", page, re.MULTILINE))
    missing, gone = keys_of(kind) - rows, rows - keys_of(SampleConfig) - keys_of(CaptchaConfig)
    assert not missing, f"docs/configuration.md: expected a row for every key of {kind.__name__}; add {missing}"
    assert not gone, f"docs/configuration.md: expected rows of keys that exist; remove {gone}"


def test_labels_json_is_a_list_in_class_order(tmp_path: Path) -> None:
    path = tmp_path / "labels.json"
    save_labels(path, Alphabet(tuple("天b1")))
    assert json.loads(path.read_text(encoding="utf-8")) == ["天", "b", "1"]
    assert load_labels(path).characters == ("天", "b", "1")


def test_labels_json_may_be_a_string(tmp_path: Path) -> None:
    path = tmp_path / "labels.json"
    path.write_text('"ab天"', encoding="utf-8")
    assert load_labels(path).characters == ("a", "b", "天")


def test_characters_of_labels_json_are_composed(tmp_path: Path) -> None:
    path = tmp_path / "labels.json"
    for content in (["e\u0301", "a"], "e\u0301a"):
        path.write_text(json.dumps(content), encoding="utf-8")
        assert load_labels(path).characters == ("é", "a")


@pytest.mark.parametrize("content", ["{}", "[1, 2]", "nothing", '["a", "a"]', "[" * 100_000])
def test_other_labels_json_is_refused_with_its_name(tmp_path: Path, content: str) -> None:
    path = tmp_path / "labels.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"labels\.json: "):
        load_labels(path)


def test_folders_without_labels_that_are_named_twice_or_lie_in_each_other_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "a")
    for folders, said in (
        (("a", "a"), "expected each folder once"),
        (("a", "link"), "expected each folder once"),
        (("a", "a/below"), "expected folders side by side"),
    ):
        (fault,) = faults_of(tmp_path, unlabelled_image_dir=[str(tmp_path / folder) for folder in folders])
        assert fault.startswith(f"key 'unlabelled_image_dir': {said}")
