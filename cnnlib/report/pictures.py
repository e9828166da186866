"""Pictures as a page without other files holds them, each with its label and reading."""

from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from cnnlib.codec.images import Shape, decode_picture, encode_picture, read_picture, to_array
from cnnlib.core.errors import SampleError
from cnnlib.core.printable import printable
from cnnlib.evaluation.diagnosis import LabelledReading
from cnnlib.evaluation.metrics import align

SIDE_LIMIT = 480  # pixels that the page holds of a longer side


@dataclass(frozen=True)
class ShownReading:
    """A picture as a data: URL, "" when it can't be shown, and its label and text, character by character."""

    url: str
    name: str
    label: str
    text: str
    confidence: float
    pairs: list[tuple[str, str]]


def shown(reading: LabelledReading) -> ShownReading:
    """What the page shows of a reading."""
    label, text = reading.label, reading.prediction.text
    name, confidence = printable(reading.path.name), reading.prediction.confidence
    return ShownReading(picture_url(reading.path), name, label, text, confidence, align(label, text))


def picture_url(path: Path) -> str:
    """A picture as a data: URL, decoded and encoded again; "" when its file is gone or holds none."""
    try:
        decoded = decode_picture(read_picture(path))
        picture = Image.fromarray(to_array(decoded, Shape(decoded.height, decoded.width, 3)))
    except SampleError:
        return ""
    picture.thumbnail((SIDE_LIMIT, SIDE_LIMIT))
    return f"data:image/png;base64,{b64encode(encode_picture(picture, 'png')).decode()}"
