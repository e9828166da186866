"""Propose a config that fits a folder of labelled pictures, compare it with another config, and write it."""

import itertools
import json
import math
import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from statistics import median_low
from types import MappingProxyType
from typing import Any

from cnnlib.codec.characters import escape_odd
from cnnlib.codec.filenames import ANY_SUFFIX, has_suffix, plain_suffix, suffix_in
from cnnlib.config import SampleConfig, check_keys, read_sample_keys
from cnnlib.config_fields import LABEL_LIMIT
from cnnlib.core.errors import ConfigError
from cnnlib.core.files import check_replaceable, make_folder, write_atomically, write_by
from cnnlib.core.paths import display_path, short_name
from cnnlib.data.samples import Sample
from cnnlib.network.names import FEW_PICTURES, FOR_FEW, GENERAL_SIZE, LONGEST_FOR_FEW, least_width, width_fault

PIXEL_LIMIT = 14_000  # 200x70; larger pictures take longer and are read no better
WORTHWHILE_REDUCTION = 1.25  # in pixels; a smaller reduction saves less than a fifth of the time
LEAST_SIDE = 8  # pixels, as the config takes
MOST_THINNED = 1.3  # sides over those of the general model; its network takes single pixels, and loses thin strokes
ANY_WIDTH = "positions"  # the network that reads long labels on narrow pictures
RARE_SHARE = 0.05  # of the pictures; so few coloured ones, or ones of another size, do not decide the config
LEAST_LOOK = 10  # pictures of a folder that count as a look of their own

Keys = dict[str, Any]
Groups = Sequence[tuple[Sequence[Sample], int]]  # of pictures, each with the number that they are a share of


def propose(
    samples: Sequence[Sample],
    known_labels: Sequence[str],
    config: SampleConfig,
    pixel_limit: float = math.inf,
    totals: Mapping[Path, int] = MappingProxyType({}),
) -> Keys:
    """The config keys and values that fit the labelled pictures, empty without any.

    Pictures that the proposed config keeps out settle nothing: those with a defect or a doubt, or of a rare size.
    `known_labels` belong to pictures that were moved earlier. If there are some, size and colour stay as in the config,
    and suffix, length and alphabet only grow. Otherwise size and suffix are the most common ones, and all steps are
    trained. Colour is read if more than a few pictures have some. A size far above `pixel_limit` is reduced to it.
    A config that names no network gets that of the general model for few labels, if it reads such lengths. With a
    `pixel_limit` it gets the size of the general model too, if the pictures are much larger.
    What more than a few pictures of one of several looks have is not rare. `totals` are the pictures of each folder,
    with those that were moved from it just now.
    """
    usable = [sample for sample in samples if _is_usable(sample)]
    if not usable and not known_labels:
        return {}
    groups = [(usable, len(usable) + len(known_labels)), *_looks(usable, totals, config)]
    if known_labels:
        look = _configured_look(groups, config)
    else:
        look = _common_look(usable, groups, config.resize, pixel_limit)
    labels = [*(str(sample.label) for sample in usable if _fits(sample, look)), *known_labels]
    labels = [config.spelled(config.label(label)) for label in labels]
    return look | _grown(labels, config) if known_labels else _for_training(look, labels, config, pixel_limit)


def _grown(labels: Sequence[str], config: SampleConfig) -> Keys:
    """The config's length and alphabet, grown so that these labels fit."""
    unknown = "".join(config.alphabet.unknown_in("".join(sorted(set("".join(labels))))))
    return {"max_captcha": max(config.max_captcha, *map(len, labels)), "char_set": f"{config.alphabet}{unknown}"}


def _for_training(look: Keys, labels: Sequence[str], config: SampleConfig, pixel_limit: float) -> Keys:
    """The keys of a first training on pictures of this look: their size, texts, network and steps."""
    length, characters = max(map(len, labels)), "".join(sorted(set("".join(labels))))
    few = len(labels) < FEW_PICTURES and length <= LONGEST_FOR_FEW and "network" not in config.model_fields_set
    least = least_width(FOR_FEW if few else config.network, length)
    network = FOR_FEW if few else ANY_WIDTH if look["image_width"] < least else None
    look = _reduced(look, pixel_limit, least)
    return (
        (_for_general_model(look) if few and pixel_limit < math.inf else look)
        | {"max_captcha": length, "char_set": characters, "cycle_stop": "auto", "acc_stop": 1}
        | ({"network": network} if network else {})
    )


