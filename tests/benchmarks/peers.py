"""Ready captcha readers and our general model on the same pictures of generators that ours never saw.

The ready readers live in an environment of their own under `bench/`. A process of `peer_reader` reads with each, one of
`our_reader` with ours.
"""

import json
import subprocess
import sys
import venv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import fmean
from threading import Thread
from typing import IO

from PIL import Image

from cnnlib.codec.filenames import label_of
from cnnlib.codec.images import Shape, decode_picture, encode_picture, to_array
from cnnlib.core.files import write_atomically
from cnnlib.core.paths import PROJECT_ROOT
from tests.benchmarks.runs import WORK, Result, store, stored
from tests.benchmarks.sums import answer_in
from tests.benchmarks.zoo import HELD_BACK, pictures_of, sets_in

OURS = "ours"
READERS = (OURS, "whisperer", "ddddocr", "ddddocr-beta", "ppocr")  # from the cheapest
SUMS = {  # sets whose label is the answer: alphabet and lengths of what is on the pictures
    "easycaptcha_arith": ("0123456789+-x×=?", (5, 5)),
    "djangosimple_math": ("0123456789+-*=", (4, 6)),
}
SHOWN = 3  # pictures of each set that the page shows
REQUIREMENTS = Path(__file__).with_name("peers_requirements.txt")
SCRIPT = Path(__file__).with_name("peer_reader.py")


@dataclass(frozen=True)
class Set:
    """The pictures of a set that are read, and their labels."""

    name: str
    paths: tuple[Path, ...]

    @property
    def labels(self) -> list[str]:
        return [label_of(path.name) for path in self.paths]

    @property
    def alphabet(self) -> str:
        """The characters on the pictures."""
        return SUMS[self.name][0] if self.name in SUMS else "".join(sorted(set("".join(self.labels))))

    @property
    def lengths(self) -> tuple[int, int]:
        """The fewest and the most characters on a picture."""
        counts = [len(label) for label in self.labels]
        return SUMS[self.name][1] if self.name in SUMS else (min(counts), max(counts))


def names_in(looks: Path | None, zoo: Path | None) -> list[str]:
    """Names of all sets in the two folders of tars."""
    return [name for folder in (zoo, looks) if folder for name in sets_in(folder)]


def name_of(reader: str, name: str) -> str:
    """The name of the result of a reader on a set."""
    return f"peers-{reader}-{name}"


def open_set(looks: Path | None, zoo: Path | None, name: str) -> Set:
    """A set: all pictures of a look, the held back ones of the zoo."""
    if zoo and name in sets_in(zoo):
        return Set(name, tuple(pictures_of(zoo, name)[:HELD_BACK]))
    return Set(name, tuple(pictures_of(Path(str(looks)), name)))


def read_set(reader: str, pictures: Callable[[], Set]) -> Result:
    """Stored, or measured now: how much of a set a reader reads right, and what it costs."""
    opened = pictures()
    found = stored(name_of(reader, opened.name))
    if found is not None:
        return found
    hello, process = start(reader)
    answers = list(ask(process, reader, opened))
    result = store(name_of(reader, opened.name), {"reader": reader, **hello, **summary(opened, answers)})
    print(f"{result['name']}: {result['exact']:.1%}, {result['cpu_ms']:.1f} ms", flush=True)
    return result


def ask(process: subprocess.Popen[str], reader: str, opened: Set) -> Iterator[Result]:
    """The answers of a reader's process, one for each picture of a set.

    A thread asks, so that the reader never waits for the next question.
    """
    assert process.stdin
    assert process.stdout
    paths = opened.paths if reader == OURS else [opaque(path) for path in opened.paths]
    about = {"alphabet": opened.alphabet, "lengths": opened.lengths}
    questions = "".join(json.dumps({"path": str(path), **about}) + "\n" for path in paths)
    asking = Thread(target=send, args=(process.stdin, questions))
    asking.start()
    for _ in paths:
        yield json.loads(process.stdout.readline())
    asking.join()


def send(file: IO[str], text: str) -> None:
    """Write a text to a pipe, whatever its buffer holds."""
    file.write(text)
    file.flush()


def summary(opened: Set, answers: Sequence[Result]) -> Result:
    """The shares read right, 0 to 1, mean cost and some readings of a set."""
    labels = opened.labels
    texts = [answer["text"] for answer in answers]
    readings = {"exact": texts, "case_ignored": texts, "alphabet_known": [answer["known"] for answer in answers]}
    if all(answer.get("lengths_known") is not None for answer in answers):
        readings["lengths_known"] = [answer["lengths_known"] for answer in answers]
    shown = zip(opened.paths[:SHOWN], labels, texts, strict=False)
    return {
        "set": opened.name,
        "samples": len(labels),
        **{measure: share_right(opened, measure, texts) for measure, texts in readings.items()},
        "cpu_ms": round(fmean(answer["cpu_ms"] for answer in answers), 3),
        "peak_mb": round(max(answer["peak_mb"] for answer in answers), 1),
        "failed": sum("error" in answer for answer in answers),
        "shown": [{"picture": path.name, "label": label, "text": text} for path, label, text in shown],
    }


def share_right(opened: Set, measure: str, texts: Sequence[str]) -> float:
    """The share of texts that are right, 0 to 1."""
    pairs = zip(opened.labels, texts, strict=True)
    right = sum(is_right(opened.name, label, text, exact=measure == "exact") for label, text in pairs)
    return right / max(1, len(texts))


def is_right(name: str, label: str, text: str, *, exact: bool = False) -> bool:
    """Whether a text of a set is its label, case ignored unless `exact`. A sum is right when its answer is.

    Spaces are passed over: no label has one, and readers of general text put them between letters that are far apart.
    """
    if name in SUMS:
        return answer_in(text) == label
    text = "".join(text.split())
    return text == label if exact else text.lower() == label.lower()


def opaque(path: Path) -> Path:
    """The picture as a ready reader gets it: a copy in RGB on white when its file has a palette or transparency."""
    with Image.open(path) as picture:
        if picture.mode in ("L", "RGB"):
            return path
    copy = WORK / "peers" / "pictures" / path.parent.name / f"{path.stem}.png"
    if not copy.exists():
        decoded = decode_picture(path.read_bytes())
        pixels = to_array(decoded, Shape(decoded.height, decoded.width, 3))
        copy.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(copy, encode_picture(Image.fromarray(pixels), "png"))
    return copy


@cache
def start(reader: str) -> tuple[Result, subprocess.Popen[str]]:
    """A process that reads with a reader, and what it says of itself: version, MB of weights."""
    module = [sys.executable, "-m", "tests.benchmarks.our_reader"]
    command = module if reader == OURS else [str(installed()), str(SCRIPT), reader]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, cwd=PROJECT_ROOT, stdin=pipe, stdout=pipe, text=True, encoding="utf-8")
    assert process.stdout
    return json.loads(process.stdout.readline()), process


def installed() -> Path:
    """The Python of the ready readers' environment, which is made when it is missing or has other packages."""
    folder = WORK / "peers" / "venv"
    python, done = folder / "bin" / "python", folder / "requirements.txt"
    wanted = REQUIREMENTS.read_bytes()
    if not done.exists() or done.read_bytes() != wanted:
        venv.create(folder, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--requirement", REQUIREMENTS], check=True)
        write_atomically(done, wanted)
    return python
