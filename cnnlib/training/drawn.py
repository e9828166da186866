"""Training pictures that are drawn while the training goes on, on all cores.

The picture at each place follows from the seed and the place alone.
"""

import hashlib
import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from cnnlib.codec.alphabet import Alphabet
from cnnlib.codec.images import Shape, open_picture
from cnnlib.config import CaptchaConfig, SampleConfig, load_captcha_config
from cnnlib.core.errors import ConfigError, SampleError
from cnnlib.core.files import make_folder, take_lock
from cnnlib.core.parallel import begin_ahead, cores
from cnnlib.data.packed import FOREVER, LOCK_NAME
from cnnlib.synthesis.generate import Draw, end_with_parent, generate
from cnnlib.synthesis.generators import GENERATORS
from cnnlib.training.dataset import TrainingData, load_folder
from cnnlib.training.pictures import Dataset

VERIFICATION_PICTURES = 2000
REVIEWED_PICTURES = 2000  # of the training, that are kept to be read at its end
VERIFICATION_SEEDS = 2**32  # above all seeds that a config can have, so that no picture is in both sets
SHARE = 16  # pictures that a process draws at a time
AHEAD = 4  # batches that are being drawn
START_METHOD = "spawn"  # a fork of a process with TensorFlow's threads may hang

Drawn = tuple[np.ndarray, np.ndarray]  # uint8 (n, height, width, channels), int32 (n, length)


@dataclass(frozen=True)
class DrawnPictures:
    """As many pictures as a training needs, each drawn when its place comes."""

    draw: Draw
    count: int
    shape: Shape
    alphabet: Alphabet
    label_length: int
    spelled: Callable[[str], str] = str  # of a label: as it is learned

    def __len__(self) -> int:
        return self.count

    @property
    def picture_shape(self) -> tuple[int, ...]:
        """Height, width and channels."""
        return self.shape.height, self.shape.width, self.shape.channels

    def stream(self, places: Iterable[np.ndarray], seed: int) -> Iterator[Drawn]:
        """Pictures and labels of the places of each step. Raises SampleError when a drawing process was killed."""

        def submit(step_places: np.ndarray) -> list[Future[Drawn]]:
            shares = np.split(step_places, range(SHARE, len(step_places), SHARE))
            return [_pool().submit(self.draw_places, share.tolist(), seed) for share in shares]

        def cancel(shares: list[Future[Drawn]]) -> None:
            for share in shares:
                share.cancel()

        try:
            with closing(begin_ahead(submit, places, AHEAD, cancel)) as steps:
                for futures in steps:
                    pictures, labels = zip(*(future.result() for future in futures), strict=True)
                    yield np.concatenate(pictures), np.concatenate(labels)
        except BrokenProcessPool as error:
            _pool.cache_clear()
            raise SampleError("a drawing process was killed, probably for lack of memory; start again") from error

    def draw_places(self, places: list[int], seed: int) -> Drawn:
        """The pictures and labels of these places, drawn here."""
        drawn = [self.draw(f"{seed}-{place}") for place in places]
        pictures = np.stack([open_picture(data, self.shape) for _, data in drawn])
        labels = [self.alphabet.encode(self.spelled(label), self.label_length) for label, _ in drawn]
        return pictures, np.array(labels, np.int32)


@lru_cache(maxsize=1)
def _pool() -> ProcessPoolExecutor:
    """Processes that draw for all replicas of this process, until it ends."""
    return ProcessPoolExecutor(cores(), multiprocessing.get_context(START_METHOD), end_with_parent)


