"""Reads pictures with the shipped general model, in a process of its own as the ready readers do.

    python -m tests.benchmarks.our_reader

Questions and answers are those of `peer_reader`. A question has `lengths` too, the fewest and most characters, and an
answer `lengths_known`, what is read when they are known as well.
"""

from functools import cache
from pathlib import Path

from cnnlib.core.paths import GENERAL_MODEL
from cnnlib.core.version import __version__
from cnnlib.inference.hints import NO_HINTS, Hints
from cnnlib.inference.model_card import READING, load_model
from cnnlib.inference.recognizer import Recognizer
from tests.benchmarks.peer_reader import MEGABYTE, Answer, Question, converse, timed


def read_with_ours(picture: bytes, alphabet: str | None = None, lengths: tuple[int, int] | None = None) -> str:
    """The text of an encoded picture, read with what is known of it.

    With an `alphabet` case is ignored, and the text is in small letters. `lengths` are the fewest and most characters.
    """
    fewest, most = lengths or (None, None)
    known = Hints(char_set=alphabet, min_captcha=fewest, max_captcha=most, ignore_case=True)
    return model().recognize(picture, NO_HINTS if alphabet is None else known).text


@cache
def model() -> Recognizer:
    return Recognizer.general()


def answer(question: Question) -> Answer:
    """The answer to a question: what was read, and what is read when the alphabet, and when also lengths are known."""
    data, alphabet = Path(question["path"]).read_bytes(), question["alphabet"]
    answered = timed(read_with_ours, data)
    if "error" in answered:
        return {**answered, "known": "", "lengths_known": ""}
    fewest, most = question["lengths"]
    known, with_lengths = read_with_ours(data, alphabet), read_with_ours(data, alphabet, (fewest, most))
    return {**answered, "known": known, "lengths_known": with_lengths}


def main() -> None:
    card, content = load_model(GENERAL_MODEL, READING)
    model()  # loaded before the first reading is timed
    version = f"{__version__}, model of {card.saved_at[:10]}"
    converse({"version": version, "weights_mb": len(content) / MEGABYTE}, answer)


if __name__ == "__main__":
    main()
