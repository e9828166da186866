"""A round: config, split and training on the labels so far. Then the new model is put where page and servers look.

The training has a folder of its own and starts from the general model, so that the model in use stays until there is
a better one. It runs as a process of its own, which outlives the page and its server.
"""

import hashlib
import itertools
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from cnnlib.codec.filenames import ANY_SUFFIX, has_suffix
from cnnlib.codec.images import decode_picture, suffix_of
from cnnlib.config import SAMPLE_CONFIG, SampleConfig, check_keys, load_sample_config, read_sample_keys
from cnnlib.core.errors import SampleError
from cnnlib.core.files import read_json_object, write_atomically
from cnnlib.core.paths import GENERAL_MODEL, SHIPPED, display_path, project_path
from cnnlib.data import config_proposal
from cnnlib.data.file_kinds import may_be_picture, why_unread
from cnnlib.data.folders import list_names, locked, scan_labels
from cnnlib.data.samples import inspect_folder
from cnnlib.data.sources import Entry as File
from cnnlib.data.sources import Source, list_source
from cnnlib.data.verify_and_split import count_for_test, move, moved_labels, set_sizes
from cnnlib.inference.model_card import held, load_card, load_model, save_model
from cnnlib.labelling.filing import digest_in, digest_of
from cnnlib.labelling.journal import Journal
from cnnlib.labelling.order import Order
from cnnlib.labelling.queue import named
from cnnlib.labelling.round_state import ENDED, RoundFolder, check_enough, ending

LEAST_TEST = 10  # pictures for a test, and of few labels
LEAST_TEST_SHARE = 0.1
FOLDERS = {  # of the pictures of a captcha, in a folder that is named like its config
    "origin_image_dir": "origin",
    "new_image_dir": "new_train",
    "train_image_dir": "train",
    "test_image_dir": "test",
    "api_image_dir": "api",
    "online_image_dir": "online",
    "local_image_dir": "local",
}


def default_keys(path: Path) -> dict[str, Any]:
    """Keys of a config that is not written yet: those of the suite's, with folders of its own, named like the file.

    The name gets a number where the suite's config has such a folder. A key whose value is None is not written.
    """
    keys, name = read_sample_keys(SAMPLE_CONFIG), path.name.removesuffix(".json").removesuffix("_config")
    name = name if name.strip(".") else path.stem
    names = itertools.chain([name], (f"{name}_{number}" for number in itertools.count(2)))
    taken = _folders_of(check_keys(keys, SAMPLE_CONFIG, SampleConfig))
    own = next(each for each in map(_own_folders, names) if taken.isdisjoint(_real(map(project_path, each.values()))))
    return keys | own | {"unlabelled_image_dir": None, "acc_stop": 1, "cycle_stop": "auto"}


def _own_folders(name: str) -> dict[str, str]:
    """The folders of a captcha of this name, by their keys."""
    return {key: f"sample/{name}/{folder}/" for key, folder in FOLDERS.items()} | {"model_save_dir": f"model/{name}/"}


def _folders_of(config: SampleConfig) -> set[str]:
    """All folders of a config, where they really are."""
    values = [getattr(config, key) for key in SampleConfig.model_fields if key.endswith("_dir")]
    return _real(itertools.chain(*(value if isinstance(value, tuple) else (value,) for value in values if value)))


def _real(folders: Iterable[Path]) -> set[str]:
    return {*map(os.path.realpath, folders)}


def open_config(path: Path) -> SampleConfig:
    """The config at a path; a missing one as `fit_config` will write it, but for what follows from the labels."""
    return load_sample_config(path) if path.exists() else check_keys(default_keys(path), path, SampleConfig)


def fit_config(path: Path) -> SampleConfig:
    """Write the config at a path, or widen the one that is there, so that it takes all labelled pictures.

    An older one is kept as PATH.bak. Raises ConfigError when no config can, and SampleError without labelled pictures.
    """
    config = open_config(path)
    if path.exists():
        config = config.model_copy(update={"network": config.network})  # it stays, though no key may name it
    known = moved_labels(config)
    samples = [sample for folder in config.dirs_to_split for sample in inspect_folder(folder)]
    proposed = config_proposal.propose(samples, known, config, config_proposal.PIXEL_LIMIT)
    if not proposed:
        raise SampleError(f"{display_path(config.origin_dirs[0])}: expected labelled pictures; got none")
    if not path.exists():
        config_proposal.write(path, SAMPLE_CONFIG, default_keys(path) | proposed)
    elif missing := config_proposal.disagreements(proposed, config):
        config_proposal.write(path, path, missing)
    return load_sample_config(path)


