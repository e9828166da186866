"""Reads pictures with one ready captcha reader: JSON lines in, JSON lines out. Runs in an environment of its own.

    python tests/benchmarks/peer_reader.py ddddocr

The first line out is `{"version": "1.6.1", "weights_mb": 13.6}`. Each line in, `{"path": "...", "alphabet": "0123"}`,
is answered by `{"text": "...", "known": "...", "cpu_ms": 29.1, "peak_mb": 180.2}`: the text as the reader gives it,
and the text when only characters of the alphabet may be read, in either case.
"""

import importlib
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

MEGABYTE = 1e6
PROBABILITIES = 0.01  # how far from 1 the sums of a network's answer may be that is probabilities already

Question = dict[str, Any]
Answer = dict[str, Any]


@dataclass(frozen=True)
class Reader:
    """A ready reader: encoded picture to text.

    `characters` are those of its network's classes, one of which is the `blank`. `scores` gives float (steps, classes)
    of the last reading, probabilities or logits.
    """

    read: Callable[[bytes], str]
    scores: Callable[[], np.ndarray]
    characters: tuple[str, ...]
    blank: int
    package: str
    weights: Path


def converse(hello: Answer, answer: Callable[[Question], Answer]) -> None:
    """Answer each line of standard input on standard output. What libraries print goes to standard error."""
    with os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8") as answers:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        print(json.dumps(hello), file=answers, flush=True)
        for line in sys.stdin:
            print(json.dumps(answer(json.loads(line)), ensure_ascii=False), file=answers, flush=True)


def timed(read: Callable[[bytes], str], data: bytes) -> Answer:
    """What one reading gives and costs: text, processor milliseconds, the process's peak memory in MB.

    A reader that fails reads "", and the answer has the `error`.
    """
    start, error = time.process_time(), None
    try:
        text = read(data)
    except Exception as caught:  # of many libraries
        text, error = "", f"{type(caught).__name__}: {caught}"
    cpu_ms = 1000 * (time.process_time() - start)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / MEGABYTE
    return {"text": text, "cpu_ms": cpu_ms, "peak_mb": peak_mb, **({"error": error} if error else {})}


def answer(reader: Reader, question: Question) -> Answer:
    """The answer to a question: what was read, and what is read when the alphabet is known."""
    answered = timed(reader.read, Path(question["path"]).read_bytes())
    if "error" in answered:
        return {**answered, "known": ""}
    return {**answered, "known": known_text(reader, reader.scores(), question["alphabet"])}


def known_text(reader: Reader, scores: np.ndarray, alphabet: str) -> str:
    """The text in small letters that a CTC network reads when it may read only an alphabet, in either case.

    The probabilities of a letter's two cases are added. The best path is greedy, as in the readers themselves.
    """
    names = ("", *sorted(set(alphabet.lower())))
    shares = probabilities(scores)
    merged = np.stack([shares[:, classes].sum(axis=1) for classes in classes_of(reader, names)], axis=1)
    path = merged.argmax(axis=1).tolist()
    return "".join(names[one] for before, one in zip([0, *path], path, strict=False) if one not in (0, before))


@cache
def classes_of(reader: Reader, names: tuple[str, ...]) -> list[list[int]]:
    """The classes of each name, in either case; the first name is the blank."""
    numbers: dict[str, list[int]] = {}
    for number, character in enumerate(reader.characters):
        numbers.setdefault(character.lower(), []).append(number)
    return [[reader.blank], *(numbers.get(name, []) for name in names[1:])]


def probabilities(scores: np.ndarray) -> np.ndarray:
    """float (steps, classes), 0 to 1: the softmax of logits, or `scores` themselves when they are probabilities."""
    if scores.min() >= 0 and np.abs(scores.sum(axis=1) - 1).max() < PROBABILITIES:
        return scores
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def record_answers() -> Callable[[], np.ndarray]:
    """Make onnxruntime work on one thread and keep its last answer; returns what gives it, float (steps, classes).

    To be called before a reader is imported.
    """
    import onnxruntime

    kept: list[np.ndarray] = []

    class Session(onnxruntime.InferenceSession):
        def __init__(self, path: str, sess_options: Any = None, **named: Any) -> None:
            options = sess_options or onnxruntime.SessionOptions()
            options.intra_op_num_threads = options.inter_op_num_threads = 1
            super().__init__(path, sess_options=options, **named)

        def run(self, *arguments: Any, **named: Any) -> Any:
            outputs = super().run(*arguments, **named)
            kept[:] = outputs[:1]
            return outputs

    onnxruntime.InferenceSession = Session
    return lambda: kept[0].reshape(-1, kept[0].shape[-1])  # a batch of one, wherever its axis is


def folder_of(package: str) -> Path:
    """The folder of an imported package."""
    return Path(str(importlib.import_module(package).__file__)).parent


def load_ddddocr(beta: bool) -> Reader:
    scores = record_answers()
    import ddddocr

    model = ddddocr.DdddOcr(show_ad=False, beta=beta)
    weights = folder_of("ddddocr") / ("common.onnx" if beta else "common_old.onnx")
    return Reader(model.classification, scores, tuple(model.get_charset()), 0, "ddddocr", weights)


def load_whisperer() -> Reader:
    scores = record_answers()
    from captcha_whisperer import CaptchaRecognizer, constants

    model = CaptchaRecognizer(threads=1)
    weights = folder_of("captcha_whisperer") / "models" / constants.MODEL_FILENAME
    steps = constants.TIME_STEPS - 1  # the reader leaves out the last one
    return Reader(
        lambda data: str(model.recognize_bytes(data)["text"]),
        lambda: scores()[:steps],
        tuple(constants.LABELS),
        constants.BLANK_INDEX,
        "captcha-whisperer",
        weights,
    )


def load_ppocr() -> Reader:
    scores = record_answers()
    from rapidocr import RapidOCR

    model = RapidOCR(params={"Global.log_level": "critical", "Global.text_score": 0.0})

    def read(data: bytes) -> str:
        texts = model(data, use_det=False, use_cls=False, use_rec=True).txts
        return "".join(texts or ())

    names = tuple(model._load_rec_model().postprocess_op.character)
    return Reader(read, scores, names, 0, "rapidocr", folder_of("rapidocr") / "models" / "PP-OCRv6_rec_small.onnx")


READERS: dict[str, Callable[[], Reader]] = {
    "whisperer": load_whisperer,
    "ddddocr": partial(load_ddddocr, beta=False),
    "ddddocr-beta": partial(load_ddddocr, beta=True),
    "ppocr": load_ppocr,
}


def main() -> None:
    reader = READERS[sys.argv[1]]()
    hello = {"version": version(reader.package), "weights_mb": reader.weights.stat().st_size / MEGABYTE}
    converse(hello, partial(answer, reader))


if __name__ == "__main__":
    main()