def load_drawn(config: SampleConfig) -> TrainingData:
    """What the config's `generator` draws, instead of the pictures of a folder.

    Verification pictures are drawn ahead and kept in `cache_dir`, as are the `drawn_pictures` that come again and
    again. Without that key, all training pictures are new.
    Raises ConfigError when the generator's pictures don't fit the config.
    """
    make, default = GENERATORS[str(config.generator)]
    captcha = load_captcha_config(config.generator_config or default)
    _check_fit(captcha, config)
    draw = make(captcha)
    seed, folder = config.split_seed, config.cache_dir / f"{config.generator}-{_hash(captcha, draw)}"
    count = config.drawn_pictures or REVIEWED_PICTURES
    drawn = config.model_copy(update={"image_suffix": captcha.image_suffix})
    with take_lock(folder / LOCK_NAME, FOREVER):  # until they are decoded, or --clear-cache would take them away
        training = _drawn_folder(folder / f"training-{seed}", captcha, draw, seed, count)
        verification = _drawn_folder(
            folder / f"verification-{seed}", captcha, draw, VERIFICATION_SEEDS + seed, VERIFICATION_PICTURES
        )
        pictures = _first(load_folder(training, drawn).data, count)
        verifying = _first(load_folder(verification, drawn).data, VERIFICATION_PICTURES)
    data = TrainingData(pictures, verifying, {})
    if config.drawn_pictures:
        return data
    total = int(config.cycle_stop) * config.train_batch_size
    draw = make(_unpacked(captcha))
    look = config.shape, config.alphabet, config.max_captcha
    return replace(data, source=DrawnPictures(draw, total, *look, config.spelled))


def _unpacked(captcha: CaptchaConfig) -> CaptchaConfig:
    """The config of the same pixels that are decoded at once: a BMP takes 2 ms less than a PNG of 160x64."""
    return captcha.model_copy(update={"image_suffix": "bmp"}) if captcha.image_suffix == "png" else captcha


def _check_fit(captcha: CaptchaConfig, config: SampleConfig) -> None:
    faults = []
    if config.cycle_stop == "auto" and not config.drawn_pictures:
        faults.append("key 'cycle_stop': expected a number of steps where all pictures are new; got \"auto\"")
    if unknown := config.alphabet.unknown_in("".join(map(config.spelled, captcha.characters))):
        faults.append(f"{captcha.name} draws characters that the alphabet lacks: {' '.join(unknown)}")
    if captcha.char_count > config.max_captcha:
        faults.append(f"{captcha.name} draws {captcha.char_count} characters, max_captcha is {config.max_captcha}")
    size = captcha.width, captcha.height
    if not config.resize and size != (config.image_width, config.image_height):
        wanted = f"{config.image_width}x{config.image_height}"
        faults.append(f'{captcha.name} draws {size[0]}x{size[1]} pixels, expected {wanted}, or "resize": true')
    if faults:
        raise ConfigError("\n".join(f"{config.name}: {fault}" for fault in faults))


def _first(data: Dataset, count: int) -> Dataset:
    """The first `count` of drawn pictures: the folder has more if more were asked for before."""
    numbers = np.array([_number(name) for name in data.names])
    return data.select(np.flatnonzero(numbers < count))


def _hash(captcha: CaptchaConfig, draw: Draw) -> str:
    """A hash of all that the pictures follow from besides seed and number."""
    made_from = f"{captcha.model_dump_json(exclude={'root_dir', 'count'})} {getattr(draw, 'keywords', '')}"
    return hashlib.sha256(made_from.encode()).hexdigest()[:16]


def _drawn_folder(folder: Path, captcha: CaptchaConfig, draw: Draw, seed: int, count: int) -> Path:
    """A folder with the first `count` pictures of a seed. Those that it lacks are drawn.

    Waits while another training draws there. `generate` would draw as many pictures more, or give up.
    """
    make_folder(folder)
    with take_lock(folder.with_name(f".{folder.name}.lock"), FOREVER):
        present = set[int]()
        for path in folder.glob(f"*.{captcha.image_suffix}"):
            if path.stat().st_size:
                present.add(_number(path.name))
            else:  # left by a power cut
                path.unlink()
        missing = len({*range(count)} - present)
        if missing:  # the first that the folder lacks are these
            generate(captcha.model_copy(update={"root_dir": folder}), missing, seed, draw, START_METHOD)
    return folder


def _number(name: str) -> int:
    """The number of a drawn picture in its name."""
    return int(name.rpartition("-")[2].partition(".")[0])
