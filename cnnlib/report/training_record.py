"""What a training found, kept in `report/training.json` for the page of later tests of its model."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from cnnlib.core.files import write_atomically
from cnnlib.evaluation.diagnosis import Diagnosis, LabelledReading

Reading = TypeVar("Reading", bound=LabelledReading)

RECORD = "training.json"


@dataclass(frozen=True)
class TrainingRecord:
    """How a training of `step` steps ended. `diagnosis` is None when a signal stopped it."""

    step: int
    reason: str
    goal_reached: bool
    diagnosis: Diagnosis | None = None
    skipped: dict[str, str] = field(default_factory=dict)  # why pictures were left out, by their names


_RECORDS = TypeAdapter(TrainingRecord)


def save_record(record: TrainingRecord, folder: Path) -> None:
    """Write the record into a report folder, with the names of pictures alone. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / RECORD, _RECORDS.dump_json(_with_pictures_in(record, Path()), indent=2))


def load_record(folder: Path, step: int, pictures: Path) -> TrainingRecord | None:
    """The record in a report folder of the model of this step, whose pictures are in the folder `pictures`.

    None when there is none, or it is broken or of another training.
    """
    try:
        record = _RECORDS.validate_json((folder / RECORD).read_bytes())
    except (OSError, ValidationError):
        return None
    return _with_pictures_in(record, pictures) if record.step == step else None


def _with_pictures_in(record: TrainingRecord, folder: Path) -> TrainingRecord:
    """The record with the paths that its pictures have in this folder: between two runs it may move."""
    if not record.diagnosis:
        return record

    def moved(reading: Reading) -> Reading:
        return replace(reading, path=folder / reading.path.name)

    suspects, misread = map(moved, record.diagnosis.suspects), map(moved, record.diagnosis.misread)
    return replace(record, diagnosis=replace(record.diagnosis, suspects=[*suspects], misread=[*misread]))