def count_labelled(config: SampleConfig) -> int:
    """How many labelled pictures the folders of a config hold, those for the test among them.

    Those of all formats count: `fit_config` widens the config to them.
    """
    folders = (*config.dirs_to_split, config.train_image_dir, config.test_image_dir)
    return sum(1 for folder in folders for _ in scan_labels(folder, ANY_SUFFIX))


def hold_back(config: SampleConfig, journal: Journal) -> int:
    """Move labelled copies into the test set until it has its share; returns how many.

    Only pictures that came at random: those of a grid are the surest, and would flatter the model.
    """
    origin, test = config.origin_dirs[0], config.test_image_dir
    sizes = set_sizes(config)
    waiting = sum(1 for folder in config.dirs_to_split for _ in scan_labels(folder, config.image_suffix))
    wanted = count_for_test(sizes.training + sizes.test + waiting) - sizes.test
    with locked(origin, test):
        chosen = _at_random(config, journal)[: max(0, wanted)]
        for name in chosen:
            move(origin / name, test)
    return len(chosen)


def _at_random(config: SampleConfig, journal: Journal) -> list[str]:
    """The names of copies of pictures that came at random and are in no set yet, in an order at random.

    A picture of which there are two labels is left out, and so is one that a set has under any label. They come where
    a folder is labelled anew, or where it has a picture twice.
    """
    origin, sets = config.origin_dirs[0], (config.train_image_dir, config.test_image_dir)
    said = [entry for entry in [*journal.standing.values()] if entry.action == "label" and entry.at_random]
    names = {entry.copy for entry in said if entry.copy and (origin / entry.copy).exists()}
    in_sets = {_picture_of(name) for folder in sets for name in list_names(folder)}
    labels = Counter(map(_picture_of, names))
    free = [name for name in names if labels[_picture_of(name)] == 1 and _picture_of(name) not in in_sets]
    return sorted(free, key=_by_hash)


def _picture_of(name: str) -> str:
    """What two names have in common that copies of one picture have: the digest in it, or all of it."""
    return digest_in(name) or name


def _by_hash(name: str) -> bytes:
    return hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest()


def lacking_for_test(config: SampleConfig, journal: Journal, files: Sequence[File]) -> int:
    """How many pictures that come at random are to be labelled before a training, so that some test the model.

    No more than wait among the files that are labelled.
    """
    tested, labelled = sum(1 for _ in scan_labels(config.test_image_dir, ANY_SUFFIX)), count_labelled(config)
    needed = max(1, min(LEAST_TEST, int(LEAST_TEST_SHARE * labelled))) if labelled else 0
    lacking = needed - tested - len(_at_random(config, journal))
    return len([*itertools.islice(_waiting(journal, files), lacking)]) if lacking > 0 else 0


def _waiting(journal: Journal, files: Sequence[File]) -> Iterator[str]:
    """The names of files that nothing was said about and that came at random if they were asked about."""
    by_name, said = dict(named(files)), dict(journal.standing)
    order = Order([*by_name], at_random=True)
    is_even = all(entry.at_random for entry in said.values() if entry.action == "label")
    names = order.names if is_even else [order.names[number] for number in order.apart]
    seen = {entry.digest or digest_in(entry.copy) for entry in said.values()}
    for name in names:
        with suppress(SampleError):
            if name not in said and (digest := _digest_of_picture(by_name[name])) not in seen:
                seen.add(digest)
                yield name


def _digest_of_picture(file: File) -> str:
    """The digest of a file. Raises SampleError when it is no picture, or gone."""
    data = file.read()
    decode_picture(data)
    return digest_of(data)


def check_tested(lacking: int) -> None:
    """Raise SampleError when so many pictures that come at random lack a label."""
    if lacking:
        pictures = "one more picture" if lacking == 1 else f"{lacking} more pictures"
        raise SampleError(
            "too few of the labelled pictures came at random to test the model on them, and others would flatter it; "
            f"label {pictures} one by one, which come next, then train"
        )


