"""The shipped general model on pictures of generators that it never saw, without any training."""

import json
from pathlib import Path

from cnnlib import evaluation
from cnnlib.config import PROJECT_ROOT
from cnnlib.model_card import write_whole
from cnnlib.pictures import label_of
from cnnlib.recognizer import Recognizer
from tests.benchmarks.runs import RESULTS, Result, stored
from tests.benchmarks.zoo import HELD_BACK, pictures_of

MODEL = PROJECT_ROOT / "model" / "general"


def read_set(zoo: Path, name: str) -> Result:
    """Stored, or measured now: the share of the held back pictures read right, exactly and with case ignored."""
    found = stored(f"general-{name}")
    if found is not None:
        return found
    paths = pictures_of(zoo, name)[:HELD_BACK]
    labels = [label_of(path.name) for path in paths]
    texts = [reading.text for reading in Recognizer(MODEL).recognize([path.read_bytes() for path in paths])]
    exact = evaluation.accuracy(labels, texts)
    folded = evaluation.accuracy([label.lower() for label in labels], [text.lower() for text in texts])
    result = {
        "name": f"general-{name}",
        "set": name,
        "samples": len(paths),
        "picture_accuracy": exact.picture,
        "interval": evaluation.interval(exact.picture, len(paths)),
        "case_ignored": folded.picture,
        "character_accuracy": exact.character,
    }
    RESULTS.mkdir(exist_ok=True)
    write_whole(RESULTS / f"general-{name}.json", (json.dumps(result, indent=1) + "\n").encode())
    return result