def _is_usable(sample: Sample) -> bool:
    return bool(sample.label and sample.size) and not judge_for_any(sample).fault


def judge_for_any(sample: Sample) -> Sample:
    """The sample with all that fits no config, whatever its size, suffix and characters."""
    misfits = [] if has_suffix(sample.name, ANY_SUFFIX) else ["File extension is incorrect"]
    label = sample.label or ""
    if len(label) > LABEL_LIMIT:
        misfits.append(f"Label '{escape_odd(label)}': expected at most {LABEL_LIMIT} characters; got {len(label)}")
    return replace(sample, misfits=tuple(misfits))


def _looks(samples: Sequence[Sample], totals: Mapping[Path, int], config: SampleConfig) -> Groups:
    """The samples of each of several looks. A handful, maybe left over from an earlier move, is none."""
    folders = config.origin_dirs if config.has_looks else ()
    looks = {folder: [sample for sample in samples if sample.folder == folder] for folder in folders}
    return [(look, totals.get(folder, len(look))) for folder, look in looks.items() if len(look) >= LEAST_LOOK]


def _are_common(has: Callable[[Sample], bool], groups: Groups) -> bool:
    """Whether more than a few samples of a group have something."""
    return any(sum(map(has, samples)) > RARE_SHARE * total for samples, total in groups)


def _fits(sample: Sample, look: Keys) -> bool:
    """Whether a config of this look takes the picture."""
    is_size = sample.size == (look["image_width"], look["image_height"])
    return (is_size or look["resize"]) and has_suffix(sample.name, look["image_suffix"])


def disagreements(proposed: Keys, config: SampleConfig) -> Keys:
    """The proposed keys and values where the config's own value refuses pictures."""
    fits = {
        "image_width": lambda value: config.resize or value == config.image_width,
        "image_height": lambda value: config.resize or value == config.image_height,
        "max_captcha": lambda value: value <= config.max_captcha,
        "resize": lambda value: value <= config.resize,
        "image_suffix": lambda value: (
            config.image_suffix == ANY_SUFFIX or plain_suffix(value) == plain_suffix(config.image_suffix)
        ),
        "char_set": lambda value: not config.alphabet.unknown_in(value),
    }
    wrong = {key: value for key, value in proposed.items() if key in fits and not fits[key](value)}
    return wrong | ({"use_labels_json_file": False} if "char_set" in wrong and config.use_labels_json_file else {})


def check_training_picture(sample: Sample, config: SampleConfig) -> None:
    """Raise ConfigError when a picture of the training folder has another size or suffix than the config."""
    suffix, size = plain_suffix(suffix_in(sample.name)), sample.size or _size(config)
    if not has_suffix(sample.name, config.image_suffix) or (size != _size(config) and not config.resize):
        raise ConfigError(
            f"{display_path(sample.path)}: expected a {config.image_suffix} of {config.shape} pixels, as "
            f"{config.name} says; got a {suffix} of {size[0]}x{size[1]}; name the config that the training pictures "
            "were moved with, or write a config with its own folders (train_image_dir and the others) for another kind "
            "of captcha"
        )


def _size(config: SampleConfig) -> tuple[int, int]:
    return config.image_width, config.image_height


def _configured_look(groups: Groups, config: SampleConfig) -> Keys:
    """The config's look. It takes other sizes or suffixes too if more than a few pictures of a group have them."""
    look = config.model_dump(include={"image_width", "image_height", "image_suffix", "channels", "resize"})
    if _are_common(lambda sample: not has_suffix(sample.name, config.image_suffix), groups):
        look["image_suffix"] = ANY_SUFFIX
    return look | {"resize": config.resize or _are_common(lambda sample: sample.size != _size(config), groups)}


