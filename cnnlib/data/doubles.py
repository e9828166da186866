"""Files of pictures that are there twice: byte for byte, or nearly."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cnnlib.codec.images import open_picture, read_picture
from cnnlib.codec.likeness import SMALL, find_alike
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
    pictures = on_all_cores(_seen, samples)
    exact, near = find_alike(progress(pictures, total=len(samples)) if progress else pictures)
    firsts = sorted((exact | near).items())
    return [Double(samples[number], samples[first], number in exact) for number, first in firsts]


def _seen(sample: Sample) -> tuple[bytes, np.ndarray] | None:
    """The digest of a sample and its small version; None for one that is no picture, or was deleted meanwhile."""
    try:
        return (sample.digest, open_picture(read_picture(sample.path), SMALL)) if sample.size else None
    except SampleError:
        return None
