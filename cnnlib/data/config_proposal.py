"""Propose a config that fits a folder of labelled pictures, compare it with another config, and write it."""

import itertools
import json
import math
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from statistics import median_low
from typing import Any

from cnnlib.codec.filenames import plain_suffix
from cnnlib.config import SampleConfig, check_keys, read_sample_keys
from cnnlib.config_fields import LABEL_LIMIT
from cnnlib.core.errors import ConfigError
from cnnlib.core.files import write_atomically
from cnnlib.core.paths import display_path
from cnnlib.data.verify_and_split import Sample

PIXEL_LIMIT = 14_000  # 200x70; larger pictures take longer and are read no better
WORTHWHILE_REDUCTION = 1.25  # in pixels; a smaller reduction saves less than a fifth of the time
RARE_SHARE = 0.05  # of the pictures; so few coloured ones, or ones of another size, do not decide the config

Keys = dict[str, Any]


def propose(
    samples: Sequence[Sample], known_labels: Sequence[str], config: SampleConfig, pixel_limit: float = math.inf
) -> Keys:
    """The config keys and values that fit all labelled pictures that can be decoded, empty without any.

    `known_labels` belong to pictures that were moved earlier. If there are some, size, suffix and colour stay as in
    the config, and length and alphabet only grow. Otherwise size and suffix are the most common ones, and all steps
    are trained. Colour is read if more than a few pictures have some. A size far above `pixel_limit` is reduced to it.
    """
    usable = [sample for sample in samples if sample.label and sample.size and len(sample.label) <= LABEL_LIMIT]
    labels = [str(sample.label) for sample in usable] + list(known_labels)
    if not labels:
        return {}
    length, characters = max(map(len, labels)), "".join(sorted(set("".join(labels))))
    if not known_labels:
        look = _common_look(usable, config.resize, pixel_limit)
        return look | {"max_captcha": length, "char_set": characters, "cycle_stop": "auto", "acc_stop": 1}
    look = _configured_look(usable, len(labels), config)
    new_characters = "".join(config.alphabet.unknown_in(characters))
    return look | {"max_captcha": max(length, config.max_captcha), "char_set": f"{config.alphabet}{new_characters}"}


def disagreements(proposed: Keys, config: SampleConfig) -> Keys:
    """The proposed keys and values where the config's own value refuses pictures."""
    fits = {
        "image_width": lambda value: config.resize or value == config.image_width,
        "image_height": lambda value: config.resize or value == config.image_height,
        "max_captcha": lambda value: value <= config.max_captcha,
        "resize": lambda value: value <= config.resize,
        "image_suffix": lambda value: plain_suffix(value) == plain_suffix(config.image_suffix),
        "char_set": lambda value: not config.alphabet.unknown_in(value),
    }
    wrong = {key: value for key, value in proposed.items() if key in fits and not fits[key](value)}
    return wrong | ({"use_labels_json_file": False} if "char_set" in wrong and config.use_labels_json_file else {})


def check_training_picture(sample: Sample, config: SampleConfig) -> None:
    """Raise ConfigError when a picture of the training folder has another size or suffix than the config."""
    suffix, size = plain_suffix(sample.path.suffix), sample.size or _size(config)
    if suffix != plain_suffix(config.image_suffix) or (size != _size(config) and not config.resize):
        raise ConfigError(
            f"{display_path(sample.path)}: expected a {config.image_suffix} of {config.shape} pixels, as "
            f"{config.name} says; got a {suffix} of {size[0]}x{size[1]}; name the config that the training pictures "
            "were moved with, or write a config with its own folders (train_image_dir and the others) for another kind "
            "of captcha"
        )


def _size(config: SampleConfig) -> tuple[int, int]:
    return config.image_width, config.image_height


def _configured_look(samples: Sequence[Sample], total: int, config: SampleConfig) -> Keys:
    """The config's look. It resizes if more than a few of all `total` pictures have another size."""
    look = config.model_dump(include={"image_width", "image_height", "image_suffix", "channels", "resize"})
    others = sum(sample.size != _size(config) for sample in samples)
    return look | {"resize": config.resize or others > RARE_SHARE * total}


def _common_look(samples: Sequence[Sample], resize: bool, pixel_limit: float) -> Keys:
    """Size, suffix and colour of most samples, which all have a size."""
    rare = RARE_SHARE * len(samples)
    sizes = Counter(sample.size for sample in samples if sample.size)
    ((width, height), count), *_ = sizes.most_common(1)
    if 2 * count < len(samples):  # no size has a majority
        width, height = (median_low(sides) for sides in zip(*sizes.elements(), strict=True))
    (suffix, _), *_ = Counter(plain_suffix(sample.path.suffix) for sample in samples).most_common(1)
    excess = width * height / pixel_limit
    scale = 1 / math.sqrt(excess) if excess > WORTHWHILE_REDUCTION else 1.0
    return {
        "image_width": int(width * scale),
        "image_height": int(height * scale),
        "image_suffix": suffix,
        "channels": 3 if sum(sample.coloured for sample in samples) > rare else 1,
        "resize": resize or len(samples) - count > rare or scale < 1,
    }


def write(path: Path, template: Path, proposed: Keys) -> Path | None:
    """Write the template's keys with the proposed values to `path`. A different file there is backed up.

    Returns the backup, PATH.bak, PATH.bak2 and so on, or None.
    Raises ConfigError, and writes nothing, when the result could not be loaded.
    """
    keys = read_sample_keys(template) | proposed | {"use_labels_json_file": False}
    if path.parent.resolve() != template.parent.resolve():
        keys.pop("$schema", None)  # its link is relative to the template's folder
    check_keys(keys, path, SampleConfig)
    content = f"{json.dumps(keys, indent=2, ensure_ascii=False)}\n".encode()
    backup = _back_up(path, content)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, content)
    return backup


def _back_up(path: Path, content: bytes) -> Path | None:
    """Copy a file before other `content` replaces it. Returns the copy, or None if none is needed."""
    if not path.exists() or path.read_bytes() == content:
        return None
    names = (path.with_name(f"{path.name}.bak{'' if number == 1 else number}") for number in itertools.count(1))
    backup = next(name for name in names if not name.exists())
    shutil.copy2(path, backup)
    return backup