def run(path: Path, pictures: Path, journal: Journal, say: Callable[[str], None]) -> None:
    """A whole round for the config at a path, on the labels of a journal; `pictures` teach without labels too.

    Raises CaptchaError when something does not fit, and SampleError when a script ends with an error, which it said.
    """
    config = open_config(path)
    if os.path.realpath(config.model_save_dir) == os.path.realpath(GENERAL_MODEL):
        message = "model_save_dir: expected a folder of your own; got that of the general model"
        raise SampleError(f"{display_path(path)}: {message}")
    folder = RoundFolder.of(config)
    with folder.held():
        config = fit_config(path)
        check_enough(count_labelled(config))
        check_tested(lacking_for_test(config, journal, _files_of(pictures, config)))
        own = _own_config(path, config, folder, pictures)
        say(f"The config is {display_path(path)}; {hold_back(config, journal)} pictures more are for the test")
        _script("verify_and_split_data.py", path, "--accept-labels", "--no-test")  # others were chosen by readings
        shutil.rmtree(folder.model, ignore_errors=True)
        _script("train_model.py", own)
        swap_in(folder.model, config.model_save_dir)
        say(f"{ENDED} {_measured(path, config)}; it is in {display_path(config.model_save_dir)}")


def _measured(path: Path, config: SampleConfig) -> str:
    """What the new model reads right of the test pictures, in words."""
    if not set_sizes(config).test:
        return "from now on, without a test: no labelled picture came at random"
    _script("test_batch.py", path)
    test = read_json_object(config.model_save_dir / "report" / "test.json")
    low, high = test["picture_accuracy_interval"]
    return f"{test['picture_accuracy']:.1%} of {test['samples']} test pictures ({low:.0%} to {high:.0%})"


def _files_of(pictures: Path, config: SampleConfig) -> list[File]:
    """The pictures that are labelled, but for those of the sets; none where they are gone."""
    sets = (*config.dirs_to_split, config.train_image_dir, config.test_image_dir)
    return list_pictures(pictures, sets).entries if pictures.exists() else []


def _script(name: str, config: Path, *options: str) -> None:
    command = [sys.executable, str(SHIPPED / name), "--config", str(config), *options]
    status = subprocess.run(command, check=False, stdin=subprocess.DEVNULL).returncode
    if status:
        raise SampleError(f"{name} {ending(status)}; what it said is above")


def _own_config(path: Path, config: SampleConfig, folder: RoundFolder, pictures: Path) -> Path:
    """A copy of the config with the round's model folder, and the user's pictures as those without labels."""
    keys = read_sample_keys(path) | {"model_save_dir": str(folder.model)}
    keys.pop("$schema", None)  # its link is relative to the folder of the config
    if pictures.exists() and not config.unlabelled_dirs:
        keys["unlabelled_image_dir"] = str(_unpacked(pictures, folder).absolute())
    own = folder.path / path.name
    write_atomically(own, json.dumps(keys, ensure_ascii=False, indent=2).encode())
    return own


def list_pictures(folder: Path, without: Iterable[Path] = ()) -> Source:
    """The pictures of a folder or a zip file, by suffix or content as an import chooses them. Others are skipped."""
    if not folder.exists():
        raise SampleError(f"{display_path(folder)}: expected a folder, a zip file or a suspects.csv; there is none")
    source = list_source(folder, without)
    pictures = [entry for entry in source.entries if may_be_picture(entry)]
    taken = {entry.name for entry in pictures}
    others = [entry.name for entry in source.entries if entry.name not in taken]
    unread = [(str(name), why_unread(name).replace("import the folder", "name the folder")) for name in others]
    return Source(pictures, [*source.skipped, *unread], source.notes)


def _unpacked(pictures: Path, folder: RoundFolder) -> Path:
    """A folder with the user's pictures: theirs, or one of the round for those of a zip file or without a suffix."""
    entries = list_pictures(pictures).entries
    if pictures.is_dir() and (not entries or any(has_suffix(entry.name, ANY_SUFFIX) for entry in entries)):
        return pictures
    target = folder.path / "pictures"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for entry in entries:
        with suppress(SampleError):
            data = entry.read()
            (target / f"{hashlib.sha256(data).hexdigest()}.{suffix_of(data)}").write_bytes(data)
    return target


def swap_in(source: Path, target: Path) -> None:
    """Replace the model in one folder by that of another, with its reports. Servers take it as they do any save."""
    card = load_card(source)
    files: dict[str, tuple[str, bytes]] = {
        kind: (Path(file.name).suffix, load_model(source, kind)[1]) for kind, file in card.files.items()
    }
    with held(target):
        save_model(target, card, files)
    for path in source.iterdir():
        with suppress(OSError):
            if path.suffix == ".png":
                shutil.copy2(path, target / path.name)
            elif path.name == "report":
                shutil.copytree(path, target / path.name, dirs_exist_ok=True)
