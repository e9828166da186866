"""The models of a server, one for each config file. A model that a training saves anew is reloaded."""

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cnnlib.config import SampleConfig, load_sample_config
from cnnlib.core.errors import ConfigError, ModelError
from cnnlib.inference.compatibility import requirements_of
from cnnlib.inference.model_card import CARD
from cnnlib.inference.recognizer import Recognizer
from cnnlib.web.api_errors import MODEL_UNAVAILABLE, PATH_LIMIT, UNKNOWN_MODEL, ApiError
from cnnlib.web.examples import Examples
from cnnlib.web.received_pictures import ReceivedPictures

log = logging.getLogger(__name__)
CHECK_INTERVAL_S = 0.1  # from one look at the model card to the next
RETRY_INTERVAL_S = 1.0  # after a model that can't be loaded, whose files may still be arriving
Stamp = tuple[int, int, int]  # of a card file: time of its last change in ns, inode, size in bytes


class ServedModel:
    """The model of a config. A new model in its folder is loaded in the background, a broken one is ignored."""

    def __init__(self, name: str, config: SampleConfig) -> None:
        self.name, self.config = name, config
        self.received = ReceivedPictures(
            config.api_image_dir,
            config.image_suffix,
            config.api_save_limit,
            config.api_save_bytes,
            enabled=config.api_save,
        )
        self.examples = Examples(config)
        self._loading = threading.Lock()
        self._recognizer: Recognizer | None = None
        self._stamp: Stamp | None = None
        self._next_check = 0.0  # on the clock of time.monotonic
        self._logged_faults: set[str] = set()  # a fault that stays is logged once

    @property
    def recognizer(self) -> Recognizer:
        """The recognizer with the newest model. Raises ApiError when no model could be loaded so far."""
        self._reload_if_changed()
        if self._recognizer is None:
            raise ApiError(503, MODEL_UNAVAILABLE, f"the model {self.name} can't be loaded; the server's log says why")
        return self._recognizer

    @property
    def ready(self) -> bool:
        """Whether a model is loaded."""
        self._reload_if_changed()
        return self._recognizer is not None

    def load(self) -> None:
        """Load the model in the folder. Raises ModelError, and then an older model stays in use."""
        stamp = self._card_stamp()  # before reading, so that a save during the reading counts as a change
        try:
            self._recognizer = Recognizer(self.config.model_save_dir, requirements=requirements_of(self.config))
        except Exception:
            self._next_check = time.monotonic() + RETRY_INTERVAL_S
            raise
        self._stamp = stamp

    def describe(self) -> dict[str, Any]:
        """The model's entry in `GET /models`."""
        entry = {"name": self.name, "path": f"/b/{self.name}", "ready": self.ready}
        if not self.ready:
            return entry
        card = self.recognizer.card
        return entry | {
            "characters": self.recognizer.characters,
            "width": card.image_width,
            "height": card.image_height,
            "resize": self.recognizer.resizes,
            "min_length": self.recognizer.lengths[0],
            "max_length": self.recognizer.lengths[1],
            "network": card.network,
            "picture_accuracy": card.verification_picture_accuracy,
            "min_confidence": card.min_confidence,
            "verification_pictures": card.verification_pictures,
            "step": card.step,
            "saved_at": card.saved_at,
            "keeps_pictures": self.config.api_save,
            "examples": len(self.examples.current()),
        }

    def _reload_if_changed(self) -> None:
        """Start loading in a thread when the card has changed since the last load, checked once an interval."""
        now = time.monotonic()
        if now < self._next_check:
            return
        self._next_check = now + CHECK_INTERVAL_S
        stamp = self._card_stamp()
        if stamp not in (None, self._stamp) and self._loading.acquire(blocking=False):
            try:
                threading.Thread(target=self._reload, daemon=True).start()
            except RuntimeError as error:  # no more threads may start
                self._loading.release()
                self.log_fault("the new model can't be loaded", error)

    def _reload(self) -> None:
        try:
            self.load()
            log.info("%s: the new model of step %d is loaded", self.name, self.recognizer.card.step)
            self._logged_faults.clear()
        except Exception as error:  # whatever a broken model does, the one in use stays
            self.log_fault("the new model can't be loaded", error)
        finally:
            self._loading.release()

    def log_fault(self, what: str, error: Exception) -> None:
        """Log why there is no new model, unless that was logged since the last one was loaded."""
        if str(error) not in self._logged_faults:
            self._logged_faults.add(str(error))
            log.warning("%s: %s: %s", self.name, what, error)

    def _card_stamp(self) -> Stamp | None:
        try:
            status = (self.config.model_save_dir / CARD).stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_ino, status.st_size


class ModelRegistry:
    """Models by name. The first one is the default."""

    def __init__(self, models: Sequence[ServedModel]) -> None:
        self.by_name = {model.name: model for model in models}

    def named(self, name: str) -> ServedModel:
        """The model of this name. Raises ApiError when there is none."""
        if name not in self.by_name:
            raise ApiError(
                404, UNKNOWN_MODEL, f"expected a model of {', '.join(self.by_name)}; got {name[:PATH_LIMIT]}"
            )
        return self.by_name[name]

    def for_size(self, size: tuple[int, int]) -> ServedModel:
        """The first loaded model for pictures of this width and height, else the first that resizes, else the first.

        When none is loaded, this is the default model.
        """
        models = [model for model in self.by_name.values() if model.ready] or [*self.by_name.values()]
        if len(models) == 1:
            return models[0]
        cards = {model.name: model.recognizer.card for model in models}
        fitting = [model for model in models if (cards[model.name].image_width, cards[model.name].image_height) == size]
        return (fitting or [model for model in models if model.recognizer.resizes] or models)[0]


def load_configs(paths: Sequence[Path | str]) -> dict[str, SampleConfig]:
    """Configs by the names of their files, without suffix. Raises ConfigError for a faulty one or a doubled name."""
    names = [Path(path).stem for path in paths]
    doubles = {name for name in names if names.count(name) > 1}
    if doubles:
        raise ConfigError(f"--config: expected files of different names; got two named {', '.join(sorted(doubles))}")
    return {name: load_sample_config(path) for name, path in zip(names, paths, strict=True)}


def load_models(configs: Mapping[str, SampleConfig], *, allow_missing: bool = False) -> ModelRegistry:
    """The models of these configs, loaded.

    Raises ModelError when a model is missing or does not fit its config. With `allow_missing` that is logged instead,
    and requests for the model are answered with 503 until it can be loaded.
    """
    models = [ServedModel(name, config) for name, config in configs.items()]
    for model in models:
        try:
            model.load()
        except ModelError as error:
            if not allow_missing:
                raise
            model.log_fault("waiting for a model", error)
    return ModelRegistry(models)
