"""Reads pictures with the shipped general model, in a process of its own as the ready readers do.

    python -m tests.benchmarks.our_reader

Questions and answers are those of `peer_reader`. A question has `lengths` too, the fewest and most characters, and an
answer `lengths_known`, null as long as lengths can't be told.
"""

from functools import cache
from pathlib import Path

from cnnlib.core.paths import PROJECT_ROOT
from cnnlib.core.version import __version__
from cnnlib.inference.compatibility import Requirements
from cnnlib.inference.model_card import READING, load_model
from cnnlib.inference.recognizer import Recognizer
from tests.benchmarks.peer_reader import MEGABYTE, Answer, Question, converse, timed

MODEL = PROJECT_ROOT / "model" / "general"


# ---- How our model is told what is known. To be replaced when the recognizer takes hints. ----
def read_with_ours(picture: bytes, alphabet: str = "", lengths: tuple[int, int] | None = None) -> str | None:
    """The text of an encoded picture, read with what is known of it; None when `lengths` can't be used.

    Only characters of an `alphabet` are read. `lengths` are the fewest and the most characters.
    """
    if lengths is not None:
        return None
    known = recognizer("").characters
    return recognizer("".join(character for character in known if character in alphabet)).recognize(picture).text


@cache
def recognizer(characters: str) -> Recognizer:
    """Our model, reading some characters alone, or all when there are none."""
    if not characters:
        return Recognizer(MODEL)
    return Recognizer(MODEL, requirements=Requirements("the benchmark", char_set=characters))


# ----------------------------------------------------------------------------------------------


def answer(question: Question) -> Answer:
    """The answer to a question: what was read, and what is read when the alphabet, and when also lengths are known."""
    data, alphabet = Path(question["path"]).read_bytes(), question["alphabet"]
    answered = timed(lambda picture: str(read_with_ours(picture)), data)
    if "error" in answered:
        return {**answered, "known": "", "lengths_known": ""}
    known = read_with_ours(data, alphabet)
    return {**answered, "known": known, "lengths_known": read_with_ours(data, alphabet, tuple(question["lengths"]))}


def main() -> None:
    card, content = load_model(MODEL, READING)
    recognizer("")  # loaded before the first reading is timed
    version = f"{__version__}, model of {card.saved_at[:10]}"
    converse({"version": version, "weights_mb": len(content) / MEGABYTE}, answer)


if __name__ == "__main__":
    main()
