"""Where a training begins: it resumes from its checkpoint, or starts from another model's weights or random ones."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from cnnlib.config import SampleConfig
from cnnlib.core.errors import ModelError
from cnnlib.core.paths import GENERAL_MODEL, display_path
from cnnlib.inference.compatibility import check_resumable, requirements_of
from cnnlib.inference.model_card import ModelCard, has_file, load_card, load_model
from cnnlib.training import checkpoint
from cnnlib.training.trainer import Trainer
from cnnlib.training.warm_start import NothingFitsError, transfer_weights


def begin(trainer: Trainer, warm_start: str, say: Callable[[str], None]) -> None:
    """Resume the training in `model_save_dir`, or start a new one, and say which.

    `warm_start` is the folder of a model, "none", or "auto": the general model where its layers fit. Of several
    workers the first one does so, and the others take over what it has then: their folders may be empty.
    Raises ModelError when the older training, or the model that is named, can't be used.
    """
    if trainer.distribution.writes:
        _begin(trainer, warm_start, say)
    if trainer.distribution.workers == 1:
        return
    state = trainer.model, trainer.averaged, trainer.optimizer
    content = trainer.distribution.from_first(lambda: checkpoint.pack(*state, trainer.progress))
    if not trainer.distribution.writes:
        trainer.progress = checkpoint.unpack(content, *state)
        trainer.saved_seconds = trainer.progress.seconds


def _begin(trainer: Trainer, warm_start: str, say: Callable[[str], None]) -> None:
    if not resume(trainer, say):
        say(start(trainer, warm_start))
        return
    named = warm_start not in ("auto", "none")
    unused = f"; {display_path(Path(warm_start))} is not started from" if named else ""
    say(f"Resuming from step {trainer.progress.step} in {display_path(trainer.config.model_save_dir)}{unused}")


def start(trainer: Trainer, warm_start: str) -> str:
    """Give the network of `trainer` its first weights; returns a sentence about them."""
    random = "Start from random weights"
    folder = general_model(trainer.network.name) if warm_start == "auto" else Path(warm_start)
    if warm_start == "none" or (warm_start == "auto" and not has_file(folder, "weights")):
        return random
    try:
        transfer = transfer_weights(folder, trainer.model, trainer.network, trainer.config.alphabet)
    except NothingFitsError:
        if warm_start == "auto":
            return random
        raise
    trainer.averaged.set_weights(trainer.model.get_weights())
    trainer.progress.start = transfer.weights
    return transfer.sentence


def general_model(network: str) -> Path:
    """The folder of the general model from which a network starts: that of its own kind, if there is one."""
    own = GENERAL_MODEL / network
    return own if has_file(own, "weights") else GENERAL_MODEL


def check_split_seed(config: SampleConfig) -> None:
    """Raise ModelError when the training in `model_save_dir` verifies with other pictures than the config says."""
    folder = config.model_save_dir
    if not check_resumable(folder, requirements_of(config)):
        return
    seed = load_card(folder).split_seed
    if seed not in (None, config.split_seed):
        raise ModelError(
            f"{display_path(folder)}: its split_seed is {seed}, {config.name} has {config.split_seed}: "
            "pictures that it was trained on would verify it; set it back, or name another model_save_dir"
        )


def resume(trainer: Trainer, say: Callable[[str], None] = lambda _: None) -> bool:
    """Go on from the training in `model_save_dir`; False when there is none. Says so where its pictures have changed.

    Raises ModelError when it is broken, disagrees with the config, or was trained on none of the pictures.
    """
    config, folder = trainer.config, trainer.config.model_save_dir
    if not check_resumable(folder, requirements_of(config)):
        return False
    check_split_seed(config)
    card, content = load_model(folder, "checkpoint")
    fresh = trainer.progress
    try:
        trainer.progress = checkpoint.unpack(content, trainer.model, trainer.averaged, trainer.optimizer)
    except ModelError as error:
        remedy = f"name another model_save_dir, and start from this one with --warm-start {display_path(folder)}"
        raise ModelError(f"{display_path(folder)}: its checkpoint: {error}; {remedy}") from error
    trainer.saved_seconds = trainer.progress.seconds
    trainer.resumed_at = trainer.progress.step, card.training_pictures
    before = trainer.progress.names_hash
    if len(fresh.known) and not np.isin(fresh.known, trainer.progress.known).any():
        _check_known(trainer)
    trainer.progress.names_hash, trainer.progress.known = fresh.names_hash, fresh.known
    _compare_pictures(trainer, card, before, say)
    return True


def _check_known(trainer: Trainer) -> None:
    """Raise ModelError when the older training knows none of the pictures by name, if it knows any."""
    known, config = trainer.progress.known, trainer.config
    if len(known) and not checkpoint.knows_any(known, (trainer.training, trainer.verification)):
        folder = display_path(config.model_save_dir)
        raise ModelError(
            f"{folder}: expected the pictures that it was trained on, perhaps with others; got none of them in "
            f"{display_path(config.train_image_dir)}; for another kind of captcha name another model_save_dir; if they "
            f"are alike, start from this model with --warm-start {folder}"
        )


def _compare_pictures(trainer: Trainer, card: ModelCard, names_hash: str, say: Callable[[str], None]) -> None:
    """Forget what the older training says about its pictures, by card and hash of names, unless they are the same."""
    progress = trainer.progress
    before, now = (
        (card.training_pictures, card.verification_pictures),
        (len(trainer.training), len(trainer.verification)),
    )
    same = names_hash == progress.names_hash if names_hash else before == now  # checkpoints of early versions have none
    if not same:
        if not trainer.config.generator:
            was = f"{before[0]} training and {before[1]} verification pictures"
            say(f"The pictures or labels are others than at the last save: {was} then, {now[0]} and {now[1]} now")
        progress.best_accuracy, progress.best_step, progress.labels_checked = 0.0, progress.step, False
    elif card.resize == trainer.config.resize:  # which may change at any time, and has to reach the card
        trainer.mark_saved(final="quantised" in card.files)