def _common_look(samples: Sequence[Sample], groups: Groups, resize: bool, pixel_limit: float) -> Keys:
    """Size, suffix and colour of most samples, which all have a size. The size is not reduced yet."""
    sizes = Counter(sample.size for sample in samples if sample.size)
    ((width, height), count), *_ = sizes.most_common(1)
    if 2 * count < len(samples):  # no size has a majority
        width, height = (median_low(sides) for sides in zip(*sizes.elements(), strict=True))
    others = _are_common(lambda sample: sample.size != (width, height), groups)
    resize = resize or others or width * height > WORTHWHILE_REDUCTION * pixel_limit
    kept = [sample for sample in samples if resize or sample.size == (width, height)]
    suffixes = {plain_suffix(suffix_in(sample.name)) for sample in kept}
    coloured = _are_common(lambda sample: sample.coloured and (resize or sample.size == (width, height)), groups)
    return {
        "image_width": width,
        "image_height": height,
        "image_suffix": suffixes.pop() if len(suffixes) == 1 else ANY_SUFFIX,
        "channels": 3 if coloured else 1,
        "resize": resize,
    }


def _reduced(look: Keys, pixel_limit: float, least: int) -> Keys:
    """The look with a size of about `pixel_limit`, if it is far larger, but not less wide than `least`."""
    width, height = look["image_width"], look["image_height"]
    excess = width * height / pixel_limit
    if excess <= WORTHWHILE_REDUCTION:
        return look
    scale = min(1, max(1 / math.sqrt(excess), LEAST_SIDE / min(width, height), least / width))
    return look | {
        "image_width": max(int(width * scale), min(width, max(least, LEAST_SIDE))),
        "image_height": max(int(height * scale), min(height, LEAST_SIDE)),
    }


def _for_general_model(look: Keys) -> Keys:
    """The look with the size of the general model, if it is much larger: a config resizes better than the network."""
    height, width = GENERAL_SIZE
    if look["image_width"] <= MOST_THINNED * width and look["image_height"] <= MOST_THINNED * height:
        return look
    return look | {"image_width": width, "image_height": height, "resize": True}


def combine(path: Path, template: Path, proposed: Keys) -> tuple[Keys, SampleConfig]:
    """The template's keys with the proposed values, to be written to `path`, and the config that they make.

    A key whose value is None is left out. A labels file stays in use unless an alphabet is proposed.
    Raises ConfigError when the result could not be loaded, or not be trained.
    """
    keys = read_sample_keys(template) | proposed | ({"use_labels_json_file": False} if "char_set" in proposed else {})
    keys = {key: value for key, value in keys.items() if value is not None}
    if path.parent.resolve() != template.parent.resolve():
        keys.pop("$schema", None)  # its link is relative to the template's folder
    config = check_keys(keys, path, SampleConfig)
    length = config.max_captcha
    fault = width_fault(config.network, config.image_width, least_width(config.network, length), length)
    if fault:
        raise ConfigError(f"{display_path(path)}: {fault}; no config is written")
    return keys, config


def write(path: Path, template: Path, proposed: Keys) -> Path | None:
    """Write the template's keys with the proposed values to `path`. A different file there is backed up.

    Returns the backup, PATH.bak, PATH.bak2 and so on, or None. Raises ConfigError, and writes nothing, as `combine`.
    """
    keys, _ = combine(path, template, proposed)
    content = f"{json.dumps(keys, indent=2, ensure_ascii=False)}\n".encode()
    backup = _back_up(path, content)
    make_folder(path.parent)
    write_atomically(path, content)
    return backup


def _back_up(path: Path, content: bytes) -> Path | None:
    """Copy a file before other `content` replaces it. Returns the copy, with its rights, or None if none is needed.

    A copy that an earlier run made before it was killed is taken as it is. Raises OSError for a device or a pipe, which
    may have no end.
    """
    check_replaceable(path)
    if not path.exists() or (older := path.read_bytes()) == content:
        return None
    names = (
        path.with_name(f"{short_name(path.name)}.bak{'' if number == 1 else number}") for number in itertools.count(1)
    )
    backup = next(name for name in names if not name.exists() or (name.is_file() and name.read_bytes() == older))
    write_by(backup, lambda file: file.write(older), like=path)
    with suppress(OSError):  # a file system may know no such times
        shutil.copystat(path, backup)
    return backup
