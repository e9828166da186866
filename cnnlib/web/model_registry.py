"""The models that a server reads with, each from a config file, read anew when a training saves another one."""

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cnnlib.config import SampleConfig, load_sample_config
from cnnlib.core.errors import ConfigError, ModelError
from cnnlib.inference.compatibility import wanted_of
from cnnlib.inference.model_card import CARD
from cnnlib.inference.recognizer import Recognizer
from cnnlib.web.api_errors import MODEL_LOST, UNKNOWN_MODEL, RefusalError
from cnnlib.web.received_pictures import Keeper

log = logging.getLogger(__name__)
LOOK_S = 0.1  # from one look for a new model to the next
AGAIN_S = 1.0  # from one try to load a model that can't be loaded to the next: its files may still be coming
Stamp = tuple[int, int, int]  # of a card file: when it was written, its number on the disk, its size


class Model:
    """A config's model. A new one in its folder replaces it in the background; a broken one is left where it is."""

    def __init__(self, name: str, config: SampleConfig) -> None:
        self.name, self.config = name, config
        self.keeper = Keeper(config)
        self._loading = threading.Lock()
        self._recognizer: Recognizer | None = None
        self._stamp: Stamp | None = None
        self._next_look = 0.0
        self._fault = ""  # of the last try, so that it is logged once

    @property
    def recognizer(self) -> Recognizer:
        """The newest that could be loaded. Raises RefusalError when there is none any more."""
        self._look()
        if self._recognizer is None:
            raise RefusalError(503, MODEL_LOST, f"the model {self.name} can't be loaded; the server's log says why")
        return self._recognizer

    @property
    def ready(self) -> bool:
        """Whether there is a model to read with."""
        self._look()
        return self._recognizer is not None

    def load(self) -> None:
        """Load the model in the folder. Raises ModelError and keeps the one that was there."""
        stamp = self._stamp_now()  # before reading: what is saved meanwhile is seen as new
        try:
            self._recognizer = Recognizer(self.config.model_save_dir, wanted=wanted_of(self.config))
        except ModelError:
            self._next_look = time.monotonic() + AGAIN_S
            raise
        self._stamp = stamp

    def describe(self) -> dict[str, Any]:
        """What `GET /models` tells."""
        about = {"name": self.name, "path": f"/b/{self.name}", "ready": self.ready}
        if not self.ready:
            return about
        card = self.recognizer.card
        return about | {
            "characters": self.recognizer.characters,
            "width": card.image_width,
            "height": card.image_height,
            "resize": self.recognizer.resizes,
            "min_length": card.min_captcha,
            "max_length": card.max_captcha,
            "network": card.network,
            "picture_accuracy": card.verification_picture_accuracy,
            "verification_pictures": card.verification_pictures,
            "step": card.step,
            "saved_at": card.saved_at,
        }

    def _look(self) -> None:
        """Start loading when the card is another one than the last that was tried; once in a while."""
        now = time.monotonic()
        if now < self._next_look:
            return
        self._next_look = now + LOOK_S
        stamp = self._stamp_now()
        if stamp not in (None, self._stamp) and self._loading.acquire(blocking=False):
            threading.Thread(target=self._replace, daemon=True).start()

    def _replace(self) -> None:
        try:
            self.load()
            log.info("%s: a new model is read with, of step %d", self.name, self.recognizer.card.step)
            self._fault = ""
        except ModelError as error:
            if str(error) != self._fault:
                log.warning("%s: the new model is not taken: %s", self.name, error)
            self._fault = str(error)
        finally:
            self._loading.release()

    def _stamp_now(self) -> Stamp | None:
        try:
            found = (self.config.model_save_dir / CARD).stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ino, found.st_size


class Models:
    """Models by name, the first the default."""

    def __init__(self, models: Sequence[Model]) -> None:
        self.by_name = {model.name: model for model in models}

    def named(self, name: str) -> Model:
        """Raises RefusalError when there is none of this name."""
        if name not in self.by_name:
            raise RefusalError(404, UNKNOWN_MODEL, f"expected a model of {', '.join(self.by_name)}; got {name}")
        return self.by_name[name]

    def fitting(self, size: tuple[int, int]) -> Model:
        """The first model for pictures of this width and height, else the first of all; of those that are loaded."""
        models = [model for model in self.by_name.values() if model.ready] or [*self.by_name.values()]
        if len(models) > 1:
            for model in models:
                card = model.recognizer.card
                if (card.image_width, card.image_height) == size:
                    return model
        return models[0]


def load_configs(paths: Sequence[Path | str]) -> dict[str, SampleConfig]:
    """Config files by name. Raises ConfigError for a faulty one, or two of one name."""
    names = [Path(path).stem for path in paths]
    doubles = {name for name in names if names.count(name) > 1}
    if doubles:
        raise ConfigError(f"--config: expected files of different names; got two named {', '.join(sorted(doubles))}")
    return {name: load_sample_config(path) for name, path in zip(names, paths, strict=True)}


def load_models(configs: Mapping[str, SampleConfig], patient: bool = False) -> Models:
    """The models of some configs.

    Raises ModelError when there is no model that fits one; `patient`: it is waited for, and what it should read is
    answered with 503.
    """
    models = [Model(name, config) for name, config in configs.items()]
    for model in models:
        try:
            model.load()
        except ModelError as error:
            if not patient:
                raise
            log.warning("%s: waiting for a model: %s", model.name, error)
    return Models(models)
