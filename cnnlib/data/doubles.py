"""Files of pictures that are there twice: byte for byte, or nearly."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cnnlib.codec.images import open_picture, read_picture
from cnnlib.codec.likeness import SMALL, nearly_alike
from cnnlib.core.errors import SampleError
from cnnlib.core.parallel import on_all_cores
from cnnlib.data.samples import Sample


@dataclass(frozen=True)
class Double:
    """A picture, and the first one that is the same; `exact`: byte for byte."""

    sample: Sample
    other: Sample
    exact: bool

    @property
    def disagrees(self) -> bool:
        """Whether the two have different labels, of which one must be wrong."""
        return self.sample.label != self.other.label


def find_doubles(samples: Sequence[Sample], progress: Callable[..., Any] | None = None) -> list[Double]:
    """The pictures of which an earlier one is the same, in their order. `progress` is as for `inspect_folder`."""
    firsts: dict[bytes, Sample] = {}
    for sample in samples:
        if sample.size:
            firsts.setdefault(sample.digest, sample)
    exact = [
        Double(sample, firsts[sample.digest], True)
        for sample in samples
        if sample.size and firsts[sample.digest] is not sample
    ]
    unique = [*firsts.values()]
    smalls = on_all_cores(_small, unique)
    pixels = np.array([*(progress(smalls, total=len(unique)) if progress else smalls)], np.uint8)
    near = [Double(unique[number], unique[first], False) for number, first in nearly_alike(pixels).items()]
    places = {sample.path: place for place, sample in enumerate(samples)}
    return sorted([*exact, *near], key=lambda double: places[double.sample.path])


def _small(sample: Sample) -> np.ndarray:
    try:
        return open_picture(read_picture(sample.path), SMALL)
    except SampleError:  # deleted meanwhile
        return np.zeros((SMALL.height, SMALL.width, SMALL.channels), np.uint8)
