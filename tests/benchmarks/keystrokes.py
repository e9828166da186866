"""How many keys a person presses on the labelling page, counted from the readings and the labels of a set."""

from pathlib import Path

from cnnlib.codec.alphabet import Prediction
from cnnlib.codec.filenames import label_of
from cnnlib.evaluation.metrics import align
from cnnlib.inference.hints import Hints
from cnnlib.inference.recognizer import Recognizer
from tests.benchmarks.runs import Result, store, stored
from tests.benchmarks.zoo import HELD_BACK, pictures_of

PICTURES = 200
ENTER = 1


def measure(zoo: Path, name: str) -> Result:
    """Stored, or counted now: the keys for pictures of a set, with what is known of the texts."""
    result = f"keystrokes-{name}"
    found = stored(result)
    if found is not None:
        return found
    paths = pictures_of(zoo, name)[HELD_BACK : HELD_BACK + PICTURES]
    labels, data = [label_of(path.name) for path in paths], [path.read_bytes() for path in paths]
    lengths = {"min_captcha": min(map(len, labels)), "max_captcha": max(map(len, labels))}
    kinds = {
        "nothing": Hints(),
        "lengths": Hints(**lengths),
        "alphabet and lengths": Hints("".join(sorted({*"".join(labels)})), **lengths),
    }
    reader = Recognizer.general()
    counted = {kind: sum(map(keys_for, labels, reader.recognize(data, hints))) for kind, hints in kinds.items()}
    blank = sum(len(label) + ENTER for label in labels)
    return store(result, {"set": name, "pictures": len(paths), "from_blank": blank, "keys": counted})


def keys_for(label: str, reading: Prediction) -> int:
    """The fewest keys that turn a reading into the label and accept it, going through the mistakes from either end.

    A character replaces the one at the cursor, which moves on. A missing one takes Insert too, a needless one Delete.
    """
    mistakes = _mistakes(label, reading.text)
    least = min(range(len(reading.text)), key=reading.character_confidences.__getitem__, default=0)
    ways = (_walk(least, mistakes, len(reading.text)), _walk(least, mistakes[::-1], len(reading.text)))
    return min(*ways, ENTER + len(label) + 1 if len(reading.text) <= len(label) else 10**6) if mistakes else ENTER


def _mistakes(label: str, text: str) -> list[tuple[int, int, int]]:
    """Of each mistake its place in the text, the keys that mend it, and how far the cursor moves on by them."""
    found, place = list[tuple[int, int, int]](), 0
    for right, read in align(label, text):
        appended = not read and place >= len(text)
        if right != read:
            keys, moves = (1, 1) if appended else (2, 0) if not read else (1, int(bool(right)))
            found.append((place, keys, moves))
        place += bool(read) or appended
    return found


def _walk(cursor: int, mistakes: list[tuple[int, int, int]], length: int) -> int:
    """The keys for mending mistakes in this order, with arrows, Home and End between them, and Enter."""
    total = ENTER
    for place, keys, moves in mistakes:
        total += min(abs(place - cursor), 1 + place, 1 + abs(length - place)) + keys
        cursor = place + moves
    return total
