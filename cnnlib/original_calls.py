"""The arguments that `TrainModel` and `TestBatch` of the original suite take, as a config."""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from cnnlib.codec.filenames import plain_suffix
from cnnlib.codec.images import decode_picture, read_picture
from cnnlib.config import OLDER_DEFAULTS, SAMPLE_CONFIG, SampleConfig, check_keys
from cnnlib.core.errors import SampleError, prefix_errors
from cnnlib.core.paths import display_path
from cnnlib.data.folders import first_picture, labels_in
from cnnlib.inference.model_card import load_card

TRAINING = ("train_img_path", "verify_img_path", "char_set", "model_save_dir", "cycle_stop", "acc_stop", "cycle_save",
            "image_suffix")  # fmt: skip
BATCHES = ("train_batch_size", "test_batch_size")  # since August 2019
VERIFY = "verify"  # whether suffixes are checked first, which is always done here
TESTING = ("img_path", "char_set", "model_save_dir", "total")


def training_config(arguments: Sequence[Any], named: Mapping[str, Any]) -> SampleConfig:
    """The config of `TrainModel(config)`, or of the original's arguments, with or without the batch sizes.

    The size comes from the first picture, the length from the longest label. Keys that are no arguments come from
    conf/sample_config.json. Raises TypeError for other arguments, SampleError and ConfigError when they can't be used.
    """
    older = len(arguments) == 9 and isinstance(arguments[8], bool)
    names = (*TRAINING, VERIFY) if older else (*TRAINING, *BATCHES, VERIFY)
    defaults = {name: OLDER_DEFAULTS[name] for name in BATCHES} | {VERIFY: False}
    values = _values("TrainModel", names, arguments, named, defaults)
    if isinstance(values, SampleConfig):
        return values
    folder, suffix = Path(values["train_img_path"]), str(values["image_suffix"]).removeprefix(".")
    picture = first_picture(folder, suffix)
    if picture is None:
        raise SampleError(f"{display_path(folder)}: expected .{suffix} pictures to train on; got none")
    with prefix_errors(display_path(picture)):
        width, height = decode_picture(read_picture(picture)).size
    keys = {name: values[name] for name in ("cycle_stop", "acc_stop", "cycle_save", *BATCHES)}
    keys |= {"image_width": width, "image_height": height, "image_suffix": suffix}
    keys |= {"max_captcha": max(map(len, labels_in(folder, suffix)), default=1)}
    folders = {"train_image_dir": folder, "test_image_dir": values["verify_img_path"]}
    return _config("TrainModel", keys, values, folders)


def testing_config(arguments: Sequence[Any], named: Mapping[str, Any]) -> SampleConfig:
    """The config of `TestBatch(config)`, or of the original's arguments: size and length come from the model's card.

    Raises TypeError for other arguments, ModelError, SampleError and ConfigError when they can't be used.
    """
    values = _values("TestBatch", TESTING, arguments, named, {"total": 0})
    if isinstance(values, SampleConfig):
        return values
    folder, card = Path(values["img_path"]), load_card(Path(values["model_save_dir"]))
    picture = first_picture(folder)
    if picture is None:
        raise SampleError(f"{display_path(folder)}: expected pictures to test the model with; got none")
    print(f"Each picture of {display_path(folder)} is read once, whatever total says")
    names = ("image_width", "image_height", "max_captcha", "channels", "network", "resize")
    keys = {name: getattr(card, name) for name in names} | {"image_suffix": plain_suffix(picture.suffix)}
    return _config("TestBatch", keys, values, {"test_image_dir": folder})


def _values(
    name: str, names: Sequence[str], arguments: Sequence[Any], named: Mapping[str, Any], optional: Mapping[str, Any]
) -> dict[str, Any] | SampleConfig:
    """The arguments of the original's class by name, or the config that is given in their place."""
    everything = [*arguments, *named.values()]
    if len(everything) == 1 and isinstance(everything[0], SampleConfig):
        return everything[0]
    values = dict(zip(names, arguments, strict=False)) | dict(named)
    complete = {*names} - {*optional} <= values.keys() <= {*names}
    if len(values) != len(everything) or not complete:
        raise TypeError(
            f"{name}() expects a config, as in {name}(load_sample_config('conf/sample_config.json')), "
            f"or the arguments of the original suite: {', '.join(names)}"
        )
    return {**optional, **values}


def _config(
    name: str, keys: Mapping[str, Any], values: Mapping[str, Any], folders: Mapping[str, str | Path]
) -> SampleConfig:
    """The shipped config with other keys and with folders, which are relative to the current one."""
    folders = {**folders, "model_save_dir": values["model_save_dir"]}
    characters: str | Iterable[Any] = values["char_set"]
    content = json.loads(SAMPLE_CONFIG.read_text(encoding="utf-8"))
    content |= {key: os.path.abspath(folder) for key, folder in folders.items()}  # noqa: PTH100 (links stay as they are)
    content |= {**keys, "char_set": "".join(map(str, characters)), "use_labels_json_file": False}
    return check_keys(content, f"the call of {name}", SampleConfig)
