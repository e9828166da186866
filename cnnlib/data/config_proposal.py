"""The config that fits a folder of labelled pictures: proposed, held against another, written."""

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
from cnnlib.config import SampleConfig, check_keys
from cnnlib.config_fields import LONGEST
from cnnlib.core.errors import ConfigError
from cnnlib.core.files import read_json_object, write_atomically
from cnnlib.core.paths import display_path
from cnnlib.data.verify_and_split import Sample

LARGE_PIXELS = 14_000  # 200x70; what is larger takes longer, and its letters are read as well at this size
MUCH = 1.25  # times as many pixels, from which on reducing a picture saves a fifth of the time
RARE_SHARE = 0.05  # of the pictures; fewer coloured ones, or ones of another size, do not settle a config

Keys = dict[str, Any]


def propose(
    samples: Sequence[Sample], known_labels: Sequence[str], config: SampleConfig, most_pixels: float = math.inf
) -> Keys:
    """The keys and values that would fit all decodable, labelled pictures; empty without any.

    `known_labels` are those of pictures moved earlier: where there are some, size, suffix and colour are settled, and
    length and alphabet only grow. Otherwise they are the most common ones, other sizes are resized, and colour is read
    where pictures have some; a size of much more than `most_pixels` is reduced to them; all steps are trained.
    """
    readable = [sample for sample in samples if sample.label and sample.size and len(sample.label) <= LONGEST]
    labels = [str(sample.label) for sample in readable] + list(known_labels)
    if not labels:
        return {}
    longest, characters = max(map(len, labels)), sorted(set("".join(labels)))
    if not known_labels:
        look = _common(readable, config.resize, most_pixels)
        return look | {"max_captcha": longest, "char_set": "".join(characters), "cycle_stop": "auto", "acc_stop": 1}
    more = "".join(config.alphabet.unknown_in("".join(characters)))
    look = _settled(readable, len(labels), config)
    return look | {"max_captcha": max(longest, config.max_captcha), "char_set": f"{config.alphabet}{more}"}


def disagreements(proposed: Keys, config: SampleConfig) -> Keys:
    """The proposed keys whose values in the config keep pictures out."""
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


def check_settled(trained: Sample, config: SampleConfig) -> None:
    """Raise ConfigError where a training picture came there by a config of another size or suffix."""
    suffix, size = plain_suffix(trained.path.suffix), trained.size or _size(config)
    if suffix != plain_suffix(config.image_suffix) or (size != _size(config) and not config.resize):
        raise ConfigError(
            f"{display_path(trained.path)}: expected a {config.image_suffix} of {config.shape} pixels, as "
            f"{config.name} says; got a {suffix} of {size[0]}x{size[1]}: name the config that the training pictures "
            "were moved with; another kind of captcha needs folders of its own, train_image_dir and the others, in a "
            "config of its own"
        )


def _size(config: SampleConfig) -> tuple[int, int]:
    return config.image_width, config.image_height


def _settled(samples: Sequence[Sample], pictures: int, config: SampleConfig) -> Keys:
    """The look of the config, at which other sizes are resized where more than a few of all `pictures` have one."""
    look = config.model_dump(include={"image_width", "image_height", "image_suffix", "channels", "resize"})
    others = sum(sample.size != _size(config) for sample in samples)
    return look | {"resize": config.resize or others > RARE_SHARE * pictures}


def _common(samples: Sequence[Sample], resize: bool, most_pixels: float) -> Keys:
    """Size, suffix and colours of most samples, all of which have a size."""
    rare = RARE_SHARE * len(samples)
    sizes = Counter(sample.size for sample in samples if sample.size)
    ((width, height), count), *_ = sizes.most_common(1)
    if 2 * count < len(samples):  # of many sizes, the one in the middle
        width, height = (median_low(sides) for sides in zip(*sizes.elements(), strict=True))
    (suffix, _), *_ = Counter(plain_suffix(sample.path.suffix) for sample in samples).most_common(1)
    excess = width * height / most_pixels
    scale = 1 / math.sqrt(excess) if excess > MUCH else 1.0
    return {
        "image_width": int(width * scale),
        "image_height": int(height * scale),
        "image_suffix": suffix,
        "channels": 3 if sum(sample.coloured for sample in samples) > rare else 1,
        "resize": resize or len(samples) - count > rare or scale < 1,
    }


def write(path: Path, template: Path, proposed: Keys) -> Path | None:
    """Write the template's keys with the proposed values; returns where an older file is kept, if it was another.

    That is PATH.bak, or PATH.bak2 and so on beside earlier ones.
    Raises ConfigError, and writes nothing, when the result would not load.
    """
    keys = read_json_object(template) | proposed | {"use_labels_json_file": False}
    if path.parent.resolve() != template.parent.resolve():
        keys.pop("$schema", None)  # a link relative to the template's folder
    check_keys(keys, path, SampleConfig)
    content = f"{json.dumps(keys, indent=2, ensure_ascii=False)}\n".encode()
    older = _keep_older(path, content)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, content)
    return older


def _keep_older(path: Path, content: bytes) -> Path | None:
    """Copy a file that is about to be replaced by other `content`; returns the copy."""
    if not path.exists() or path.read_bytes() == content:
        return None
    names = (path.with_name(f"{path.name}.bak{'' if number == 1 else number}") for number in itertools.count(1))
    older = next(name for name in names if not name.exists())
    shutil.copy2(path, older)
    return older
