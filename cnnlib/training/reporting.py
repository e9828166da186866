"""The lines that a training prints, made from values: nothing here changes a training."""

import signal
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from cnnlib.config import SampleConfig
from cnnlib.core.paths import display_path
from cnnlib.core.printable import printable
from cnnlib.core.progress import print_above
from cnnlib.evaluation.diagnosis import Diagnosis, advice
from cnnlib.evaluation.metrics import NO_CHARACTER, Accuracy, interval
from cnnlib.inference.model_card import ModelCard
from cnnlib.training.schedule import Plan

WIDE = 0.05  # of an interval, above which the number of pictures is blamed
LIST_LIMIT = 10  # confusions, and probably mislabelled pictures, that are listed


@dataclass(frozen=True)
class Outcome:
    """How a training ended; `signal` is the number of the signal that stopped it, or None."""

    reason: str
    goal_reached: bool  # whether it is `acc_stop` that ended it
    signal: int | None
    step: int
    verification: Accuracy
    seconds: float
    pictures_per_s: float
    gflops: float  # billions of operations per second, forward and backward, without attention
    best_accuracy: float
    best_step: int
    diagnosis: Diagnosis | None = None  # None when a signal stopped the training
    machine_gflops: float = 0.0  # of a matrix product in bfloat16, measured after the training
    worker: int = 0  # number of this process; worker 0 wrote the model
    skipped: dict[str, str] = field(default_factory=dict)  # why pictures were not trained on, by their names


def print_line(text: str) -> None:
    """Print a line above the progress bar. A training outlives its terminal, so nobody may be there to read it."""
    with suppress(OSError):
        print_above(printable(text))


def skipped_lines(folder: Path, skipped: Mapping[str, str]) -> Iterator[str]:
    """Which pictures of the folder are not trained on, and why, by name."""
    for name, reason in islice(skipped.items(), LIST_LIMIT):
        yield f"Skipped {display_path(folder / name)}: {reason}"
    if len(skipped) > LIST_LIMIT:
        yield f"... and {len(skipped) - LIST_LIMIT} more, {len(skipped)} in all"


def heard_line(number: int) -> str:
    """The answer to a signal that asks a training to stop."""
    name = {signal.SIGINT: "Ctrl-C", signal.SIGTERM: "SIGTERM"}.get(signal.Signals(number), "The end of the terminal")
    return f"{name} was heard: the step under way ends, then it is saved"


def strategy_line(config: SampleConfig, replicas: int, workers: int) -> str:
    """What trains together, and on how many pictures a step."""
    several = f"{replicas} replicas" if replicas > 1 else "1 replica"
    spread = f" on {workers} workers" if workers > 1 else ""
    return f"Strategy {config.strategy}: {several}{spread}, {config.train_batch_size} pictures a step in all"


def plan_lines(config: SampleConfig, parameters: int, pictures: tuple[int, int], plan: Plan) -> Iterator[str]:
    """What is trained, on how many training and verification `pictures`, and for how long."""
    yield f"Network {config.network}: {parameters:,} parameters, {config.alphabet.classes} classes"
    yield f"{pictures[0]} training and {pictures[1]} verification pictures"
    paired = ", two views at once" if plan.paired else ""
    steps = f"cycle_stop {plan.steps} steps of {config.train_batch_size} pictures"
    yield f"{steps}: each is seen {plan.views:.1f} times{paired}"


def step_lines(step: int, sets: dict[str, tuple[Accuracy, float]]) -> Iterator[str]:
    """The original's lines: accuracies and loss by the name of the set."""
    yield f"{step}th training >>>"
    for name, (accuracy, loss) in sets.items():
        yield (
            f"[{name} set] The character accuracy rate is {accuracy.character:.5f} "
            f"The picture accuracy rate is {accuracy.picture:.5f} >>> loss {loss:.10f}"
        )


def outcome_lines(outcome: Outcome) -> Iterator[str]:
    """Why the training ended, its accuracies, and its speed if it trained in this run."""
    yield f"Training ended at step {outcome.step}: {outcome.reason}"
    if not outcome.step:
        return
    verified = outcome.verification
    yield f"Verification set: picture accuracy {verified.picture:.2%}, character accuracy {verified.character:.2%}"
    low, high = interval(verified.picture, verified.pictures)
    yield f"95% interval of the picture accuracy: {low:.2%} to {high:.2%}{_too_few(high - low, verified.pictures)}"
    yield f"Best picture accuracy there: {outcome.best_accuracy:.2%} at step {outcome.best_step}"
    if outcome.pictures_per_s:
        speed = f"{outcome.pictures_per_s:.0f} pictures/s, {outcome.gflops:.0f} GFLOP/s"
        machine = outcome.machine_gflops
        beside = f" (a product of matrices in bfloat16: {machine:.0f})" if machine else ""
        yield f"{outcome.seconds:.0f} seconds, {speed}{beside}"


def _too_few(width: float, pictures: int) -> str:
    """What to say behind an interval that is so wide that its middle means little, or nothing."""
    if width <= WIDE:
        return ""
    counted = "1 picture" if pictures == 1 else f"{pictures} pictures"
    return f": {counted} can't tell better; with more labelled pictures you would know"


def diagnosis_lines(diagnosis: Diagnosis, table: Path, goal_reached: bool) -> Iterator[str]:
    """Accuracy on training pictures, confusions, probably mislabelled pictures and what to try next.

    `table` is the file of all probably mislabelled pictures; `goal_reached`: the training stopped at `acc_stop`.
    """
    pictures = diagnosis.training.pictures
    some = f", {pictures} of {pictures + diagnosis.unread}" if diagnosis.unread else ""
    yield f"Training pictures, unchanged{some}: picture accuracy {diagnosis.training.picture:.2%}"
    if diagnosis.confusions:
        listed = ", ".join(
            f"{a or NO_CHARACTER}→{b or NO_CHARACTER} {n}x" for a, b, n in diagnosis.confusions[:LIST_LIMIT]
        )
        yield f"Still confused on the verification set (label→prediction, {NO_CHARACTER}: none): {listed}"
    if diagnosis.suspects:
        count = len(diagnosis.suspects)
        yield f"Probably mislabelled (the network is confident of another text): {count}, see {display_path(table)}:"
    for suspect in diagnosis.suspects[:LIST_LIMIT]:
        text = suspect.prediction.text or NO_CHARACTER
        yield f"  {display_path(suspect.path)} label: {suspect.label} prediction: {text} loss {suspect.loss:.1f}"
    yield f"To try next: {advice(diagnosis, goal_reached)}"


def export_lines(card: ModelCard) -> Iterator[str]:
    """How the exported files read, and which of them is used."""
    measured = card.exported_picture_accuracy
    if measured:
        listed = ", ".join(f"{kind} {share:.2%}" for kind, share in measured.items())
        yield f"Exported, picture accuracy on the verification set: {listed}; pictures are read with {card.reads}"
