"""The end of a training that started from a model: weights between both read better than those of the end, often.

They are averaged (WiSE-FT, Wortsman et al. 2022). With few labels a training forgets what its start knew. The loss on
the verification pictures tells which share is best. Accuracy is too coarse for it where they are few.
"""

from collections.abc import Callable, Mapping

import numpy as np

from cnnlib.core.errors import ModelError
from cnnlib.core.paths import display_path
from cnnlib.training.trainer import Trainer

SHARES = (1.0, 0.9, 0.8, 0.7, 0.6)  # of the end
LEAST_SHARE = 0.05  # of the end, which is computed from the mix: of less, rounding leaves too little


def mix_with_start(trainer: Trainer, say: Callable[[str], None]) -> None:
    """Give the averaged weights the share of the end with the least loss on the verification pictures, and say so.

    No share counts that reads fewer of them right than the end does. Without a start nothing changes, nor where it was
    done at this step already.
    """
    progress = trainer.progress
    if progress.mixed_step == progress.step or not progress.start or trainer.averaged is trainer.model:
        return
    ends = _ends(trainer)
    found = {}
    for share in SHARES:
        _assign_mix(trainer, ends, share)
        found[share] = trainer.evaluator.evaluate()
    end = found[1.0]
    fit = [share for share in SHARES if found[share].accuracy.picture >= end.accuracy.picture]
    best = min(fit, key=lambda share: found[share].loss)
    _assign_mix(trainer, ends, best)
    if best < 1:
        trainer.forget_evaluation()
        losses = f"{found[best].loss:.3g} in place of {end.loss:.3g}"
        say(f"Weights: {best:.0%} of the end and {1 - best:.0%} of the start; verification loss {losses}")


def mix(trainer: Trainer, share: float) -> None:
    """Give the end of the training this share of the averaged weights, as `check_share` takes it, its start the rest.

    It takes the place of a share that they were given at this step before.
    Raises ModelError when the training began with random weights, or its end is lost.
    """
    if not trainer.progress.start:
        folder = display_path(trainer.config.model_save_dir)
        raise ModelError(f"{folder}: expected a training that started from a model; this one began with random weights")
    if trainer.progress.mixed_step == trainer.progress.step and trainer.progress.share < LEAST_SHARE:
        before = f"its weights were mixed with {trainer.progress.share:g} of the end, of which too little is left"
        raise ModelError(f"{display_path(trainer.config.model_save_dir)}: {before}; train on, or restore a copy")
    _assign_mix(trainer, _ends(trainer), share)
    trainer.forget_evaluation()


def check_share(share: float | None) -> None:
    """Raise ModelError for a share of the end from which it can't be computed again. None is no share."""
    if share is not None and not LEAST_SHARE <= share <= 1:
        raise ModelError(f"--mix: expected a share from {LEAST_SHARE} to 1; got {share:g}; less would lose the end")


def _ends(trainer: Trainer) -> dict[str, np.ndarray]:
    """The averaged weights of the end by path, without what they have of the start."""
    progress = trainer.progress
    share, start = (progress.share if progress.mixed_step == progress.step else 1.0), progress.start
    ends = {weight.path: weight.numpy() for weight in trainer.averaged.weights}
    mixed = ends.keys() & start.keys() if share < 1 else ()
    return ends | {path: (ends[path] - (1 - share) * start[path]) / share for path in mixed}


def _assign_mix(trainer: Trainer, ends: Mapping[str, np.ndarray], share: float) -> None:
    """Weights that were not taken from the start are those of the end."""
    start = trainer.progress.start
    for weight in trainer.averaged.weights:
        end = ends[weight.path]
        weight.assign(share * end + (1 - share) * start[weight.path] if weight.path in start else end)
    trainer.progress.mixed_step, trainer.progress.share = trainer.progress.step, share
