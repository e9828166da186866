"""What is likely wrong in the labelled pictures of all sets: doubles, labels, rare characters, mixed cases."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from cnnlib.config import SampleConfig
from cnnlib.data.doubles import Double, find_doubles
from cnnlib.data.plausibility import ENOUGH, kinds_in, mixed_case, rare_characters
from cnnlib.data.samples import Sample, doubt_labels, inspect_folder, judge
from cnnlib.evaluation.diagnosis import LabelledPrediction

Progress = Callable[..., Any]  # wraps an iterator and takes its length as `total`, as tqdm does
Readings = Mapping[Path, LabelledPrediction]  # of networks that did not learn the picture, by its path


@dataclass(frozen=True)
class Examination:
    """The labelled pictures of all sets, and what the files alone tell about them."""

    samples: list[Sample]
    doubles: list[Double]
    rare: dict[str, int]  # characters that are seen too seldom to be learned, with how often
    case: str | None  # what is said about upper and lower case


@dataclass(frozen=True)
class Finding:
    """A picture, what is likely wrong with it, and how a network reads it that did not learn it."""

    sample: Sample
    causes: tuple[str, ...]
    certain: bool  # whether one of two labels must be wrong
    reading: LabelledPrediction | None = None

    @property
    def score(self) -> float:
        """How strongly the label is contradicted, see `LabelledPrediction.contradiction`; 0 without a reading."""
        return self.reading.contradiction if self.reading else 0.0

    @property
    def suspicious(self) -> bool:
        """Whether there is anything to look at."""
        return bool(self.causes) or (self.reading is not None and self.reading.prediction.text != self.sample.label)


def examine(config: SampleConfig, progress: Progress | None = None) -> Examination:
    """Look through the original sets, the new one, the training and the test set. Files without a label are left out.

    Links count, as a training takes them. Labels that are likely wrong have a doubt, those that don't fit the config a
    misfit.
    """
    folders = dict.fromkeys((*config.dirs_to_split, config.train_image_dir, config.test_image_dir))
    found = [sample for folder in folders for sample in inspect_folder(folder, progress, following=True)]
    labelled = [sample for sample in found if sample.label and sample.size and not sample.name.startswith(".")]
    samples = doubt_every([judge(sample, config) for sample in labelled], config)
    labels = [str(sample.label) for sample in samples]
    return Examination(samples, find_doubles(samples, progress), rare_characters(labels), mixed_case(labels))


def doubt_every(samples: Sequence[Sample], config: SampleConfig) -> list[Sample]:
    """The samples with doubts, in order. Each of several looks is judged alone: what is rare may be usual in one.

    The samples of the original folders come first, each with its look. The sets don't tell the looks of theirs.
    """
    if not config.has_looks:
        return doubt_labels(samples, ())
    original = [sample for sample in samples if sample.folder in config.origin_dirs]
    looks = [[*look] for _, look in groupby(original, lambda sample: sample.folder)]
    return [sample for look in looks for sample in doubt_labels(look, ())] + _doubt_mix(samples[len(original) :])


def _doubt_mix(samples: Sequence[Sample]) -> list[Sample]:
    """The samples of several looks with doubts, in order.

    From ten on, labels of one length and of the same kinds of characters are taken for a look, and judged alone. Others
    are compared with all of their length or, where that is rare, with all.
    """
    labels = [str(sample.label) for sample in samples]
    looks = _likely_looks(labels)
    doubted = [*samples]
    for look in set(looks):
        places = [place for place, other in enumerate(looks) if other == look]
        wider = (label for label, other in zip(labels, looks, strict=True) if look == other[: len(look)] != other)
        judged = doubt_labels([samples[place] for place in places], [*wider])
        for place, sample in zip(places, judged, strict=True):
            doubted[place] = sample
    return doubted


def _likely_looks(labels: Sequence[str]) -> list[tuple[object, ...]]:
    """For each label its length and kinds of characters, its length alone, or nothing: what ten or more have."""
    keys = [(len(label), kinds_in(label)) for label in labels]
    lengths, kinds = Counter(length for length, _ in keys), Counter(keys)
    return [key if kinds[key] >= ENOUGH else key[: lengths[key[0]] >= ENOUGH] for key in keys]


def findings(examination: Examination, readings: Readings) -> list[Finding]:
    """All pictures, the most suspicious first.

    Before all others come those of which one of two labels must be wrong. Then the contradiction counts, and where
    there is none, what the files tell and how little the network believes the label.
    """
    doubles: dict[Path, list[tuple[str, bool]]] = {}
    for double in examination.doubles:
        for sample, other in ((double.sample, double.other), (double.other, double.sample)):
            doubles.setdefault(sample.path, []).append((_describe(double, other), double.disagrees))
    every = [
        _finding(sample, doubles.get(sample.path, []), readings.get(sample.path)) for sample in examination.samples
    ]
    return sorted(every, key=_place)


def _finding(sample: Sample, doubles: Sequence[tuple[str, bool]], reading: LabelledPrediction | None) -> Finding:
    causes = (*([sample.fault] if sample.fault else []), *(text for text, _ in doubles))
    return Finding(sample, causes, any(disagrees for _, disagrees in doubles), reading)


def _describe(double: Double, other: Sample) -> str:
    same = "the same file as" if double.exact else "nearly the same picture as"
    label = f"labelled '{other.label}'" if double.disagrees else "under the same label"
    return f"{same} {other.folder.name}/{other.name}, {label}"


def _place(finding: Finding) -> tuple[bool, bool, float, bool, float]:
    """What the findings are sorted by, ascending."""
    unread = finding.sample.fault is not None and finding.reading is None
    belief = finding.reading.label_confidence if finding.reading else 1.0
    return (not finding.certain, not unread, -finding.score, not finding.causes, belief)


def case_slips(every: Sequence[Finding]) -> Counter[str]:
    """The letters in whose case alone labels and readings differ, in lower case, with how many pictures."""
    slips: Counter[str] = Counter()
    for finding in every:
        text = finding.reading.prediction.text if finding.reading else str(finding.sample.label)
        pairs = [*zip(str(finding.sample.label), text, strict=False)]
        if len(text) == len(str(finding.sample.label)) and all(a.lower() == b.lower() for a, b in pairs):
            slips.update({a.lower() for a, b in pairs if a != b})
    return slips
