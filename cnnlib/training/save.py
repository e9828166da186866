"""Saves a training: checkpoint, card and LiteRT files, swapped in together; on request formats of other servers."""

import shutil
import tempfile
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from cnnlib.core.files import make_folder, optional_output, replace_folder, restore_folder, write_atomically
from cnnlib.evaluation.calibration import calibrate
from cnnlib.inference.model_card import ModelCard, save_model, versions
from cnnlib.training import checkpoint, export, warm_start
from cnnlib.training.trainer import Trainer

TRAINING_CURVE, VERIFICATION_CURVE = "training batches", "verification set"  # on the pictures of the curves
UNFINISHED = ".unfinished-"  # start of the name of a SavedModel that is being written
EXPORTED = ("float32", "quantised")  # LiteRT files of a final save
CHECKED_PICTURES = 16  # verification pictures on which every export is compared with the network


def save(trainer: Trainer, *, final: bool = False) -> None:
    """Swap in checkpoint, card and LiteRT file of this step.

    Call `Trainer.record_evaluation` first: the card says what it found. `final` adds the quantised LiteRT file. It is
    evaluated on the verification set, as the other one is, and used for reading if it reads as well.
    """
    model = export.to_float32(trainer.network, trainer.averaged)
    litert = export.to_litert(model)
    export.check_litert(litert, model, trainer.verification.pictures[:CHECKED_PICTURES])
    contents = {
        "checkpoint": (".npz", checkpoint.pack(trainer.model, trainer.averaged, trainer.optimizer, trainer.progress)),
        "weights": (".npz", warm_start.pack(trainer.averaged)),
        "float32": (".tflite", litert),
    }
    card = _card(trainer)
    if final:
        contents["quantised"] = (".tflite", export.to_litert(model, quantised=True))
        card = card.model_copy(update=_measured(trainer, {kind: contents[kind][1] for kind in EXPORTED}))
    save_model(trainer.config.model_save_dir, card, contents)


def draw_curves(trainer: Trainer, say: Callable[[str], None]) -> None:
    """Draw train_acc.png and test_acc.png, each with its own curve in front. If one can't be drawn, say so."""
    progress, folder = trainer.progress, trainer.config.model_save_dir
    curves = {VERIFICATION_CURVE: progress.verification_curve, TRAINING_CURVE: progress.training_curve}
    for name, front in (("train_acc.png", TRAINING_CURVE), ("test_acc.png", VERIFICATION_CURVE)):
        with optional_output(folder / name, say):
            from cnnlib.evaluation import plots

            goal = trainer.config.acc_stop
            plots.draw_errors(
                folder / name, f"Misread: {front}", curves, front=front, smoothed=TRAINING_CURVE, goal=goal
            )


def save_for_serving(trainer: Trainer, folder: Path) -> Path:
    """A SavedModel of this step, in the versioned layout of TensorFlow Serving; returns its folder.

    Raises ModelError when it answers otherwise than Keras.
    """
    model = export.to_float32(trainer.network, trainer.averaged)
    version = folder / str(trainer.progress.step)
    make_folder(folder)
    restore_folder(version)
    for left in folder.glob(f"{UNFINISHED}*"):  # by a killed export
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=UNFINISHED) as part:  # a server loads only complete versions
        export.to_saved_model(model, Path(part) / "model")
        export.check_saved_model(Path(part) / "model", model, trainer.verification.pictures[:CHECKED_PICTURES])
        replace_folder(Path(part) / "model", version)
    return version


def save_as_onnx(trainer: Trainer, path: Path) -> None:
    """Write an ONNX model. Raises ModelError when it answers otherwise than Keras, or can't be made."""
    model = export.to_float32(trainer.network, trainer.averaged)
    content = export.to_onnx(model)
    export.check_onnx(content, model, trainer.verification.pictures[:CHECKED_PICTURES])
    make_folder(path.parent)
    write_atomically(path, content)


def _measured(trainer: Trainer, files: Mapping[str, bytes]) -> dict[str, Any]:
    """What the card says of exported files: their accuracies, which one reads, and what its confidences mean."""
    verification = trainer.verification
    labels = [trainer.evaluator.label(verification, number) for number in range(len(verification))]
    read = {
        kind: export.litert_predictions(content, verification.pictures[:], trainer.evaluator.decode)
        for kind, content in files.items()
    }
    right = {
        kind: [each.text == label for each, label in zip(predictions, labels, strict=True)]
        for kind, predictions in read.items()
    }
    accuracies = {kind: sum(hits) / max(1, len(hits)) for kind, hits in right.items()}
    reads = export.choose(accuracies)
    calibration = calibrate([each.confidence for each in read[reads]], right[reads])
    return {"reads": reads, "exported_picture_accuracy": accuracies, **vars(calibration)}


def _card(trainer: Trainer) -> ModelCard:
    config, progress, verified = trainer.config, trainer.progress, trainer.verified
    return ModelCard(
        network=config.network,
        decoding=trainer.network.decoding,
        image_height=config.image_height,
        image_width=config.image_width,
        channels=config.channels,
        resize=config.resize,
        characters=config.alphabet.characters,
        min_captcha=trainer.lengths[0],
        max_captcha=config.max_captcha,
        step=progress.step,
        training_seconds=round(progress.seconds, 1),
        training_pictures=trainer.learned_pictures,
        verification_pictures=verified.pictures,
        verification_picture_accuracy=verified.picture,
        verification_character_accuracy=verified.character,
        best_picture_accuracy=progress.best_accuracy,
        best_step=progress.best_step,
        split_seed=config.split_seed,
        saved_at=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        versions=versions("tensorflow", "keras", "numpy"),
    )
