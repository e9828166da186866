"""The shipped general model on pictures of generators that it never saw, without any training."""

from pathlib import Path

from cnnlib.codec.filenames import label_of
from cnnlib.core.paths import PROJECT_ROOT
from cnnlib.evaluation import metrics
from cnnlib.inference.compatibility import Requirements
from cnnlib.inference.recognizer import Recognizer
from tests.benchmarks.runs import Result, store, stored
from tests.benchmarks.zoo import HELD_BACK, pictures_of

MODEL = PROJECT_ROOT / "model" / "general"


def read_set(zoo: Path, name: str) -> Result:
    """Stored, or measured now: shares of the held back pictures read right, exactly, case ignored, alphabet known."""
    found = stored(f"general-{name}")
    if found is not None:
        return found
    paths = pictures_of(zoo, name)[:HELD_BACK]
    labels = [label_of(path.name) for path in paths]
    data = [path.read_bytes() for path in paths]
    texts = [prediction.text for prediction in Recognizer(MODEL).recognize(data)]
    alphabet = "".join(sorted(set("".join(labels))))
    narrow = Recognizer(MODEL, requirements=Requirements("the benchmark", char_set=alphabet)).recognize(data)
    exact = metrics.accuracy(labels, texts)
    known = metrics.accuracy(labels, [prediction.text for prediction in narrow])
    folded = metrics.accuracy([label.lower() for label in labels], [text.lower() for text in texts])
    measured = {
        "set": name,
        "samples": len(paths),
        "picture_accuracy": exact.picture,
        "interval": metrics.interval(exact.picture, len(paths)),
        "case_ignored": folded.picture,
        "alphabet_known": known.picture,
        "character_accuracy": exact.character,
    }
    return store(f"general-{name}", measured)
