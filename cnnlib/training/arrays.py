"""Reads the arrays of an .npz file that may be broken, or made to do harm."""

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from zipfile import ZipFile

import numpy as np

from cnnlib.core.errors import ModelError


@contextmanager
def open_arrays(content: bytes, limit_bytes: int) -> Iterator[Mapping[str, np.ndarray]]:
    """The arrays in the bytes of an .npz, by name. No array is unpickled, which could run code.

    Raises ModelError for any fault of the file, also for one that shows in the block, and when the arrays together take
    more than `limit_bytes`: a small file can hold gigabytes of zeros.
    """
    try:
        with ZipFile(io.BytesIO(content)) as archive:
            size = sum(member.file_size for member in archive.infolist())
        if size > limit_bytes:
            raise ModelError(f"expected arrays of at most {limit_bytes} bytes; got {size}")
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            yield arrays
    except ModelError:
        raise
    except Exception as error:  # zip, zlib, NumPy and JSON each have faults of their own
        fault = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        raise ModelError(f"expected the arrays of a saved training; got a broken file ({fault})") from error
